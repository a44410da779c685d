"""Series of returns for the tests of metrics."""

from __future__ import annotations

import numpy as np


def fat_tailed(seed: int, count: int = 500, drift: float = 0.0008) -> np.ndarray:
    """Daily returns with tails as heavy as those of shares, and some days without any."""
    rng = np.random.default_rng(seed)
    found = np.clip(drift + 0.011 * rng.standard_t(4, count), -0.1, 0.1)
    found[rng.random(count) < 0.02] = 0.0
    return found


def related(seed: int, count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Returns of an account and of its benchmark."""
    market = fat_tailed(seed, count, 0.0004)
    return 0.0003 + 0.8 * market + fat_tailed(seed + 1000, count, 0.0) / 2, market


def account(returns: np.ndarray, start: float = 1e7) -> np.ndarray:
    """What an account with these returns is worth, the start before them."""
    return start * np.cumprod(np.concatenate([[1.0], 1 + returns]))
