"""Returns of calendar months and years, and the rows at which an account is measured."""

from __future__ import annotations

import numpy as np


def last_rows(times: np.ndarray, unit: str) -> np.ndarray:
    """Return the last row of each calendar period: unit "D", "M" or "Y".

    Examples
    --------
    >>> days = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], dtype="datetime64[D]")
    >>> last_rows(days, "M").tolist()
    [1, 2]
    """
    period = times.astype(f"datetime64[{unit}]")
    return np.flatnonzero(np.append(period[1:] != period[:-1], True)) if len(times) else np.zeros(0, np.int64)


def account_rows(times: np.ndarray, first: int) -> np.ndarray:
    """Return the rows at which an account is measured: `first`, where it starts, and the close of each day from then.

    Examples
    --------
    >>> minutes = np.array(["2024-01-02T14:59", "2024-01-02T15:00", "2024-01-03T15:00"], dtype="datetime64[m]")
    >>> account_rows(minutes, 0).tolist(), account_rows(minutes, 1).tolist()
    ([0, 1, 2], [1, 2])
    """
    return np.union1d([first], first + last_rows(times[first:], "D")).astype(np.int64)


def monthly_returns(times: np.ndarray, equity: np.ndarray) -> dict[np.datetime64, float]:
    """Return the return of each calendar month; the first counts from the first row, and is left out if that is all.

    Examples
    --------
    >>> days = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], dtype="datetime64[D]")
    >>> monthly_returns(days, np.array([100.0, 110.0, 99.0]))
    {np.datetime64('2024-01'): 0.10000000000000009, np.datetime64('2024-02'): -0.09999999999999998}
    """
    return _returns(times, equity, "M")


def yearly_returns(times: np.ndarray, equity: np.ndarray) -> dict[np.datetime64, float]:
    """Return the return of each calendar year, the first and the last as far as they are covered."""
    return _returns(times, equity, "Y")


def _returns(times: np.ndarray, equity: np.ndarray, unit: str) -> dict[np.datetime64, float]:
    last = last_rows(times, unit)
    last = last[last > 0]
    value = equity[last]
    before = np.concatenate([equity[:1], value[:-1]])
    period = times.astype(f"datetime64[{unit}]")
    return dict(zip(period[last], (value / before - 1).tolist(), strict=True))
