"""Mean absolute deviation and product over trailing windows: each row walks over its whole window.

Neither has an update that costs the same for every window: when the mean moves, every absolute deviation does, and a
running product cannot take a zero out again. All symbols are taken abreast. Taking four rows of the window at a time
was tried and gains a quarter; that is not worth twice the code.

A number is a finite value below `LARGEST` in magnitude; everything else counts as missing.
"""

from __future__ import annotations

import numpy as np

from quantflux.expressions.kernels.anchoring import LARGEST, Rows, Vector
from quantflux.expressions.kernels.contract import Kernel, jit


@jit
def rolling_mad(
    x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int, window: int, least: int
) -> None:
    """Fill `out` with the mean absolute deviation of the window's numbers from their mean.

    NaN where the window has fewer than `least` numbers. Exactly 0 where all are equal, because the mean is taken from
    differences to the newest number.
    """
    width = x.shape[1]
    counts, anchors, mean, total = np.zeros(width), np.zeros(width), np.empty(width), np.empty(width)
    for i in range(-window, rows):
        newest = x[hx + i]
        _count(newest, counts, 1.0)
        for j in range(width):
            anchors[j] = newest[j] if abs(newest[j]) < LARGEST else anchors[j]
        if i < 0:
            continue
        _count(x[hx + i - window], counts, -1.0)
        mean[:] = 0.0
        for k in range(window):
            row = x[hx + i - k]
            for j in range(width):
                mean[j] += row[j] - anchors[j] if abs(row[j]) < LARGEST else 0.0
        for j in range(width):
            mean[j] = mean[j] / counts[j] + anchors[j]
        total[:] = 0.0
        for k in range(window):
            row = x[hx + i - k]
            for j in range(width):
                total[j] += abs(row[j] - mean[j]) if abs(row[j]) < LARGEST else 0.0
        result = out[ho + i]
        for j in range(width):
            mad = total[j] / counts[j]
            result[j] = mad if counts[j] >= least else np.nan


@jit
def rolling_product(
    x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int, window: int, least: int
) -> None:
    """Fill `out` with the product of the window's numbers.

    NaN where the window has fewer than `least` numbers, or the product is beyond the largest float.
    """
    width = x.shape[1]
    counts, product = np.zeros(width), np.empty(width)
    enough = max(least, 1)
    for i in range(-window, rows):
        _count(x[hx + i], counts, 1.0)
        if i < 0:
            continue
        _count(x[hx + i - window], counts, -1.0)
        product[:] = 1.0
        for k in range(window):
            row = x[hx + i - k]
            for j in range(width):
                product[j] *= row[j] if abs(row[j]) < LARGEST else 1.0
        result = out[ho + i]
        for j in range(width):
            result[j] = product[j] if (counts[j] >= enough) & (abs(product[j]) < np.inf) else np.nan


@jit
def _count(row: Vector, counts: Vector, sign: float) -> None:
    """Add `sign` to the count of each symbol that has a number in the row."""
    for j in range(row.shape[0]):
        counts[j] += sign if abs(row[j]) < LARGEST else 0.0


ROLLING_MAD = Kernel(
    "rolling_mad",
    rolling_mad,
    inputs=1,
    outputs=1,
    parameters=(int, int),
    history=lambda window, *_: window,
    cost=lambda window, *_: 1.0 + 0.35 * window,
)
ROLLING_PRODUCT = Kernel(
    "rolling_product",
    rolling_product,
    inputs=1,
    outputs=1,
    parameters=(int, int),
    history=lambda window, *_: window,
    cost=lambda window, *_: 0.6 + 0.14 * window,
)
