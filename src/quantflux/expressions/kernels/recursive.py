"""Recursive kernels: each row follows from the row before and a state of a few numbers per symbol, without a window.

All of them wait for a symbol's first number. Until then outputs are NaN and the state is zero. Where something is
added up, a number is a finite value below `LARGEST` in magnitude, and everything else counts as missing: one infinite
value would otherwise stay for good.
"""

from __future__ import annotations

from math import isnan

import numpy as np

from quantflux.expressions.kernels.anchoring import LARGEST, Rows
from quantflux.expressions.kernels.contract import Kernel, jit


@jit
def ewm(
    x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int,
    alpha: float, adjust: int, least: int,
) -> None:  # fmt: skip
    """Fill `out` with the exponentially weighted mean of the symbol's past, as pandas' `ewm(...).mean()`.

    Weights fall by the factor 1 - alpha (0 < alpha <= 1) per row, rows without a number included (`ignore_na=False`).
    With `adjust` the mean is divided by the sum of the weights; without, it is m + alpha (x - m) after an unbroken
    run and starts at the first number. A row without a number repeats the mean before it. NaN before `least` numbers.

    State: the mean, the weight of the past, the count of numbers.
    """
    mean, weight, counts = state[0], state[1], state[2]
    arriving = 1.0 if adjust else alpha
    enough = max(least, 1)
    for i in range(rows):
        row, means = x[hx + i], out[ho + i]
        for j in range(x.shape[1]):
            value = row[j]
            number = abs(value) < LARGEST
            past = weight[j] * (1.0 - alpha)
            total = past + arriving
            # The first number meets a past without weight and is taken as it is.
            mean[j] = mean[j] + (value - mean[j]) * (arriving / total) if number else mean[j]
            weight[j] = (total if adjust else 1.0) if number else past
            counts[j] += 1.0 if number else 0.0
            means[j] = mean[j] if counts[j] >= enough else np.nan


@jit
def seeded_ewm(
    x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int, alpha: float, window: int
) -> None:
    """Fill `out` with the smoothing of technical analysis: m + alpha (x - m), seeded with a simple mean.

    The seed is the mean of the symbol's first `window` numbers and the output at the last of them; before, it is NaN.
    Rows without a number are passed over: the output is NaN there and the next number finds the state as it was. With
    alpha = 2 / (window + 1) this is TA-Lib's EMA, with 1 / window Wilder's smoothing; with m / n and a window of 1 it
    is the SMA(X, n, m) of Chinese charting software.

    State: the mean (the sum, before the seed), the count of numbers.
    """
    mean, counts = state[0], state[1]
    for i in range(rows):
        row, means = x[hx + i], out[ho + i]
        for j in range(x.shape[1]):
            value = row[j]
            number = abs(value) < LARGEST
            seeded = counts[j] >= window
            count = counts[j] + (1.0 if number else 0.0)
            total = mean[j] + value
            start = total / window if count >= window else total
            moved = mean[j] + alpha * (value - mean[j]) if seeded else start
            mean[j] = moved if number else mean[j]
            counts[j] = count
            means[j] = mean[j] if number & (count >= window) else np.nan


@jit
def cumulative_sum(x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int) -> None:
    """Fill `out` with the sum of the symbol's numbers so far; NaN where x is none. State: the sum."""
    total = state[0]
    for i in range(rows):
        row, sums = x[hx + i], out[ho + i]
        for j in range(x.shape[1]):
            number = abs(row[j]) < LARGEST
            total[j] += row[j] if number else 0.0
            sums[j] = total[j] if number else np.nan


@jit
def fill_after(
    x: Rows, hx: int, since: Rows, hs: int, out: Rows, ho: int, state: Rows, rows: int, t: int, value: float
) -> None:
    """Fill `out` with x, and with `value` where x is NaN and `since` is a number or has been one before.

    State: 1 once `since` has been a number.
    """
    begun = state[0]
    for i in range(rows):
        row, signs, filled = x[hx + i], since[hs + i], out[ho + i]
        for j in range(x.shape[1]):
            known, now, before = row[j], signs[j], begun[j]
            started = before if isnan(now) else 1.0
            begun[j] = started
            substitute = value if started > 0.0 else np.nan
            filled[j] = substitute if isnan(known) else known


@jit
def last_known(x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int, limit: int) -> None:
    """Fill `out` with x, and where it is NaN with the number before, at most `limit` rows after it (0: any number).

    State: the last number, and the rows since it, counted from 1 at the number itself.
    """
    last, age = state[0], state[1]
    for i in range(rows):
        row, known = x[hx + i], out[ho + i]
        for j in range(x.shape[1]):
            number = not isnan(row[j])
            older = age[j] + 1.0 if age[j] > 0.0 else 0.0
            age[j] = 1.0 if number else older
            last[j] = row[j] if number else last[j]
            fresh = (age[j] > 0.0) & ((limit == 0) | (age[j] <= limit + 1.0))
            known[j] = last[j] if fresh else np.nan


EWM = Kernel("ewm", ewm, 1, 1, (float, int, int), state_rows=lambda *_: 3, cost=lambda *_: 1.4)
SEEDED_EWM = Kernel(
    "seeded_ewm", seeded_ewm, 1, 1, (float, int), state_rows=lambda *_: 2, cost=lambda *_: 1.3
)
CUMULATIVE_SUM = Kernel("cumulative_sum", cumulative_sum, 1, 1, state_rows=lambda: 1, cost=lambda: 0.3)
FILL_AFTER = Kernel("fill_after", fill_after, 2, 1, (float,), state_rows=lambda _: 1, cost=lambda _: 0.8)
LAST_KNOWN = Kernel("last_known", last_known, 1, 1, (int,), state_rows=lambda _: 2, cost=lambda _: 1.2)
