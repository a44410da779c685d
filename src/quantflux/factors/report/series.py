"""Series as charts want them: by month, or thinned out."""

from __future__ import annotations

import numpy as np

_POINTS = 700
"""Points of a curve: more than a chart of a few hundred pixels can show."""


def thinned(count: int) -> np.ndarray:
    """Return the rows that are drawn of a series of so many, the last one always among them.

    Examples
    --------
    >>> thinned(5).tolist(), len(thinned(7000)), int(thinned(7001)[-1])
    ([0, 1, 2, 3, 4], 701, 7000)
    """
    step = max(count // _POINTS, 1)
    rows = np.arange(0, count, step)
    return rows if not count or rows[-1] == count - 1 else np.append(rows, count - 1)


def monthly_means(times: np.ndarray, values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return each month of a series of days, and the mean of its numbers; NaN without any.

    Examples
    --------
    >>> days = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], dtype="datetime64[D]")
    >>> months, means = monthly_means(days, np.array([1.0, 3.0, 5.0]))
    >>> months, means.tolist()
    (['2024-01', '2024-02'], [2.0, 5.0])
    """
    months, place = np.unique(times.astype("datetime64[M]"), return_inverse=True)
    known = ~np.isnan(values)
    total = np.bincount(place[known], weights=values[known], minlength=len(months))
    count = np.bincount(place[known], minlength=len(months))
    means = np.full(len(months), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return [str(month) for month in months], means


def cumulated(values: np.ndarray) -> np.ndarray:
    """Return the running sum of a series, gaps counting as nothing; NaN before the first number."""
    begun = np.logical_or.accumulate(~np.isnan(values), axis=0)
    return np.where(begun, np.cumsum(np.nan_to_num(values), axis=0), np.nan)


def compounded(returns: np.ndarray) -> np.ndarray:
    """Return the value of 1 yuan by a series of returns, gaps counting as nothing; NaN before the first number."""
    begun = np.logical_or.accumulate(~np.isnan(returns), axis=0)
    return np.where(begun, np.cumprod(1 + np.nan_to_num(returns), axis=0), np.nan)
