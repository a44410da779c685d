from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skfolio.distance import CovarianceDistance
from skfolio.moments import EmpiricalCovariance
from skfolio.optimization import HierarchicalRiskParity

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.constraints import Bounds, Budget, GroupBounds
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel
from tests.portfolio.problems import groups, market


def test_two_names_weigh_by_inverse_variance() -> None:
    risk = RiskModel(("A", "B"), dense=np.array([[1e-4, 5e-5], [5e-5, 4e-4]]))

    found = optimise(Problem(("A", "B"), risk=risk), "hrp")

    np.testing.assert_allclose(found.weights, [0.8, 0.2])


def test_twins_share_the_weight_of_one() -> None:
    # A and C move together, so do B and D; the pairs do not. Each pair is halved by inverse variance, and so is the
    # whole, by the variances of the pairs: worked by hand.
    covariance = np.zeros((4, 4))
    covariance[np.ix_([0, 2], [0, 2])] = 1e-4 * np.array([[1, 0.9], [0.9, 1]])
    covariance[np.ix_([1, 3], [1, 3])] = 4e-4 * np.array([[1, 0.9], [0.9, 1]])

    found = optimise(Problem(tuple("ABCD"), risk=RiskModel(tuple("ABCD"), dense=covariance)), "hrp")

    np.testing.assert_allclose(found.weights, [0.4, 0.1, 0.4, 0.1])


def test_returns_alone_give_what_skfolio_gives_from_them() -> None:
    problem = market(risk=None)

    found = optimise(problem, "hrp")

    theirs = HierarchicalRiskParity(distance_estimator=CovarianceDistance(EmpiricalCovariance())).fit(
        problem.returns
    )
    np.testing.assert_allclose(found.weights, theirs.weights_, atol=1e-9)


def test_bounds_are_kept_and_the_budget_is_scaled() -> None:
    free = optimise(market(), "hrp")
    cap = float(np.sort(free.weights)[-3])

    bound = optimise(market(constraints=(Bounds(0, cap * 0.8), Budget(0.0, 0.8))), "hrp")

    assert bound.weights.sum() == pytest.approx(0.8)
    assert bound.weights.max() <= cap * 0.8 + 1e-9
    assert free.weights.max() > cap


def test_other_constraints_are_only_checked() -> None:
    problem = market()
    most = optimise(problem, "hrp").weights[np.array(groups(12)) == "bank"].sum()

    with pytest.raises(InvalidRequest, match="hrp has no freedom"):
        optimise(replace(problem, constraints=(GroupBounds(groups(12), upper={"bank": most - 0.05}),)), "hrp")


def test_what_cannot_be_split_is_refused() -> None:
    still = market(3)
    returns = np.array(still.returns)
    returns[:, 1] = 0.01

    with pytest.raises(InvalidRequest, match="S001 does not"):
        optimise(replace(still, risk=None, returns=returns), "hrp")
    with pytest.raises(InvalidRequest, match="long only"):
        optimise(market(constraints=(Bounds(-0.1, 1.0),)), "hrp")
    with pytest.raises(InvalidRequest, match="needs daily returns"):
        optimise(market(risk=None, returns=None), "hrp")
