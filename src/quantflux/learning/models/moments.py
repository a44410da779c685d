"""Weighted mean and deviation of each feature of a sample, in one pass over stretches, and of its label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quantflux.learning.models.contract import Scaling
from quantflux.learning.models.stretches import stretches
from quantflux.learning.samples import Sample


@dataclass(frozen=True, eq=False)
class Standard:
    """How features are standardised within a model.

    Attributes
    ----------
    mean, deviation : array of float64, shape (F,)
        Deviation 0 where a feature never varied or was always missing; the mean is then its value, or 0.
    """

    mean: np.ndarray
    deviation: np.ndarray

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Return features in deviations from their mean, float64, shape (K, F).

        What is missing is 0, which is the mean; so is a feature that never varied.
        """
        steady = self.deviation == 0
        moved = (features - self.mean) / np.where(steady, 1.0, self.deviation)
        moved[np.isnan(moved)] = 0.0
        moved[:, steady] = 0.0
        return np.asarray(moved)


def label_units(sample: Sample) -> tuple[float, float]:
    """Return weighted mean and deviation of a sample's labels; the deviation is 0 if they are all the same."""
    label = sample.label.astype(np.float64)
    mean = float(np.average(label, weights=sample.weight))
    if np.ptp(label) == 0:
        return mean, 0.0
    return mean, float(np.sqrt(np.average((label - mean) ** 2, weights=sample.weight)))


def standard_of(sample: Sample, scaler: Scaling, check: Callable[[], None]) -> Standard:
    """Return mean and deviation of each feature over the cells that have it, by their weights.

    Parameters
    ----------
    sample : Sample
    scaler : Scaling
    check : callable
        Called between stretches; may raise.
    """
    features = len(sample.names)
    weights, sums, squares = np.zeros((3, features))
    shift = np.zeros(features)
    for part, values in stretches(sample, scaler):
        check()
        there = ~np.isnan(values)
        if part.start == 0:
            # Sums of distances from a value nearby: squares of large values would lose their last digits.
            known = np.where(there, values, 0.0).sum(axis=0, dtype=np.float64)
            shift = known / np.maximum(there.sum(axis=0), 1)
        moved = np.where(there, values - shift, 0.0)
        weight = sample.weight[part].astype(np.float64)
        weights += weight @ there
        sums += weight @ moved
        squares += weight @ moved**2
    weights = np.maximum(weights, np.finfo(np.float64).tiny)
    mean, square = sums / weights, squares / weights
    variance = np.maximum(square - mean**2, 0.0)
    # What rounding alone leaves: float32 has no steps smaller than 6e-8 of a value.
    steady = variance <= 1e-18 * shift**2 + 1e-13 * square
    return Standard(shift + mean, np.where(steady, 0.0, np.sqrt(variance)))
