"""The problem that every optimiser is given: highest utility, long only, with bounds on names and industries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

RISK_AVERSION = 20.0
"""Utility is the expected return of a day less half of this times the variance of a day."""
INDUSTRY = 0.10
"""Largest weight of an industry."""


class Scene:
    """The arrays in a folder, for N names, K factors and J industries.

    Attributes
    ----------
    expected : array of shape (N,)
    exposures : array of shape (N, K)
    factor_covariance : array of shape (K, K)
    specific : array of shape (N,)
    industry : array of int, shape (N,)
    """

    def __init__(self, folder: Path) -> None:
        self.expected = np.load(folder / "expected.npy")
        self.exposures = np.load(folder / "exposures.npy")
        self.factor_covariance = np.load(folder / "factor_covariance.npy")
        self.specific = np.load(folder / "specific.npy")
        self.industry = np.load(folder / "industry.npy")

    @property
    def largest(self) -> float:
        """Largest weight of a name."""
        return max(0.02, 5 / len(self.expected))

    def covariance(self) -> np.ndarray:
        """Return the whole matrix, shape (N, N)."""
        return self.exposures @ self.factor_covariance @ self.exposures.T + np.diag(self.specific)

    def utility(self, weights: np.ndarray) -> float:
        """Return what is to be made large."""
        carried = self.exposures.T @ weights
        variance = carried @ self.factor_covariance @ carried + self.specific @ weights**2
        return float(self.expected @ weights - RISK_AVERSION / 2 * variance)

    def worst_breach(self, weights: np.ndarray) -> float:
        """Return by how much weights break the constraint that they break most."""
        by_industry = np.bincount(self.industry, weights)
        return float(
            max(
                abs(weights.sum() - 1),
                -weights.min(),
                weights.max() - self.largest,
                by_industry.max() - INDUSTRY,
            )
        )
