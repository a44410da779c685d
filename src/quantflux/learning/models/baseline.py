"""How a model scores that knows nothing of its features: what a fit has to beat on its valid sample.

Of every cell it says what is best said of the whole train sample: the mean label, the median one, or how frequent each
class is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from quantflux.learning.samples import Sample


def score_of_nothing(loss: str, train: Sample, valid: Sample | None) -> float:
    """Return the score on a valid sample, larger being better, of a model without features.

    Parameters
    ----------
    loss : str
        As LightGBM, XGBoost or CatBoost calls it.
    train : Sample
    valid : Sample or None

    Returns
    -------
    float
        -inf where nothing can be said: without valid sample, or by a measure of rankings, which a constant does not
        have.
    """
    measure = _LOSSES.get(loss)
    return float("-inf") if measure is None or valid is None else -measure(train, valid)


def _squared(train: Sample, valid: Sample) -> float:
    return _mean((valid.label - _mean(train.label, train)) ** 2, valid)


def _root_squared(train: Sample, valid: Sample) -> float:
    return float(np.sqrt(_squared(train, valid)))


def _absolute(train: Sample, valid: Sample) -> float:
    order = np.argsort(train.label)
    below = np.cumsum(train.weight[order], dtype=np.float64)
    median = train.label[order][np.searchsorted(below, below[-1] / 2)]
    return _mean(np.abs(valid.label - median), valid)


def _log_loss(train: Sample, valid: Sample) -> float:
    label = valid.label.astype(np.int64)
    counts = np.bincount(train.label.astype(np.int64), train.weight, minlength=int(label.max()) + 1)
    with np.errstate(divide="ignore"):  # a class that the train sample has not: an infinite loss
        return _mean(-np.log(counts / counts.sum())[label], valid)


def _mean(values: np.ndarray, sample: Sample) -> float:
    return float(np.average(values.astype(np.float64), weights=sample.weight))


_LOSSES: Mapping[str, Callable[[Sample, Sample], float]] = {
    "l2": _squared,
    **dict.fromkeys(("rmse", "RMSE"), _root_squared),
    **dict.fromkeys(("l1", "MAE"), _absolute),
    **dict.fromkeys(("multi_logloss", "mlogloss", "MultiClass"), _log_loss),
}
