"""How sums over a window stay exact while they slide: the algorithm behind variances, regressions and correlations.

1. What is summed is y = x - anchor and its powers, where the anchor is a value near the symbol's numbers.
2. A row adds its newest number to the sums and takes the oldest one out (`_slide` in each module).
3. At absolute rows that are multiples of `anchor_period` the newest number becomes the anchor (`anchor_at`) and the
   sums are added up anew from the past rows (`_accumulate`).
4. In between, rounding leaves an error in the sums of about one part in 2**53 of the `energy`: the largest sum of y * y
   since they were last added up. It matters where the window itself varies little beside it: after an outlier
   has left the window, when the numbers have moved far from the anchor, at a symbol's first numbers. Where the window's
   sum of squared deviations is less than 1 / `CANCELLATION` of the energy (`doubtful`), that symbol's sums are added
   up anew about the mean of its window (`window_mean`). This costs time where it happens, and only there.

So the error of a variance is held to about 1e-10 of itself, however large the numbers are that came before. And a
window whose numbers are all equal is always found out by step 4, unless its sums are zero already: its anchor is then
the number itself, and every sum of deviations is exactly zero, never noise.

A number is a finite value below `LARGEST` in magnitude; everything else counts as missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit

Rows = np.ndarray[Any, np.dtype[np.float64]]
Vector = np.ndarray[Any, np.dtype[np.float64]]

LARGEST = 1e70
"""Where numbers end: sums of fourth powers, and products of sums of squares, must not overflow."""

SMALLEST = 1e-70
"""The deviation at or below which nothing is divided by it: its fourth power must not vanish."""

CANCELLATION = 65536.0
"""How much larger than a window's squared deviations the energy may be: the anchor 256 deviations away."""

ROUNDING = 1e-14
"""A deviation below this part of the mean is what rounding leaves of equal numbers, not variation."""


@jit
def anchor_at(values: Vector, anchor: Vector) -> None:
    """Make a row's numbers the anchors; where there is none, the anchor stays."""
    for j in range(values.shape[0]):
        value, before = values[j], anchor[j]
        anchor[j] = value if abs(value) < LARGEST else before


@jit
def doubtful(n: float, s: float, q: float, energy: float, cancellation: float) -> bool:
    """Return whether rounding may show in n numbers with the sums s of y and q of y * y. Never after adding up anew."""
    return (n * q - s * s) * cancellation < n * energy


@jit
def window_mean(x: Rows, row: int, other: Rows, other_row: int, window: int, j: int) -> float:
    """Return the mean of x over the window's rows in which x and `other` hold numbers, 0 if there are none.

    It is a number of the window plus the mean distance from it, so it is exact where all are equal.
    """
    base, total, count = 0.0, 0.0, 0
    for k in range(window):
        value = x[row - k, j]
        if abs(value) < LARGEST and abs(other[other_row - k, j]) < LARGEST:
            base = value if count == 0 else base
            total += value - base
            count += 1
    return base + total / count if count else 0.0


@jit
def varies(n: float, total: float, spread: float, floor: float) -> bool:
    """Return whether n numbers vary: their deviation (ddof=1) is above `floor` and above what rounding leaves.

    `total` is their sum, `spread` is n times the sum of their squared deviations from the mean.
    """
    noise = ROUNDING * total
    floor = floor if floor > SMALLEST else SMALLEST
    return (spread > floor * floor * (n * (n - 1.0))) & (spread > noise * noise)
