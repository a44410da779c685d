"""Planted conflicts are named, the least change is that of a calculation by hand, and it does solve the problem."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import linprog

from quantflux.core.errors import Infeasible
from quantflux.portfolio.checking import breaches
from quantflux.portfolio.constraints import (
    Bounds,
    Budget,
    Constraint,
    ExposureBounds,
    GroupBounds,
    Liquidity,
    MaxNames,
    MaxRisk,
    MaxTrackingError,
    MaxTurnover,
    MinPosition,
    MinReturn,
    NoTrade,
)
from quantflux.portfolio.doctor import Diagnosis, diagnose
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel

NAMES = tuple(f"60000{i}.SH" for i in range(8))
GROUPS = ("bank", "bank", "bank", "food", "food", "steel", "steel", "steel")
CURRENT = np.array([0.05, 0.03, 0.12, 0.2, 0.1, 0.2, 0.2, 0.1])
BENCHMARK = np.array([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
EXPECTED = np.linspace(1e-4, 8e-4, 8)
RISK = RiskModel(
    NAMES,
    exposures=np.column_stack([np.ones(8), np.linspace(-1, 1, 8)]),
    factor_covariance=np.diag([1e-4, 2e-5]),
    specific=np.full(8, 2e-4),
    factors=("market", "size"),
)


def problem(*constraints: Constraint) -> Problem:
    return Problem(
        NAMES,
        expected_returns=EXPECTED,
        risk=RISK,
        current=CURRENT,
        benchmark=BENCHMARK,
        constraints=constraints,
    )


def clashes(found: Diagnosis) -> set[str]:
    return {str(clash) for conflict in found.conflicts for clash in conflict.clashes}


def remedies(found: Diagnosis) -> list[str]:
    return [str(remedy) for conflict in found.conflicts for remedy in conflict.remedies]


PLANTED: list[tuple[str, list[Constraint], set[str], list[str]]] = [
    (
        "caps too low to be fully invested",
        [Bounds(0.0, 0.1)],
        {"budget: sum of weights at least 100 %", "bounds: every weight at most 10 %"},
        [
            "bounds: let single weights go up to 12.5 % (was 10 %)",
            "budget: let sum of weights go down to 80 % (was 100 %)",
        ],
    ),
    (
        "an industry that is full of names that may not be traded",
        [GroupBounds(GROUPS, upper={"bank": 0.05}), NoTrade(NAMES[:2])],
        {
            "bounds: no short positions",
            "industry bounds: industry bank at most 5 %",
            "no-trade list: weight of 600000.SH stays at 5 %, weight of 600001.SH stays at 3 %",
        },
        ["industry bounds: let industry bank go up to 8 % (was 5 %)"],
    ),
    (
        "industries that leave no room",
        [GroupBounds(GROUPS, upper={"bank": 0.2, "food": 0.2, "steel": 0.4})],
        {
            "budget: sum of weights at least 100 %",
            "industry bounds: industry bank at most 20 %",
            "industry bounds: industry food at most 20 %",
            "industry bounds: industry steel at most 40 %",
        },
        [
            "industry bounds: let industry bank go up to 40 % (was 20 %)",
            "budget: let sum of weights go down to 80 % (was 100 %)",
        ],
    ),
    (
        "industries that ask for more than everything",
        [GroupBounds(GROUPS, lower={"bank": 0.6, "food": 0.6})],
        {
            "budget: no credit",
            "bounds: no short positions",
            "industry bounds: industry bank at least 60 %",
            "industry bounds: industry food at least 60 %",
        },
        ["industry bounds: let industry bank go down to 40 % (was 60 %)"],
    ),
    (
        "limits against the benchmark",
        [GroupBounds(GROUPS, lower=-0.02, relative=True), Bounds(0.0, 0.15)],
        {
            "bounds: every weight at most 15 %",
            "industry bounds: industry bank against the benchmark at least -2 %",
        },
        [
            "industry bounds: let industry bank against the benchmark go down to -15 % (was -2 %)",
            "bounds: let single weights go up to 19.34 % (was 15 %)",
        ],
    ),
    (
        "a turnover too small for what has to change",
        [MaxTurnover(0.1), GroupBounds(GROUPS, upper={"steel": 0.2})],
        {"turnover: turnover at most 10 %", "industry bounds: industry steel at most 20 %"},
        [
            "turnover: allow a turnover of 30 % (was 10 %)",
            "industry bounds: let industry steel go up to 40 % (was 20 %)",
        ],
    ),
    (
        "an exposure beyond what names have",
        [ExposureBounds(lower={"size": 1.2})],
        {"exposure bounds: exposure to size at least 1.2"},
        ["exposure bounds: let exposure to size go down to 1 (was 1.2)"],
    ),
    (
        "a return that no name has",
        [MinReturn(0.3 / 244)],
        {"return: expected daily return at least 30 % a year"},
        ["return: let expected daily return go down to 19.52 % a year (was 30 % a year)"],
    ),
    (
        "less risk than the least",
        [MaxRisk(0.10 / np.sqrt(244))],
        {"risk: risk at most 10 % a year", "budget: sum of weights at least 100 %"},
        [],
    ),
    (
        "a tracking error that the caps forbid",
        [MaxTrackingError(0.01 / np.sqrt(244)), Bounds(0.0, 0.2)],
        {"tracking error: tracking error at most 1 % a year", "bounds: every weight at most 20 %"},
        [],
    ),
    (
        "positions that the market cannot take",
        [Liquidity(np.full(8, 1e6), capital=1e7, share=0.1, days=5.0)],
        {"budget: sum of weights at least 100 %"},
        ["budget: let sum of weights go down to 40 % (was 100 %)"],
    ),
    (
        "too few names for the caps",
        [MaxNames(4), Bounds(0.0, 0.2)],
        {
            "number of names: at most 4 names",
            "bounds: every weight at most 20 %",
            "budget: sum of weights at least 100 %",
        },
        [
            "number of names: allow 5 names (was 4)",
            "bounds: let single weights go up to 25 % (was 20 %)",
            "budget: let sum of weights go down to 80 % (was 100 %)",
        ],
    ),
    (
        "least positions above the caps",
        [MinPosition(0.3), Bounds(0.0, 0.2)],
        {"least position: every position at least 30 %", "bounds: every weight at most 20 %"},
        ["bounds: let single weights go up to 33.34 % (was 20 %)"],
    ),
    (
        "few names and little risk",
        [MaxNames(2), MaxTrackingError(0.05 / np.sqrt(244))],
        {"number of names: at most 2 names", "tracking error: tracking error at most 5 % a year"},
        [],
    ),
]


@pytest.mark.parametrize(
    ("constraints", "expected", "changes"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED]
)
def test_a_planted_conflict_is_found_and_what_is_advised_solves_it(
    constraints: list[Constraint], expected: set[str], changes: list[str]
) -> None:
    planted = problem(*constraints)

    found = diagnose(planted)

    assert not found.feasible
    assert expected <= clashes(found), clashes(found)
    assert set(changes) <= set(remedies(found)), remedies(found)
    assert found.changes and found.verified
    with pytest.raises(Infeasible):
        optimise(planted, "minimum_variance")
    solved = optimise(found.relaxed, "minimum_variance")
    assert not breaches(found.relaxed, solved.weights)


def rows_of(constraints: Sequence[Constraint], among: Problem) -> tuple[np.ndarray, np.ndarray]:
    """All linear limits as A w <= b."""
    sides = []
    for constraint in constraints:
        for demand in constraint.demands(among):
            matrix = demand.matrix.toarray()  # type: ignore[union-attr]
            sides.append((matrix, demand.upper))  # type: ignore[union-attr]
            sides.append((-matrix, -demand.lower))  # type: ignore[union-attr]
    a, b = np.vstack([s[0] for s in sides]), np.concatenate([s[1] for s in sides])
    return a[np.isfinite(b)], b[np.isfinite(b)]


def can_hold(constraints: Sequence[Constraint], among: Problem) -> bool:
    a, b = rows_of(constraints, among)
    return linprog(np.zeros(8), A_ub=a, b_ub=b, bounds=(None, None)).status == 0


@pytest.mark.parametrize(("seed", "feasible"), [(0, False), (1, False), (3, False), (5, True)])
def test_random_linear_problems_agree_with_another_solver(seed: int, feasible: bool) -> None:
    rng = np.random.default_rng(seed)
    limits = {g: float(rng.uniform(0.05, 0.6)) for g in ("bank", "food", "steel")}
    tried = problem(
        Budget(),
        Bounds(0.0, float(rng.uniform(0.1, 0.5))),
        GroupBounds(GROUPS, upper=limits),
        ExposureBounds(lower={"size": float(rng.uniform(-0.5, 0.6))}),
        NoTrade(tuple(rng.choice(NAMES, 2, replace=False))),
    )

    found = diagnose(tried)

    assert found.feasible == can_hold(tried.in_force, tried) == feasible
    assert can_hold(found.relaxed.in_force, found.relaxed) and found.verified


def test_a_conflict_is_minimal() -> None:
    """Whichever of its constraints is left out, the others hold together, by another solver."""
    parts: dict[str, Constraint] = {
        "budget": Budget(),
        "bounds": Bounds(0.0, 5.0),
        "industry bounds": GroupBounds(GROUPS, upper={"steel": 0.2}),
        "exposure bounds": ExposureBounds(lower={"size": 0.7}),
        "no-trade list": NoTrade(NAMES[3:4]),
        "return": MinReturn(2e-4),
    }
    tried = problem(*parts.values())

    (conflict,) = diagnose(tried).conflicts

    members = {clash.constraint for clash in conflict.clashes}
    assert not can_hold([parts[name] for name in members], tried)
    for size in range(1, len(members)):
        for fewer in itertools.combinations(members, size):
            assert can_hold([parts[name] for name in fewer], tried)


def test_two_conflicts_are_both_told() -> None:
    tried = problem(
        ExposureBounds(lower={"size": 1.2}), GroupBounds(GROUPS, lower={"bank": 0.6, "food": 0.6})
    )

    found = diagnose(tried)

    assert len(found.conflicts) == 2 and found.verified
    told = str(found)
    assert "(1 of 2)" in told and "(2 of 2)" in told
    assert "the least that has to change in all:" in told
    assert "with these changes weights were found that meet every limit" in told


def test_a_problem_that_can_be_solved_is_left_as_it_is() -> None:
    fine = problem(Bounds(0.0, 0.3), GroupBounds(GROUPS, upper=0.5))

    found = diagnose(fine)

    assert found.feasible and found.verified and found.relaxed is fine
    assert found.conflicts == () and found.changes == () and found.total == 0
    assert str(found) == "the limits can hold together"


def test_the_total_is_the_least_sum_of_changes() -> None:
    """Three industries with 20 % too little in all: whatever gives, it gives 20 %."""
    found = diagnose(problem(GroupBounds(GROUPS, upper={"bank": 0.2, "food": 0.2, "steel": 0.4})))

    assert found.total == pytest.approx(0.2, abs=1e-6)


def test_thousands_of_names_are_diagnosed() -> None:
    rng = np.random.default_rng(7)
    count = 2000
    names = tuple(f"{600000 + i}.SH" for i in range(count))
    industries = [f"industry {i % 30:02d}" for i in range(count)]
    risk = RiskModel(
        names,
        exposures=rng.normal(1, 0.3, (count, 5)),
        factor_covariance=np.eye(5) * 1e-5,
        specific=rng.uniform(1e-4, 5e-4, count),
        factors=tuple("abcde"),
    )
    tried = Problem(
        names,
        risk=risk,
        benchmark=np.full(count, 1 / count),
        constraints=[
            Bounds(0.0, 0.01),
            GroupBounds(industries, lower=-0.01, upper=0.01, relative=True, kind="sector"),
            GroupBounds(industries, upper={"industry 07": 0.02}),
            MaxTrackingError(0.05 / np.sqrt(244)),
        ],
    )

    found = diagnose(tried)

    (conflict,) = found.conflicts
    assert {str(clash) for clash in conflict.clashes} == {
        "sector bounds: sector industry 07 against the benchmark at least -1 %",
        "industry bounds: industry industry 07 at most 2 %",
    }
    assert found.verified
