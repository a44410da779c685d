"""What a search tells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quantflux.learning.evaluation import Significance
from quantflux.learning.specification import ModelSpec


@dataclass(frozen=True)
class Trial:
    """One set of parameters that was tried.

    Attributes
    ----------
    number : int
        From 0, in order.
    parameters : mapping
        Those that are searched.
    state : {"done", "pruned"}
    score : float
        Mean over folds of the mean rank correlation by day, as far as the trial came; NaN if no fold was finished.
    folds : tuple of float
        The same of each fold that was finished.
    rounds : tuple of int
        That the models kept.
    seconds : float
    """

    number: int
    parameters: Mapping[str, Any]
    state: str
    score: float
    folds: tuple[float, ...]
    rounds: tuple[int, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "number": self.number,
            "parameters": dict(self.parameters),
            "state": self.state,
            "score": None if math.isnan(self.score) else self.score,
            "folds": list(self.folds),
            "rounds": list(self.rounds),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class TuningResult:
    """The best parameters that a search found, and what they are worth.

    Attributes
    ----------
    spec : ModelSpec
        The model with the best parameters.
    best : Trial
    trials : tuple of Trial
        All of them, in order.
    luck : float
        How far the best of so many trials lies above their mean if all are equally good and differ by chance alone.
    held_out : Significance
        Rank correlation by day of the best parameters on the folds that the search never saw.
    held_out_before : Significance
        The same of the parameters that the model had before.
    folds : int
        That the search was judged by.
    """

    spec: ModelSpec
    best: Trial
    trials: tuple[Trial, ...]
    luck: float
    held_out: Significance
    held_out_before: Significance
    folds: int

    @property
    def score(self) -> float:
        """Mean rank correlation of the best trial on the days that it was chosen by: too high, see `deflated`."""
        return self.best.score

    @property
    def deflated(self) -> float:
        """The score less the luck of having chosen the best of many trials."""
        return self.score - self.luck

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "model": self.spec.to_dict(),
            "parameters": dict(self.best.parameters),
            "score": self.score,
            "luck": _plain(self.luck),
            "deflated": _plain(self.deflated),
            "held_out": _told(self.held_out),
            "held_out_before": _told(self.held_out_before),
            "folds": self.folds,
            "trials": [trial.to_dict() for trial in self.trials],
        }


def _told(found: Significance) -> dict[str, Any]:
    return {
        "rank_ic": _plain(found.mean),
        "days": found.count,
        "t_value": _plain(found.t_value),
        "by_chance": _plain(found.above),
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
