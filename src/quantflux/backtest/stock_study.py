"""A strategy, its benchmark, and what costs and barriers took from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.market_venue import Venue
from quantflux.backtest.metrics import (
    Performance,
    daily_returns,
    information_ratio,
    monthly_returns,
    performance,
)
from quantflux.backtest.policy import Schedule, best_share, decision_rows, everything
from quantflux.backtest.stock_loop import Run, simulate
from quantflux.factors.evaluation import TRADING_DAYS


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


@dataclass(frozen=True)
class Study:
    """What a backtest found.

    Attributes
    ----------
    run, benchmark : Run
        The benchmark holds all investable names in equal weights on the same days: at the same opens and with the
        same barriers, but free of costs and lots.
    performance, benchmark_performance : Performance
        From the first decision on.
    comparison : Comparison
    cost_effect, barrier_effect : float
        Annual return that fees, and that price limits and suspensions, took: the same strategy run without them,
        minus the real one. A negative figure means that being stopped helped.
    """

    run: Run
    benchmark: Run
    performance: Performance
    benchmark_performance: Performance
    comparison: Comparison
    cost_effect: float
    barrier_effect: float


def study(
    venue: Venue,
    score: np.ndarray,
    chosen: np.ndarray,
    *,
    schedule: Schedule = Schedule.MONTHLY,
    share: float = 0.2,
    capital: float = 10_000_000.0,
) -> Study:
    """Backtest holding the best `share` of names by `score`, against all investable names.

    Parameters
    ----------
    venue : Venue
    score : array of float64, shape (T, N)
        Known at each close, more being better, NaN for names not to be held.
    chosen : array of bool, shape (T, N)
        Investable names.
    schedule : Schedule
    share : float
    capital : float
        Yuan.
    """
    targets = best_share(score, decision_rows(venue.times, schedule), share)
    run = simulate(venue, targets, capital)
    ideal = venue.without_costs().without_lots()
    benchmark = simulate(ideal, everything(chosen, targets.rows), capital)
    mine = performance(run.equity[run.first :])
    return Study(
        run=run,
        benchmark=benchmark,
        performance=mine,
        benchmark_performance=performance(benchmark.equity[run.first :]),
        comparison=compare(run, benchmark),
        cost_effect=_annual(simulate(venue.without_costs(), targets, capital)) - mine.annual_return,
        barrier_effect=_annual(simulate(venue.without_barriers(), targets, capital)) - mine.annual_return,
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
        information_ratio=information_ratio(daily_returns(mine), daily_returns(other)),
        hit_rate=float(np.mean([months[month] > rival[month] for month in months])),
        turnover=float(run.fills.amount.sum()) / 2 / mean_equity / years,
        costs=fees,
        cost_drag=sum(fees.values()) / mean_equity / years,
    )


def _annual(run: Run) -> float:
    return performance(run.equity[run.first :]).annual_return
