"""What a model says of cells whose features are as they were computed: nothing of cells that have none.

A scaler that fills what is missing would make a cell without any feature look like all others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quantflux.learning.models.contract import Predictor, Scaling


def any_known(features: np.ndarray) -> np.ndarray:
    """Return which cells have a value of some feature, shape (K,); features as before scaling, shape (K, F)."""
    return np.asarray(np.isfinite(features).any(axis=1))


def predict_known(predictor: Predictor, scaler: Scaling, features: np.ndarray) -> np.ndarray:
    """Return what a model says of cells, float64 of shape (K,).

    NaN where no feature is known: a scaler that fills what is missing would make such a cell look like any other.

    Parameters
    ----------
    predictor : Predictor
    scaler : Scaling
    features : array of float32, shape (K, F)
        Before scaling.
    """
    return _of_known(predictor.predict, (), scaler, features)


def probabilities_known(predictor: Predictor, scaler: Scaling, features: np.ndarray) -> np.ndarray:
    """Return the probability of each class of cells, float64 of shape (K, C); NaN as in `predict_known`."""
    return _of_known(predictor.probabilities, (predictor.classes,), scaler, features)


def _of_known(
    say: Callable[[np.ndarray], np.ndarray], each: tuple[int, ...], scaler: Scaling, features: np.ndarray
) -> np.ndarray:
    """Return what is said of cells, an array of shape `each` of every cell; NaN of cells without any feature."""
    known = any_known(features)
    if known.all():
        return say(scaler.apply(features))
    found = np.full((len(features), *each), np.nan)
    if known.any():
        found[known] = say(scaler.apply(features[known]))
    return found
