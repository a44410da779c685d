"""What needs the numbers of a window in order: the newest one's rank, and quantiles.

Rank is counted: how many numbers of the window are below the newest and how many are equal.

Quantiles come from the window kept sorted, for 32 symbols side by side:

1. Past rows are inserted one after the other when a chunk begins, so nothing is carried between chunks.
2. `_replace` takes out the value that leaves and puts in the one that arrives, in one pass without branches: taking
   out `o` from the sorted s leaves d[k] = s[k] where s[k] < o, else s[k+1]; putting `v` in gives
   max(d[k-1], min(v, d[k])). Equal numbers stand in order of age, so the oldest leaves. NaN and empty places are +inf,
   at the end, and the number of numbers is kept beside.
3. The pass writes each row of the window one row lower than it read it, so it needs no second buffer and no value
   waits for the one before. Every `_SLIDE` rows the window is moved back up.

Tried on one thread with a window of 20 rows, in ns per row and symbol. Two quantiles: this 6.7; one symbol at a time,
vectorised along its window, 24 with the rank; a buffer as wide as the block, whose distances LLVM does not know, 43 for
one quantile. Rank: counting 3.4; by binary search in the sorted window 20.
"""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np

from quantflux.expressions.kernels.anchoring import Rows, Vector
from quantflux.expressions.kernels.contract import Kernel, jit

Places = np.ndarray[Any, np.dtype[np.int64]]

_LANES = 32  # symbols sorted side by side; a constant, because LLVM vectorises only if it knows the distances
_SLIDE = 64  # rows that the window moves down before it is moved back up


@jit
def rolling_rank(
    x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int, window: int, least: int
) -> None:
    """Fill `out` with the rank of the newest number among the window's, divided by their count.

    Equal numbers share the average of their ranks. NaN where the newest is NaN or the window has fewer than `least`
    numbers.
    """
    width = x.shape[1]
    counts, twice = np.zeros(width), np.empty(width)
    for i in range(-window, rows):
        newest = x[hx + i]
        for j in range(width):
            counts[j] += 0.0 if isnan(newest[j]) else 1.0
        if i < 0:
            continue
        leaving = x[hx + i - window]
        for j in range(width):
            counts[j] -= 0.0 if isnan(leaving[j]) else 1.0
        _count_below(x, hx + i, window, twice)
        ranks = out[ho + i]
        for j in range(width):
            known = (not isnan(newest[j])) & (counts[j] >= least)
            ranks[j] = (0.5 * twice[j] + 1.0) / counts[j] if known else np.nan


@jit
def _count_below(x: Rows, at: int, window: int, twice: Vector) -> None:
    """Fill `twice` with how many older rows of the window are below the newest, plus how many are not above."""
    newest = x[at]
    twice[:] = 0.0
    older = window - 1
    for k in range(1, older - 2, 4):  # four rows at a time, to load and store `twice` once
        a, b, c, d = x[at - k], x[at - k - 1], x[at - k - 2], x[at - k - 3]
        for j in range(x.shape[1]):
            v = newest[j]
            below = (1.0 if a[j] < v else 0.0) + (1.0 if b[j] < v else 0.0)
            below += (1.0 if c[j] < v else 0.0) + (1.0 if d[j] < v else 0.0)
            upto = (1.0 if a[j] <= v else 0.0) + (1.0 if b[j] <= v else 0.0)
            upto += (1.0 if c[j] <= v else 0.0) + (1.0 if d[j] <= v else 0.0)
            twice[j] += below + upto
    for k in range(older // 4 * 4 + 1, window):
        a = x[at - k]
        for j in range(x.shape[1]):
            twice[j] += (1.0 if a[j] < newest[j] else 0.0) + (1.0 if a[j] <= newest[j] else 0.0)


@jit
def rolling_quantiles(
    x: Rows, hx: int, out: Rows, ho: int, out2: Rows, h2: int, state: Rows, rows: int, t: int,
    window: int, least: int, q1: float, q2: float,
) -> None:  # fmt: skip
    """Fill `out` and `out2` with the quantiles q1 and q2 (0 to 1) of the window's numbers.

    Between two numbers it is interpolated linearly, as NumPy and pandas do; 0.5 is the median. NaN where the window
    has fewer than `least` numbers.
    """
    lanes, enough = _LANES, max(least, 1)
    buffer = np.empty((_SLIDE + window + 8) * lanes)
    arriving, leaving, counts = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    places, fractions = np.empty(lanes, np.int64), np.empty(lanes)
    for first in range(0, x.shape[1], lanes):
        last = min(first + lanes, x.shape[1])
        buffer[:] = np.inf
        arriving[:] = np.inf
        leaving[:] = np.inf
        counts[:] = 0.0
        base = _SLIDE  # the row of the buffer below the window's smallest number; it holds -inf
        buffer[base * lanes : (base + 1) * lanes] = -np.inf
        for i in range(-window, rows):
            _read(x[hx + i, first:last], arriving, counts, 1.0)
            if i >= 0:
                _read(x[hx + i - window, first:last], leaving, counts, -1.0)
            if base == 0:
                for k in range((window + 1) * lanes - 1, -1, -1):
                    buffer[k + _SLIDE * lanes] = buffer[k]
                base = _SLIDE
            base -= 1
            size = (min(window, i + window + 1) + 3) // 4 * 4
            buffer[base * lanes : (base + 1) * lanes] = -np.inf
            ordered = buffer[(base + 1) * lanes :]
            _replace(ordered, size, leaving, arriving)
            ordered[size * lanes : (size + 1) * lanes] = np.inf
            if i >= 0:
                _interpolate(ordered, counts, enough, q1, places, fractions, out[ho + i, first:last])
                _interpolate(ordered, counts, enough, q2, places, fractions, out2[h2 + i, first:last])


@jit
def _read(row: Vector, values: Vector, counts: Vector, sign: float) -> None:
    """Copy a row with NaN made +inf, and add `sign` for each number to the counts."""
    for j in range(row.shape[0]):
        missing = isnan(row[j])
        values[j] = np.inf if missing else row[j]
        counts[j] += 0.0 if missing else sign


@jit
def _replace(ordered: Vector, size: int, leaving: Vector, arriving: Vector) -> None:
    """Replace a value in each column of a sorted window that lies one row higher, moving it down by that row.

    Four rows at a time, so that loading and storing do not hold up the comparisons.
    """
    lanes = _LANES
    for k in range(0, size, 4):
        s = ordered[k * lanes : (k + 6) * lanes]
        for j in range(lanes):
            o, v = leaving[j], arriving[j]
            s0, s1, s2 = s[j], s[j + lanes], s[j + 2 * lanes]
            s3, s4, s5 = s[j + 3 * lanes], s[j + 4 * lanes], s[j + 5 * lanes]
            d0 = s0 if s0 < o else s1
            d1 = s1 if s1 < o else s2
            d2 = s2 if s2 < o else s3
            d3 = s3 if s3 < o else s4
            d4 = s4 if s4 < o else s5
            low = v if v < d1 else d1
            s[j] = d0 if d0 > low else low
            low = v if v < d2 else d2
            s[j + lanes] = d1 if d1 > low else low
            low = v if v < d3 else d3
            s[j + 2 * lanes] = d2 if d2 > low else low
            low = v if v < d4 else d4
            s[j + 3 * lanes] = d3 if d3 > low else low


@jit
def _interpolate(
    ordered: Vector, counts: Vector, enough: int, q: float, places: Places, fractions: Vector, out: Vector
) -> None:
    """Fill `out` with one quantile of each column; `places` and `fractions` are room to work in."""
    lanes = _LANES
    for j in range(lanes):
        place = q * (counts[j] - 1.0) if counts[j] > 1.0 else 0.0
        whole = np.floor(place)
        places[j] = np.int64(whole) * lanes + j
        fractions[j] = place - whole if counts[j] >= enough else np.nan
    for j in range(out.shape[0]):
        fraction = fractions[j]
        low = ordered[places[j]]
        high = ordered[places[j] + lanes] if fraction > 0.0 else low
        between = (
            low * (1.0 - fraction) + high * fraction if high > low else low
        )  # their distance may overflow
        out[j] = np.nan if isnan(fraction) else between


ROLLING_RANK = Kernel(
    "rolling_rank",
    rolling_rank,
    inputs=1,
    outputs=1,
    parameters=(int, int),
    history=lambda window, *_: window,
    cost=lambda window, *_: 0.8 + 0.14 * window,
)
ROLLING_QUANTILES = Kernel(
    "rolling_quantiles",
    rolling_quantiles,
    inputs=1,
    outputs=2,
    parameters=(int, int, float, float),
    history=lambda window, *_: window,
    cost=lambda window, *_: 4.5 + 0.16 * window,
)
