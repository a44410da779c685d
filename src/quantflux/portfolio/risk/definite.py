"""Mends matrices of pairwise covariances, which may promise portfolios of negative variance."""

from __future__ import annotations

import numpy as np

_ROUNDING = 1e-12  # of the largest eigenvalue


def semidefinite(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the covariance without negative eigenvalues, and how far the most negative one went.

    The negative eigenvalues of the correlations are set to zero and the result is scaled back to the variances as they
    were measured, which stay. Rebonato and Jaeckel (2000), "The most general methodology to create a valid correlation
    matrix", call it spectral decomposition.

    Returns
    -------
    array of shape (N, N)
        The same array if nothing was wrong with it.
    float
        The most negative eigenvalue of the correlations, as a positive number; 0 if there was none.

    Examples
    --------
    >>> mended, amiss = semidefinite(np.array([[1.0, 1.1], [1.1, 1.0]]))
    >>> mended.round(6).tolist(), round(amiss, 6)
    ([[1.0, 1.0], [1.0, 1.0]], 0.1)
    """
    deviation = np.sqrt(covariance.diagonal())
    correlation = covariance / np.outer(deviation, deviation)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] >= -_ROUNDING * values[-1]:
        return covariance, 0.0
    kept = vectors * np.sqrt(np.maximum(values, 0.0))
    kept *= (deviation / np.sqrt((kept**2).sum(axis=1)))[:, None]
    mended = kept @ kept.T
    mended[np.diag_indices(len(mended))] = covariance.diagonal()
    return np.asarray((mended + mended.T) / 2), float(-values[0])


def repair_note(amiss: float) -> tuple[str, ...]:
    """Return what a model says of a repair; nothing if there was none."""
    if not amiss:
        return ()
    return (f"pairwise covariances were made consistent; their most negative eigenvalue was {-amiss:.2g}",)
