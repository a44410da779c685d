from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from quantflux.core.errors import Infeasible, InvalidRequest, Unbounded
from quantflux.portfolio.constraints import (
    Bounds,
    Budget,
    Constraint,
    GroupBounds,
    MaxNames,
    MaxTrackingError,
    MaxTurnover,
    MinPosition,
)
from quantflux.portfolio.costs import Cost, ImpactCost, LinearCost
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.problem import Problem
from tests.portfolio.problems import groups, market, portfolios


def sharpe(problem: Problem, weights: np.ndarray, risk_free: float = 0.0) -> float:
    """The daily Sharpe ratio after costs, written out anew."""
    assert problem.expected_returns is not None and problem.risk is not None
    earned = (problem.expected_returns - risk_free) @ weights - problem.cost(weights) / (
        problem.holding_days or 1
    )
    return float(earned / np.sqrt(weights @ problem.risk.covariance() @ weights))


@pytest.mark.parametrize("risk_free", [0.0, 1e-4])
def test_without_bounds_it_is_the_tangency_portfolio(risk_free: float) -> None:
    problem = market(constraints=(Bounds(-10.0, 10.0),))
    best = np.linalg.solve(problem.risk.covariance(), problem.expected_returns - risk_free)  # type: ignore[union-attr, operator]

    found = optimise(problem, "maximum_sharpe", risk_free=risk_free)

    np.testing.assert_allclose(found.weights, best / best.sum(), atol=1e-5)


@pytest.mark.parametrize(
    ("constraints", "costs"),
    [
        ((), ()),
        ((Bounds(0.02, 0.3), GroupBounds(groups(6), upper=0.4)), ()),
        ((MaxTurnover(0.3),), ()),
        ((MaxTrackingError(0.004),), ()),
        ((), (LinearCost(0.002, 0.004),)),
        ((), (ImpactCost(np.full(6, 0.02), np.full(6, 1e7), 1e7),)),
        ((), (ImpactCost(np.full(6, 0.02), np.full(6, 1e7), 1e7, power=2.0),)),
    ],
    ids=[
        "plain",
        "bounds and groups",
        "turnover",
        "tracking error",
        "linear cost",
        "impact",
        "quadratic impact",
    ],
)
def test_scipy_finds_no_better_ratio(constraints: tuple[Constraint, ...], costs: tuple[Cost, ...]) -> None:
    problem = market(6, seed=3, constraints=constraints, costs=costs, holding_days=10.0 if costs else None)
    current, upper = problem.current, 0.3 if constraints and isinstance(constraints[0], Bounds) else 1.0
    assert current is not None

    found = optimise(problem, "maximum_sharpe")

    kept = [{"type": "eq", "fun": lambda t: (t[:6] - t[6:]).sum()}]
    for other in problem.in_force[1:]:
        for demand in other.demands(problem):
            if isinstance(other, MaxTurnover):
                kept.append({"type": "ineq", "fun": lambda t: 0.3 - t[:6].sum()})
            else:
                kept.append(
                    {"type": "ineq", "fun": lambda t, d=demand: -d.breach(current + t[:6] - t[6:]) / d.scale}
                )

    def goal(trades: np.ndarray) -> float:
        bought, sold = trades[:6], trades[6:]
        weights = current + bought - sold
        cost = sum(t.buy @ bought**t.power + t.sell @ sold**t.power for t in problem.cost_terms)
        plain = sharpe(replace(problem, costs=(), holding_days=None), weights)
        return -100 * (plain - float(cost) / 10.0 / np.sqrt(problem.risk.variance(weights)))  # type: ignore[union-attr]

    starts = [found.weights, np.full(6, 1 / 6), current]
    best = min(
        minimize(
            goal,
            np.concatenate([np.maximum(s - current, 1e-4), np.maximum(current - s, 1e-4)]),
            method="SLSQP",
            bounds=[(0, 1)] * 12,
            constraints=kept,
            options={"maxiter": 500, "ftol": 1e-12},
        ).fun
        for s in starts
    )
    assert 100 * sharpe(problem, found.weights) == pytest.approx(-best, abs=2e-3)
    assert found.weights.max() <= upper + 1e-6


def test_no_random_portfolio_has_a_better_ratio() -> None:
    problem = market(seed=1)

    found = optimise(problem, "maximum_sharpe")

    assert max(sharpe(problem, draw) for draw in portfolios(12, 1000)) < sharpe(problem, found.weights) + 1e-9


def test_with_room_for_cash_the_most_invested_is_taken() -> None:
    # The ratio is the same for any size of the same portfolio.
    whole = optimise(market(), "maximum_sharpe")
    free = optimise(market(constraints=(Budget(0.2, 1.0),)), "maximum_sharpe")
    half = optimise(market(constraints=(Budget(0.2, 0.5),)), "maximum_sharpe")

    np.testing.assert_allclose(free.weights, whole.weights, atol=1e-5)
    np.testing.assert_allclose(half.weights, whole.weights / 2, atol=1e-5)


def test_cash_leaves_room_for_a_better_ratio_under_bounds() -> None:
    # A bound of 0.1 forces 10 of 12 names on who must invest all; who may hold cash need not take the worst.
    problem = market(constraints=(Bounds(0, 0.1),))
    with_cash = replace(problem, constraints=(Bounds(0, 0.1), Budget(0.0, 1.0)))

    must, may = (optimise(p, "maximum_sharpe") for p in (problem, with_cash))

    assert sharpe(problem, may.weights) > sharpe(problem, must.weights) + 1e-3


def test_a_limit_on_names_is_kept() -> None:
    problem = market(constraints=(MaxNames(4), MinPosition(0.1)))

    found = optimise(problem, "maximum_sharpe")

    assert found.statistics.names <= 4
    assert found.weights[found.weights > 0].min() >= 0.1 - 1e-6
    assert "heuristic" in found.notes[0]


def test_nothing_that_earns_more_than_cash_is_an_error() -> None:
    problem = market()
    falling = replace(problem, expected_returns=-np.abs(problem.expected_returns))  # type: ignore[arg-type]

    with pytest.raises(Infeasible, match=r"earns more than risk_free; the best earns -"):
        optimise(falling, "maximum_sharpe")
    with pytest.raises(Infeasible, match="no weights meet all constraints"):
        optimise(replace(falling, constraints=(Bounds(0, 0.01),)), "maximum_sharpe")
    with pytest.raises(InvalidRequest, match="differs from risk_free"):
        optimise(replace(problem, expected_returns=np.full(12, 1e-4)), "maximum_sharpe", risk_free=1e-4)


def test_as_much_long_as_short_goes_to_the_bounds_and_needs_them() -> None:
    # Without a sum the size is free: the best direction, S^-1 (mu - m) with m so that it adds up to 0, is stretched
    # until the first name stands at its bound.
    problem = market(constraints=(Budget(0.0, 0.0), Bounds(-0.2, 0.2)))
    assert problem.risk is not None and problem.expected_returns is not None
    inverse = np.linalg.inv(problem.risk.covariance())
    ones, pulled = inverse.sum(axis=1), inverse @ problem.expected_returns
    best = pulled - ones * pulled.sum() / ones.sum()

    found = optimise(problem, "maximum_sharpe")

    np.testing.assert_allclose(found.weights, best * 0.2 / np.abs(best).max(), atol=1e-5)
    with pytest.raises(Unbounded, match="a bound is missing"):
        optimise(replace(problem, constraints=(Budget(0.0, 0.0), Bounds(-np.inf, np.inf))), "maximum_sharpe")
