"""What is learnt, the same for everybody: folds by day, one label, one set of LightGBM parameters.

The label is the return from tomorrow's close to the one after, standardised across each day's names, as in the workflow
that Qlib publishes for Alpha158 and LightGBM; the parameters are that workflow's as well, but for threads and seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

THREADS = 2
SEEDS = (2024, 1, 2, 3)
"""Each run's. Two models of one rival differ by what their seeds draw, so one run says little."""

ROUNDS, PATIENCE = 1000, 50
"""Most rounds of a fold, and how many of them may pass without a better loss on its validation days."""

REACH = 2
"""Rows from a cell to the one at whose close its label is known."""

PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.2,
    "num_leaves": 210,
    "max_depth": 8,
    "feature_fraction": 0.8879,
    "bagging_fraction": 0.8789,
    "bagging_freq": 0,
    "lambda_l1": 205.6999,
    "lambda_l2": 580.9768,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 0.001,
    "max_bin": 255,
}
"""Those of Qlib's workflow, and what LightGBM takes where that says nothing: rivals may have defaults of their own."""


@dataclass(frozen=True)
class Span:
    """Rows from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class Fold:
    """Rows of one fold. The last rows before validation and test are left out: their labels reach into those."""

    train: Span
    valid: Span
    test: Span


@dataclass(frozen=True)
class Task:
    """A walk-forward.

    Attributes
    ----------
    sessions : int
        Rows of the market.
    train, valid, test : int
        Rows of each span; the spans move on by `test` rows as long as they fit.
    """

    sessions: int
    train: int
    valid: int
    test: int

    def folds(self) -> Iterator[Fold]:
        """Yield the folds, the first one from the first row on."""
        for first in range(0, self.sessions - self.train - self.valid - self.test + 1, self.test):
            valid, test = first + self.train, first + self.train + self.valid
            yield Fold(
                Span(first, valid - REACH - 1),
                Span(valid, test - REACH - 1),
                Span(test, test + self.test - 1),
            )

    def write(self, path: Path) -> None:
        """Write the task where a driver reads it."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Task:
        """Read a task."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
