"""An account beside a benchmark over the same days."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.metrics.periods import monthly_returns
from quantflux.backtest.metrics.series import annual_return, checked_pair, daily_returns, deviation
from quantflux.factors.evaluation import TRADING_DAYS
from quantflux.factors.evaluation.significance import newey_west_t


@dataclass(frozen=True, slots=True)
class Comparison:
    """An account beside a benchmark. Fractions; NaN where a figure has no meaning.

    Attributes
    ----------
    excess_return : float
        Difference of the geometric annual returns.
    tracking_error, information_ratio : float
        Of the daily differences, by the year.
    excess_t : float
        t-value of the mean daily difference, with Newey and West's allowance for autocorrelation.
    beta, alpha : float
        Of the regression of the daily returns on those of the benchmark; alpha compounded to a year.
    correlation : float
    up_capture, down_capture : float
        Geometric return a year over the days on which the benchmark rose (fell), over that of the benchmark.
    days_ahead, months_ahead : float
        Part of the days, and of the months, in which the account did better.
    """

    excess_return: float
    tracking_error: float
    information_ratio: float
    excess_t: float
    beta: float
    alpha: float
    correlation: float
    up_capture: float
    down_capture: float
    days_ahead: float
    months_ahead: float


def compare(times: np.ndarray, equity: np.ndarray, benchmark: np.ndarray) -> Comparison:
    """Return how an account did beside a benchmark.

    Parameters
    ----------
    times : array of datetime64[D], shape (T,)
    equity, benchmark : array of float64, shape (T,)
        What each was worth at the closes; the first row is the start.

    Raises
    ------
    InvalidRequest
        If a value is missing or not above zero, or the lengths differ.
    """
    mine, other = checked_pair(daily_returns(equity), daily_returns(benchmark))
    gap = mine - other
    months, rival = monthly_returns(times, equity), monthly_returns(times, benchmark)
    return Comparison(
        excess_return=annual_return(mine) - annual_return(other),
        tracking_error=tracking_error(mine, other),
        information_ratio=information_ratio(mine, other),
        excess_t=newey_west_t(gap) if deviation(gap) > 0 else math.nan,
        beta=beta(mine, other),
        alpha=alpha(mine, other),
        correlation=correlation(mine, other),
        up_capture=up_capture(mine, other),
        down_capture=down_capture(mine, other),
        days_ahead=float(np.mean(gap > 0)) if len(gap) else math.nan,
        months_ahead=float(np.mean([months[month] > rival[month] for month in months]))
        if months
        else math.nan,
    )


def tracking_error(returns: np.ndarray, benchmark: np.ndarray) -> float:
    """Return the sample deviation of the daily differences, times the root of 244."""
    mine, other = checked_pair(returns, benchmark)
    return deviation(mine - other) * math.sqrt(TRADING_DAYS)


def information_ratio(returns: np.ndarray, benchmark: np.ndarray) -> float:
    """Return the mean daily difference over its deviation, times the root of 244; NaN if that is zero."""
    mine, other = checked_pair(returns, benchmark)
    gap = mine - other
    spread = deviation(gap)
    return float(gap.mean()) / spread * math.sqrt(TRADING_DAYS) if spread > 0 else math.nan


def beta(returns: np.ndarray, benchmark: np.ndarray) -> float:
    """Return the slope of the regression on the benchmark; NaN if that does not move.

    Examples
    --------
    >>> market = np.array([0.01, -0.02, 0.03])
    >>> round(beta(2 * market + 0.001, market), 6)
    2.0
    """
    mine, other = checked_pair(returns, benchmark)
    if not deviation(other) > 0:
        return math.nan
    gaps = other - other.mean()
    return float(gaps @ mine / (gaps @ gaps))


def alpha(returns: np.ndarray, benchmark: np.ndarray, riskless: float = 0.0) -> float:
    """Return the intercept of the regression on the benchmark, compounded to a year.

    Examples
    --------
    >>> market = np.array([0.01, -0.02, 0.03])
    >>> round(alpha(2 * market + 0.001, market), 6), round(1.001**244 - 1, 6)
    (0.276189, 0.276189)
    """
    mine, other = (values - riskless / TRADING_DAYS for values in checked_pair(returns, benchmark))
    slope = beta(mine, other)
    return math.nan if math.isnan(slope) else float((1 + (mine - slope * other).mean()) ** TRADING_DAYS - 1)


def correlation(returns: np.ndarray, benchmark: np.ndarray) -> float:
    """Return the correlation of the daily returns; NaN if either does not move."""
    mine, other = checked_pair(returns, benchmark)
    spread = deviation(mine) * deviation(other)
    if not spread > 0:
        return math.nan
    gaps = (mine - mine.mean()) @ (other - other.mean())
    return float(gaps / (len(mine) - 1) / spread)


def up_capture(returns: np.ndarray, benchmark: np.ndarray) -> float:
    """Return the share of the benchmark's return had on the days it rose; NaN without such days."""
    mine, other = checked_pair(returns, benchmark)
    return _captured(mine, other, other > 0)


def down_capture(returns: np.ndarray, benchmark: np.ndarray) -> float:
    """Return the share of the benchmark's return suffered on the days it fell; NaN without such days."""
    mine, other = checked_pair(returns, benchmark)
    return _captured(mine, other, other < 0)


def _captured(mine: np.ndarray, other: np.ndarray, days: np.ndarray) -> float:
    return annual_return(mine[days]) / annual_return(other[days]) if days.any() else math.nan
