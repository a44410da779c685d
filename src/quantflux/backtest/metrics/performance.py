"""What an account's record amounts to on its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.metrics.drawdowns import max_drawdown
from quantflux.backtest.metrics.ratios import calmar, downside_deviation, omega, sharpe, sortino
from quantflux.backtest.metrics.series import annual_return, daily_returns, total_return, volatility
from quantflux.backtest.metrics.tails import (
    expected_shortfall,
    kurtosis,
    skewness,
    tail_ratio,
    value_at_risk,
)


@dataclass(frozen=True, slots=True)
class Performance:
    """One account's record. Fractions, not per cent; losses are positive; NaN where a figure has no meaning.

    Attributes
    ----------
    days : int
        Returns it is drawn from.
    total_return, annual_return : float
        The annual one is geometric: 244 trading days compound to it.
    volatility, downside_deviation : float
        By the year.
    sharpe, sortino, calmar, omega : float
        See `quantflux.backtest.metrics.ratios`.
    max_drawdown : float
        Largest loss from a former peak.
    value_at_risk, expected_shortfall : float
        Of a day, at 95 %.
    tail_ratio, skewness, kurtosis : float
        Of the daily returns; kurtosis is 0 for a normal distribution.
    best_day, worst_day : float
    positive_days : float
        Part of the days that gained.
    """

    days: int
    total_return: float
    annual_return: float
    volatility: float
    downside_deviation: float
    sharpe: float
    sortino: float
    calmar: float
    omega: float
    max_drawdown: float
    value_at_risk: float
    expected_shortfall: float
    tail_ratio: float
    skewness: float
    kurtosis: float
    best_day: float
    worst_day: float
    positive_days: float


def performance(equity: np.ndarray, riskless: float = 0.0) -> Performance:
    """Return the record of an account.

    Parameters
    ----------
    equity : array of float64, shape (T,)
        What it was worth at each close of a day, yuan. The first row is the start: nothing has been earned yet.
    riskless : float
        Rate a year that the Sharpe and Sortino ratios take off.

    Raises
    ------
    InvalidRequest
        If a value is missing, or not above zero.
    """
    daily = daily_returns(equity)
    some = len(daily) > 0
    return Performance(
        days=len(daily),
        total_return=total_return(daily),
        annual_return=annual_return(daily),
        volatility=volatility(daily),
        downside_deviation=downside_deviation(daily, riskless),
        sharpe=sharpe(daily, riskless),
        sortino=sortino(daily, riskless),
        calmar=calmar(daily),
        omega=omega(daily),
        max_drawdown=max_drawdown(equity),
        value_at_risk=value_at_risk(daily),
        expected_shortfall=expected_shortfall(daily),
        tail_ratio=tail_ratio(daily),
        skewness=skewness(daily),
        kurtosis=kurtosis(daily),
        best_day=float(daily.max()) if some else math.nan,
        worst_day=float(daily.min()) if some else math.nan,
        positive_days=float(np.mean(daily > 0)) if some else math.nan,
    )
