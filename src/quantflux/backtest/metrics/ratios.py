"""Reward beside risk. Each ratio is NaN where its risk is zero or there are too few returns.

A riskless rate is a fraction a year; a 244th of it is taken off each day's return.
"""

from __future__ import annotations

import math

import numpy as np

from quantflux.backtest.metrics.drawdowns import max_drawdown
from quantflux.backtest.metrics.series import annual_return, checked, deviation
from quantflux.factors.evaluation import TRADING_DAYS


def sharpe(returns: np.ndarray, riskless: float = 0.0) -> float:
    """Return the mean return above the riskless rate over its sample deviation, times the root of 244.

    Examples
    --------
    >>> round(sharpe(np.array([0.02, 0.0])), 3)  # mean 0.01, deviation 0.0141
    11.045
    """
    excess = checked(returns) - riskless / TRADING_DAYS
    return _over(excess, deviation(excess))


def downside_deviation(returns: np.ndarray, riskless: float = 0.0) -> float:
    """Return the root of the mean square of what falls short of the riskless rate, by the year.

    All days count in the mean, those above as zero.
    """
    short = np.minimum(checked(returns) - riskless / TRADING_DAYS, 0.0)
    return math.sqrt(float(np.mean(short**2)) * TRADING_DAYS) if len(short) else math.nan


def sortino(returns: np.ndarray, riskless: float = 0.0) -> float:
    """Return the mean return above the riskless rate over the downside deviation, both by the year."""
    excess = checked(returns) - riskless / TRADING_DAYS
    return _over(excess, downside_deviation(returns, riskless) / math.sqrt(TRADING_DAYS))


def calmar(returns: np.ndarray) -> float:
    """Return the geometric annual return over the largest drawdown."""
    found = checked(returns)
    worst = max_drawdown(np.concatenate([[1.0], np.cumprod(1 + found)]))
    return annual_return(found) / worst if worst > 0 else math.nan


def omega(returns: np.ndarray, threshold: float = 0.0) -> float:
    """Return what was gained above a daily threshold over what fell short of it.

    Examples
    --------
    >>> omega(np.array([0.03, -0.01, -0.01]))
    1.5
    """
    over = checked(returns) - threshold
    short = -float(over[over < 0].sum())
    return float(over[over > 0].sum()) / short if short > 0 else math.nan


def _over(excess: np.ndarray, risk: float) -> float:
    # Not `risk <= 0`: NaN, of too short a series, must not pass.
    return float(excess.mean()) / risk * math.sqrt(TRADING_DAYS) if len(excess) > 1 and risk > 0 else math.nan
