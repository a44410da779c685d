"""Weighted covariances over the days that pairs of assets share."""

from __future__ import annotations

import numpy as np

from quantflux.portfolio.risk.history import History


def weighted_covariance(history: History, weights: np.ndarray) -> np.ndarray:
    """Return the unbiased weighted covariance of every pair, shape (N, N).

    Each pair has its own means, over the days on which both are known. The divisor makes the estimate unbiased for
    independent days: with equal weights it is the number of days less one. It is what `DataFrame.cov` and
    `DataFrame.ewm(...).cov` of pandas compute.

    Parameters
    ----------
    history : History
    weights : array of shape (T,)
        Positive.
    """
    x = history.centred(weights)  # the common shift changes nothing but the rounding
    scaled = x * weights[:, None]
    product = x.T @ scaled
    if history.is_complete:
        total, squares = float(weights.sum()), float((weights**2).sum())
        return np.asarray(_symmetric(product * (total / (total * total - squares))))
    known = history.known.astype(np.float64)
    total = known.T @ (known * weights[:, None])
    sums = scaled.T @ known  # of asset i over the days of j
    product -= sums * sums.T / total
    product *= total
    total *= total
    total -= known.T @ (known * (weights**2)[:, None])
    product /= total
    return _symmetric(product)


def decay(days: int, half_life: float) -> np.ndarray:
    """Return weights that halve every `half_life` days back from the last one, which has 1; shape (T,).

    Examples
    --------
    >>> decay(3, 1.0).tolist()
    [0.25, 0.5, 1.0]
    """
    return np.asarray(0.5 ** (np.arange(days - 1, -1, -1) / half_life))


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return np.asarray((matrix + matrix.T) / 2)
