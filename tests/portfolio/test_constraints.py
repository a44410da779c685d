from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio import constraints as c
from quantflux.portfolio.constraints import Constraint
from quantflux.portfolio.demands import turnover
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel

WEIGHTS = np.array([0.5, 0.3, 0.2])


@pytest.fixture
def problem() -> Problem:
    risk = RiskModel(
        ("A", "B", "C"),
        exposures=np.array([[1.0], [0.0], [-1.0]]),
        factor_covariance=np.array([[1e-4]]),
        specific=np.array([1e-4, 4e-4, 9e-4]),
        factors=("size",),
    )
    return Problem(
        ("A", "B", "C"),
        expected_returns=np.array([0.001, 0.002, 0.003]),
        risk=risk,
        current=np.array([0.6, 0.4, 0.0]),
        benchmark=np.array([0.2, 0.3, 0.5]),
    )


def breach(constraint: Constraint, problem: Problem, weights: np.ndarray = WEIGHTS) -> list[float]:
    """By how much weights break each row of a constraint, rounded."""
    return [round(float(b), 9) for demand in constraint.demands(problem) for b in demand.breach(weights)]


# Each expectation is worked out by hand from the weights 0.5, 0.3, 0.2; positive is broken.
CASES = {
    "budget": (c.Budget(0.95, 0.97), [0.03]),
    "bounds": (c.Bounds(0.25, 0.4), [0.1, -0.05, 0.05]),
    "bounds by name": (c.Bounds(upper=np.array([0.6, 0.1, 1.0])), [-0.1, 0.2, -0.2]),
    "groups": (c.GroupBounds(["x", "y", "x"], upper=0.6), [0.1, -0.3]),
    "one group": (c.GroupBounds(["x", "y", "x"], lower={"y": 0.35}), [0.05]),
    "name without group": (c.GroupBounds(["x", None, ""], upper=0.1), [0.4]),
    # the benchmark has 0.7 in x, 0.3 in y; the weights are equal to it
    "groups against benchmark": (
        c.GroupBounds(["x", "y", "x"], -0.02, 0.02, relative=True),
        [-0.02, -0.02],
    ),
    # exposure 0.5 - 0.2 = 0.3, that of the benchmark 0.2 - 0.5 = -0.3
    "exposure": (c.ExposureBounds(upper={"size": 0.1}), [0.2]),
    "exposure against benchmark": (c.ExposureBounds(-0.5, 0.5, factors=["size"], relative=True), [0.1]),
    "exposure given": (
        c.ExposureBounds(0.0, 0.0, factors=["beta"], exposures=np.array([[1.0], [1.0], [2.0]])),
        [1.2],
    ),
    # bought 0.2 of C, sold 0.1 of A and 0.1 of B
    "turnover": (c.MaxTurnover(0.15), [0.05]),
    # factor part 0.3^2 1e-4, specific 0.25e-4 + 0.36e-4 + 0.36e-4: 1.06e-4
    "risk": (c.MaxRisk(0.01), [round(np.sqrt(1.06e-4) - 0.01, 9)]),
    # apart (0.3, 0, -0.3): factor 0.6^2 1e-4, specific 0.09e-4 + 0.81e-4: 1.26e-4
    "tracking error": (c.MaxTrackingError(0.01), [round(np.sqrt(1.26e-4) - 0.01, 9)]),
    "return": (c.MinReturn(0.002), [0.0003]),
    "no trade": (c.NoTrade(["B"]), [0.1]),
    # a tenth of 40, 40 and 80 yuan on 2 days of 20 yuan: 0.4, 0.4, 0.8 of capital
    "liquidity": (c.Liquidity(np.array([40.0, 40.0, 80.0]), 20.0, 0.1, 2.0), [0.1, -0.1, -0.6]),
    # the same for trades of -0.1, -0.1, +0.2, in one day
    "liquidity of trades": (
        c.Liquidity(np.array([10.0, 40.0, 10.0]), 20.0, trades=True),
        [0.05, -0.1, 0.15],
    ),
    "names": (c.MaxNames(2), [1.0]),
    "least position": (c.MinPosition(0.25), [-0.25, -0.05, 0.05]),
}


@pytest.mark.parametrize("case", CASES)
def test_breach_is_as_worked_by_hand(case: str, problem: Problem) -> None:
    constraint, expected = CASES[case]

    assert breach(constraint, problem) == expected


def test_every_constraint_has_a_case_and_a_name() -> None:
    every = {
        kind.__name__
        for kind in vars(c).values()
        if isinstance(kind, type) and kind.__module__ == c.__name__ and kind is not Constraint
    }

    assert {type(constraint).__name__ for constraint, _ in CASES.values()} == every
    assert all(isinstance(constraint, Constraint) and constraint.name for constraint, _ in CASES.values())


def test_a_portfolio_that_is_not_held_keeps_a_least_position(problem: Problem) -> None:
    assert breach(c.MinPosition(0.25), problem, np.array([0.5, 0.5, 0.0])) == [-0.25, -0.25, 0.0]


@pytest.mark.parametrize(
    ("constraint", "row", "words"),
    [
        (c.Bounds(0.0, 0.1), 1, "weight of B at least 0 and at most 0.1"),
        (c.NoTrade(["B"]), 0, "weight of B exactly 0.4"),
        (c.GroupBounds(["x", "y", "x"], upper=0.6), 1, "industry y at most 0.6"),
        (c.ExposureBounds(upper={"size": 0.1}), 0, "exposure to size at most 0.1"),
        (c.MaxTurnover(0.2), 0, "turnover at most 0.2"),
        (c.MaxTrackingError(0.01), 0, "tracking error at most 0.01 a day"),
        (c.MaxNames(5), 0, "at most 5 names"),
    ],
)
def test_demands_say_what_they_demand(constraint: Constraint, row: int, words: str, problem: Problem) -> None:
    (demand,) = constraint.demands(problem)

    assert demand.words(row) == words


def test_scale_is_what_one_weight_does(problem: Problem) -> None:
    (exposure,) = c.ExposureBounds(
        upper=3.0, factors=["z"], exposures=np.array([[2.0], [-5.0], [0.0]])
    ).demands(problem)
    (risk,) = c.MaxRisk(0.01).demands(problem)

    assert exposure.scale.tolist() == [5.0]
    assert risk.scale == pytest.approx(np.sqrt(np.mean([2e-4, 4e-4, 10e-4])))


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (c.Budget(1.0, 0.5), "from the least to the most"),
        (c.Budget(np.nan, 1.0), "finite number"),
        (c.Bounds(0.2, 0.1), "not so for A"),
        (c.Bounds(np.array([0.0, np.nan, 0.0])), "must be numbers; not so for B"),
        (c.Bounds(np.zeros(2)), "one or 3 numbers"),
        (c.GroupBounds(["x"]), "group of each of 3 names"),
        (c.GroupBounds(["x", "y", "x"], upper={"z": 0.1}), "name z; the groups are x, y"),
        (c.ExposureBounds(0.0, 0.0), "names of the factors"),
        (c.ExposureBounds(upper={"momentum": 0.1}), "no exposures to momentum; it has size"),
        (c.MaxTurnover(-0.1), "0 or more"),
        (c.MaxTrackingError(np.nan), "0 or more"),
        (c.NoTrade(["D"]), "names D, not among"),
        (c.Liquidity(np.array([1.0, np.nan, 1.0]), 1.0), "daily amounts must be finite; not so for B"),
        (c.Liquidity(np.ones(3), 0.0), "capital above 0"),
        (c.MaxNames(0), "at least 1"),
        (c.MinPosition(-0.1), "0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(constraint: Constraint, message: str, problem: Problem) -> None:
    with pytest.raises(InvalidRequest, match=message):
        constraint.demands(problem)


@pytest.mark.parametrize(
    ("constraint", "missing"),
    [
        (c.MaxTurnover(0.1), "current"),
        (c.NoTrade(["A"]), "current"),
        (c.Liquidity(np.ones(3), 1.0, trades=True), "current"),
        (c.MaxTrackingError(0.1), "benchmark"),
        (c.GroupBounds(["x", "y", "x"], -1, 1, relative=True), "benchmark"),
        (c.MaxRisk(0.1), "risk"),
        (c.MinReturn(0.1), "expected_returns"),
    ],
)
def test_what_a_constraint_needs_is_asked_for(constraint: Constraint, missing: str, problem: Problem) -> None:
    without = replace(problem, **{missing: None})

    with pytest.raises(InvalidRequest, match=rf"needs .*\({missing}=.*the problem has none"):
        constraint.demands(without)


def test_turnover_counts_cash_as_a_holding() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        before, after = rng.dirichlet(np.ones(5), 2)[:, :4]
        change = np.append(after - before, before.sum() - after.sum())  # the last is cash

        assert turnover(after, before) == pytest.approx(np.abs(change).sum() / 2)
