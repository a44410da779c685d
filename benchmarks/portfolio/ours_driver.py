"""quantflux's optimiser, given the risk model in its factors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import quantflux
from benchmarks.portfolio.rivals.running import main
from benchmarks.portfolio.rivals.scene import INDUSTRY, RISK_AVERSION, Scene
from quantflux.portfolio.constraints import Bounds, GroupBounds
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel


def prepare(scene: Scene) -> Callable[[], np.ndarray]:
    """Return the optimisation."""
    names = tuple(f"N{number}" for number in range(len(scene.expected)))
    risk = RiskModel(
        names,
        exposures=scene.exposures,
        factor_covariance=scene.factor_covariance,
        specific=scene.specific,
        factors=tuple(f"F{number}" for number in range(scene.exposures.shape[1])),
    )
    constraints = (
        Bounds(0.0, scene.largest),
        GroupBounds([str(number) for number in scene.industry], upper=INDUSTRY),
    )

    def solve() -> np.ndarray:
        problem = Problem(names, expected_returns=scene.expected, risk=risk, constraints=constraints)
        return optimise(problem, "mean_variance", risk_aversion=RISK_AVERSION).weights

    return solve


if __name__ == "__main__":
    main(f"quantflux {quantflux.__version__}", prepare)
