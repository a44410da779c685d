"""Fits a model with some parameters to parts of the data, and says how it ranked the days that they judge by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quantflux.learning.models import Learner
from quantflux.learning.models.contract import Report
from quantflux.learning.sample_scores import rank_ic_by_day, scores_of
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec
from quantflux.learning.tuning.folds import Part

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
        return Fitted(rank_ic_by_day(scores_of(predictor, scaler, part.test), part.test), predictor.rounds)

    def _scaler(self, part: Part) -> Scaler:
        if part not in self._scalers:
            features = self.spec.features
            self._scalers[part] = Scaler.fit(features.scale, features.missing, part.train)
        return self._scalers[part]
