"""Adds standardised factors up to one score a name, of which every factor's part is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.factors.ranking import SortedRows

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Composite:
    """Scores and what they are made of.

    Attributes
    ----------
    scores : array of float64, shape (T, N)
        The sum of the contributions; NaN where a name has none.
    contributions : array of float64, shape (F, T, N)
        NaN where the name has no score.
    known : array of int, shape (T, N)
        Of how many parts a name has a value.
    """

    scores: np.ndarray
    contributions: np.ndarray
    known: np.ndarray


def composite(
    zscores: np.ndarray, weights: np.ndarray, chosen: np.ndarray, least_share: float = 0.5
) -> Composite:
    """Return the weighted sum of z-scores; what is missing counts as the mean, which is 0.

    Parameters
    ----------
    zscores : array of float64, shape (F, T, N)
        NaN is missing.
    weights : array of float64, shape (T, F)
        NaN: no name of that row has a score.
    chosen : array of bool, shape (T, N)
        Others have no score.
    least_share : float
        Part of the factors, of those with a weight, of which a name must have a value.

    Examples
    --------
    >>> z = np.array([[[1.0, -1.0, np.nan]], [[0.5, np.nan, np.nan]]])
    >>> made = composite(z, np.array([[0.75, 0.25]]), np.ones((1, 3), dtype=bool))
    >>> made.scores.tolist(), made.contributions[:, 0, 1].tolist()
    ([[0.875, -0.75, nan]], [-0.75, 0.0])
    """
    if zscores.shape[:2] != weights.shape[::-1]:
        raise InvalidRequest(
            f"weights must have shape {zscores.shape[1::-1]} (days, factors), had {weights.shape}"
        )
    used = np.nan_to_num(weights) != 0
    there = ~np.isnan(zscores)
    needed = least_share * used.sum(axis=1, keepdims=True) - _ROUNDING
    counted = (there & used.T[:, :, None]).sum(axis=0)
    scored = chosen & (counted >= needed) & (counted > 0) & ~np.isnan(weights).any(axis=1, keepdims=True)
    parts = np.where(there, zscores, 0.0) * weights.T[:, :, None]
    parts[:, ~scored] = np.nan
    return Composite(parts.sum(axis=0), parts, there.sum(axis=0))


def blend(
    predictions: np.ndarray, weights: np.ndarray, chosen: np.ndarray, *, by_rank: bool = False
) -> Composite:
    """Return the weighted mean of what several models predict, over the models that know a name.

    Parameters
    ----------
    predictions : array of float64, shape (M, T, N)
    weights : array of float64, shape (M,)
        Above zero; only their proportions matter.
    chosen : array of bool, shape (T, N)
        Others have no score.
    by_rank : bool
        Whether each model's predictions are first turned into percentile ranks among the chosen names it knows, from
        1 / count to 1, equal ones sharing the mean.

    Examples
    --------
    >>> said = np.array([[[0.02, 0.01]], [[0.04, np.nan]]])
    >>> blend(said, np.array([1.0, 3.0]), np.ones((1, 2), dtype=bool)).scores.round(3).tolist()
    [[0.035, 0.01]]
    """
    among = np.where(chosen & np.isfinite(predictions), predictions, np.nan)
    if by_rank:
        among = np.stack([percentiles(each) for each in among])
    there = ~np.isnan(among)
    shares = np.where(there, weights[:, None, None], 0.0)
    total = shares.sum(axis=0)
    parts = np.where(there, among, 0.0) * shares / np.where(total > 0, total, 1.0)
    parts[:, total == 0] = np.nan
    return Composite(parts.sum(axis=0), parts, there.sum(axis=0))


def percentiles(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value in its row over their number, above 0 up to 1; NaN stays. Ties share the mean.

    Examples
    --------
    >>> percentiles(np.array([[5.0, 1.0, 5.0, np.nan]])).round(3).tolist()
    [[0.833, 0.333, 0.833, nan]]
    """
    there = ~np.isnan(values)
    ranks = SortedRows(np.ascontiguousarray(values)).ranks(there)
    return np.where(there, ranks / np.maximum(there.sum(axis=1, keepdims=True), 1), np.nan)
