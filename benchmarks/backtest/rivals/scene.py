"""What every rival is given: prices without gaps, and which names to hold from day to day.

Each day t the account is set to equal weights on the names chosen by yesterday's close, at the close of day t. The
weights leave `CASH` uninvested, so that no rounding makes a broker refuse the last order for want of money.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

CASH = 0.02
CAPITAL = 10_000_000.0
NO_NAME = -1


class Scene:
    """The arrays in a folder.

    Attributes
    ----------
    days : array of datetime64[D], shape (T,)
    prices : array of float64, shape (T, N)
        Closes, no gaps.
    chosen : array of int32, shape (T, n)
        Columns to hold from the close of each day on; `NO_NAME` before there are any.
    """

    def __init__(self, folder: Path) -> None:
        self.days = np.load(folder / "days.npy")
        self.prices = np.load(folder / "prices.npy")
        self.chosen = np.load(folder / "chosen.npy")

    @property
    def first(self) -> int:
        """The first day that has names to hold."""
        return int(np.flatnonzero(self.chosen[:, 0] != NO_NAME)[0])

    @property
    def weight(self) -> float:
        """Of one name."""
        return (1 - CASH) / self.chosen.shape[1]

    def weights(self) -> np.ndarray:
        """Return the weights as a matrix, shape (T, N), zero where there is nothing to hold."""
        dense = np.zeros(self.prices.shape)
        rows = np.arange(self.first, len(self.days))
        dense[rows[:, None], self.chosen[self.first :]] = self.weight
        return dense
