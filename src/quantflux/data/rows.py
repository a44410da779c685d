"""Row operations that stores share: upsert by key, selection, order. Tables in, tables out; nothing is stored here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import SHANGHAI
from quantflux.data.conform import is_ordered
from quantflux.data.contract import Query, Span, When
from quantflux.data.schema import Dataset, TimeKind


def upsert(data: Dataset, old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the rows of `old` whose key is not in `new`, and all of `new`, sorted by key.

    Examples
    --------
    >>> from quantflux.data.schema import FACTOR_VALUES as data
    >>> row = {"symbol": "600519.SH", "trade_date": date(2024, 1, 2), "factor_id": "roc", "value": 1.0}
    >>> old = pa.Table.from_pylist([row], schema=data.schema)
    >>> new = pa.Table.from_pylist([row | {"value": 2.0}], schema=data.schema)
    >>> upsert(data, old, new)["value"].to_pylist()
    [2.0]
    """
    fresh = frame(new)
    kept = frame(old).join(fresh.select(data.key), on=list(data.key), how="anti")
    merged = pl.concat([kept, fresh]).sort(data.key)
    return merged.to_arrow().cast(data.schema)


def overlap(data: Dataset, keys: pa.Table, other: pa.Table) -> int:
    """Return how many rows of `keys` have their key in `other` too."""
    names = list(data.key)
    return frame(keys.select(names)).join(frame(other.select(names)), on=names, how="semi").height


def in_key_order(data: Dataset, table: pa.Table) -> pa.Table:
    """Return the rows sorted by key. A store's batches, put together, are in order only within each."""
    if is_ordered(data, table):
        return table
    return frame(table).sort(data.key).to_arrow().cast(table.schema)


def frame(table: pa.Table) -> pl.DataFrame:
    """Return the table as Polars columns."""
    return pl.DataFrame(table)


def select(table: pa.Table, query: Query) -> pa.Table:
    """Return the rows of a sorted table that `query` asks for, in its schema."""
    mask = None
    if query.symbols is not None:
        mask = pc.is_in(table.column("symbol"), value_set=pa.array(query.symbols, pa.string()))
    times = table.column(query.dataset.time)
    low, high = query.bounds
    for bound, compare in ((low, pc.greater_equal), (high, pc.less_equal)):
        if bound is not None:
            kept = compare(times, pa.scalar(bound, query.dataset.kind.arrow))
            mask = kept if mask is None else pc.and_(mask, kept)
    table = table.select(query.schema.names)
    return (table if mask is None else table.filter(mask)).cast(query.schema)


def ticks(bound: When) -> int:
    """Return a bound of `Query.bounds` as its column stores it: days or microseconds since 1970."""
    if isinstance(bound, datetime):
        return (bound - _EPOCH) // timedelta(microseconds=1)
    return (bound - _EPOCH.date()).days


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tick_values(kind: TimeKind, column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return a time column as int64 days or microseconds since 1970."""
    integers = column.cast(pa.int32()).cast(pa.int64()) if kind is TimeKind.DAY else column.cast(pa.int64())
    return np.asarray(integers.to_numpy())


def day_of_tick(kind: TimeKind, tick: int) -> date:
    """Return the Shanghai calendar day of a stored time."""
    if kind is TimeKind.DAY:
        return date.fromordinal(_EPOCH.date().toordinal() + tick)
    return datetime.fromtimestamp(tick // 1_000_000, SHANGHAI).date()


def span_of(data: Dataset, table: pa.Table) -> Span | None:
    """Return the first and last day in a table, or None if it is empty."""
    if table.num_rows == 0:
        return None
    ends = pc.min_max(table.column(data.time).cast(pa.int32() if data.kind is TimeKind.DAY else pa.int64()))
    return Span(day_of_tick(data.kind, ends["min"].as_py()), day_of_tick(data.kind, ends["max"].as_py()))
