"""What a model says of a sample's cells, and how well that ranks the names of each day by their labels."""

from __future__ import annotations

import numpy as np

from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.learning.models.contract import Predictor
from quantflux.learning.models.known import predict_known
from quantflux.learning.samples import Sample
from quantflux.learning.scaling import Scaler

AT_ONCE = 100_000
"""Cells that are predicted at a time."""

LEAST_NAMES = 10
"""Days with fewer names say nothing about an order."""


def scores_of(predictor: Predictor, scaler: Scaler, sample: Sample) -> np.ndarray:
    """Return the prediction of each cell of a sample, float64 of shape (K,); NaN for cells without any feature."""
    found = np.empty(len(sample))
    for first in range(0, len(sample), AT_ONCE):
        part = slice(first, min(first + AT_ONCE, len(sample)))
        found[part] = predict_known(predictor, scaler, sample.features(part))
    return found


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
