"""From InfluxDB's columns back to rows of a dataset: times, nulls, order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.adapters.influxdb.layout import DAY_NS, Mask, masks_for
from quantflux.data.contract import Query
from quantflux.data.schema import Dataset, TimeKind


def column_types(data: Dataset, columns: Sequence[str]) -> Mapping[str, pa.DataType]:
    """Return the Arrow types as which an answer's columns are read."""
    types = {field.name: field.type for field in data.schema}
    wanted = {name: types[name] for name in ("symbol", *data.extra_keys, *columns)}
    return {"time": pa.int64(), **wanted, **{mask.name: pa.int64() for mask in masks_for(data, columns)}}


def as_rows(query: Query, answer: pa.Table) -> pa.Table:
    """Return an answer in `query.schema`, sorted by key, with masked values null."""
    data = query.dataset
    columns = {"symbol": answer.column("symbol"), data.time: _times(data, answer.column("time"))}
    columns |= {name: answer.column(name) for name in (*data.extra_keys, *query.value_columns)}
    for mask in masks_for(data, query.value_columns):
        _apply(mask, answer.column(mask.name), columns)
    table = pa.table([columns[n] for n in query.schema.names], schema=query.schema)
    return _sorted(data, table)


def _times(data: Dataset, nanoseconds: pa.ChunkedArray) -> pa.ChunkedArray:
    if data.kind is TimeKind.DAY:
        return pc.divide(nanoseconds, DAY_NS).cast(pa.int32()).cast(pa.date32())
    return pc.divide(nanoseconds, 1000).cast(data.kind.arrow)


def _apply(mask: Mask, bits: pa.ChunkedArray, columns: dict[str, pa.ChunkedArray]) -> None:
    """Blank the values whose bit is set: an older value of a row that was later written with a null."""
    if not pc.max(bits).as_py():
        return
    for i, name in enumerate(mask.fields):
        if name in columns:
            hidden = pc.not_equal(pc.bit_wise_and(bits, 1 << i), 0).fill_null(False)
            column = columns[name]
            columns[name] = pc.if_else(hidden, pa.scalar(None, column.type), column)


def _sorted(data: Dataset, table: pa.Table) -> pa.Table:
    if table.num_rows < 2:
        return table
    keys = pl.DataFrame(table.select(data.key))
    order = keys.select(pl.arg_sort_by(*data.key)).to_series()
    if order.is_sorted():
        return table
    return table.take(order.to_arrow(compat_level=pl.CompatLevel.oldest()))
