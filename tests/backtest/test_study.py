"""The whole study of a plan on a small market: its parts agree with each other and with the run."""

from __future__ import annotations

from dataclasses import astuple, fields

import numpy as np
import pytest

from quantflux.backtest.execution import Execution
from quantflux.backtest.metrics import compare, luck, performance, round_trips
from quantflux.backtest.orders import OrderLog, Targets
from quantflux.backtest.simulator import simulate
from quantflux.backtest.study import Study, Trials, study, study_of
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from tests.backtest.markets import everything, venue, weekly


@pytest.fixture(scope="module")
def found() -> Study:
    index = np.linspace(3000, 3300, len(venue()))
    market = simulate(venue(), everything(), Execution.ideal()).equity
    benchmarks = {"equal": market, "index": index}
    return study(venue(), weekly(1), benchmarks=benchmarks, name="random", trials=Trials(7, 0.001))


def test_it_is_measured_from_the_first_decision(found: Study) -> None:
    assert found.run.first == 20
    assert found.times[0] == venue().times[20]
    assert found.equity[0] == found.run.capital
    assert found.performance == performance(found.run.equity[20:])
    assert found.performance.days == len(venue()) - 21


def test_benchmarks_keep_their_order_and_the_first_counts(found: Study) -> None:
    assert [other.name for other in found.benchmarks] == ["equal", "index"]
    assert found.benchmark is found.benchmarks[0]
    assert found.comparison == compare(found.times, found.equity, found.benchmarks[0].equity)
    assert found.benchmarks[1].performance.total_return == pytest.approx(
        3300 / np.linspace(3000, 3300, len(venue()))[20] - 1
    )


def test_trials_reach_the_luck_of_returns_and_of_excess(found: Study) -> None:
    daily = np.diff(found.equity) / found.equity[:-1]

    assert astuple(found.luck) == pytest.approx(astuple(luck(daily, 7, 0.001)))
    assert all(other.luck.trials == 7 for other in found.benchmarks)


def test_months_compound_to_years_and_years_to_the_whole(found: Study) -> None:
    total = 1 + found.performance.total_return

    assert np.prod([1 + gain for gain in found.years.values()]) == pytest.approx(total)
    assert np.prod([1 + gain for gain in found.months.values()]) == pytest.approx(total)
    assert found.positive_months == np.mean([gain > 0 for gain in found.months.values()])


def test_costs_of_the_years_add_up_to_those_of_the_run(found: Study) -> None:
    assert sum(paid.total for paid in found.yearly_costs.values()) == pytest.approx(found.costs.total)
    assert found.costs.commission == pytest.approx(found.run.log.commission.sum())
    assert found.cost_drag * found.equity.mean() * found.performance.days / 244 == pytest.approx(
        found.costs.total
    )


def test_profits_of_round_trips_and_of_what_is_left_are_those_of_the_account(found: Study) -> None:
    # In thought everything is sold at the end, at the last price and for nothing: then all that the account gained
    # was gained by round trips, save the tax on dividends.
    run, last = found.run, len(venue()) - 1
    part = slice(run.holdings.offsets[last], run.holdings.offsets[last + 1])
    columns, shares, value = (
        a[part] for a in (run.holdings.columns, run.holdings.shares, run.holdings.value)
    )
    count, zero = len(columns), np.zeros(len(columns))
    sold = OrderLog(
        np.full(count, last), columns, -shares, -shares, value / shares, zero.astype(np.int8), *[zero] * 4
    )
    log = OrderLog(
        *(np.concatenate([getattr(run.log, f.name), getattr(sold, f.name)]) for f in fields(OrderLog))
    )

    trips = round_trips(log, venue().events, venue().day)

    assert count > 0
    assert trips.profit.sum() == pytest.approx(run.equity[-1] - run.capital + run.dividend_tax.sum())


def test_the_ladder_ends_at_the_study(found: Study) -> None:
    assert found.ladder is not None
    assert found.ladder.real == pytest.approx(found.performance.annual_return, abs=1e-14)


def test_a_run_that_is_there_is_studied_without_another(found: Study) -> None:
    again = study_of(found.run, venue(), name="random", trials=Trials(7, 0.001))

    assert again.performance == found.performance
    assert again.benchmark is None
    assert again.comparison is None
    assert again.ladder is None


def test_a_benchmark_of_other_rows_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"benchmark 'short' needs a value for each of the \d+ rows"):
        study(venue(), weekly(1), benchmarks={"short": np.ones(5)})


def test_buying_the_benchmark_is_the_benchmark() -> None:
    ideal = Execution.ideal()
    plan = everything()
    other = simulate(venue(), plan, ideal).equity

    found = study(venue(), Targets(plan.rows, plan.weights), execution=ideal, benchmarks={"equal": other})

    assert found.comparison is not None
    assert found.comparison.excess_return == 0
    assert found.comparison.beta == pytest.approx(1)


def test_minutes_are_measured_by_the_day() -> None:
    days = np.arange("2024-01-02", "2024-01-06", dtype="datetime64[D]")
    close = np.array([10.0, 10.5, 10.2, 10.8])

    def bars(times: np.ndarray, price: np.ndarray) -> Panel:
        fields = dict.fromkeys(("open", "high", "low", "close"), price[:, None])
        return Panel(times, ["600000.SH"], fields | {"volume": np.full((len(times), 1), 1e7)})

    clock = (days[:, None].astype("datetime64[s]") + 60 * np.array([571, 600, 900])).ravel()
    market = Venue.minute(bars(clock, np.repeat(close, 3)), Venue.daily(bars(days, close)))

    found = study(market, Targets(np.array([0]), np.array([[1.0]])), execution=Execution.ideal(), capital=1e6)

    # The start, decided in the first minute, and four closes.
    assert found.rows.tolist() == [0, 2, 5, 8, 11]
    assert found.times.tolist() == [days[0].item(), *days.tolist()]
    np.testing.assert_allclose(found.equity / 1e6, [1, 1, *close[1:] / 10], rtol=1e-5)
    assert found.ladder is not None
    assert found.ladder.real == pytest.approx(1.08 ** (244 / 4) - 1, rel=1e-3)
