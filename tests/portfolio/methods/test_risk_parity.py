from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import RiskBudgeting

from quantflux.core.errors import InvalidRequest, OptimisationError
from quantflux.portfolio.constraints import Bounds, Budget, GroupBounds, MaxNames
from quantflux.portfolio.costs import LinearCost
from quantflux.portfolio.methods import optimise, risk_parity
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel
from tests.portfolio.problems import dense, factor_risk, groups, market, names


def shares(covariance: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Each name's part of the variance, written out anew."""
    return weights * (covariance @ weights) / (weights @ covariance @ weights)


@pytest.mark.parametrize("count", [2, 12, 60])
@pytest.mark.parametrize("form", [lambda risk: risk, dense], ids=["in factors", "dense"])
def test_contributions_are_equal(count: int, form) -> None:  # type: ignore[no-untyped-def]
    risk = factor_risk(count)

    found = optimise(Problem(names(count), risk=form(risk)), "risk_parity")

    np.testing.assert_allclose(shares(risk.covariance(), found.weights), 1 / count, rtol=1e-8)
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.solver == "Newton" and not found.notes


def test_contributions_are_the_budgets() -> None:
    risk, budgets = factor_risk(12), np.arange(1.0, 13.0)

    found = optimise(Problem(names(12), risk=risk), "risk_parity", budgets=budgets)

    np.testing.assert_allclose(shares(risk.covariance(), found.weights), budgets / 78, rtol=1e-8)


def test_names_that_do_not_move_together_weigh_by_volatility() -> None:
    risk = RiskModel(("A", "B"), dense=np.diag([1e-4, 9e-4]))

    found = optimise(Problem(("A", "B"), risk=risk), "risk_parity")

    np.testing.assert_allclose(found.weights, [0.75, 0.25])


def test_opposite_names_converge() -> None:
    # With a correlation of -0.95 the portfolio hardly moves, and Newton's first steps are far too long.
    risk = RiskModel(("A", "B", "C"), dense=np.array([[4, -5.7, 0], [-5.7, 9, 0], [0, 0, 1]]) * 1e-4)

    found = optimise(Problem(("A", "B", "C"), risk=risk), "risk_parity")

    np.testing.assert_allclose(shares(risk.dense, found.weights), 1 / 3, rtol=1e-8)  # type: ignore[arg-type]


def test_cash_scales_it() -> None:
    whole = optimise(market(), "risk_parity")
    part = optimise(market(constraints=(Budget(0.5, 0.8),)), "risk_parity")

    np.testing.assert_allclose(part.weights, whole.weights * 0.8, rtol=1e-9)


def test_skfolio_finds_the_same_with_and_without_bounds() -> None:
    returns = market(8).returns
    assert returns is not None
    covariance = np.cov(returns, rowvar=False)
    problem = Problem(names(8), risk=RiskModel(names(8), dense=covariance))
    free = risk_parity(problem)
    cap = float(np.sort(free.weights)[-3])  # two names want more

    bound = risk_parity(replace(problem, constraints=(Bounds(0, cap),)))

    theirs = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE).fit(returns)
    capped = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE, max_weights=cap).fit(returns)
    np.testing.assert_allclose(free.weights, theirs.weights_, atol=1e-4)
    np.testing.assert_allclose(bound.weights, capped.weights_, atol=1e-4)


def test_constraints_that_bend_it_are_kept_and_told() -> None:
    problem = market(constraints=(GroupBounds(groups(12), upper={"bank": 0.2}),))

    found = optimise(problem, "risk_parity")

    banks = np.array(groups(12)) == "bank"
    assert found.weights[banks].sum() == pytest.approx(0.2, abs=1e-6)
    part = shares(problem.risk.covariance(), found.weights) * 12  # type: ignore[union-attr]
    assert f"between {part.min():.3g} and {part.max():.3g} of their budgets" in found.notes[0]
    # Within the limited group, and within the rest, the log barrier treats names alike:
    # x_i (S x)_i + multiplier x_i is the same for all. Check it by a fit of the multiplier.
    x, pull = found.weights, problem.risk.times(found.weights)  # type: ignore[union-attr]
    left = np.column_stack([np.ones(12), -x * banks, -x])
    fitted, residual, *_ = np.linalg.lstsq(left, x * pull, rcond=None)
    assert residual[0] ** 0.5 < 1e-4 * fitted[0]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="above 0"):
        optimise(market(), "risk_parity", budgets=np.zeros(12))
    still = RiskModel(("A", "B"), dense=np.diag([1e-4, 0.0]))
    with pytest.raises(InvalidRequest, match="no variance for B"):
        optimise(Problem(("A", "B"), risk=still), "risk_parity")


def test_a_limit_on_names_spreads_risk_over_those_held() -> None:
    problem = market(constraints=(MaxNames(5),))

    found = optimise(problem, "risk_parity")

    held = found.weights > 0
    assert held.sum() == 5
    part = shares(problem.risk.covariance(), found.weights)[held]  # type: ignore[union-attr]
    np.testing.assert_allclose(part, 0.2, rtol=1e-3)


def test_costs_are_said_not_to_count() -> None:
    found = optimise(market(costs=(LinearCost(0.001, 0.001),), holding_days=5.0), "risk_parity")

    assert found.statistics.cost is not None and found.statistics.cost > 0
    assert "does not weigh them" in found.notes[0]


@pytest.mark.parametrize("first", [1.0, 0.4])
def test_positive_weights_without_variance_do_not_converge_and_that_is_said(first: float) -> None:
    # `first` of A and 1 of B undo each other: the more of both the smaller the function, without end.
    undone = np.outer([1.0, -first], [1.0, -first]) * 1e-4

    with pytest.raises(OptimisationError, match="positive weights without variance"):
        optimise(Problem(("A", "B"), risk=RiskModel(("A", "B"), dense=undone)), "risk_parity")
