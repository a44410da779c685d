"""The A-share trading day as a grid of 240 minutes, and bars of longer periods made from it.

A bar is labelled by the minute at which it closes. The day has two sessions, 09:31-11:30 and 13:01-15:00, of 120
minutes each; 5, 15, 30 and 60 divide 120, so no longer bar ever spans the lunch break or two days. The 60-minute
bars of a day close at 10:30, 11:30, 14:00 and 15:00.

A bar takes the open of its first minute with a row, the close of its last, the extremes, and the sums of volume and
amount. Minutes without a row are skipped; a bar without any minute does not exist.

The dense form has the grid as its last axis (`[..., 240]`, NaN where there is no row): see `resample_grid`. The long
form is an Arrow table sorted by symbol and time: see `resample_table`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Function
from quantflux.data.schema import MINUTE_LABELS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SLOTS = len(MINUTE_LABELS)
"""Bars in a day."""

PERIODS = (1, 5, 15, 30, 60)
"""Lengths in minutes that a bar may have."""

_MICROSECONDS = 60_000_000
_SLOT_OF = np.full(1440, -1, dtype=np.int64)
_SLOT_OF[MINUTE_LABELS] = np.arange(SLOTS)

RULES = {
    "open": Function.FIRST,
    "high": Function.MAX,
    "low": Function.MIN,
    "close": Function.LAST,
    "volume": Function.SUM,
    "amount": Function.SUM,
}
"""How each field of a bar follows from the bars inside it."""

_REDUCTIONS = {Function.MIN: np.minimum, Function.MAX: np.maximum, Function.SUM: np.add}


def locate(times: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], Integers]:
    """Return the day (days since 1970) and slot (0 .. 239) of minute-bar instants.

    Examples
    --------
    >>> from datetime import datetime; from quantflux.core.clock import SHANGHAI
    >>> afternoon = datetime(2024, 1, 2, 13, 1, tzinfo=SHANGHAI)
    >>> days, slots = locate(pa.array([afternoon], pa.timestamp("us", "Asia/Shanghai")))
    >>> days.tolist(), slots.tolist()
    ([19724], [120])
    """
    minutes = pc.local_timestamp(times).cast(pa.int64()).to_numpy() // _MICROSECONDS
    days = minutes // 1440
    return days.astype(np.int32), _SLOT_OF[minutes - days * 1440]


def instants(days: npt.NDArray[np.int32], period: int = 1) -> Integers:
    """Return the closing instants of every bar of these days: microseconds since 1970 UTC, shape [days, bars].

    The zone's offset is looked up once a day: summer time (last in 1991) never began or ended during a session.
    """
    local = days.astype(np.int64) * (1440 * _MICROSECONDS) + int(MINUTE_LABELS[0]) * _MICROSECONDS
    naive = pa.array(local).cast(pa.timestamp("us"))
    opening = pc.assume_timezone(naive, "Asia/Shanghai").cast(pa.int64()).to_numpy()
    offsets = (labels(period) - MINUTE_LABELS[0]) * _MICROSECONDS
    return np.asarray(opening[:, None] + offsets[None, :], dtype=np.int64)


def labels(period: int) -> Integers:
    """Return the closing minutes of a day's bars, in minutes after midnight.

    Examples
    --------
    >>> [f"{m // 60}:{m % 60:02}" for m in labels(60).tolist()]
    ['10:30', '11:30', '14:00', '15:00']
    """
    _check(period)
    return np.asarray(MINUTE_LABELS[period - 1 :: period], dtype=np.int64)


def _check(period: int) -> None:
    if period not in PERIODS:
        raise InvalidRequest(f"a bar may last {', '.join(map(str, PERIODS))} minutes, was asked for {period}")


def _rule(name: str) -> Function:
    if name not in RULES:
        raise InvalidRequest(f"{name} has no rule for longer bars; these have: {', '.join(RULES)}")
    return RULES[name]


def resample_grid(values: Mapping[str, Floats], period: int) -> dict[str, Floats]:
    """Return bars of `period` minutes from fields on the 240-minute grid.

    Parameters
    ----------
    values : mapping of field name to array of shape [..., 240]
        NaN where a minute has no row or no value. Names as in `RULES`.
    period : int
        Minutes: 5, 15, 30 or 60.

    Returns
    -------
    dict of arrays of shape [..., 240 / period]
        NaN where no minute of the bar has a value.
    """
    _check(period)
    return {name: fold(grid, period, _rule(name)) for name, grid in values.items()}


def fold(grid: Floats, size: int, rule: Function) -> Floats:
    """Fold each `size` neighbours along the last axis into one: first, last, min, max or sum of what is not NaN.

    Looping over the few positions inside a bar, each step vectorised over all bars, is several times faster than
    reducing over a short innermost axis.
    """
    parts = grid.reshape(*grid.shape[:-1], grid.shape[-1] // size, size)
    steps = [parts[..., i] for i in range(size)]
    result = steps[0].copy()
    if rule is Function.SUM:
        return _sum(steps)
    if rule is Function.MAX:
        for step in steps[1:]:
            np.fmax(result, step, out=result)
    elif rule is Function.MIN:
        for step in steps[1:]:
            np.fmin(result, step, out=result)
    else:
        ordered = steps if rule is Function.LAST else steps[::-1]
        for step in ordered:
            np.copyto(result, step, where=~np.isnan(step))
    return result


def _sum(steps: list[Floats]) -> Floats:
    total = steps[0].copy()
    for step in steps[1:]:
        total += step
    gaps = np.isnan(total)
    if gaps.any():
        taken = np.stack([step[gaps] for step in steps])
        sums = np.nansum(taken, axis=0)
        sums[np.isnan(taken).all(axis=0)] = np.nan
        total[gaps] = sums
    return total


def resample_table(table: pa.Table, period: int) -> pa.Table:
    """Return bars of `period` minutes from a long table of one-minute bars.

    Parameters
    ----------
    table : pyarrow.Table
        Columns symbol, bar_time and any of `RULES`, sorted by symbol and time.
    period : int
        Minutes: 5, 15, 30 or 60.

    Returns
    -------
    pyarrow.Table
        In the schema of `table`, bar_time being the close of the longer bar.
    """
    _check(period)
    days, slots = locate(table.column("bar_time"))
    bars = slots // period
    times = (
        table.column("bar_time").cast(pa.int64()).to_numpy()
        + ((bars + 1) * period - 1 - slots) * _MICROSECONDS
    )
    return _folded(table, "bar_time", times, days.astype(np.int64) * SLOTS + bars)


def minutes_to_days(table: pa.Table) -> pa.Table:
    """Return daily bars (symbol, trade_date, fields) from a long table of one-minute bars.

    The day's close is that of its last minute with a row: the exchange's closing price, since 15:00 is the closing
    auction's bar.
    """
    days, _ = locate(table.column("bar_time"))
    index = table.schema.get_field_index("bar_time")
    dated = table.set_column(index, "trade_date", pa.array(days).cast(pa.date32()))
    return _folded(dated, "trade_date", days, days)


def _folded(
    table: pa.Table, time: str, times: npt.NDArray[np.generic], group: npt.NDArray[np.generic]
) -> pa.Table:
    """Fold neighbouring rows of one symbol and one group; `times` become the time column."""
    if table.num_rows == 0:
        return table
    codes = pc.dictionary_encode(table.column("symbol").combine_chunks()).indices.to_numpy()
    starts = run_starts(codes, group)
    columns = []
    for spec in table.schema:
        column = table.column(spec.name)
        if spec.name == time:
            columns.append(pa.array(times[starts]).cast(spec.type))
        elif spec.name == "symbol":
            columns.append(column.take(pa.array(starts)))
        else:
            folded = fold_runs(column.combine_chunks(), starts, _rule(spec.name))
            columns.append(folded.cast(spec.type))
    return pa.Table.from_arrays(columns, schema=table.schema)


def run_starts(*keys: npt.NDArray[np.generic]) -> Integers:
    """Return the first index of each run of equal keys."""
    changed = np.zeros(len(keys[0]), dtype=bool)
    changed[:1] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def fold_runs(column: pa.Array, starts: Integers, rule: Function) -> pa.Array:
    """Fold runs of rows beginning at `starts`: first, last, min, max or sum of what is not null."""
    if column.null_count:
        return _fold_floats(column.cast(pa.float64()).to_numpy(zero_copy_only=False), starts, rule)
    values = column.to_numpy(zero_copy_only=False)
    ends = np.append(starts[1:], len(values))
    if rule in (Function.FIRST, Function.LAST):
        return pa.array(values[starts if rule is Function.FIRST else ends - 1])
    return pa.array(_REDUCTIONS[rule].reduceat(values, starts))


def _fold_floats(values: Floats, starts: Integers, rule: Function) -> pa.Array:
    """The same for values with gaps, which are NaN here."""
    kept = np.flatnonzero(~np.isnan(values))
    run = np.searchsorted(starts, kept, side="right") - 1
    result = np.full(len(starts), np.nan)
    if len(kept):
        dense = pa.array(values[kept])
        firsts = run_starts(run)
        result[run[firsts]] = fold_runs(dense, firsts, rule).to_numpy()
    return pa.array(result, from_pandas=True)
