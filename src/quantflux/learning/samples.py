"""What a model learns from: cells of the market, each with features, a label and a weight.

A data set names its cells and leaves the features where they are stored: they are gathered when a part of them is
needed, so a market of millions of cells is never held as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

Weigh = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Returns positive weights of cells, shape (K,), given their rows and labels."""


class Features(Protocol):
    """Feature values by day and symbol, on the axes of a data set."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in their order."""

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the features of some cells.

        Parameters
        ----------
        rows, columns : array of int, shape (K,)
            Sorted by row, then column.

        Returns
        -------
        array of float32, shape (K, F)
            NaN where a value is not known.
        """


@dataclass(frozen=True, eq=False)
class Dataset:
    """Cells to learn from, sorted by day and then symbol.

    Attributes
    ----------
    days : array of datetime64[D], shape (T,)
    symbols : array of str, shape (N,)
    features : Features
    row, column : array of int64, shape (K,)
        Places on the axes.
    label : array of float32, shape (K,)
        Finite.
    known : array of int64, shape (K,)
        The first row at whose close the label is known: later than `row` by the label's horizon, or by more where a
        name could not be sold.
    weight : array of float32, shape (K,)
        Positive.
    weigh : callable or None
        Weighs the cells of each sample by themselves, in place of `weight`: how many cells a class has, and which day
        is the newest, depends on what a model learns from.
    """

    days: np.ndarray
    symbols: np.ndarray
    features: Features
    row: np.ndarray
    column: np.ndarray
    label: np.ndarray
    known: np.ndarray
    weight: np.ndarray
    weigh: Weigh | None = None

    def __len__(self) -> int:
        return len(self.row)

    def on(self, rows: np.ndarray, before: int | None = None) -> Sample:
        """Return the cells of some rows, those alone whose label is known before row `before` begins."""
        wanted = np.zeros(len(self.days), dtype=bool)
        wanted[rows] = True
        chosen = wanted[self.row]
        if before is not None:
            chosen &= self.known < before
        return Sample(self, np.flatnonzero(chosen))


@dataclass(frozen=True, eq=False)
class Sample:
    """Some cells of a data set.

    Attributes
    ----------
    dataset : Dataset
    places : array of int64, shape (K,)
        Which of the data set's cells, increasing.
    """

    dataset: Dataset
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def row(self) -> np.ndarray:
        """Row of each cell, shape (K,)."""
        return np.asarray(self.dataset.row[self.places])

    @cached_property
    def column(self) -> np.ndarray:
        """Column of each cell, shape (K,)."""
        return np.asarray(self.dataset.column[self.places])

    @cached_property
    def label(self) -> np.ndarray:
        """float32, shape (K,)."""
        return np.asarray(self.dataset.label[self.places])

    @cached_property
    def weight(self) -> np.ndarray:
        """float32, shape (K,), 1 on average: what regularises a model must not depend on how old its sample is."""
        weigh = self.dataset.weigh
        found = self.dataset.weight[self.places] if weigh is None else weigh(self.row, self.label)
        own = found.astype(np.float64)
        return np.asarray(own / own.mean() if len(own) else own, dtype=np.float32)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.dataset.features.names

    def features(self, part: slice = slice(None)) -> np.ndarray:
        """Return the features of the sample's cells, or of a part of them: float32, shape (K, F)."""
        return self.dataset.features.gather(self.row[part], self.column[part])

    def day_sizes(self) -> np.ndarray:
        """Return how many cells each day of the sample has, in order: the groups of a ranking."""
        return np.unique(self.row, return_counts=True)[1]
