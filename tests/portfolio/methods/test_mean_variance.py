"""Quadratic methods against closed forms, a linear certificate of optimality, scipy's SLSQP and random portfolios."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from quantflux.core.errors import Infeasible, InvalidRequest, Unbounded
from quantflux.portfolio.constraints import (
    Bounds,
    Budget,
    Constraint,
    ExposureBounds,
    GroupBounds,
    MaxRisk,
    MaxTrackingError,
    MaxTurnover,
    MinReturn,
    NoTrade,
)
from quantflux.portfolio.costs import Cost, ImpactCost, LinearCost
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel
from tests.portfolio.problems import dense, groups, linear_gap, market, portfolios

FREE = Bounds(-np.inf, np.inf)


def value(problem: Problem, weights: np.ndarray, aversion: float) -> float:
    """Minus the risk-adjusted return, costs included, written out anew."""
    assert problem.expected_returns is not None and problem.risk is not None
    covariance = problem.risk.covariance()
    cost = problem.cost(weights) / (problem.holding_days or 1.0)
    return float(aversion / 2 * weights @ covariance @ weights - problem.expected_returns @ weights + cost)


@pytest.mark.parametrize("form", [lambda risk: risk, dense], ids=["in factors", "dense"])
def test_minimum_variance_is_the_closed_form(form) -> None:  # type: ignore[no-untyped-def]
    given = market(constraints=(FREE,))
    problem = replace(given, risk=form(given.risk))
    inverse = np.linalg.solve(given.risk.covariance(), np.ones(12))  # type: ignore[union-attr]

    found = optimise(problem, "minimum_variance")

    np.testing.assert_allclose(found.weights, inverse / inverse.sum(), atol=2e-6)
    assert (found.status, found.fallback) == ("optimal", None)


@pytest.mark.parametrize("form", [lambda risk: risk, dense], ids=["in factors", "dense"])
def test_mean_variance_with_a_budget_is_the_closed_form(form) -> None:  # type: ignore[no-untyped-def]
    given = market(constraints=(FREE,))
    covariance, expected, aversion = given.risk.covariance(), given.expected_returns, 8.0  # type: ignore[union-attr]
    ones = np.linalg.solve(covariance, np.ones(12))
    best = np.linalg.solve(covariance, expected) / aversion  # type: ignore[arg-type]
    best += ones * (1 - best.sum()) / ones.sum()

    found = optimise(replace(given, risk=form(given.risk)), "mean_variance", risk_aversion=aversion)

    np.testing.assert_allclose(found.weights, best, atol=2e-6)


def test_cash_is_held_when_risk_is_disliked_enough() -> None:
    # One name: w = mu / (aversion x variance) = 0.25, the rest is cash.
    problem = Problem(
        ("A",),
        expected_returns=np.array([1e-3]),
        risk=RiskModel(("A",), dense=np.array([[4e-4]])),
        constraints=(Budget(0.0, 1.0),),
    )

    found = optimise(problem, "mean_variance", risk_aversion=10.0)

    assert found.weights[0] == pytest.approx(0.25, abs=1e-6)
    assert found.statistics.cash == pytest.approx(0.75, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("active", [False, True])
def test_a_linear_programme_finds_nothing_better_under_linear_constraints(seed: int, active: bool) -> None:
    problem = market(seed=seed)
    assert problem.risk is not None and problem.benchmark is not None
    styles = problem.risk.exposures[:, :1]  # type: ignore[index]
    demanded = (
        Bounds(0.0, 0.2),
        GroupBounds(groups(12), -0.05, 0.05, relative=True),
        ExposureBounds(-0.3, 0.3, factors=["size"], exposures=styles if seed % 2 else None),
    )
    aversion, form = 10.0, dense(problem.risk) if seed % 2 else problem.risk

    weights = optimise(
        replace(problem, risk=form, constraints=demanded),
        "mean_variance",
        risk_aversion=aversion,
        active=active,
    ).weights

    centre = problem.benchmark if active else 0.0
    gradient = aversion * problem.risk.covariance() @ (weights - centre) - problem.expected_returns
    member = np.array([[group == g for g in groups(12)] for group in ("bank", "chip", "food")], dtype=float)
    size = styles.T
    sides = np.vstack([member, -member, size, -size])
    base = member @ problem.benchmark
    limits = np.concatenate([base + 0.05, 0.05 - base, [0.3, 0.3]])
    assert (sides @ weights <= limits + 1e-6).all() and weights.min() >= -1e-6 and weights.max() <= 0.2 + 1e-6
    assert linear_gap(gradient, weights, bounds=(0, 0.2), above=(sides, limits)) < 1e-8


@pytest.mark.parametrize(
    ("constraint", "costs"),
    [
        (MaxTurnover(0.3), ()),
        (MaxTrackingError(0.004), ()),
        (MaxRisk(0.0115), ()),
        (MinReturn(0.0009), ()),
        (NoTrade(["S001", "S004"]), ()),
        (Bounds(0, 0.3), (LinearCost(0.001, 0.002),)),
        (Bounds(0, 0.3), (ImpactCost(np.full(6, 0.02), np.full(6, 1e7), 1e7),)),
        (
            MaxTurnover(0.5),
            (ImpactCost(np.full(6, 0.02), np.full(6, 1e7), 1e7, power=2.0), LinearCost(0.001, 0.001)),
        ),
    ],
    ids=lambda case: (
        type(case).__name__ if not isinstance(case, tuple) else "+".join(type(c).__name__ for c in case)
    ),
)
def test_scipy_finds_the_same(constraint: Constraint, costs: tuple[Cost, ...]) -> None:
    problem = market(6, constraints=(constraint,), costs=costs, holding_days=10.0 if costs else None)
    current = problem.current
    assert current is not None

    found = optimise(problem, "mean_variance", risk_aversion=6.0)

    # scipy's unknowns are what is bought and sold, so that costs and turnover are smooth.
    def weights(trades: np.ndarray) -> np.ndarray:
        return current + trades[:6] - trades[6:]

    kept = [{"type": "eq", "fun": lambda t: weights(t).sum() - 1}]
    for other in problem.in_force[1:]:
        (demand,) = other.demands(problem)
        if isinstance(other, NoTrade):
            kept.append({"type": "eq", "fun": lambda t: weights(t)[[1, 4]] - current[[1, 4]]})
        elif isinstance(other, MaxTurnover):
            kept.append({"type": "ineq", "fun": lambda t, m=other.most: m - t[:6].sum()})
        elif not isinstance(other, Bounds):
            kept.append({"type": "ineq", "fun": lambda t, d=demand: -d.breach(weights(t)) / d.scale})
    top = constraint.upper if isinstance(constraint, Bounds) else 1.0

    def goal(trades: np.ndarray) -> float:
        bought, sold = trades[:6], trades[6:]
        cost = sum(t.buy @ bought**t.power + t.sell @ sold**t.power for t in problem.cost_terms)
        plain = value(replace(problem, costs=(), holding_days=None), weights(trades), 6.0)
        return 1e4 * (plain + float(cost) / 10.0)

    kept += [{"type": "ineq", "fun": weights}, {"type": "ineq", "fun": lambda t: top - weights(t)}]
    best = min(
        (
            minimize(
                goal,
                np.concatenate([np.maximum(start - current, 1e-4), np.maximum(current - start, 1e-4)]),
                method="SLSQP",
                bounds=[(0, 1)] * 12,
                constraints=kept,
                options={"maxiter": 500, "ftol": 1e-13},
            )
            for start in (found.weights, np.full(6, 1 / 6))
        ),
        key=lambda r: r.fun if r.success else np.inf,
    )
    assert best.success, best.message
    mine = 1e4 * value(problem, found.weights, 6.0)
    assert mine == pytest.approx(best.fun, abs=2e-4)  # 2e-8 of return a day
    np.testing.assert_allclose(found.weights, weights(best.x), atol=3e-3)


@pytest.mark.parametrize("seed", range(3))
def test_no_random_portfolio_is_better(seed: int) -> None:
    problem = market(seed=seed)
    best = optimise(problem, "mean_variance", risk_aversion=5.0)
    least = optimise(problem, "minimum_variance")
    near = optimise(replace(problem, constraints=(Bounds(0, 0.15),)), "tracking")

    draws = portfolios(12, 400, seed)

    assert min(value(problem, draw, 5.0) for draw in draws) > value(problem, best.weights, 5.0) - 1e-9
    assert problem.risk is not None and problem.benchmark is not None
    assert problem.risk.variances(draws).min() > problem.risk.variance(least.weights) - 1e-11
    capped = draws[draws.max(axis=1) <= 0.15]
    assert len(capped) > 20
    apart = problem.risk.variances(capped - problem.benchmark)
    assert apart.min() > problem.risk.variance(near.weights - problem.benchmark) - 1e-11


def test_looser_bounds_are_never_worse() -> None:
    problem = market()

    def best(*constraints: Constraint) -> float:
        found = optimise(replace(problem, constraints=constraints), "mean_variance", risk_aversion=5.0)
        return value(problem, found.weights, 5.0)

    for looser in (
        [best(Bounds(0, upper)) for upper in (0.1, 0.15, 0.3, 1.0)],
        [best(MaxTurnover(most)) for most in (0.0, 0.1, 0.3, 1.0)],
        [best(MaxTrackingError(most)) for most in (0.0005, 0.002, 0.01)],
        [best(GroupBounds(groups(12), -w, w, relative=True)) for w in (0.0, 0.05, 0.5)],
    ):
        assert all(after <= before + 1e-9 for before, after in itertools.pairwise(looser))
        assert looser[-1] < looser[0]  # the bound did bind


def test_the_most_return_grows_with_the_bound_of_risk_and_uses_it_up() -> None:
    problem = market()

    found = [optimise(problem, "mean_variance", max_risk=most).statistics for most in (0.0115, 0.013, 0.016)]

    returns = [f.expected_return for f in found]
    assert returns == sorted(returns) and returns[0] < returns[-1]  # type: ignore[type-var]
    assert [f.risk for f in found] == pytest.approx([0.0115, 0.013, 0.016], abs=1e-6)


def test_the_frontier_is_the_same_from_both_sides() -> None:
    # The most return at the risk of a portfolio of the least variance is that portfolio's.
    problem = replace(market(), constraints=(MinReturn(0.0009),))

    least = optimise(problem, "minimum_variance").statistics
    most = optimise(market(), "mean_variance", max_risk=least.risk).statistics

    assert most.expected_return == pytest.approx(0.0009, abs=1e-8)


def test_active_risk_is_bounded_against_the_benchmark() -> None:
    problem = market()

    found = optimise(problem, "mean_variance", max_risk=0.003, active=True)

    assert found.statistics.tracking_error == pytest.approx(0.003, abs=1e-7)
    assert any("tracking error" in limit for limit in found.binding)


def test_an_unconstrained_tracker_is_the_benchmark() -> None:
    problem = market()

    found = optimise(problem, "tracking")

    np.testing.assert_allclose(found.weights, problem.benchmark, atol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("relative", [False, True])
def test_neutral_means_no_exposure(relative: bool) -> None:
    problem = market(30)

    found = optimise(
        problem, "factor_neutral", factors=["size", "value"], risk_aversion=5.0, relative=relative
    )

    styles = problem.risk.exposures[:, :2]  # type: ignore[union-attr, index]
    base = problem.benchmark if relative else np.zeros(30)
    np.testing.assert_allclose(styles.T @ found.weights, styles.T @ base, atol=1e-6)  # type: ignore[operator]
    covariance = problem.risk.covariance()  # type: ignore[union-attr]
    gradient = 5.0 * covariance @ (found.weights - base) - problem.expected_returns
    assert linear_gap(gradient, found.weights, fixed=(styles.T, styles.T @ base)) < 1e-8  # type: ignore[operator]


@pytest.mark.parametrize(("power", "coefficient"), [(1.5, 2e-2), (2.0, 5e-2)])
def test_impact_stops_a_trade_where_it_costs_what_it_brings(power: float, coefficient: float) -> None:
    # One name and cash: at the best weight w the marginal return mu - aversion variance w is the marginal cost
    # coefficient power (w - w0)^(power - 1) / days.
    mu, variance, aversion, days, held = 2e-3, 4e-4, 5.0, 10.0, 0.1
    cost = ImpactCost(np.array([coefficient]), np.array([1e8]), 1e8, power=power)
    problem = Problem(
        ("A",),
        expected_returns=np.array([mu]),
        risk=RiskModel(("A",), dense=np.array([[variance]])),
        current=np.array([held]),
        constraints=(Budget(0.0, 1.0),),
        costs=(cost,),
        holding_days=days,
    )

    found = optimise(problem, "mean_variance", risk_aversion=aversion)

    expected = brentq(
        lambda w: mu - aversion * variance * w - coefficient * power * (w - held) ** (power - 1) / days,
        held,
        1.0,
    )
    assert found.weights[0] == pytest.approx(expected, abs=2e-5)


def test_a_trade_that_brings_less_than_it_costs_is_not_made() -> None:
    # A linear cost makes a zone around the best weight of 0.5 in which nothing is traded; its edge is worked by hand:
    # mu - aversion variance w = rate / days at w = 0.5 - 0.002 / 10 / (10 x 4e-4) = 0.45.
    def best(held: float) -> float:
        problem = Problem(
            ("A",),
            expected_returns=np.array([2e-3]),
            risk=RiskModel(("A",), dense=np.array([[4e-4]])),
            current=np.array([held]),
            constraints=(Budget(0.0, 1.0),),
            costs=(LinearCost(0.002, 0.002),),
            holding_days=10.0,
        )
        return float(optimise(problem, "mean_variance", risk_aversion=10.0).weights[0])

    assert best(0.2) == pytest.approx(0.45, abs=1e-6)
    assert best(0.47) == pytest.approx(0.47, abs=1e-6)
    assert best(0.9) == pytest.approx(0.55, abs=1e-6)


def test_minimum_variance_weighs_costs_by_the_aversion() -> None:
    problem = market(costs=(LinearCost(0.001, 0.001),), holding_days=5.0)

    with pytest.raises(InvalidRequest, match="needs risk_aversion"):
        optimise(problem, "minimum_variance")
    timid = optimise(problem, "minimum_variance", risk_aversion=1e-3)
    eager = optimise(problem, "minimum_variance", risk_aversion=1e6)

    np.testing.assert_allclose(timid.weights, problem.current, atol=1e-6)  # type: ignore[arg-type]
    least = optimise(replace(problem, costs=()), "minimum_variance")
    np.testing.assert_allclose(eager.weights, least.weights, atol=1e-4)


def test_constraints_that_clash_are_infeasible() -> None:
    with pytest.raises(Infeasible, match="no weights meet all constraints"):
        optimise(market(constraints=(Bounds(0, 0.05),)), "mean_variance", risk_aversion=5.0)


def test_without_bounds_the_most_return_has_no_end() -> None:
    with pytest.raises(Unbounded, match="a bound on weights is missing"):
        optimise(market(constraints=(FREE,)), "mean_variance", risk_aversion=0.0)


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [
        ("mean_variance", {}, "needs risk_aversion, or max_risk"),
        ("mean_variance", {"risk_aversion": -1.0}, "0 or more"),
        ("mean_variance", {"risk_aversion": np.nan}, "0 or more"),
        ("mean_variance", {"max_risk": -0.1}, "0 or more"),
        ("factor_neutral", {"factors": "size", "risk_aversion": 1.0}, "list of factors"),
        ("factor_neutral", {"factors": ["beta"], "risk_aversion": 1.0}, "no exposures to beta"),
        ("minimum_variance", {"risk_aversion": 0.0}, "above 0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    method: str, parameters: dict[str, object], message: str
) -> None:
    problem = (
        market(costs=(LinearCost(0, 0),), holding_days=1.0) if method == "minimum_variance" else market()
    )

    with pytest.raises(InvalidRequest, match=message):
        optimise(problem, method, **parameters)


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        ("mean_variance", "expected_returns"),
        ("mean_variance", "risk"),
        ("minimum_variance", "risk"),
        ("tracking", "benchmark"),
    ],
)
def test_what_a_method_needs_is_asked_for(method: str, missing: str) -> None:
    parameters = {"risk_aversion": 5.0} if method == "mean_variance" else {}

    with pytest.raises(InvalidRequest, match=rf"needs .*\({missing}="):
        optimise(market(**{missing: None}), method, **parameters)
