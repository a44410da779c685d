"""Hierarchical risk parity, by skfolio."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest, OptimisationError
from quantflux.portfolio.checking import box
from quantflux.portfolio.methods.naive import in_budget, positive_volatilities, prescribed
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio


def hrp(problem: Problem) -> Portfolio:
    """Split risk along a tree of similar names: names that move together share the weight of one.

    Names are ordered by hierarchical clustering of their correlations; then each part of the order is halved, and each
    half gets weight in inverse proportion to its variance. No covariance is inverted. Bounds of single names are kept
    while splitting; other constraints are only checked.

    Parameters
    ----------
    problem : Problem
        With a risk model, or with returns, whose sample covariance is taken then.

    Raises
    ------
    InvalidRequest
        If the result breaks a constraint.
    OptimisationError
        If skfolio finds no weights.

    References
    ----------
    Lopez de Prado (2016), "Building Diversified Portfolios that Outperform Out of Sample", Journal of Portfolio
    Management 42(4): 59-69.
    """
    lower, upper = box(problem)
    most = float(in_budget(problem, np.ones(len(lower))).sum())
    if len(lower) < 2 or lower.min() < 0:
        raise InvalidRequest(
            f"hrp needs 2 or more names, long only; had {len(lower)}, lower bound {lower.min():g}"
        )
    # skfolio splits a whole of 1; the budget's share of it is put on afterwards.
    weights = _split(_covariance(problem), np.maximum(lower / most, 0.0), np.minimum(upper / most, 1.0))
    return prescribed(problem, weights, "hrp", status="optimal", solver="skfolio HierarchicalRiskParity")


def _covariance(problem: Problem) -> np.ndarray:
    if problem.risk is not None:
        positive_volatilities(problem, "hrp")
        return problem.risk.covariance()
    returns = problem.scenarios_for("hrp without a risk model")
    still = np.ptp(returns, axis=0) == 0
    if still.any():
        raise InvalidRequest(f"hrp needs names that move; {problem.symbols[int(np.argmax(still))]} does not")
    return np.asarray(np.cov(returns, rowvar=False))


def _split(covariance: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    # skfolio takes 1.5 s to import, and only this method wants it.
    from skfolio.distance import CovarianceDistance  # noqa: PLC0415
    from skfolio.exceptions import OptimizationError  # noqa: PLC0415
    from skfolio.optimization import HierarchicalRiskParity  # noqa: PLC0415
    from skfolio.prior import BasePrior, ReturnDistribution  # noqa: PLC0415

    class Given(BasePrior):  # type: ignore[misc]
        """A covariance that is known already."""

        def __init__(self, covariance: np.ndarray) -> None:
            self.covariance = covariance

        def fit(self, X: np.ndarray, y: None = None, **parameters: Any) -> Given:  # noqa: N803 - skfolio's name
            """Take it."""
            del y, parameters
            self.return_distribution_ = ReturnDistribution(
                mu=np.zeros(len(self.covariance)), covariance=self.covariance, returns=X
            )
            return self

    model = HierarchicalRiskParity(
        prior_estimator=Given(covariance),
        distance_estimator=CovarianceDistance(covariance_estimator="precomputed"),
        min_weights=lower,
        max_weights=upper,
    )
    try:
        model.fit(np.zeros((2, len(covariance))))  # a shape; all that counts comes from the prior
    except (OptimizationError, ValueError) as failure:
        raise OptimisationError(f"skfolio found no hrp weights: {failure}", "failed") from failure
    return np.asarray(model.weights_)
