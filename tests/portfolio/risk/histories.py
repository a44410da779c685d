"""Random returns driven by a few factors, with and without gaps."""

from __future__ import annotations

import numpy as np


def names(count: int) -> list[str]:
    return [f"{600000 + i}.SH" for i in range(count)]


def driven_returns(
    days: int, assets: int, factors: int = 2, *, seed: int = 0, gaps: float = 0.0
) -> np.ndarray:
    """Daily returns of factors plus noise; a share of them missing, and the first asset listed late."""
    rng = np.random.default_rng(seed)
    exposures = rng.normal(1.0, 0.5, (assets, factors))
    returns = rng.normal(0, 0.01, (days, factors)) @ exposures.T + rng.normal(5e-4, 0.015, (days, assets))
    if gaps:
        returns[rng.random(returns.shape) < gaps] = np.nan
        returns[: days // 4, 0] = np.nan
    return returns
