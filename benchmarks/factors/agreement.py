"""How well two answers to the same question agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Agreement:
    """A comparison of two arrays.

    Attributes
    ----------
    cells : int
        Cells compared.
    gaps : int
        Cells that are a number in one answer and NaN in the other.
    apart : int
        Cells that are numbers in both and further apart than allowed.
    worst : float
        Largest difference, relative where the wanted value is above one.
    """

    cells: int
    gaps: int
    apart: int
    worst: float

    def share_wrong(self) -> float:
        """Return the part of the cells that differ in either way."""
        return (self.gaps + self.apart) / max(self.cells, 1)


def compare(
    found: NDArray[Any],
    wanted: NDArray[Any],
    where: NDArray[np.bool_] | None = None,
    *,
    rtol: float,
    atol: float,
) -> Agreement:
    """Compare two arrays of one shape, in the cells that are looked at.

    Infinities agree with themselves only.
    """
    a, b = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    if where is not None:
        a, b = a[where], b[where]
    gaps = np.isnan(a) != np.isnan(b)
    both = ~np.isnan(a) & ~np.isnan(b) & (a != b)
    difference = np.abs(a[both] - b[both])
    apart = ~(difference <= atol + rtol * np.abs(b[both]))
    scaled = difference / np.maximum(np.abs(b[both]), 1)
    return Agreement(a.size, int(gaps.sum()), int(apart.sum()), float(scaled.max(initial=0.0)))
