"""Losses from former peaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a peak, until the account was worth as much again.

    Attributes
    ----------
    peak, trough : int
        Rows of the last day at the peak, and of the lowest value.
    recovery : int or None
        Row of the first day at or above the peak's value; None if it has not been reached.
    depth : float
        Loss at the trough, as a positive fraction of the peak.
    length : int
        Rows from the peak to the recovery, or to the last row.
    """

    peak: int
    trough: int
    recovery: int | None
    depth: float
    length: int


def drawdown(equity: np.ndarray) -> np.ndarray:
    """Return the loss from the highest value so far, as fractions at most 0, shape (T,).

    Examples
    --------
    >>> drawdown(np.array([1.0, 2.0, 1.5])).tolist()
    [0.0, 0.0, -0.25]
    """
    return np.asarray(equity / np.maximum.accumulate(equity) - 1)


def max_drawdown(equity: np.ndarray) -> float:
    """Return the largest loss from a former peak, as a positive fraction; 0 for an account that never fell."""
    return float(-drawdown(equity).min()) + 0.0 if len(equity) else 0.0


def drawdowns(equity: np.ndarray, most: int | None = None) -> list[Drawdown]:
    """Return every fall from a peak, the deepest first, or the `most` deepest.

    Parameters
    ----------
    equity : array of float64, shape (T,)
        Above zero.
    most : int, optional

    Examples
    --------
    >>> drawdowns(np.array([1.0, 2.0, 1.5, 1.0, 2.0, 1.8]))  # doctest: +NORMALIZE_WHITESPACE
    [Drawdown(peak=1, trough=3, recovery=4, depth=0.5, length=3),
     Drawdown(peak=4, trough=5, recovery=None, depth=0.09999999999999998, length=1)]
    """
    depth = drawdown(equity)
    under = np.concatenate([[False], depth < 0, [False]])
    starts = np.flatnonzero(under[1:] & ~under[:-1])  # first row below the peak
    ends = np.flatnonzero(under[:-1] & ~under[1:])  # first row no longer below it, or T
    found = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        trough = start + int(depth[start:end].argmin())
        recovered = end < len(depth)
        last = end if recovered else len(depth) - 1
        found.append(
            Drawdown(start - 1, trough, end if recovered else None, float(-depth[trough]), last - (start - 1))
        )
    found.sort(key=lambda fall: (-fall.depth, fall.peak))
    return found[:most]
