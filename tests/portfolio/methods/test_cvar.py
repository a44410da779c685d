from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import MeanRisk

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.constraints import Bounds, MaxNames, MinReturn
from quantflux.portfolio.costs import ImpactCost, LinearCost
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.methods.cvar import conditional_value_at_risk
from quantflux.portfolio.problem import Problem
from tests.portfolio.problems import market, portfolios


def tail_loss(returns: np.ndarray, confidence: float) -> float:
    """The mean loss of the worst days where they are a whole number, written out anew."""
    worst = np.sort(returns)[: round(len(returns) * (1 - confidence))]
    return float(-worst.mean())


def test_the_loss_of_a_part_of_a_day_counts_in_part() -> None:
    # The worst 2.5 of 5 days: 5 %, 3 % and half of 1 %.
    returns = np.array([0.02, -0.03, -0.05, 0.04, -0.01])

    assert conditional_value_at_risk(returns, confidence=0.5) == pytest.approx((0.05 + 0.03 + 0.005) / 2.5)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_no_random_portfolio_loses_less(confidence: float) -> None:
    problem = market()
    returns = problem.returns
    assert returns is not None

    found = optimise(problem, "cvar", confidence=confidence)

    best = tail_loss(returns @ found.weights, confidence)
    assert best == pytest.approx(conditional_value_at_risk(returns @ found.weights, confidence))
    draws = portfolios(12, 1000)
    near = 0.95 * found.weights + 0.05 * draws
    assert min(tail_loss(returns @ w, confidence) for w in np.concatenate([draws, near])) >= best - 1e-9
    assert found.solver == "HIGHS"


def test_a_fine_grid_finds_the_same_for_two_names() -> None:
    problem = market(2)

    found = optimise(problem, "cvar", confidence=0.9)

    grid = np.linspace(0, 1, 20001)
    losses = [tail_loss(problem.returns @ np.array([w, 1 - w]), 0.9) for w in grid]  # type: ignore[operator]
    assert found.weights[0] == pytest.approx(grid[int(np.argmin(losses))], abs=2e-4)


def test_skfolio_finds_the_same() -> None:
    problem = market(8)

    found = optimise(problem, "cvar", confidence=0.95)

    theirs = MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95).fit(problem.returns)
    assert problem.returns is not None
    mine, other = (conditional_value_at_risk(problem.returns @ w) for w in (found.weights, theirs.weights_))
    assert mine == pytest.approx(other, abs=1e-7)


def goal(problem: Problem, weights: np.ndarray, aversion: float) -> float:
    assert problem.returns is not None and problem.expected_returns is not None
    loss = tail_loss(problem.returns @ weights, 0.95)
    return float(aversion * loss - problem.expected_returns @ weights + problem.cost(weights) / 10.0)


@pytest.mark.parametrize(
    "cost",
    [LinearCost(0.002, 0.003), ImpactCost(np.full(12, 0.02), np.full(12, 1e7), 1e7)],
    ids=["linear", "impact"],
)
def test_return_and_costs_are_weighed(cost: LinearCost | ImpactCost) -> None:
    problem = market(costs=(cost,), holding_days=10.0)

    found = optimise(problem, "cvar", risk_aversion=0.1)

    best = goal(problem, found.weights, 0.1)
    draws = portfolios(12, 1000)
    for other in np.concatenate([draws, 0.98 * found.weights + 0.02 * draws]):
        assert goal(problem, other, 0.1) >= best - 1e-8
    assert best < goal(problem, problem.current, 0.1)  # type: ignore[arg-type]


def test_more_aversion_never_loses_more() -> None:
    problem = market()

    losses = [
        tail_loss(problem.returns @ optimise(problem, "cvar", risk_aversion=a).weights, 0.95)  # type: ignore[operator]
        for a in (0.0, 0.02, 0.1, 1.0)
    ]

    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1]


def test_a_least_return_costs_safety() -> None:
    plain = optimise(market(), "cvar")
    richer = optimise(market(constraints=(MinReturn(0.0012),)), "cvar")

    assert richer.statistics.expected_return == pytest.approx(0.0012, abs=1e-8)
    returns = market().returns
    assert returns is not None
    assert tail_loss(returns @ richer.weights, 0.95) > tail_loss(returns @ plain.weights, 0.95)


def test_a_limit_on_names_is_solved_with_whole_numbers() -> None:
    # By hand: every choice of 2 of 6 names, each a plain problem of 2 names.
    problem = market(6)
    problem = replace(problem, returns=problem.returns[:40])  # type: ignore[index]

    found = optimise(replace(problem, constraints=(MaxNames(2), Bounds(0, 0.8))), "cvar", confidence=0.9)

    best = np.inf
    for first in range(6):
        for second in range(first):
            upper = np.zeros(6)
            upper[[first, second]] = 0.8
            w = optimise(replace(problem, constraints=(Bounds(0, upper),)), "cvar", confidence=0.9).weights
            best = min(best, tail_loss(problem.returns @ w, 0.9))  # type: ignore[operator]
    assert found.statistics.names == 2
    assert tail_loss(problem.returns @ found.weights, 0.9) == pytest.approx(best, abs=1e-9)  # type: ignore[operator]
    assert "no other choice is better" in found.notes[0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0.0}, "confidence"),
        ({"confidence": 0.999}, "one is in the tail"),
        ({"risk_aversion": -1.0}, "0 or more"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        optimise(market(), "cvar", **parameters)


def test_scenarios_are_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="returns="):
        optimise(market(returns=None), "cvar")
    with pytest.raises(InvalidRequest, match="expected_returns="):
        optimise(market(expected_returns=None), "cvar", risk_aversion=1.0)
