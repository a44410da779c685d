"""What a run was worth, alone and beside its benchmark. Returns are fractions; a year has 244 trading days.

The riskless rate is taken as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.simulator import Run
from quantflux.factors.evaluation import TRADING_DAYS


@dataclass(frozen=True, slots=True)
class Performance:
    """One account's record from the first decision on.

    Attributes
    ----------
    total_return, annual_return, volatility : float
        The annual return is geometric.
    sharpe : float
        Mean daily return over its deviation, times the root of 244.
    max_drawdown : float
        Largest loss from a former peak, as a positive fraction.
    """

    total_return: float
    annual_return: float
    volatility: float
    sharpe: float
    max_drawdown: float


@dataclass(frozen=True)
class Comparison:
    """A strategy beside its benchmark.

    Attributes
    ----------
    excess_return : float
        Difference of the annual returns.
    tracking_error, information_ratio : float
        Of the daily differences, by the year.
    hit_rate : float
        Part of the months in which the strategy was ahead.
    turnover : float
        Bought plus sold, halved, over the mean equity, by the year.
    costs : mapping of str to float
        Yuan by kind over the whole run.
    cost_drag : float
        All costs over the mean equity, by the year.
    """

    excess_return: float
    tracking_error: float
    information_ratio: float
    hit_rate: float
    turnover: float
    costs: Mapping[str, float]
    cost_drag: float


def daily_returns(equity: np.ndarray) -> np.ndarray:
    """Return each day's return on the day before, shape (T - 1,)."""
    return np.asarray(equity[1:] / equity[:-1] - 1)


def drawdown(equity: np.ndarray) -> np.ndarray:
    """Return the loss from the highest value so far, as fractions at most 0, shape (T,).

    Examples
    --------
    >>> drawdown(np.array([1.0, 2.0, 1.5])).tolist()
    [0.0, 0.0, -0.25]
    """
    return np.asarray(equity / np.maximum.accumulate(equity) - 1)


def performance(equity: np.ndarray) -> Performance:
    """Return the record of an account's value at each close, shape (T,), T at least 3."""
    daily = daily_returns(equity)
    growth = float(equity[-1] / equity[0])
    deviation = float(daily.std(ddof=1))
    return Performance(
        total_return=growth - 1,
        annual_return=growth ** (TRADING_DAYS / len(daily)) - 1,
        volatility=deviation * TRADING_DAYS**0.5,
        sharpe=_ratio(float(daily.mean()), deviation),
        max_drawdown=float(-drawdown(equity).min()),
    )


def compare(run: Run, benchmark: Run) -> Comparison:
    """Return how a run did beside another over the same days, from its first decision on."""
    since = run.first
    mine, other = run.equity[since:], benchmark.equity[since:]
    gap = daily_returns(mine) - daily_returns(other)
    years = len(gap) / TRADING_DAYS
    months = monthly_returns(run.times[since:], mine)
    rival = monthly_returns(run.times[since:], other)
    fees = {
        "commission": float(run.fills.commission.sum()),
        "stamp_duty": float(run.fills.stamp_duty.sum()),
        "transfer_fee": float(run.fills.transfer_fee.sum()),
    }
    mean_equity = float(mine.mean())
    return Comparison(
        excess_return=performance(mine).annual_return - performance(other).annual_return,
        tracking_error=float(gap.std(ddof=1)) * TRADING_DAYS**0.5,
        information_ratio=_ratio(float(gap.mean()), float(gap.std(ddof=1))),
        hit_rate=float(np.mean([months[month] > rival[month] for month in months])),
        turnover=float(run.fills.amount.sum()) / 2 / mean_equity / years,
        costs=fees,
        cost_drag=sum(fees.values()) / mean_equity / years,
    )


def monthly_returns(times: np.ndarray, equity: np.ndarray) -> dict[np.datetime64, float]:
    """Return the return of each calendar month; the first counts from the first row, and is left out if that is all.

    Examples
    --------
    >>> days = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], dtype="datetime64[D]")
    >>> monthly_returns(days, np.array([100.0, 110.0, 99.0]))
    {np.datetime64('2024-01'): 0.10000000000000009, np.datetime64('2024-02'): -0.09999999999999998}
    """
    month = times.astype("datetime64[M]")
    last = np.flatnonzero(np.append(month[1:] != month[:-1], True))
    last = last[last > 0]
    value = equity[last]
    before = np.concatenate([equity[:1], value[:-1]])
    return dict(zip(month[last], (value / before - 1).tolist(), strict=True))


def _ratio(mean: float, deviation: float) -> float:
    return mean / deviation * TRADING_DAYS**0.5 if deviation > 0 else float("nan")
