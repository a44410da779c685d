"""The price of rules: worked by hand on a market of two names, and adding up on a random one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantflux.backtest.execution import Execution, Rule
from quantflux.backtest.ladder import annual_return_of, price_rules
from quantflux.backtest.orders import Targets
from quantflux.backtest.simulator import simulate
from quantflux.backtest.venue import Venue
from quantflux.core.panel import Panel
from tests.backtest.markets import venue, weekly


def venue_of(price: list[float]) -> Venue:
    """One name that has one price a day, and a volume that is no bound."""
    prices = np.array(price)[:, None]
    fields = dict.fromkeys(("open", "high", "low", "close"), prices)
    times = np.datetime64("2024-01-02") + np.arange(len(price))
    return Venue.daily(
        Panel(times, np.array(["600000.SH"]), fields | {"volume": np.full(prices.shape, 1e12)})
    )


def test_a_limit_that_keeps_a_strategy_out_costs_what_it_missed() -> None:
    # Wanted on day 0; day 1 is spent at the upper limit, 10 % up, and so is day 2.
    market = venue_of([10.0, 11.0, 12.1, 12.1, 12.1])
    plan = Targets(np.array([0]), np.array([[1.0]]))

    found = price_rules(market, plan, Execution().under({Rule.LIMITS}), capital=1e6)

    # Ideal: bought at 11.0, worth 12.1 at the end: 10 % in four days. Real: not bought while it could have gained.
    assert found.ideal == pytest.approx(1.1 ** (244 / 4) - 1, rel=1e-3)
    assert found.real == 0
    assert [(rung.rule, rung.cost) for rung in found.rungs] == [(Rule.LIMITS, found.ideal)]


def test_fees_cost_what_is_paid() -> None:
    market = venue_of([10.0] * 245)
    plan = Targets(np.array([0]), np.array([[0.5]]))

    found = price_rules(market, plan, Execution().under({Rule.FEES}), capital=1e6)

    # Prices stand still, so a year loses commission and transfer fee of one purchase of half of the account.
    assert found.ideal == 0
    assert found.rungs[0].cost == pytest.approx(0.5 * (0.00025 + 0.00001), rel=1e-3)


@pytest.fixture(scope="module")
def priced() -> tuple[Targets, Execution]:
    return weekly(3), Execution(impact=0.3)


def test_costs_add_up_to_what_lies_between_ideal_and_real(priced: tuple[Targets, Execution]) -> None:
    plan, execution = priced

    found = price_rules(venue(), plan, execution, 1e7)

    assert [rung.rule for rung in found.rungs] == list(Rule)
    assert math.fsum(rung.cost for rung in found.rungs) == pytest.approx(found.ideal - found.real, abs=1e-14)
    assert found.ideal == annual_return_of(simulate(venue(), plan, Execution.ideal(), 1e7))
    assert found.real == annual_return_of(simulate(venue(), plan, execution, 1e7))
    costs = {rung.rule: rung.cost for rung in found.rungs}
    assert costs[Rule.FEES] > 0.005
    assert costs[Rule.SLIPPAGE] > 0.005


def test_each_step_is_the_run_under_the_rules_so_far(priced: tuple[Targets, Execution]) -> None:
    plan, execution = priced
    rules = list(Rule)

    found = price_rules(venue(), plan, execution, 1e7)

    for count in (2, 6):
        run = simulate(venue(), plan, execution.under(rules[:count]), 1e7)
        assert found.rungs[count - 1].annual_return == annual_return_of(run)


def test_rules_that_do_not_hold_have_no_rung_and_the_real_run_is_used() -> None:
    plan = weekly(4)
    execution = Execution().without(Rule.LOTS, Rule.VOLUME)
    real = simulate(venue(), plan, execution, 1e7)

    found = price_rules(venue(), plan, execution, 1e7, real=real)

    assert Rule.LOTS not in {rung.rule for rung in found.rungs}
    assert found == price_rules(venue(), plan, execution, 1e7)
    assert found.real == annual_return_of(real)


def test_without_rules_there_is_nothing_to_climb() -> None:
    found = price_rules(venue(), weekly(5), Execution.ideal())

    assert found.rungs == ()
    assert found.ideal == found.real
