"""skfolio alone: `MeanRisk` with a prior that holds the given expectations and covariance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import skfolio
from skfolio.optimization import MeanRisk, ObjectiveFunction
from skfolio.prior import BasePrior, ReturnDistribution

from benchmarks.portfolio.rivals.running import main
from benchmarks.portfolio.rivals.scene import INDUSTRY, RISK_AVERSION, Scene


class Given(BasePrior):
    """A prior that estimates nothing."""

    def __init__(self, expected: np.ndarray, covariance: np.ndarray) -> None:
        self.expected = expected
        self.covariance = covariance

    def fit(self, X: np.ndarray, y: Any = None, **fit_params: Any) -> Given:  # noqa: N803 - scikit-learn's name
        """Take over what was given."""
        del y, fit_params
        self.return_distribution_ = ReturnDistribution(
            mu=self.expected, covariance=self.covariance, returns=X
        )
        return self


def prepare(scene: Scene) -> Callable[[], np.ndarray]:
    """Return the optimisation; scikit-learn's interface wants some returns, which nothing reads."""
    covariance = scene.covariance()
    names = len(scene.expected)
    some = np.random.default_rng(0).normal(0, 0.01, (3, names))
    industries = np.equal.outer(np.unique(scene.industry), scene.industry).astype(float)

    def solve() -> np.ndarray:
        model = MeanRisk(
            objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
            risk_aversion=RISK_AVERSION / 2,
            prior_estimator=Given(scene.expected, covariance),
            max_weights=scene.largest,
            left_inequality=industries,
            right_inequality=np.full(len(industries), INDUSTRY),
        )
        return np.asarray(model.fit(some).weights_)

    return solve


if __name__ == "__main__":
    main(f"skfolio {skfolio.__version__}", prepare)
