"""What the report on a model is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quantflux.learning.evaluation import Evaluation
from quantflux.learning.explanation import Explanation
from quantflux.pages import Words


class Fold(Protocol):
    """One step of the validation, as `quantflux.learning.training` tells of it."""

    @property
    def number(self) -> int:
        """From 1, or from 0."""

    @property
    def train(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last day that it learnt from."""

    @property
    def test(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last day that it predicted."""

    @property
    def cells(self) -> int:
        """Learnt from."""

    @property
    def rounds(self) -> int:
        """That the model kept."""

    @property
    def valid_ic(self) -> float:
        """Mean rank correlation with the label where learning was stopped; NaN without such days."""

    @property
    def test_ic(self) -> float:
        """The same on the test days."""


@dataclass(frozen=True, eq=False)
class ModelReport:
    """A trained model, as it is told.

    Attributes
    ----------
    name : str
    about : sequence of (Words, str)
        What was learnt, from what and how: names and values, as they are to be shown.
    evaluation : Evaluation
    folds : sequence of Fold
    explanation : Explanation, optional
    control : Evaluation, optional
        Of the same model taught with labels that were shuffled within each day: what it finds is luck.
    """

    name: str
    about: Sequence[tuple[Words, str]]
    evaluation: Evaluation
    folds: Sequence[Fold]
    explanation: Explanation | None = None
    control: Evaluation | None = None
