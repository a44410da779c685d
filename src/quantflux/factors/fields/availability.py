"""Which fields of the catalogue the data at hand can fill."""

from __future__ import annotations

import pyarrow as pa

from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, Dataset
from quantflux.factors.fields.catalogue import (
    AdjustedPrice,
    AdjustmentFactor,
    Field,
    Industry,
    catalogue,
)
from quantflux.factors.fields.daily import columns_with_values


def available_fields(data: DataAccessLayer) -> list[Field]:
    """Return the fields of the catalogue of which there is any value here, in its order.

    Parameters
    ----------
    data : DataAccessLayer

    Returns
    -------
    list of Field
        Empty without daily bars: they are what every panel stands on.
    """
    if data.store.span(DAILY) is None:
        return []
    needed: dict[Dataset, set[str]] = {}
    for field in catalogue().values():
        needed.setdefault(field.source.dataset, set()).update(_columns(field))
    filled = {dataset: _filled(data, dataset, sorted(columns)) for dataset, columns in needed.items()}
    return [f for f in catalogue().values() if filled[f.source.dataset] & set(_columns(f))]


def _columns(field: Field) -> tuple[str, ...]:
    """Return the columns of which one with a value is enough."""
    if isinstance(field.source, AdjustmentFactor):
        return ("close",)  # it is 1 where none is stored
    if isinstance(field.source, AdjustedPrice | Industry):
        return field.source.columns[:1]
    return field.source.columns


def _filled(data: DataAccessLayer, dataset: Dataset, columns: list[str]) -> set[str]:
    if dataset.panel:
        return columns_with_values(data, dataset, columns)
    found: set[str] = set()
    for batch in data.store.iter_batches(Query(dataset, columns=tuple(columns))):
        found.update(c for c in columns if _has_value(batch.column(c)))
        if len(found) == len(columns):
            break
    return found


def _has_value(column: pa.Array) -> bool:
    return bool(column.null_count < len(column))
