from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.costs import Cost, ImpactCost, LinearCost
from quantflux.portfolio.problem import Problem

CURRENT = np.array([0.2, 0.5, 0.3])
TARGET = np.array([0.4, 0.4, 0.2])  # buys 0.2, sells 0.1 and 0.1


def problem(*costs: Cost) -> Problem:
    return Problem(("A", "B", "C"), current=CURRENT, costs=costs, holding_days=20)


def test_linear_cost_has_a_rate_for_each_side() -> None:
    given = problem(LinearCost(buy=0.001, sell=np.array([0.1, 0.002, 0.004])))

    assert given.cost(TARGET) == pytest.approx(0.2 * 0.001 + 0.1 * 0.002 + 0.1 * 0.004)


def test_a_trade_of_a_days_amount_costs_a_days_volatility() -> None:
    # The square-root law: a trade of 0.2 x 5 million yuan is all that A trades in a day.
    volatility, amount = np.array([0.03, 0.02, 0.02]), np.array([1e6, 1e12, 1e12])
    given = problem(ImpactCost(volatility, amount, capital=5e6))

    assert given.cost(TARGET) == pytest.approx(0.2 * 0.03, rel=1e-2)


def test_impact_grows_with_its_power() -> None:
    for power in (1.5, 2.0):
        term = ImpactCost(np.full(3, 0.02), np.full(3, 1e8), 1e8, power=power).term(problem())

        small = term.of(CURRENT + np.array([0.01, 0.0, 0.0]), CURRENT)
        large = term.of(CURRENT + np.array([0.04, 0.0, 0.0]), CURRENT)

        assert large / small == pytest.approx(4**power)


def test_costs_add_up_and_nothing_traded_costs_nothing() -> None:
    linear, impact = LinearCost(0.001, 0.002), ImpactCost(np.full(3, 0.02), np.full(3, 1e8), 1e8)

    together = problem(linear, impact)

    assert together.cost(TARGET) == pytest.approx(problem(linear).cost(TARGET) + problem(impact).cost(TARGET))
    assert together.cost(CURRENT) == 0.0


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (LinearCost(-0.001, 0.0), "0 or more"),
        (LinearCost(np.nan, 0.0), "finite"),
        (LinearCost(np.zeros(2), 0.0), r"shape \(3,\)"),
        (ImpactCost(np.full(3, 0.02), np.array([1e8, 0.0, 1e8]), 1e8), "NoTrade"),
        (ImpactCost(np.full(3, 0.02), np.full(3, 1e8), 1e8, power=1.7), "1.5 or 2"),
        (ImpactCost(np.full(3, 0.02), np.full(3, 1e8), -1.0), "above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(cost: Cost, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        cost.term(problem())
