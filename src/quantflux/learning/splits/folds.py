"""What a splitter is, and the folds that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quantflux.core.errors import InvalidRequest

MOST_FOLDS = 1_000
"""Each is a model to fit."""


@dataclass(frozen=True, eq=False)
class Fold:
    """The days of one fit and its test.

    Attributes
    ----------
    number : int
        From 0, in the order of the tests.
    train, valid, test : array of int64
        Rows of the day axis, increasing and disjoint. `valid` may be empty.
    """

    number: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


class Splitter(Protocol):
    """Cuts days into folds."""

    @property
    def forward(self) -> bool:
        """Whether every row that is learnt from lies before every row of its test."""

    def split(self, days: int, reach: int) -> list[Fold]:
        """Return the folds of `days` rows.

        Parameters
        ----------
        days : int
        reach : int
            Rows from a cell's row to the one at whose close its label is usually known.

        Raises
        ------
        InvalidRequest
            If there are too few days; the message says how many are needed.
        """


def check_number(folds: int) -> None:
    """Raise `InvalidRequest` if these are more folds than anybody would fit."""
    if folds > MOST_FOLDS:
        raise InvalidRequest(f"at most {MOST_FOLDS:,} folds can be fitted, these are {folds:,}")


def check_least(least: int, **values: int) -> None:
    """Raise `InvalidRequest` naming the first value that is too small."""
    for name, value in values.items():
        if value < least:
            raise InvalidRequest(f"{name} must be at least {least}, was {value}")


def marked(days: int, rows: np.ndarray) -> np.ndarray:
    """Return which of the days are among some rows, bool of shape (days,)."""
    marks = np.zeros(days, dtype=bool)
    marks[rows] = True
    return marks
