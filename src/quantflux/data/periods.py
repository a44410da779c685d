"""Calendar periods on a day axis, and folding the rows of dense arrays over them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from quantflux.data.contract import Function, Period
from quantflux.data.sessions import Floats, Integers, fold_runs

_NARROW = (
    8  # columns; below, whole columns are folded at once, above, the rows of one period across all columns
)
_MONDAY = 3  # 1970-01-01 was a Thursday: days + 3 begin a week at each multiple of seven


def period_starts(period: Period, days: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the first calendar day of the period of each day, as days since 1970. Weeks begin on Monday.

    Examples
    --------
    >>> days = np.array(["2024-01-05", "2024-01-08"], dtype="datetime64[D]").astype(np.int32)
    >>> period_starts(Period.WEEK, days).astype("datetime64[D]").astype(str).tolist()
    ['2024-01-01', '2024-01-08']
    """
    if period is Period.DAY:
        return days.astype(np.int64)
    if period is Period.WEEK:
        return (days.astype(np.int64) + _MONDAY) // 7 * 7 - _MONDAY
    unit = "M" if period is Period.MONTH else "Y"
    return days.astype("datetime64[D]").astype(f"datetime64[{unit}]").astype("datetime64[D]").astype(np.int64)


def fold_rows(values: Floats, starts: Integers, function: Function) -> Floats:
    """Fold runs of rows into one row each, column by column, skipping NaN.

    Parameters
    ----------
    values : array of shape [T, N]
    starts : integer array of shape [G]
        First row of each run, increasing; the last run ends with the array.
    function : Function
        STD is the sample deviation (ddof=1), NaN for fewer than two values; COUNT counts what is not NaN; the others
        are NaN where there is nothing.

    Returns
    -------
    float64 array of shape [G, N]

    Examples
    --------
    >>> fold_rows(np.array([[1.0], [np.nan], [3.0], [4.0]]), np.array([0, 2]), Function.SUM).ravel().tolist()
    [1.0, 7.0]
    """
    fold = _FOLDS[function]
    ends = np.append(starts[1:], len(values))[: len(starts)]
    result = np.empty((len(starts), values.shape[1]))
    if len(starts) and values.shape[1] < _NARROW and function in _BY_COLUMN:
        for i in range(values.shape[1]):
            column = pa.array(values[:, i], from_pandas=True)
            result[:, i] = fold_runs(column, starts, function).to_numpy(zero_copy_only=False)
        return result
    for into, a, b in zip(result, starts.tolist(), ends.tolist(), strict=True):
        fold(values[a:b], into)
    return result


def _last(part: Floats, into: Floats) -> None:
    into[:] = part[-1]
    for row in part[-2::-1]:
        gaps = np.isnan(into)
        if not gaps.any():
            return
        np.copyto(into, row, where=gaps)


def _first(part: Floats, into: Floats) -> None:
    _last(part[::-1], into)


def _low(part: Floats, into: Floats) -> None:
    np.fmin.reduce(part, axis=0, out=into)


def _high(part: Floats, into: Floats) -> None:
    np.fmax.reduce(part, axis=0, out=into)


def _count(part: Floats, into: Floats) -> None:
    # A sum is NaN if any value is. Summing is four times faster than counting, and most columns have no gaps.
    with np.errstate(over="ignore", invalid="ignore"):
        np.add.reduce(part, axis=0, out=into)
    holes = np.isnan(into)
    into[:] = len(part)
    if holes.any():
        into[holes] -= np.isnan(part[:, holes]).sum(axis=0)


def _sum(part: Floats, into: Floats) -> None:
    np.add.reduce(part, axis=0, out=into)
    holes = np.isnan(into)
    if holes.any():
        gapped = part[:, holes]
        filled = np.nansum(gapped, axis=0)
        filled[np.isnan(gapped).all(axis=0)] = np.nan
        into[holes] = filled


def _mean(part: Floats, into: Floats) -> None:
    counts = np.empty_like(into)
    _count(part, counts)
    _sum(part, into)
    into /= np.where(counts > 0, counts, np.nan)


def _deviation(part: Floats, into: Floats) -> None:
    counts = np.empty_like(into)
    _count(part, counts)
    _mean(part, into)
    squares = np.nansum((part - into) ** 2, axis=0)
    np.sqrt(squares / np.where(counts > 1, counts - 1, np.nan), out=into)


_FOLDS: dict[Function, Callable[[Floats, Floats], None]] = {
    Function.FIRST: _first,
    Function.LAST: _last,
    Function.MIN: _low,
    Function.MAX: _high,
    Function.SUM: _sum,
    Function.MEAN: _mean,
    Function.COUNT: _count,
    Function.STD: _deviation,
}
_BY_COLUMN = (Function.FIRST, Function.LAST, Function.MIN, Function.MAX, Function.SUM)
