"""How much of a Sharpe ratio is luck: of a short record, of fat tails, and of having tried many strategies.

All Sharpe ratios here are by the day, not by the year: a year's is a day's times the root of 244.

References
----------
Bailey, Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2).
Bailey, Lopez de Prado (2014), "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting and
Non-Normality", Journal of Portfolio Management 40(5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from quantflux.backtest.metrics.series import checked, deviation
from quantflux.backtest.metrics.tails import kurtosis, skewness
from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation import TRADING_DAYS

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Luck:
    """A Sharpe ratio in the light of chance.

    Attributes
    ----------
    trials : int
        Strategies that were tried and of which this one was kept, itself among them.
    probability : float
        That the true Sharpe ratio is above zero, were this the only trial (probabilistic Sharpe ratio).
    expected_best : float
        Sharpe ratio a year that the best of so many useless strategies would show.
    deflated : float
        Probability that the true Sharpe ratio is above zero, given the trials (deflated Sharpe ratio).
    least_days : float
        Days of such a record that are needed to be 95 % sure that it beats zero; infinite if it does not.
    """

    trials: int
    probability: float
    expected_best: float
    deflated: float
    least_days: float


def luck(returns: np.ndarray, trials: int = 1, variance: float | None = None) -> Luck:
    """Return what chance may have contributed; see `deflated_sharpe` for the arguments."""
    daily = checked(returns)
    spread = _trial_variance(daily, variance)
    best = math.nan if math.isnan(spread) else expected_best_sharpe(trials, spread)
    return Luck(
        trials=trials,
        probability=probabilistic_sharpe(daily),
        expected_best=best * math.sqrt(TRADING_DAYS),
        deflated=math.nan if math.isnan(best) else probabilistic_sharpe(daily, best),
        least_days=minimum_track_record(daily),
    )


def probabilistic_sharpe(returns: np.ndarray, threshold: float = 0.0) -> float:
    """Return the probability that the true daily Sharpe ratio is above a threshold.

    Parameters
    ----------
    returns : array of float64, shape (R,)
    threshold : float
        Sharpe ratio by the day.

    Returns
    -------
    float
        NaN for fewer than 3 returns or constant ones.
    """
    daily = checked(returns)
    error = sharpe_error(daily)
    return _NORMAL.cdf((_daily_sharpe(daily) - threshold) / error) if error > 0 else math.nan


def sharpe_error(returns: np.ndarray) -> float:
    """Return the standard error of the daily Sharpe ratio, skewness and kurtosis allowed for.

    NaN for fewer than 3 returns or constant ones, and where the approximation fails.
    """
    daily = checked(returns)
    ratio = _daily_sharpe(daily)
    if len(daily) < 3 or math.isnan(ratio):
        return math.nan
    spread = 1 - skewness(daily) * ratio + (kurtosis(daily) + 2) / 4 * ratio**2
    return math.sqrt(spread / (len(daily) - 1)) if spread > 0 else math.nan


def expected_best_sharpe(trials: int, variance: float) -> float:
    """Return the Sharpe ratio that the best of some useless strategies is expected to show.

    Parameters
    ----------
    trials : int
        Independent strategies tried, at least 1. Similar ones count for less than their number, which makes the
        result too large, that is, careful.
    variance : float
        Of their daily Sharpe ratios.

    Examples
    --------
    >>> round(expected_best_sharpe(10, 1.0), 4), expected_best_sharpe(1, 1.0)
    (1.5746, 0.0)
    """
    if not trials >= 1:
        raise InvalidRequest(f"the number of trials must be at least 1, this strategy itself, was {trials}")
    if not variance >= 0:
        raise InvalidRequest(f"the variance of the trials' Sharpe ratios must not be below 0, was {variance}")
    if trials == 1:
        return 0.0
    upper, far = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - np.euler_gamma) * upper + np.euler_gamma * far)


def deflated_sharpe(returns: np.ndarray, trials: int, variance: float | None = None) -> float:
    """Return the probability that the true Sharpe ratio is above zero, given that it is the best of many.

    Parameters
    ----------
    returns : array of float64, shape (R,)
        Daily returns of the strategy that was kept.
    trials : int
        Strategies tried, this one among them, at least 1.
    variance : float, optional
        Of the daily Sharpe ratios of all trials. Without it, that of useless strategies with as long a record and as
        uneven returns is taken: the square of `sharpe_error`.

    Returns
    -------
    float
        With one trial the probabilistic Sharpe ratio; NaN where that is.
    """
    return luck(returns, trials, variance).deflated


def minimum_track_record(returns: np.ndarray, threshold: float = 0.0, confidence: float = 0.95) -> float:
    """Return how many such days are needed to be sure that the daily Sharpe ratio is above a threshold.

    Infinite if it is not above it at all, NaN for fewer than 3 returns or constant ones.
    """
    if not 0 < confidence < 1:
        raise InvalidRequest(f"the confidence must lie between 0 and 1, such as 0.95, was {confidence}")
    daily = checked(returns)
    error, ahead = sharpe_error(daily), _daily_sharpe(daily) - threshold
    if math.isnan(error):
        return math.nan
    if ahead <= 0:
        return math.inf
    spread = error**2 * (len(daily) - 1)
    return 1 + spread * (_NORMAL.inv_cdf(confidence) / ahead) ** 2


def _daily_sharpe(daily: np.ndarray) -> float:
    spread = deviation(daily)
    return float(daily.mean()) / spread if spread > 0 else math.nan


def _trial_variance(daily: np.ndarray, variance: float | None) -> float:
    return sharpe_error(daily) ** 2 if variance is None else variance
