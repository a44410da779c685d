"""PyPortfolioOpt: `EfficientFrontier.max_quadratic_utility` with sector constraints, on Clarabel as the others."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from pypfopt import EfficientFrontier

from benchmarks.portfolio.rivals.running import main
from benchmarks.portfolio.rivals.scene import INDUSTRY, RISK_AVERSION, Scene


def prepare(scene: Scene) -> Callable[[], np.ndarray]:
    """Return the optimisation."""
    covariance = scene.covariance()
    sectors = {name: str(number) for name, number in enumerate(scene.industry)}
    most = {str(number): INDUSTRY for number in np.unique(scene.industry)}

    def solve() -> np.ndarray:
        frontier = EfficientFrontier(
            scene.expected, covariance, weight_bounds=(0, scene.largest), solver="CLARABEL"
        )
        frontier.add_sector_constraints(sectors, {}, most)
        frontier.max_quadratic_utility(risk_aversion=RISK_AVERSION)
        return np.asarray(frontier.weights)

    return solve


if __name__ == "__main__":
    main(f"PyPortfolioOpt {version('pyportfolioopt')}", prepare)
