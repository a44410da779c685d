"""One number a day and name to rank by, made of several factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.ranking import SortedRows


def standardised(values: np.ndarray, chosen: np.ndarray, combine: str) -> np.ndarray:
    """Return values made comparable among the chosen names of each day.

    Parameters
    ----------
    values : array of float64, shape (T, N)
        NaN and infinite ones are unknown.
    chosen : array of bool, shape (T, N)
    combine : {"rank", "zscore"}
        Ranks lie between 0 and 1, the mean of ties for each of them; z-scores have mean 0 and standard deviation 1
        (ddof 0) over the names of the day, and are 0 where all values are equal.

    Returns
    -------
    array of float64, shape (T, N)
        NaN where the name is not chosen or its value is unknown.

    Examples
    --------
    >>> x, everyone = np.array([[3.0, 1.0, np.nan, 2.0]]), np.ones((1, 4), dtype=bool)
    >>> standardised(x, everyone, "rank").round(3).tolist()
    [[0.833, 0.167, nan, 0.5]]
    >>> standardised(x, everyone, "zscore").round(3).tolist()
    [[1.225, -1.225, nan, 0.0]]
    """
    known = np.isfinite(values)
    among = known & chosen
    finite = values if known.all() else np.where(known, values, np.nan)
    return _ranks(finite, among) if combine == "rank" else _zscores(finite, among)


def _ranks(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    count = among.sum(axis=1, keepdims=True)
    placed = (SortedRows(values).ranks(among) - 0.5) / np.maximum(count, 1)
    return np.where(among, placed, np.nan)


def _zscores(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    count = np.maximum(among.sum(axis=1, keepdims=True), 1)
    mean = np.where(among, values, 0.0).sum(axis=1, keepdims=True) / count
    apart = np.where(among, values - mean, 0.0)
    deviation = np.sqrt((apart * apart).sum(axis=1, keepdims=True) / count)
    # Equal values may leave a deviation of rounding errors, which must not become scores.
    spread = deviation > 1e-12 * np.abs(mean)
    scaled = np.divide(apart, deviation, out=np.zeros_like(apart), where=spread & among)
    return np.where(among, scaled, np.nan)


def weighted(parts: Sequence[np.ndarray], weights: Sequence[float], least: float = 0.5) -> np.ndarray:
    """Return the weighted mean of what is known of each name, shape (T, N).

    Parameters
    ----------
    parts : sequence of array of float64, shape (T, N)
        Comparable, NaN unknown.
    weights : sequence of float
        Above zero; only their proportions matter.
    least : float
        Part of all weight that must be known, else the score is NaN.

    Examples
    --------
    >>> one, two = np.array([[1.0, 0.5, np.nan]]), np.array([[0.0, np.nan, np.nan]])
    >>> weighted([one, two], [3, 1], least=0.7).tolist()
    [[0.75, 0.5, nan]]
    """
    if not parts or len(parts) != len(weights):
        raise InvalidRequest(f"a score needs a weight for each part, had {len(parts)} and {len(weights)}")
    shares = np.asarray(weights, dtype=np.float64) / sum(weights)
    total, known = np.zeros(parts[0].shape), np.zeros(parts[0].shape)
    for part, share in zip(parts, shares, strict=True):
        there = ~np.isnan(part)
        np.add(total, share * part, out=total, where=there)
        np.add(known, share, out=known, where=there)
    enough = known >= least - 1e-9
    score = np.full(total.shape, np.nan)
    np.divide(total, known, out=score, where=enough & (known > 0))
    return score
