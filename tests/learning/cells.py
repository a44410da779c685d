"""Data sets whose features are an array in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quantflux.learning.samples import Dataset


class ArrayFeatures:
    """Features of shape (T, N, F); `asked` hears which cells are gathered."""

    def __init__(
        self, values: np.ndarray, asked: Callable[[np.ndarray, np.ndarray], None] | None = None
    ) -> None:
        self._values, self._asked = values.astype(np.float32), asked
        self.names = tuple(f"f{place}" for place in range(values.shape[2]))

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        if self._asked is not None:
            self._asked(rows, columns)
        return self._values[rows, columns]


def dataset_of(
    values: np.ndarray,
    there: np.ndarray | None = None,
    asked: Callable[[np.ndarray, np.ndarray], None] | None = None,
    horizon: int = 1,
) -> Dataset:
    """Return a data set of the cells where `there` is true, all unless given; labels are 0 and weights 1."""
    rows, columns = values.shape[:2]
    row, column = np.nonzero(np.ones((rows, columns), dtype=bool) if there is None else there)
    return Dataset(
        days=np.datetime64("2024-01-01") + np.arange(rows),
        symbols=np.array([f"{place:06d}.SZ" for place in range(columns)]),
        features=ArrayFeatures(values, asked),
        row=row,
        column=column,
        label=np.zeros(len(row), dtype=np.float32),
        known=row + horizon,
        weight=np.ones(len(row), dtype=np.float32),
    )
