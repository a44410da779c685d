"""The shape of returns: skewness, kurtosis and what the worst days lose."""

from __future__ import annotations

import math

import numpy as np

from quantflux.backtest.metrics.series import checked, deviation
from quantflux.core.errors import InvalidRequest


def skewness(returns: np.ndarray) -> float:
    """Return the third standardised moment, of the sample as it is (not corrected for its size)."""
    return _moment(returns, 3)


def kurtosis(returns: np.ndarray) -> float:
    """Return the fourth standardised moment less 3, so that a normal distribution has 0; not corrected for size."""
    return _moment(returns, 4) - 3


def value_at_risk(returns: np.ndarray, level: float = 0.95) -> float:
    """Return the smallest loss that is exceeded on at most 1 - `level` of the days, as a positive fraction.

    A quantile of what happened, without interpolation or model.

    Examples
    --------
    >>> value_at_risk(np.arange(-10, 10) / 100, level=0.95)  # one day in twenty is worse than -9 %
    0.09
    """
    losses = _losses(returns, level)
    if not len(losses):
        return math.nan
    worse = int(np.floor((1 - level) * len(losses) + 1e-9))
    return float(losses[min(worse, len(losses) - 1)])


def expected_shortfall(returns: np.ndarray, level: float = 0.95) -> float:
    """Return the mean loss of the worst 1 - `level` of the days (CVaR), as a positive fraction.

    The day on the border counts with the part of it that is needed, so that the result changes smoothly with
    `level`.

    Examples
    --------
    >>> round(expected_shortfall(np.arange(-10, 10) / 100, level=0.9), 6)  # the mean of 10 % and 9 %
    0.095
    """
    losses = _losses(returns, level)
    if not len(losses):
        return math.nan
    share = (1 - level) * len(losses)
    weights = np.clip(share - np.arange(len(losses)), 0.0, 1.0)
    return float(weights @ losses / share)


def tail_ratio(returns: np.ndarray) -> float:
    """Return the 95 % quantile over the 5 % one, both without sign and interpolated; NaN if the latter is 0."""
    found = checked(returns)
    if not len(found):
        return math.nan
    high, low = np.abs(np.quantile(found, [0.95, 0.05])).tolist()
    return high / low if low > 0 else math.nan


def _losses(returns: np.ndarray, level: float) -> np.ndarray:
    """Return the losses, the largest first."""
    if not 0 < level < 1:
        raise InvalidRequest(f"the level must lie between 0 and 1, such as 0.95, was {level}")
    return np.asarray(-np.sort(checked(returns)))


def _moment(returns: np.ndarray, order: int) -> float:
    found = checked(returns)
    if not deviation(found) > 0:
        return math.nan
    gaps = found - found.mean()
    return float(np.mean(gaps**order) / np.mean(gaps**2) ** (order / 2))
