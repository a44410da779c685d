"""Limits on numbers and sizes of positions, against every choice of names tried one by one with a closed form."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from quantflux.core.errors import Infeasible, InvalidRequest
from quantflux.portfolio import solving
from quantflux.portfolio.constraints import (
    Bounds,
    GroupBounds,
    MaxNames,
    MaxTrackingError,
    MaxTurnover,
    MinPosition,
    NoTrade,
)
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel
from tests.portfolio.problems import dense, groups, market, names


def best_of_all(
    problem: Problem, most: int, aversion: float, linear: np.ndarray, least: float = 0.0
) -> float:
    """The least of aversion / 2 w'Sw - linear'w over all long-only portfolios of few names, each at least `least`.

    The best portfolio of a choice of names has all its weights above the least, or is the best of another face: every
    face is tried, by the closed form of a quadratic with equalities.
    """
    assert problem.risk is not None
    covariance = problem.risk.covariance()
    found = np.inf
    for size in range(1, most + 1):
        for chosen in combinations(range(len(linear)), size):
            for free in range(1, size + 1):
                for inside in combinations(chosen, free) if least else [chosen]:
                    w = np.zeros(len(linear))
                    fixed = [i for i in chosen if i not in inside]
                    w[fixed] = least
                    at = np.ix_(inside, inside)
                    pull = linear[list(inside)] / aversion - covariance[np.ix_(inside, fixed)] @ w[fixed]
                    inverse = np.linalg.inv(covariance[at])
                    ones = inverse.sum(axis=1)
                    base = inverse @ pull
                    w[list(inside)] = base + ones * (1 - w.sum() - base.sum()) / ones.sum()
                    if w[list(inside)].min() >= least - 1e-12:
                        found = min(found, aversion / 2 * w @ covariance @ w - linear @ w)
    return float(found)


@pytest.mark.parametrize(("seed", "most"), [(1, 2), (2, 4)])
def test_few_names_are_nearly_the_best_few(seed: int, most: int) -> None:
    problem = market(10, seed=seed, constraints=(MaxNames(most),))
    assert problem.risk is not None and problem.expected_returns is not None

    least = optimise(problem, "minimum_variance")
    utility = optimise(problem, "mean_variance", risk_aversion=20.0)

    variance = problem.risk.variance(least.weights)
    exact = best_of_all(problem, most, 2.0, np.zeros(10))
    assert exact - 1e-12 <= variance <= exact * 1.02
    worth = 10.0 * problem.risk.variance(utility.weights) - problem.expected_returns @ utility.weights
    exact = best_of_all(problem, most, 20.0, problem.expected_returns)
    assert exact - 1e-11 <= worth <= exact + 0.05 * abs(exact)
    assert least.statistics.names <= most and utility.statistics.names <= most


@pytest.mark.parametrize("seed", range(3))
def test_least_positions_are_nearly_the_best(seed: int) -> None:
    problem = market(7, seed=seed, constraints=(MinPosition(0.15),))
    assert problem.risk is not None

    found = optimise(problem, "minimum_variance")

    exact = best_of_all(problem, 6, 2.0, np.zeros(7), least=0.15)
    assert found.weights[found.weights > 0].min() >= 0.15 - 1e-6
    assert exact - 1e-12 <= problem.risk.variance(found.weights) <= exact * 1.02


def test_the_result_says_what_was_a_heuristic_and_how_good_it_can_be() -> None:
    problem = market(constraints=(MaxNames(4),))
    free = optimise(market(), "minimum_variance").statistics.risk

    found = optimise(problem, "minimum_variance")

    assert free is not None and found.statistics.risk is not None
    assert "heuristic" in found.notes[0]
    assert f"variance {found.statistics.risk**2:.6g}; without" in found.notes[0]
    assert f"it is {free**2:.6g}, which no choice can beat" in found.notes[0]


def test_a_limit_that_does_not_bind_changes_nothing_and_says_so() -> None:
    free = optimise(market(), "mean_variance", risk_aversion=5.0)
    most = free.statistics.names

    found = optimise(market(constraints=(MaxNames(most),)), "mean_variance", risk_aversion=5.0)

    np.testing.assert_array_equal(found.weights, free.weights)
    assert "no choice had to be made" in found.notes[0]


def test_more_names_are_never_worse() -> None:
    risks = [
        optimise(market(12, constraints=(MaxNames(most),)), "minimum_variance").statistics.risk
        for most in (1, 3, 12)
    ]

    assert risks == sorted(risks, reverse=True)  # type: ignore[type-var]


def test_a_name_that_must_be_held_is_held() -> None:
    # The frozen name is the smallest position, which would be dropped first.
    current = np.full(12, 0.97 / 11)
    current[7] = 0.03
    limits = (MaxNames(3), NoTrade(["S007"]))

    found = optimise(market(current=current, constraints=limits), "minimum_variance")

    assert found.weights[7] == pytest.approx(0.03, abs=1e-9)
    assert found.statistics.names == 3


def test_groups_that_must_be_held_stay() -> None:
    # Dropping by size alone would leave a group empty.
    limits = (MaxNames(3), GroupBounds(groups(12), lower=0.1))

    found = optimise(market(constraints=limits), "mean_variance", risk_aversion=2.0)

    assert found.statistics.names == 3
    for group in set(groups(12)):
        assert found.weights[np.array(groups(12)) == group].sum() >= 0.1 - 1e-6


def test_both_limits_together() -> None:
    limits = (MaxNames(10), MinPosition(0.05), Bounds(0, 0.2))

    found = optimise(market(20, constraints=limits), "tracking")

    assert found.statistics.names <= 10
    held = found.weights[found.weights > 0]
    assert held.min() >= 0.05 - 1e-6 and held.max() <= 0.2 + 1e-6


def test_one_name_is_all_or_nothing() -> None:
    found = optimise(market(constraints=(MaxNames(1),)), "minimum_variance")

    volatility = market().risk.volatilities  # type: ignore[union-attr]
    assert found.held() == {names(12)[int(np.argmin(volatility))]: 1.0}


def test_too_few_names_for_the_bounds_are_infeasible_and_that_is_proved() -> None:
    with pytest.raises(Infeasible, match=r"no choice of names meets all constraints \(HIGHS: infeasible\)"):
        optimise(market(constraints=(MaxNames(3), Bounds(0, 0.2))), "minimum_variance")


def test_too_few_names_for_the_tracking_error_are_infeasible() -> None:
    with pytest.raises(Infeasible):
        optimise(
            market(constraints=(MaxNames(2), MaxTrackingError(1e-4))), "mean_variance", risk_aversion=1.0
        )


def test_linear_problems_are_solved_with_whole_numbers() -> None:
    # The most return of two names of at most 60 %: 0.6 of the best, 0.4 of the second.
    problem = market(constraints=(MaxNames(2), Bounds(0, 0.6), MinPosition(0.2)))
    first, second = np.argsort(problem.expected_returns)[::-1][:2]  # type: ignore[arg-type]

    found = optimise(problem, "mean_variance", risk_aversion=0.0)

    assert found.held() == {names(12)[first]: pytest.approx(0.6), names(12)[second]: pytest.approx(0.4)}
    assert found.solver == "HIGHS"


@pytest.mark.parametrize("aversion", [0.0, 1.0])
def test_whole_numbers_find_what_dropping_cannot(aversion: float) -> None:
    # Positions of at least 0.5, but the best name is limited to 0.4: relaxed, it is held; it has to go.
    problem = Problem(
        ("A", "B", "C"),
        expected_returns=np.array([3e-3, 2e-3, 1e-3]),
        risk=RiskModel(("A", "B", "C"), dense=np.eye(3) * 1e-4),
        constraints=(MinPosition(0.5), Bounds(0.0, np.array([0.4, 0.6, 0.6]))),
    )

    found = optimise(problem, "mean_variance", risk_aversion=aversion)

    assert found.held() == {"B": pytest.approx(0.5), "C": pytest.approx(0.5)}


def test_short_positions_are_refused() -> None:
    problem = market(constraints=(MaxNames(3), Bounds(-0.1, 0.5)))

    with pytest.raises(InvalidRequest, match="long-only"):
        optimise(problem, "minimum_variance")


def test_dropped_names_are_sold_and_paid_for() -> None:
    # Current weights of names that are not chosen count as sold: turnover is that of the whole portfolio.
    problem = market(constraints=(MaxNames(4),))
    free = optimise(problem, "minimum_variance")
    needed = free.statistics.turnover
    assert needed is not None
    limited = replace(problem, constraints=(MaxNames(4), MaxTurnover(needed - 0.05)))
    found = optimise(limited, "minimum_variance")

    assert found.statistics.turnover is not None and found.statistics.turnover <= needed - 0.05 + 1e-6
    assert found.statistics.names <= 4


@pytest.mark.parametrize("form", [lambda risk: risk, dense], ids=["in factors", "dense"])
def test_names_that_are_not_held_count_against_the_benchmark(form) -> None:  # type: ignore[no-untyped-def]
    problem = market(constraints=(MaxNames(4),))

    found = optimise(replace(problem, risk=form(problem.risk)), "tracking")

    assert found.statistics.tracking_error is not None
    assert f"variance over the benchmark {found.statistics.tracking_error**2:.6g}; " in found.notes[0]
    exact = best_of_all(problem, 4, 2.0, 2 * problem.risk.times(problem.benchmark))  # type: ignore[union-attr, arg-type]
    exact += problem.risk.variance(problem.benchmark)  # type: ignore[union-attr, arg-type]
    assert exact - 1e-12 <= found.statistics.tracking_error**2 <= exact * 1.05


def test_whole_numbers_that_are_not_settled_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = market(40, constraints=(MaxNames(5), MinPosition(0.1)))
    monkeypatch.setattr(solving, "_WHOLE_OPTIONS", {"output_flag": False, "time_limit": 0.0})

    found = optimise(problem, "cvar", confidence=0.9)

    assert found.statistics.names <= 5
    assert "did not settle" in found.notes[-1] and "heuristic" in found.notes[0]
