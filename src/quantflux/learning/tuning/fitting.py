"""Fits a model with some parameters to parts of the data, and says how it ranked the days that they judge by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.learning.models import Learner, Predictor
from quantflux.learning.models.contract import Report
from quantflux.learning.samples import Sample
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec
from quantflux.learning.tuning.folds import Part

LEAST_NAMES = 10
"""Days with fewer names say nothing about an order."""

_AT_ONCE = 100_000  # cells that are predicted at a time

MakeLearner = Callable[[Mapping[str, Any]], Learner]
"""Makes a learner of parameters."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What came of one part.

    Attributes
    ----------
    rank_ic : array of float64
        By day that the part judges by.
    rounds : int
        That the model kept.
    """

    rank_ic: np.ndarray
    rounds: int

    @property
    def mean(self) -> float:
        """Mean rank correlation; 0 if no day has one, as nothing was found."""
        known = self.rank_ic[~np.isnan(self.rank_ic)]
        return float(known.mean()) if len(known) else 0.0


@dataclass
class Fitting:
    """Fits parts; the scaler of each is fitted once.

    Attributes
    ----------
    spec : ModelSpec
    make : callable
    forward : bool
        Whether parts learn from the past of what they judge by, in the order of their numbers.
    cancelled : callable
    """

    spec: ModelSpec
    make: MakeLearner
    forward: bool
    cancelled: Callable[[], bool]
    _scalers: dict[Part, Scaler] = field(default_factory=dict, repr=False)

    def learner(self, parameters: Mapping[str, Any]) -> Learner:
        """Return a learner with these parameters beside the model's own."""
        return self.make(self.spec.parameters_with(parameters))

    def fit(self, learner: Learner, part: Part, report: Report | None = None) -> Fitted:
        """Fit a part and judge it; `report` is asked where the part has days to stop by."""
        scaler = self._scaler(part)
        predictor = learner.fit(
            part.train,
            part.valid,
            scaler=scaler,
            share=self.forward,
            progress=lambda done, total: None,
            cancelled=self.cancelled,
            report=report if part.valid is not None else None,
        )
        return Fitted(rank_ic_by_day(_predicted(predictor, scaler, part.test), part.test), predictor.rounds)

    def _scaler(self, part: Part) -> Scaler:
        if part not in self._scalers:
            features = self.spec.features
            self._scalers[part] = Scaler.fit(features.scale, features.missing, part.train)
        return self._scalers[part]


def rank_ic_by_day(predicted: np.ndarray, sample: Sample) -> np.ndarray:
    """Return the rank correlation of predictions and labels on each day of a sample.

    Parameters
    ----------
    predicted : array of float64, shape (K,)
    sample : Sample

    Returns
    -------
    array of float64
        A number a day; 0 where all names are predicted alike, NaN with fewer than `LEAST_NAMES` names or equal labels.
    """
    days, row = np.unique(sample.row, return_inverse=True)
    scores, labels = np.full((2, len(days), len(sample.dataset.symbols)), np.nan)
    scores[row, sample.column], labels[row, sample.column] = predicted, sample.label
    found = rank_correlation(SortedRows(scores), SortedRows(labels), ~np.isnan(labels), LEAST_NAMES)
    both = ~np.isnan(scores) & ~np.isnan(labels)
    told = _differ(labels, both) & (both.sum(axis=1) >= LEAST_NAMES)
    return np.where(told & np.isnan(found), 0.0, found)


def _differ(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return which rows have two different values among the chosen ones."""
    most = np.where(among, values, -np.inf).max(axis=1, initial=-np.inf)
    return np.asarray(np.where(among, values, np.inf).min(axis=1, initial=np.inf) < most)


def _predicted(predictor: Predictor, scaler: Scaler, sample: Sample) -> np.ndarray:
    found = np.empty(len(sample))
    for first in range(0, len(sample), _AT_ONCE):
        part = slice(first, min(first + _AT_ONCE, len(sample)))
        found[part] = predictor.predict(scaler.apply(sample.features(part)))
    return found
