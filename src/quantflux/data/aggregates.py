"""Aggregates by symbol and calendar period, for stores that have none of their own and for tables in hand.

Rows of a table are sorted by symbol and time, so every group is one run of rows:

1. `_runs` finds where symbol or period changes; nothing is hashed or sorted.
2. For each measure the nulls of its column are taken out and the runs shortened accordingly (`_without_nulls`).
3. A reduction over runs, one line of NumPy each, is chosen from `_REDUCTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Aggregation, CanAggregate, Function, MarketStore, Measure, Period, Query
from quantflux.data.schema import Dataset, FieldType, TimeKind

_NUMERIC = (FieldType.FLOAT, FieldType.INTEGER)

_MICROSECONDS_A_DAY = 86_400_000_000

Reduction = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From values of shape (rows,), first row and length of each run, to one value per run. No run is empty."""


def _mean(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.asarray(np.add.reduceat(values, starts) / lengths)


def _std(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    distances = values - np.repeat(_mean(values, starts, lengths), lengths)
    squares = np.add.reduceat(distances * distances, starts)
    single = lengths < 2
    return np.asarray(np.where(single, np.nan, np.sqrt(squares / np.where(single, 1, lengths - 1))))


_REDUCTIONS: dict[Function, Reduction] = {
    Function.FIRST: lambda values, starts, lengths: values[starts],
    Function.LAST: lambda values, starts, lengths: values[starts + lengths - 1],
    Function.MIN: lambda values, starts, lengths: np.minimum.reduceat(values, starts),
    Function.MAX: lambda values, starts, lengths: np.maximum.reduceat(values, starts),
    Function.SUM: lambda values, starts, lengths: np.add.reduceat(values, starts),
    Function.MEAN: _mean,
    Function.STD: _std,
}


def aggregate(store: MarketStore, query: Query, aggregation: Aggregation) -> pa.Table:
    """Aggregate the rows that `query` selects: in the store if it can, else here from the columns needed.

    Returns
    -------
    pyarrow.Table
        As `Aggregation` says.

    Raises
    ------
    InvalidRequest
        If a measure names an unknown column, or one that is not a number.
    """
    check(query.dataset, aggregation)
    if isinstance(store, CanAggregate):
        return store.aggregate(query, aggregation)
    narrow = Query(query.dataset, query.symbols, query.start, query.end, aggregation.columns)
    return aggregate_table(store.read(narrow), query.dataset, aggregation)


def check(data: Dataset, aggregation: Aggregation) -> None:
    """Refuse measures that the dataset cannot answer."""
    data.check_columns(aggregation.columns)
    names = ["symbol", "period_start", *(m.name for m in aggregation.measures)]
    if len(set(names)) < len(names):
        raise InvalidRequest(
            f"each column of the result needs its own name, was asked for {', '.join(names)}"
        )
    for measure in aggregation.measures:
        field = data.by_name.get(measure.column)
        if field is None or measure.column in data.key or field.type not in _NUMERIC:
            numbers = [f.name for f in data.fields if f.type in _NUMERIC and f.name not in data.key]
            raise InvalidRequest(
                f"{measure.function} of {measure.column} is not defined: it is no number; "
                f"{data.name} has the numbers {', '.join(numbers)}"
            )


def aggregate_table(table: pa.Table, dataset: Dataset, aggregation: Aggregation) -> pa.Table:
    """Aggregate a table that is sorted by symbol and time.

    A measure of a group whose values are all null is null; its count is 0. A standard deviation of one value is
    null.

    Parameters
    ----------
    table : pyarrow.Table
        With the dataset's symbol (text or dictionary) and time columns and those that the measures name.
    dataset : Dataset
    aggregation : Aggregation

    Returns
    -------
    pyarrow.Table
        symbol, period_start and one column per measure, sorted by symbol and period.

    Examples
    --------
    >>> from datetime import date
    >>> from quantflux.data.schema import DAILY
    >>> days = pa.array([date(2024, 1, 2), date(2024, 1, 31), date(2024, 2, 1)])
    >>> bars = pa.table({"symbol": ["600519.SH"] * 3, "trade_date": days, "close": [10.0, 12.0, 11.0]})
    >>> last = Aggregation(Period.MONTH, (Measure("last_close", "close", Function.LAST),))
    >>> aggregate_table(bars, DAILY, last).to_pydict()["last_close"]
    [12.0, 11.0]
    """
    check(dataset, aggregation)
    symbols, names = _codes(table.column("symbol"))
    periods = _periods(table.column(dataset.time), dataset.kind, aggregation.period)
    starts = _runs(symbols, periods)
    lengths = np.diff(starts, append=table.num_rows)
    columns = {
        "symbol": names.take(pa.array(symbols[starts])).cast(pa.string()),
        "period_start": pa.array(periods[starts].astype("datetime64[D]"), pa.date32()),
    }
    for measure in aggregation.measures:
        columns[measure.name] = _measure(table.column(measure.column), measure, starts, lengths)
    return pa.table(columns, schema=result_schema(aggregation))


def result_schema(aggregation: Aggregation) -> pa.Schema:
    """Return the schema of an aggregation's result."""
    counts = {m.name: m.function is Function.COUNT for m in aggregation.measures}
    fields = [pa.field("symbol", pa.string()), pa.field("period_start", pa.date32())]
    return pa.schema(fields + [pa.field(n, pa.int64() if c else pa.float64()) for n, c in counts.items()])


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    return whole.indices.to_numpy(), whole.dictionary


def _periods(times: pa.ChunkedArray, kind: TimeKind, period: Period) -> np.ndarray:
    """Return the first day of each row's period, worked out once for each day in between and looked up."""
    if kind is TimeKind.MINUTE:
        days = pc.local_timestamp(times.cast(pa.timestamp("us", tz=SHANGHAI.key))).cast(pa.int64()).to_numpy()
        days = days // _MICROSECONDS_A_DAY
    else:
        days = times.cast(pa.int32()).to_numpy()
    if len(days) == 0:
        return np.empty(0, dtype="datetime64[D]")
    first = int(days.min())
    starts = _first_days(np.arange(first, days.max() + 1), period)
    return np.asarray(starts[days - first])


def _first_days(days: np.ndarray, period: Period) -> np.ndarray:
    """Return the first day of the period of each day, given as days since 1970."""
    if period is Period.WEEK:
        # 1970-01-01 was a Thursday: three days after a Monday.
        return np.asarray((days - (days + 3) % 7).astype("datetime64[D]"))
    unit = {Period.DAY: "D", Period.MONTH: "M", Period.YEAR: "Y"}[period]
    return np.asarray(days.astype("datetime64[D]").astype(f"datetime64[{unit}]").astype("datetime64[D]"))


def _runs(symbols: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Return the first row of every run of one symbol and period."""
    if len(symbols) == 0:
        return np.empty(0, dtype=np.int64)
    changes = (np.diff(symbols) != 0) | (np.diff(periods).astype(np.int64) != 0)
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _measure(column: pa.ChunkedArray, measure: Measure, starts: np.ndarray, lengths: np.ndarray) -> pa.Array:
    values, counts = _without_nulls(column, starts, lengths)
    if measure.function is Function.COUNT:
        return pa.array(counts, pa.int64())
    filled = counts > 0
    result = np.full(len(starts), np.nan)
    if filled.any():
        first = np.cumsum(counts) - counts
        result[filled] = _REDUCTIONS[measure.function](values, first[filled], counts[filled])
    return pa.array(result, pa.float64(), from_pandas=True)


def _without_nulls(
    column: pa.ChunkedArray, starts: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values that are there, as floats, and how many of them each run has."""
    if column.null_count == 0:
        return column.to_numpy().astype(np.float64), lengths
    valid = pc.is_valid(column).to_numpy()
    counts = np.add.reduceat(valid.astype(np.int64), starts) if len(starts) else lengths
    return column.drop_null().to_numpy().astype(np.float64), counts
