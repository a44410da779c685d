"""Whether predictions mean what they say: what was predicted beside what came.

Cells of all days are taken together and cut into groups of one size by prediction. How sure the slope is allows for
names of one day moving together, and for labels of neighbouring days having days in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest

_GROUPS = 10
_LEAST_PROBABILITY = 1e-15
"""What a probability of nothing counts as in the logarithmic loss, which would be endless."""


@dataclass(frozen=True, eq=False)
class Groups:
    """What was predicted and what came, by tenth of the predictions, the lowest first.

    Attributes
    ----------
    predicted, realised : array of float64, shape (G,)
        Means.
    count : array of int64, shape (G,)
    """

    predicted: np.ndarray
    realised: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predictions of a number beside that number.

    Attributes
    ----------
    groups : Groups
    slope, intercept : float
        Of the line through all cells of what came on what was predicted: 1 and 0 are perfect, a slope below 1 promises
        too much, and one of 0 knows nothing.
    slope_error : float
        Standard error of the slope (Driscoll and Kraay).
    r_squared : float
        Part of the variance that the line explains.

    References
    ----------
    Driscoll, Kraay (1998), "Consistent Covariance Matrix Estimation with Spatially Dependent Panel Data", Review of
    Economics and Statistics 80(4).
    """

    groups: Groups
    slope: float
    intercept: float
    slope_error: float
    r_squared: float


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted probabilities beside how often it came so.

    Attributes
    ----------
    curves : tuple of Groups
        Of each class, the lowest first: mean probability and part of the cells in that class.
    brier, log_loss : float
        Mean squared error summed over classes, and mean of -log of the probability of what came; less is better.
    brier_of_shares, log_loss_of_shares : float
        The same of somebody who knows nothing but how often each class comes, and says that of every cell.
    """

    curves: tuple[Groups, ...]
    brier: float
    log_loss: float
    brier_of_shares: float
    log_loss_of_shares: float


def calibration_of(
    predicted: np.ndarray, realised: np.ndarray, row: np.ndarray, *, horizon: int = 1, groups: int = _GROUPS
) -> Calibration:
    """Return how predictions of a number compare with it.

    Parameters
    ----------
    predicted, realised : array of float64, shape (K,)
        Of the same cells, finite.
    row : array of int, shape (K,)
        Day of each cell, in order.
    horizon : int
        Days over which the label looks ahead.
    groups : int

    Raises
    ------
    InvalidRequest
        If the lengths differ or a number is not finite.

    Examples
    --------
    >>> found = calibration_of(np.arange(40.0), 2 * np.arange(40.0) + 1, np.repeat(np.arange(4), 10))
    >>> round(found.slope, 9), round(found.intercept, 9), found.groups.realised[:2].tolist()
    (2.0, 1.0, [4.0, 12.0])
    """
    _check(predicted, realised, row)
    gaps = predicted - predicted.mean() if len(predicted) else predicted
    spread = float(gaps @ gaps)
    if not spread > 0:
        unknown = math.nan
        return Calibration(groups_of(predicted, realised, groups), unknown, unknown, unknown, unknown)
    middle = float(realised.mean())
    slope = float(gaps @ (realised - middle)) / spread
    left = realised - middle - slope * gaps
    total = float(np.sum((realised - middle) ** 2))
    return Calibration(
        groups=groups_of(predicted, realised, groups),
        slope=slope,
        intercept=middle - slope * float(predicted.mean()),
        slope_error=math.sqrt(_long_run(gaps * left, row, horizon)) / spread,
        r_squared=1 - float(left @ left) / total if total > 0 else math.nan,
    )


def reliability_of(probabilities: np.ndarray, classes: np.ndarray, *, groups: int = _GROUPS) -> Reliability:
    """Return how predicted probabilities compare with what came.

    Parameters
    ----------
    probabilities : array of float64, shape (K, C)
        Of each class, adding up to 1.
    classes : array of int, shape (K,)
        What came, 0 .. C-1.
    groups : int

    Raises
    ------
    InvalidRequest
        If shapes differ, there are no cells, a class is out of range, or probabilities do not add up to 1.

    Examples
    --------
    >>> found = reliability_of(np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.5, 0.5]]), np.array([0, 1, 0, 1]))
    >>> round(found.brier, 4), found.brier_of_shares
    (0.33, 0.5)
    """
    kinds = probabilities.shape[1] if probabilities.ndim == 2 else 0
    if kinds < 2 or len(probabilities) != len(classes) or not len(classes):
        raise InvalidRequest(
            f"probabilities need shape (cells, 2 or more classes) for {len(classes)} cells, had "
            f"{probabilities.shape}"
        )
    if classes.min() < 0 or classes.max() >= kinds:
        raise InvalidRequest(f"classes are 0 to {kinds - 1}, were {classes.min()} to {classes.max()}")
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-6) or probabilities.min() < 0:
        raise InvalidRequest("the probabilities of a cell must be 0 or more and add up to 1")
    came = np.zeros(probabilities.shape)
    came[np.arange(len(classes)), classes] = 1
    shares = np.broadcast_to(came.mean(axis=0), came.shape)
    return Reliability(
        curves=tuple(groups_of(probabilities[:, kind], came[:, kind], groups) for kind in range(kinds)),
        brier=_brier(probabilities, came),
        log_loss=_log_loss(probabilities, came),
        brier_of_shares=_brier(shares, came),
        log_loss_of_shares=_log_loss(shares, came),
    )


def groups_of(predicted: np.ndarray, realised: np.ndarray, groups: int = _GROUPS) -> Groups:
    """Return groups of one size by prediction, equal predictions staying together; fewer where they cannot be cut."""
    if not len(predicted):
        return Groups(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, groups + 1)[1:-1]))
    place = np.searchsorted(edges, predicted, side="left")
    count = np.bincount(place, minlength=len(edges) + 1)
    some = count > 0
    sums = (np.bincount(place, weights=values, minlength=len(count)) for values in (predicted, realised))
    means = [total[some] / count[some] for total in sums]
    return Groups(means[0], means[1], count[some])


def _check(predicted: np.ndarray, realised: np.ndarray, row: np.ndarray) -> None:
    if not len(predicted) == len(realised) == len(row):
        raise InvalidRequest(
            f"predictions, what came and rows need one length, had {len(predicted)}, {len(realised)}, {len(row)}"
        )
    if not (np.isfinite(predicted).all() and np.isfinite(realised).all()):
        raise InvalidRequest("calibration needs finite predictions and labels; leave the other cells out")


def _long_run(moments: np.ndarray, row: np.ndarray, horizon: int) -> float:
    """Return the variance of the sum of moments, of which those of a day and of neighbouring days are alike."""
    daily = np.bincount(np.unique(row, return_inverse=True)[1], weights=moments)
    variance = float(daily @ daily)
    for lag in range(1, min(horizon, len(daily) - 1) + 1):
        variance += 2 * (1 - lag / (horizon + 1)) * float(daily[lag:] @ daily[:-lag])
    return max(variance, 0.0)


def _brier(probabilities: np.ndarray, came: np.ndarray) -> float:
    return float(np.mean(np.sum((probabilities - came) ** 2, axis=1)))


def _log_loss(probabilities: np.ndarray, came: np.ndarray) -> float:
    said = np.sum(probabilities * came, axis=1)
    return float(-np.mean(np.log(np.clip(said, _LEAST_PROBABILITY, None))))
