"""What every cross-section kernel is, and those that need no order: means, sums, extremes, z-scores.

A row kernel looks across one row at a time: one day, all symbols. It has neither state nor past, and is called as ::

    kernel(x, hx, [y, hy, ...] out, ho, first, last, *parameters)

* The arrays are C-contiguous float64 of shape (offset + rows or more, N). The kernel fills rows `ho+first .. ho+last-1`
  of `out` from rows `hx+first .. hx+last-1` of `x`, `hy+first ..` of `y`. `out` is none of the inputs.
* A kernel that takes any number of inputs (`gathered`) gets the last ones as a tuple of arrays and a tuple of offsets.
  `RowKernel.fill` hides that difference.

The promises, tested for every kernel:

1. **Rows do not know each other**, so threads may share them out in any way and get the same bits.
2. A symbol whose input is NaN (any of them, if there are several) takes no part, and is NaN in the output. A row
   without a number is NaN everywhere.
3. Symbols may stand in any order: ranks, buckets and order statistics follow them to the bit, sums up to rounding.

Sums are of values minus the first number of the row: a row of equal numbers has exactly their mean and no spread at
all. Squares must not overflow, so numbers are to stay below 1e150.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import int64, njit, types

from quantflux.expressions.kernels.contract import ARRAY, compile_once, jit

lanes = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "arcp", "nsz", "reassoc"})
"""For loops that only add up: the sum may be taken in several lanes at once, which is eight times as fast."""

_TUPLE: Any = types.UniTuple

NO_SPREAD = 1e-12
"""Numbers whose standard deviation is not above this part of their mean differ by rounding alone."""


@dataclass(frozen=True, eq=False)
class RowKernel:
    """A cross-section kernel and what the plan must know of it. It fills one array.

    Attributes
    ----------
    name : str
    function : numba dispatcher
        See the module's text for its arguments.
    inputs : int
        Number of arrays it reads, the gathered ones included.
    gathered : int
        How many of them, the last ones, it takes as one tuple.
    parameters : tuple of type
        `int` or `float` for each scalar behind `last`.
    cost : callable
        From the parameters to nanoseconds per row and symbol on one thread, for the quote before a run.
    """

    name: str
    function: Any
    inputs: int = 1
    gathered: int = 0
    parameters: tuple[type, ...] = ()
    cost: Callable[..., float] = field(default=lambda *_: 0.4)

    def compile(self) -> None:
        """Compile it, or load it from the disk; nothing if that was done before."""
        inputs = [ARRAY, int64] * (self.inputs - self.gathered)
        if self.gathered:
            inputs += [_TUPLE(ARRAY, self.gathered), _TUPLE(int64, self.gathered)]
        compile_once(self.function, (*inputs, ARRAY, int64, int64, int64), self.parameters)

    def fill(
        self,
        inputs: Sequence[tuple[np.ndarray, int]],
        out: np.ndarray,
        offset: int,
        first: int,
        last: int,
        *parameters: float,
    ) -> None:
        """Fill rows `offset+first .. offset+last-1` of `out` from the arrays and their offsets.

        Examples
        --------
        >>> x, out = np.array([[1.0, np.nan, 5.0]]), np.empty((1, 3))
        >>> ROW_DEMEAN.fill([(x, 0)], out, 0, 0, 1)
        >>> out.tolist()
        [[-2.0, nan, 2.0]]
        """
        single = self.inputs - self.gathered
        arguments: list[Any] = [part for pair in inputs[:single] for part in pair]
        if self.gathered:
            arguments += zip(*inputs[single:], strict=True)
        self.function(*arguments, out, offset, first, last, *parameters)


def run_rows(
    kernel: RowKernel, *inputs: np.ndarray, parameters: tuple[float, ...] = (), piece: int = 0
) -> np.ndarray:
    """Return what a kernel makes of whole arrays of shape (T, N), for tests and trials.

    Parameters
    ----------
    piece : int
        Rows in a call; 0 means all at once.
    """
    total = len(inputs[0])
    out = np.empty(inputs[0].shape)
    step = piece or max(total, 1)
    for first in range(0, total, step):
        kernel.fill([(x, 0) for x in inputs], out, 0, first, min(first + step, total), *parameters)
    return out


@jit
def anchor_of(row: Any) -> float:
    """Return the first number of a row, from which the others are measured; 0 if it is infinite or there is none."""
    for i in range(row.size):
        if row[i] == row[i]:
            return row[i] if np.isfinite(row[i]) else 0.0
    return 0.0


@lanes
def _total(row: Any, anchor: float) -> tuple[float, int]:
    total, count = 0.0, 0
    for i in range(row.size):
        distance = row[i] - anchor
        there = row[i] == row[i]
        total += distance if there else 0.0
        count += there
    return total, count


@lanes
def total_squares(row: Any, middle: float) -> float:
    """Return the sum of the squared distances of a row's numbers from a value."""
    total = 0.0
    for i in range(row.size):
        distance = row[i] - middle
        total += distance * distance if row[i] == row[i] else 0.0
    return total


@lanes
def _total_absolute(row: Any) -> float:
    total = 0.0
    for i in range(row.size):
        total += abs(row[i]) if row[i] == row[i] else 0.0
    return total


@lanes
def _weighted_total(row: Any, weights: Any, anchor: float) -> tuple[float, float]:
    total, weight = 0.0, 0.0
    for i in range(row.size):
        there = (row[i] == row[i]) & (weights[i] == weights[i])
        distance, share = row[i] - anchor, weights[i]
        distance = distance if there else 0.0
        share = share if there else 0.0
        total += share * distance
        weight += share
    return total, weight


@jit
def mean_of(row: Any) -> tuple[float, int]:
    """Return the mean of a row's numbers, NaN of none, and how many there are."""
    anchor = anchor_of(row)
    total, count = _total(row, anchor)
    return (anchor + total / count if count else np.nan), count


@jit
def _mean_and_std(row: Any) -> tuple[float, float]:
    mean, count = mean_of(row)
    return mean, (np.sqrt(total_squares(row, mean) / (count - 1)) if count > 1 else np.nan)


@jit
def broadcast(row: Any, value: float, out: Any) -> None:
    """Give the value to every symbol of the row that has a number, NaN to the others."""
    for i in range(row.size):
        out[i] = value if row[i] == row[i] else np.nan


@jit
def _row_mean(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        broadcast(x[hx + r], mean_of(x[hx + r])[0], out[ho + r])


@jit
def _row_std(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        broadcast(x[hx + r], _mean_and_std(x[hx + r])[1], out[ho + r])


@jit
def _row_sum(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        broadcast(x[hx + r], _total(x[hx + r], 0.0)[0], out[ho + r])


@jit
def _row_count(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        broadcast(x[hx + r], _total(x[hx + r], 0.0)[1], out[ho + r])


@jit
def _row_min(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        row, lowest = x[hx + r], np.inf
        for i in range(row.size):
            lowest = row[i] if row[i] < lowest else lowest
        broadcast(row, lowest, out[ho + r])


@jit
def _row_max(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        row, highest = x[hx + r], -np.inf
        for i in range(row.size):
            highest = row[i] if row[i] > highest else highest
        broadcast(row, highest, out[ho + r])


@jit
def _row_demean(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        row, to = x[hx + r], out[ho + r]
        mean = mean_of(row)[0]
        for i in range(row.size):
            to[i] = row[i] - mean


@jit
def _row_zscore(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    for r in range(first, last):
        row, to = x[hx + r], out[ho + r]
        mean, std = _mean_and_std(row)
        if not std > NO_SPREAD * abs(mean):
            std = np.nan
        for i in range(row.size):
            to[i] = (row[i] - mean) / std


@jit
def _row_scale(x: Any, hx: int, out: Any, ho: int, first: int, last: int, a: float) -> None:
    for r in range(first, last):
        row, to = x[hx + r], out[ho + r]
        total = _total_absolute(row)
        factor = a / total if total > 0 else np.nan
        for i in range(row.size):
            to[i] = row[i] * factor


@jit
def _row_weighted_mean(
    x: Any, hx: int, weight: Any, hw: int, out: Any, ho: int, first: int, last: int
) -> None:
    for r in range(first, last):
        row, weights, to = x[hx + r], weight[hw + r], out[ho + r]
        anchor = anchor_of(row)
        share, total = _weighted_total(row, weights, anchor)
        mean = anchor + share / total if total > 0 else np.nan
        for i in range(row.size):
            to[i] = mean if (row[i] == row[i]) & (weights[i] == weights[i]) else np.nan


ROW_MEAN = RowKernel("row_mean", _row_mean)
"""Mean of the row, given to every symbol that has a number."""

ROW_STD = RowKernel("row_std", _row_std)
"""Sample standard deviation (ddof=1) of the row, given likewise; NaN for a single number."""

ROW_SUM = RowKernel("row_sum", _row_sum)
"""Sum of the row."""

ROW_COUNT = RowKernel("row_count", _row_count)
"""How many symbols have a number."""

ROW_MIN = RowKernel("row_min", _row_min)
"""Smallest number of the row."""

ROW_MAX = RowKernel("row_max", _row_max)
"""Largest number of the row."""

ROW_DEMEAN = RowKernel("row_demean", _row_demean)
"""Distance from the row's mean."""

ROW_ZSCORE = RowKernel("row_zscore", _row_zscore)
"""Distance from the mean in sample standard deviations (ddof=1, as pandas); NaN where nothing varies (`NO_SPREAD`)."""

ROW_SCALE = RowKernel("row_scale", _row_scale, parameters=(float,))
"""x times a number that makes the absolute values add up to the parameter `a`; NaN where all are 0."""

ROW_WEIGHTED_MEAN = RowKernel("row_weighted_mean", _row_weighted_mean, inputs=2)
"""Mean weighted by the second input, such as the capitalisation; NaN where the weights do not add up to more than 0.

Names that lack either take no part and are NaN.
"""
