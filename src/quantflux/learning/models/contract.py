"""What learns and what has learnt: the two protocols that every family of models meets.

A learner is made once for a model and fitted once a fold. What it returns predicts alone: it holds no data, is saved
as text, JSON or another format that runs nothing when read, and gives the same numbers after it was read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from quantflux.core.errors import QuantfluxError
from quantflux.learning.samples import Sample

TASKS = ("regression", "ranking", "classification")

Progress = Callable[[int, int], None]
"""Told how many rounds are done, and how many there may be."""

Report = Callable[[int, float], bool]
"""Told the round and the score on the valid sample, larger being better; says whether to give up."""


class Pruned(QuantfluxError, RuntimeError):  # noqa: N818 - says what happened, like the other errors
    """Fitting was given up because its score was not promising.

    Attributes
    ----------
    round : int
    score : float
    """

    def __init__(self, number: int, score: float) -> None:
        super().__init__(f"given up in round {number} with a score of {score:g} on the valid sample")
        self.round = number
        self.score = score


class Scaling(Protocol):
    """What is done to features before a model sees them."""

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Return features of the same shape (K, F), float32."""

    def to_dict(self) -> dict[str, Any]:
        """Return all that it knows; equal for scalings that do the same."""


@dataclass(frozen=True)
class Request:
    """Which model is wanted.

    Attributes
    ----------
    kind, task : str
        One of the package's `KINDS`, one of `TASKS`.
    parameters : mapping
        Complete and checked.
    seed : int
    threads : int
    classes : int
        0 unless the task is classification.
    """

    kind: str
    task: str
    parameters: Mapping[str, Any]
    seed: int
    threads: int
    classes: int


class Learner(Protocol):
    """Fits one model to one sample after the other."""

    def fit(
        self,
        train: Sample,
        valid: Sample | None,
        *,
        scaler: Scaling,
        share: bool = False,
        progress: Progress,
        cancelled: Callable[[], bool],
        report: Report | None = None,
    ) -> Predictor:
        """Learn from a sample.

        Parameters
        ----------
        train : Sample
        valid : Sample or None
            Where learning stops early; without it all rounds are done.
        scaler : Scaling
            Fitted on the train sample; predictions want features that went through it.
        share : bool
            Whether what was prepared from the first train sample may serve later ones of the same data set. Right
            where every later fold's train sample begins no earlier, as in a walk forward.
        progress : callable
        cancelled : callable
            Asked every round.
        report : callable, optional
            Needs a valid sample.

        Raises
        ------
        InvalidRequest
            If there is nothing to learn from.
        Cancelled
            If `cancelled` said yes.
        Pruned
            If `report` said yes.
        MissingDependency
            If the family's library is not installed.
        """


class Predictor(Protocol):
    """A fitted model.

    Attributes
    ----------
    kind, task : str
    features : int
        How many it wants.
    classes : int
        0 unless the task is classification.
    rounds : int
        How many it kept; 1 for models without rounds.
    """

    kind: str
    task: str
    features: int
    classes: int
    rounds: int

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict the label of some cells: a number, a score to rank by, or the expected class.

        Parameters
        ----------
        features : array of float32, shape (K, F)
            As the scaler gives them; NaN is missing.

        Returns
        -------
        array of float64, shape (K,)
            NaN where all features are missing.
        """

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of each class, shape (K, C); `Unsupported` if the task is another one."""

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Return what each feature adds to the prediction, and last what the model says of nothing: (K, F + 1).

        The sum of a row is the prediction.
        """

    def importance(self) -> np.ndarray:
        """Return the share of each feature in what was learnt, shape (F,): sums to 1, or 0 if none is used."""

    def save(self, folder: Path) -> None:
        """Write the model's files into a folder that exists."""

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged."""
