"""A strategy studied: everything a report shows, from one call.

`study` runs a plan and prices the rules; `study_of` looks at a run that is there already. Both measure from the close
of the first decision on, day by day, also where rows are minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.execution import Execution
from quantflux.backtest.ladder import RuleLadder, price_rules
from quantflux.backtest.metrics import (
    Comparison,
    Costs,
    Drawdown,
    Exposure,
    Luck,
    Performance,
    RoundTrips,
    account_rows,
    compare,
    costs_of,
    daily_returns,
    drawdowns,
    exposure,
    luck,
    monthly_returns,
    performance,
    round_trips,
    turnover,
    yearly_costs,
    yearly_rate,
    yearly_returns,
)
from quantflux.backtest.policies.contract import Plan
from quantflux.backtest.refusals import Refusals, refusals_of
from quantflux.backtest.run import Run
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest
from quantflux.factors.universe import Industries


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, and the strategy beside it.

    Attributes
    ----------
    name : str
        "equal" and "cap" are the market in equal weights and by capitalisation; anything else names itself.
    equity : array of float64, shape (R,)
        On the rows of the study, in any unit.
    performance : Performance
    comparison : Comparison
        Of the strategy with it.
    luck : Luck
        Of the daily excess returns: how much of the information ratio chance can explain.
    months, years : mapping of datetime64 to float
        Its returns.
    """

    name: str
    equity: np.ndarray
    performance: Performance
    comparison: Comparison
    luck: Luck
    months: Mapping[np.datetime64, float]
    years: Mapping[np.datetime64, float]


@dataclass(frozen=True)
class Study:
    """What a backtest found, day by day from the close of the first decision on.

    Attributes
    ----------
    name : str
    run : Run
    rows : array of int64, shape (R,)
        Rows of the run that are measured: the first decision, and the close of each day from then.
    times : array of datetime64[D], shape (R,)
    equity : array of float64, shape (R,)
        Yuan; the first is what the account began with.
    performance : Performance
    luck : Luck
        Of the daily returns.
    benchmarks : tuple of Benchmark
        The first is the one that the verdict looks at.
    months, years : mapping of datetime64 to float
        Returns of calendar months and years.
    falls : list of Drawdown
        All of them, the deepest first; rows are those of `times`.
    trips : RoundTrips
    turnover : float
        Bought plus sold, halved, over the mean value of the account, by the year.
    costs : Costs
        Yuan over the whole run.
    cost_drag : float
        All of them over the mean value of the account, by the year.
    yearly_costs : mapping of datetime64 to Costs
    exposure : Exposure
        On `times`.
    refusals : tuple of Refusals
    ladder : RuleLadder or None
        None if the rules were not priced.
    """

    name: str
    run: Run
    rows: np.ndarray
    times: np.ndarray
    equity: np.ndarray
    performance: Performance
    luck: Luck
    benchmarks: tuple[Benchmark, ...]
    months: Mapping[np.datetime64, float]
    years: Mapping[np.datetime64, float]
    falls: list[Drawdown]
    trips: RoundTrips
    turnover: float
    costs: Costs
    cost_drag: float
    yearly_costs: Mapping[np.datetime64, Costs]
    exposure: Exposure
    refusals: tuple[Refusals, ...]
    ladder: RuleLadder | None

    @property
    def benchmark(self) -> Benchmark | None:
        """The first benchmark, None without any."""
        return self.benchmarks[0] if self.benchmarks else None

    @property
    def comparison(self) -> Comparison | None:
        """The strategy beside the first benchmark."""
        return self.benchmarks[0].comparison if self.benchmarks else None

    @property
    def positive_months(self) -> float:
        """Part of the months that gained; NaN without any."""
        return float(np.mean([gain > 0 for gain in self.months.values()])) if self.months else float("nan")


@dataclass(frozen=True, slots=True)
class Trials:
    """The search that the strategy was picked from.

    Attributes
    ----------
    count : int
        Strategies tried, the one studied among them.
    variance : float or None
        Of their daily Sharpe ratios; None to estimate it, see `deflated_sharpe`.
    """

    count: int = 1
    variance: float | None = None


def study(
    venue: Venue,
    plan: Plan,
    *,
    execution: Execution | None = None,
    capital: float = 10_000_000.0,
    name: str = "strategy",
    benchmarks: Mapping[str, np.ndarray] | None = None,
    industries: Industries | None = None,
    trials: Trials | None = None,
    fields: Mapping[str, np.ndarray] | None = None,
) -> Study:
    """Backtest a plan and return everything a report shows, the price of each rule too.

    Parameters
    ----------
    venue : Venue
    plan : Targets, Decisions, or a policy
        Is run once for each rule; see `price_rules`.
    execution : Execution, optional
        `Execution()` unless given.
    capital : float
        Yuan.
    name : str
    benchmarks : mapping of str to array of float64, shape (T,), optional
        Value of each benchmark at the close of each row of the venue, in any unit, such as the `equity` of a run of
        `equal_weighted`; the first is the one that the verdict looks at. Only rows from the first decision on are
        read.
    industries : Industries, optional
        On the symbols of the venue.
    trials : Trials, optional
        One trial unless given, which is rarely true.
    fields : mapping of str to array, shape (T, N), optional
        What a policy is shown; see `simulate`.

    Raises
    ------
    InvalidRequest
        If the plan decides nothing, or a benchmark has another length or a gap.
    """
    run = simulate(venue, plan, execution or Execution(), capital, fields=fields)
    return study_of(
        run,
        venue,
        name=name,
        benchmarks=benchmarks,
        industries=industries,
        trials=trials,
        ladder=price_rules(venue, plan, run.execution, capital, fields=fields, real=run),
    )


def study_of(
    run: Run,
    venue: Venue,
    *,
    name: str = "strategy",
    benchmarks: Mapping[str, np.ndarray] | None = None,
    industries: Industries | None = None,
    trials: Trials | None = None,
    ladder: RuleLadder | None = None,
) -> Study:
    """Return everything that can be told of a run on its venue; see `study`."""
    rows = account_rows(run.times, run.first)
    times, equity = run.times[rows].astype("datetime64[D]"), np.asarray(run.equity[rows])
    tried = trials or Trials()
    costs = costs_of(run)
    return Study(
        name=name,
        run=run,
        rows=rows,
        times=times,
        equity=equity,
        performance=performance(equity),
        luck=luck(daily_returns(equity), tried.count, tried.variance),
        benchmarks=tuple(
            _beside(label, times, equity, _on_rows(label, values, run, rows), tried)
            for label, values in (benchmarks or {}).items()
        ),
        months=monthly_returns(times, equity),
        years=yearly_returns(times, equity),
        falls=drawdowns(equity),
        trips=round_trips(run.log, venue.events, venue.day),
        turnover=turnover(run, equity),
        costs=costs,
        cost_drag=yearly_rate(costs.total, equity),
        yearly_costs=yearly_costs(run),
        exposure=exposure(run, rows, industries),
        refusals=refusals_of(run, venue),
        ladder=ladder,
    )


def _on_rows(name: str, values: np.ndarray, run: Run, rows: np.ndarray) -> np.ndarray:
    if values.shape != run.times.shape:
        raise InvalidRequest(
            f"the benchmark {name!r} needs a value for each of the {len(run.times)} rows of the venue, "
            f"had shape {values.shape}"
        )
    return np.asarray(values[rows], dtype=np.float64)


def _beside(name: str, times: np.ndarray, equity: np.ndarray, other: np.ndarray, trials: Trials) -> Benchmark:
    gaps = daily_returns(equity) - daily_returns(other)
    return Benchmark(
        name=name,
        equity=other,
        performance=performance(other),
        comparison=compare(times, equity, other),
        # The variance of the trials' Sharpe ratios is not that of their information ratios: it is estimated.
        luck=luck(gaps, trials.count),
        months=monthly_returns(times, other),
        years=yearly_returns(times, other),
    )
