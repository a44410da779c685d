"""Weights of factors by how well they ranked the returns that are known by a day.

A factor's value of row s is known at its close. Who follows it buys at the open of row s+1 and sells `horizon` rows
later, at the open of row s+1+horizon. So the RankIC of row s is known at the close of row s + horizon + 1, and no
earlier: `reach` is that number of rows. The weights of row t are made of RankICs of rows up to t - `reach`.

`rank_ics` gives the RankIC of each row, at the row of its factor's values; `trailing_weights` does the waiting.

References
----------
Qian and Hua (2004), "Active Risk and Information Ratio", Journal of Investment Management 2(3): weights that maximise
the ratio of the mean of a composite's IC to its deviation are the inverse covariance of the ICs times their mean.
Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
Multivariate Analysis 88(2): the covariance is drawn towards equal variances without correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from quantflux.core.errors import InvalidRequest
from quantflux.factors.ranking import SortedRows, rank_correlation
from quantflux.factors.universe import Market

LEAST_NAMES = 10
"""Rows with fewer names that have both a value and a return have no RankIC."""

_EQUAL_VARIANCE = 1e-12  # of the largest: below it a factor's RankICs are taken to be all the same


def reach(horizon: int) -> int:
    """Return how many rows after a factor's value the RankIC of this value is known."""
    return horizon + 1


def marked_returns(market: Market, horizon: int) -> np.ndarray:
    """Return what a name earns from the next open to the open `horizon` rows later, known at that row.

    A name that is suspended or locked at its limit on the last day is marked at its price then, not at the one it
    really gets out at later, which may be any time ahead: so nobody escapes the average, and nothing is known early.

    Returns
    -------
    array of float64, shape (T, N)
        Fractions, at the row of the signal; NaN where the name cannot be bought at the next open, and in the last
        `horizon` + 1 rows.

    Examples
    --------
    >>> from quantflux.core.panel import Panel
    >>> day = np.arange("2024-01-02", "2024-01-06", dtype="datetime64[D]")
    >>> price = np.array([[1.0], [2.0], [3.0], [6.0]])
    >>> yes = np.ones((4, 1), dtype=bool)
    >>> market = Market(Panel(day, ["A"], {"close": price}), yes, yes, yes, price, price)
    >>> marked_returns(market, 2).ravel().tolist()
    [2.0, nan, nan, nan]
    """
    if horizon < 1:
        raise InvalidRequest(f"a horizon must be at least 1 day, was {horizon}")
    out = np.full(market.at_open.shape, np.nan)
    rows = max(len(out) - reach(horizon), 0)
    entry = np.where(market.buyable[1 : 1 + rows], market.at_open[1 : 1 + rows], np.nan)
    np.divide(market.at_open[reach(horizon) :], entry, out=out[:rows])
    out[:rows] -= 1
    return out


def rank_ics(values: np.ndarray, chosen: np.ndarray, returns: SortedRows) -> np.ndarray:
    """Return the RankIC of each row, shape (T,), among the chosen names that have both; NaN with fewer than 10."""
    there = np.where(np.isfinite(values), values, np.nan)
    return rank_correlation(SortedRows(there), returns, chosen, LEAST_NAMES)


@dataclass(frozen=True, eq=False)
class TrailingWeights:
    """Weights of each row and what they were made of; arrays of shape (T, F).

    Attributes
    ----------
    weights : array
        Their absolute values add up to 1; NaN in rows where too few RankICs are known, or none is of use.
    mean, deviation : array
        Of the RankICs in the row's window; NaN where there are none.
    days : array of int
        How many they are.
    """

    weights: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    days: np.ndarray


def trailing_weights(
    ics: np.ndarray,
    horizon: int,
    window: int,
    least: int,
    method: Literal["ic", "icir"],
    *,
    negative: bool = True,
    first: int = 0,
) -> TrailingWeights:
    """Return the weights of each row by the RankICs known at its close.

    Row t is made of `ics` in rows t - reach - window + 1 .. t - reach, with reach = horizon + 1: what comes later
    changes nothing.

    Parameters
    ----------
    ics : array of float64, shape (T, F)
        Of each factor, at the row of its values; NaN is unknown.
    horizon, window, least : int
        Rows ahead that the returns look; rows that count; how many of them must be known, at least 2.
    method : {"ic", "icir"}
        `ic`: each factor's mean RankIC. `icir`: the weights of the highest mean over deviation of a composite whose
        RankIC is the weighted sum of the factors', with their covariance shrunk; over rows that have all factors.
    negative : bool
        Whether weights may be below zero. Else `ic` leaves such factors out, and `icir` finds the best weights
        without them.
    first : int
        Rows before it are left NaN, to save time.

    Raises
    ------
    InvalidRequest
        If `window` or `least` make no sense.

    Examples
    --------
    >>> ics = np.array([[0.1, 0.02], [0.1, 0.02], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    >>> trailing_weights(ics, horizon=1, window=2, least=2, method="ic").weights.round(3).tolist()
    [[nan, nan], [nan, nan], [nan, nan], [0.833, 0.167], [0.833, 0.167]]
    """
    if not 2 <= least <= window:
        raise InvalidRequest(f"least must lie in 2 .. window, were {least} and {window}")
    shape = ics.shape
    made = TrailingWeights(
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.zeros(shape, dtype=np.int64),
    )
    for row in range(first, len(ics)):
        stop = row - reach(horizon) + 1
        known = ics[max(stop - window, 0) : max(stop, 0)]
        made.days[row], made.mean[row], made.deviation[row] = _moments(known)
        if (made.days[row] >= least).all():
            made.weights[row] = (
                _by_mean(made.mean[row], negative)
                if method == "ic"
                else best_icir(known, least, negative=negative)
            )
    return made


def best_icir(ics: np.ndarray, least: int = 2, *, negative: bool = True) -> np.ndarray:
    """Return the weights of the highest ratio of mean to deviation of the weighted sum of RankICs, shape (F,).

    Proportional to the inverse of the shrunk covariance times the mean; absolute values add up to 1. NaN where fewer
    than `least` rows have all factors, where no weights give a mean above zero, or where nothing varies.

    Parameters
    ----------
    ics : array of float64, shape (T, F)
    negative : bool
        Whether weights may be below zero; if not, the best of those that are not.
    """
    rows = ics[np.isfinite(ics).all(axis=1)]
    count = ics.shape[1]
    if len(rows) < max(least, 2):
        return np.full(count, np.nan)
    from sklearn.covariance import ledoit_wolf  # noqa: PLC0415 - slow to import, and this method alone needs it

    mean, covariance = rows.mean(axis=0), ledoit_wolf(rows)[0]
    if not covariance.diagonal().max() > 0:
        return np.full(count, np.nan)
    covariance = covariance + _EQUAL_VARIANCE * covariance.diagonal().max() * np.eye(count)
    if negative:
        return _of_size_one(np.linalg.solve(covariance, mean))
    # The best ratio over w >= 0 has the direction of the least 1/2 w'Sw - m'w, which with S = LL' is
    # |L'w - L^-1 m|^2 but for a constant.
    lower = np.linalg.cholesky(covariance)
    return _of_size_one(nnls(lower.T, np.linalg.solve(lower, mean))[0])


def _moments(ics: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how many numbers each column has, their mean and their deviation (ddof 1); NaN where there are too few."""
    known = np.isfinite(ics)
    days = known.sum(axis=0)
    mean, deviation = np.full(len(days), np.nan), np.full(len(days), np.nan)
    np.divide(np.where(known, ics, 0.0).sum(axis=0), days, out=mean, where=days > 0)
    squares = (np.where(known, ics - mean, 0.0) ** 2).sum(axis=0)
    np.divide(squares, days - 1, out=deviation, where=days > 1)
    return days, mean, np.sqrt(deviation)


def _by_mean(mean: np.ndarray, negative: bool) -> np.ndarray:
    return _of_size_one(mean if negative else np.maximum(mean, 0.0))


def _of_size_one(weights: np.ndarray) -> np.ndarray:
    size = np.abs(weights).sum()
    return weights / size if size > 0 else np.full(len(weights), np.nan)
