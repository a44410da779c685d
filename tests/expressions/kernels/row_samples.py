"""Rows of every awkward kind that the tests of cross-section kernels share."""

from __future__ import annotations

import numpy as np


def rows_of_every_kind(seed: int = 0, width: int = 61) -> np.ndarray:
    """Numbers with gaps and ties, and rows that are empty, constant, nearly so, infinite, or have a single number."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(14, width))
    x[random.random(x.shape) < 0.15] = np.nan
    x[1] = random.integers(0, 4, width)
    x[2] = np.nan
    x[3] = np.where(np.arange(width) == width // 3, 2.5, np.nan)
    x[4] = 0.1
    x[5] = random.choice([-0.0, 0.0, np.nan], width)
    x[6] = random.choice([-1.0, -0.0, 0.0, 1.0], width)
    x[7, ::9], x[7, 1::9] = np.inf, -np.inf
    x[8] = np.exp(random.normal(size=width) * 6 + 10)
    x[9] = 1e9 + random.normal(size=width)
    x[10, 2:] = np.nan
    x[11] = np.arange(width)
    x[12] = -np.arange(width)
    return x


def weights(seed: int = 1, width: int = 61) -> np.ndarray:
    """Positive numbers of several magnitudes, with gaps."""
    random = np.random.default_rng(seed)
    weight = np.exp(random.normal(size=(14, width)) * 2)
    weight[random.random(weight.shape) < 0.1] = np.nan
    return weight


def group_codes(seed: int = 2, width: int = 61, groups: int = 7) -> np.ndarray:
    """Codes with gaps, not the same in every row; the last group is alone or empty."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, groups, (14, width)).astype(float)
    codes[random.random(codes.shape) < 0.1] = np.nan
    codes[codes == groups - 1] = 0
    codes[::2, width // 2] = groups - 1
    return codes
