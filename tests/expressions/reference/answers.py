"""What an operator should give, and how far from it a computation may be.

A value is right within one part in 10**9, plus a floor of the same unit that says what rounding in float64 must be
allowed where a result is a small difference of large numbers. Each reference function states its floor. An infinite
floor marks a cell as undecided: rounding alone says on which side of a threshold it falls, such as whether a window
varies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

RELATIVE = 1e-9
ROUNDING = 2.0**-53
TINY = 1e-300
"""Below, numbers have lost digits to underflow."""

FAINT = 1e-160
"""Deviations below have squares that vanish, so an anchor that is as far away goes unnoticed."""

LARGEST = 1e70
"""What is added up over time skips numbers from here on, so that fourth powers do not overflow."""

Cell = tuple[float, float]
"""A value and its floor."""

MISSING: Cell = (np.nan, 0.0)
UNDECIDED: Cell = (np.nan, np.inf)


@dataclass(frozen=True)
class Answer:
    """Expected values of shape (T, N), the floor of each, and the part of itself by which each may differ."""

    values: Array
    floor: Array
    relative: float = RELATIVE

    @classmethod
    def exactly(cls, values: Array) -> Answer:
        """Return an answer that must be met to the last bit."""
        return cls(values, np.zeros(values.shape), 0.0)

    @classmethod
    def nearly(cls, values: Array, relative: float = RELATIVE) -> Answer:
        """Return an answer without cancellation."""
        return cls(values, np.full(values.shape, TINY), relative)

    @property
    def decided(self) -> Array:
        """Where the answer is certain."""
        return np.isfinite(self.floor)

    def wrong(self, found: Array) -> Array:
        """Return where values are not what they should be: NaN or not, or too far off; infinite ones always are."""
        with np.errstate(all="ignore"):
            far = np.abs(found - self.values) > self.relative * np.abs(self.values) + self.floor
        far &= found != self.values
        return np.isinf(found) | (self.decided & (far | (np.isnan(found) != np.isnan(self.values))))


def by_column(shape: tuple[int, int], column: Callable[[int], Iterable[Cell]]) -> Answer:
    """Return the answer whose columns are these cells, from the first row on."""
    answer = Answer(np.full(shape, np.nan), np.zeros(shape))
    for j in range(shape[1]):
        for t, (value, floor) in enumerate(column(j)):
            answer.values[t, j], answer.floor[t, j] = value, floor
    return answer


def is_number(value: float) -> bool:
    """Whether a value takes part in what is added up over time."""
    return abs(value) < LARGEST
