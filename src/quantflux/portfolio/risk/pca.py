"""A statistical factor model: the directions in which the assets moved together most.

1. Each asset's returns are taken about their own mean.
2. The days' mean products, over the assets known on both days, are a matrix of days by days; its leading eigenvectors
   are the factors' returns (`_components`). These are the asymptotic principal components of Connor and Korajczyk
   (1986), "Performance measurement with the arbitrage pricing theory", Journal of Financial Economics 15, with their
   (1987) treatment of missing observations; without gaps they are the principal components of the sample covariance.
3. Each asset's exposures are its regression on them, over its own days; what that leaves is its specific variance
   (`_exposures`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.history import LEAST_DAYS, History, history_of
from quantflux.portfolio.risk.model import RiskModel

MOST_FACTORS = 20


def statistical_risk(
    returns: np.ndarray, symbols: Sequence[str], *, count: int | None = None, least: int = LEAST_DAYS
) -> RiskModel:
    """Return a model of factors found in the returns themselves.

    Parameters
    ----------
    returns : array of shape (T, N)
        Simple daily returns, fractions; NaN where there is none.
    symbols : sequence of str, length N
    count : int, optional
        Number of factors; unless given, `bai_ng_count` chooses from 1 to 20.
    least : int
        Days that every pair of assets must share; more than `count` + 2.

    Returns
    -------
    RiskModel
        Factored. A specific variance is that of the regression's residuals, divided by the asset's days - count - 1.

    Raises
    ------
    InvalidRequest
        If `count` is no number of factors for so many days and assets, and as in `history.history_of`.
    """
    history = history_of(returns, symbols, least)
    days, assets = history.known.shape
    most = min(days, assets, int(history.known.sum(axis=0).min()) - 2)
    if most < 1 or (count is not None and not 1 <= count <= most):
        raise InvalidRequest(
            f"count must be 1 to {most} factors for {assets} assets of {days} days and a shortest history of "
            f"{history.known.sum(axis=0).min()}, was {count}"
        )
    x = history.centred(np.ones(days))
    values, vectors = _components(x, history)
    chosen = bai_ng_count(values, assets, min(most, MOST_FACTORS)) if count is None else count
    factor_returns = vectors[:, :chosen]
    exposures, specific = _exposures(x, history, factor_returns)
    signs = np.where(exposures.sum(axis=0) < 0, -1.0, 1.0)  # an eigenvector has none of its own
    return RiskModel(
        history.symbols,
        exposures=exposures * signs,
        factor_covariance=np.atleast_2d(np.cov(factor_returns * signs, rowvar=False)),
        specific=specific,
        factors=tuple(f"component_{k + 1}" for k in range(chosen)),
        notes=(f"{chosen} statistical factors", *history.notes),
    )


def bai_ng_count(eigenvalues: np.ndarray, assets: int, most: int) -> int:
    """Return the number of factors that the criterion IC_p2 of Bai and Ng chooses, at least 1.

    It is the k with the least ln V(k) + k (N + T) / (N T) ln min(N, T), where V(k) is the mean square that k factors
    leave. Bai and Ng (2002), "Determining the number of factors in approximate factor models", Econometrica 70(1).

    Parameters
    ----------
    eigenvalues : array of shape (T,)
        Of the days' mean products, falling.
    assets, most : int
        N, and the largest count to try.
    """
    days = len(eigenvalues)
    whole = float(np.maximum(eigenvalues, 0.0).sum())
    left = whole - np.cumsum(np.maximum(eigenvalues, 0.0))[:most]
    sensible = left > 1e-12 * whole  # beyond, everything is explained
    if not sensible.any():
        return 1
    k = np.arange(1, most + 1)[sensible]
    price = (assets + days) / (assets * days) * np.log(min(assets, days))
    return int(k[np.argmin(np.log(left[sensible] / days) + k * price)])


def _components(x: np.ndarray, history: History) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, falling, and eigenvectors of the days' mean products."""
    if history.is_complete:
        products = x @ x.T / x.shape[1]
    else:
        known = history.known.astype(np.float64)
        products = x @ x.T / np.maximum(known @ known.T, 1.0)
    values, vectors = np.linalg.eigh(products)
    return values[::-1], vectors[:, ::-1]


def _exposures(x: np.ndarray, history: History, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes (N, K) of each asset's regression on factors and a constant, and the residual variances (N,)."""
    days, count = factors.shape
    design = np.column_stack([np.ones(days), factors])
    pairs = (design[:, :, None] * design[:, None, :]).reshape(days, -1)
    own = history.known.T.astype(np.float64) @ pairs  # each asset's own normal equations, over its days
    right = x.T @ design
    slopes = np.linalg.solve(own.reshape(-1, count + 1, count + 1), right[:, :, None])[:, :, 0]
    residuals = np.where(history.known, x - design @ slopes.T, 0.0)
    freedom = history.known.sum(axis=0) - count - 1
    return slopes[:, 1:], (residuals**2).sum(axis=0) / freedom
