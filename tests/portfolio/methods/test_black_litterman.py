from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skfolio.moments import EquilibriumMu
from skfolio.prior import BlackLitterman, EmpiricalPrior

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.constraints import Bounds
from quantflux.portfolio.methods import AbsoluteView, RelativeView, optimise
from quantflux.portfolio.methods.black_litterman import View, posterior
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel
from tests.portfolio.problems import market, names

VIEWS: tuple[View, ...] = (
    AbsoluteView("S001", 0.001, 0.3),
    RelativeView(("S000", "S003"), ("S004",), 0.0005, 0.8),
)


def plain(**changes: object) -> Problem:
    return market(8, expected_returns=None, **changes)


def test_the_posterior_is_that_of_normal_variables() -> None:
    # With a prior N(p, tau S) of the means and views P m + e = q, e ~ N(0, D), the posterior mean is the generalised
    # least-squares estimate: (tau S)^-1 + P' D^-1 P, inverted, times (tau S)^-1 p + P' D^-1 q. Its covariance is that
    # inverse.
    problem, tau = plain(), 0.05
    assert problem.risk is not None and problem.benchmark is not None
    covariance = problem.risk.covariance()
    implied = 2.5 * covariance @ problem.benchmark
    rows = np.zeros((2, 8))
    rows[0, 1] = 1.0
    rows[1, [0, 3, 4]] = 0.5, 0.5, -1.0
    errors = np.diag(rows @ (tau * covariance) @ rows.T) * [0.7 / 0.3, 0.2 / 0.8]
    before, seen = np.linalg.inv(tau * covariance), rows.T / errors
    spread = np.linalg.inv(before + seen @ rows)
    mean = spread @ (before @ implied + seen @ [0.001, 0.0005])

    found = posterior(problem, VIEWS, tau=tau)

    np.testing.assert_allclose(found.expected_returns, mean, rtol=1e-8)
    np.testing.assert_allclose(found.implied, implied, rtol=1e-12)
    np.testing.assert_allclose(found.covariance(), covariance + spread, rtol=1e-8, atol=1e-14)


def test_skfolio_finds_the_same() -> None:
    problem = plain()
    returns, benchmark = problem.returns, problem.benchmark
    assert returns is not None and benchmark is not None
    risk = RiskModel(names(8), dense=np.cov(returns, rowvar=False))
    theirs = BlackLitterman(
        views=["x1 == 0.001", "0.5 * x0 + 0.5 * x3 - x4 == 0.0005"],
        groups=np.array([[f"x{i}" for i in range(8)]]),
        view_confidences=[0.3, 0.8],
        tau=0.05,
        prior_estimator=EmpiricalPrior(mu_estimator=EquilibriumMu(risk_aversion=2.5, weights=benchmark)),
    ).fit(returns)

    found = posterior(replace(problem, risk=risk), VIEWS)

    np.testing.assert_allclose(found.expected_returns, theirs.return_distribution_.mu, rtol=1e-6)
    np.testing.assert_allclose(found.covariance(), theirs.return_distribution_.covariance, rtol=1e-6)


def test_without_views_the_benchmark_is_the_best_portfolio() -> None:
    problem = plain()

    found = optimise(problem, "black_litterman")

    np.testing.assert_allclose(found.weights, problem.benchmark, atol=1e-5)  # type: ignore[arg-type]
    assert found.method == "black_litterman"


def test_a_view_moves_the_portfolio_along_the_view_alone() -> None:
    # He and Litterman: without constraints the best portfolio is the benchmark plus a multiple of the view's.
    problem = plain(constraints=(Bounds(-np.inf, np.inf),))
    view = RelativeView(("S002",), ("S005",), 0.002, 0.5)

    moved = optimise(problem, "black_litterman", views=[view]).weights - problem.benchmark  # type: ignore[operator]

    assert moved[2] > 0.01
    assert moved[5] == pytest.approx(-moved[2], rel=1e-4)
    np.testing.assert_allclose(np.delete(moved, [2, 5]), 0.0, atol=1e-5)


def test_confidence_goes_from_the_market_to_the_view() -> None:
    problem = plain()
    implied = posterior(problem, ()).implied[1]

    means = [
        posterior(problem, [AbsoluteView("S001", 0.003, c)]).expected_returns[1] for c in (1e-9, 0.5, 1.0)
    ]

    assert means == pytest.approx([implied, (implied + 0.003) / 2, 0.003])


def test_uncertain_means_make_the_portfolio_more_careful() -> None:
    sure = optimise(plain(), "black_litterman", views=VIEWS)
    unsure = optimise(plain(), "black_litterman", views=VIEWS, uncertain=True)

    assert sure.statistics.risk is not None and unsure.statistics.risk is not None
    assert unsure.statistics.risk > sure.statistics.risk * 0.9
    assert np.abs(sure.weights - unsure.weights).max() > 1e-4


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([AbsoluteView("X", 0.001)], "names X"),
        ([AbsoluteView("S001", np.nan)], "finite"),
        ([AbsoluteView("S001", 0.001, 0.0)], "confidence must be above 0"),
        ([AbsoluteView("S001", 0.001, 1.5)], "at most 1"),
        ([RelativeView("S001", ["S002"], 0.001)], "list of names"),
        ([RelativeView(["S001"], [], 0.001)], "list of names"),
        ([RelativeView(["S001"], ["S001"], 0.001)], "both sides"),
        ([AbsoluteView("S001", 0.001, 1.0), AbsoluteView("S001", 0.002, 1.0)], "contradict"),
    ],
)
def test_views_that_make_no_sense_are_refused(views: list[View], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        optimise(plain(), "black_litterman", views=views)


def test_expected_returns_of_ones_own_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="state yours as views"):
        optimise(market(8), "black_litterman")
    with pytest.raises(InvalidRequest, match="benchmark="):
        optimise(plain(benchmark=None), "black_litterman")
