"""From when to when a name can be held."""

from __future__ import annotations

import numpy as np

GONE_AFTER = 60
"""Rows without a bar at the end after which a name of unknown fate counts as gone."""


def traded_span(close: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last row on which each name traded, shape (N,): T and -1 where it never did.

    Examples
    --------
    >>> nan = float("nan")
    >>> first, last = traded_span(np.array([[nan, 1.0, nan], [2.0, nan, nan]]))
    >>> first.tolist(), last.tolist()
    ([1, 0, 2], [1, 0, -1])
    """
    return _first_row(close), len(close) - 1 - _first_row(close[::-1])


def last_rows(days: np.ndarray, last_trade: np.ndarray, delisted: np.ndarray | None) -> np.ndarray:
    """Return the last row on which each name is listed, shape (N,); -1 where it had left before.

    Parameters
    ----------
    days : array of datetime64[D], shape (T,)
    last_trade : array of int, shape (N,)
    delisted : array of datetime64[D], shape (N,), or None
        First day without listing, NaT where there is none. If None, a name without a bar in the last 60 rows left with
        its last bar.

    Examples
    --------
    >>> days = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]")
    >>> last_rows(days, np.array([0, 2]), np.array(["2024-01-04", "NaT"], dtype="datetime64[D]")).tolist()
    [1, 2]
    """
    end = len(days) - 1
    if delisted is None:
        return np.where(last_trade < end - GONE_AFTER, last_trade, end)
    return np.searchsorted(days, delisted.astype("datetime64[D]")) - 1  # NaT sorts to the end


def _first_row(close: np.ndarray) -> np.ndarray:
    """Return the first row with a number, reading no further than needed."""
    first = np.full(close.shape[1], len(close), dtype=np.int64)
    missing = np.arange(close.shape[1])
    for row, values in enumerate(close):
        there = ~np.isnan(values[missing])
        if there.any():
            first[missing[there]] = row
            missing = missing[~there]
        if not len(missing):
            break
    return first
