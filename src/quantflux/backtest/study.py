"""A strategy, its benchmark, and what costs and barriers took from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest.metrics import Comparison, Performance, compare, performance
from quantflux.backtest.policy import Schedule, best_share, decision_rows, everything
from quantflux.backtest.simulator import Run, simulate
from quantflux.backtest.venue import Venue


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


def _annual(run: Run) -> float:
    return performance(run.equity[run.first :]).annual_return
