"""Groups by quantile of a factor: who is in which, what they earn, how fast they change, and whether in order.

The groups are those of `pandas.qcut` where no values are equal: the k-th of Q holds what is above the quantile (k-1)/Q
(linear between neighbours) up to the quantile k/Q. Equal values stay together, in the group in which the middle of
their ranks falls; `qcut` would refuse to cut there, or put them all into the lower group. A value that is exactly such
a quantile is in the lower group; in `qcut`, which rounds k/Q, it is now and then in the upper one if Q is 6, 11, 12,
14 or 15.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit
from quantflux.factors.ranking import Ranking, SortedRows

NOT_HELD = -1


def quantile_labels(factor: SortedRows, chosen: np.ndarray, quantiles: int) -> np.ndarray:
    """Return the quantile of each name, 0 (lowest) to quantiles-1 (highest), `NOT_HELD` outside.

    Rows with fewer chosen names than quantiles hold nothing.

    Returns
    -------
    array of int8, shape (T, N)

    Examples
    --------
    >>> quantile_labels(SortedRows(np.array([[4.0, 1.0, 3.0, 2.0]])), np.ones((1, 4), dtype=bool), 2).tolist()
    [[1, 0, 1, 0]]
    """
    return labels_of(factor.among(chosen), quantiles)


def labels_of(ranking: Ranking, quantiles: int) -> np.ndarray:
    """Return the quantiles of names that have been ranked already; see `quantile_labels`."""
    labels = np.full(ranking.ranks.shape, NOT_HELD, dtype=np.int8)
    _label(ranking.ranks, ranking.count, quantiles, labels)
    return labels


def group_means(values: np.ndarray, labels: np.ndarray, groups: int) -> np.ndarray:
    """Return the mean value of each group in each row, shape (T, groups); NaN for groups without a number."""
    means = np.empty((len(labels), groups))
    _means(np.ascontiguousarray(values), labels, means)
    return means


def group_turnover(labels: np.ndarray, groups: int, lag: int) -> np.ndarray:
    """Return which part of each group was not in it `lag` rows before.

    Returns
    -------
    array of float64, shape (T, groups)
        NaN where the group is empty now or was empty then.

    Examples
    --------
    >>> group_turnover(np.array([[0, 0, 1], [0, 1, 1]], dtype=np.int8), groups=2, lag=1).tolist()
    [[nan, nan], [0.0, 0.5]]
    """
    part = np.full((len(labels), groups), np.nan)
    _turnover(labels[lag:], labels[: max(len(labels) - lag, 0)], part[lag:])
    return part


def monotonicity(means: np.ndarray) -> tuple[float, float]:
    """Return how well the groups' means are in order.

    Parameters
    ----------
    means : array of float64, shape (Q,)
        By quantile, the lowest first.

    Returns
    -------
    rank : float
        Spearman's correlation of the number of the quantile with its mean: 1 if each earns more than all below it.
    steps : float
        Part of the steps from one quantile to the next that go the way from the first to the last. Both are NaN if
        a mean is unknown or all are equal.

    Examples
    --------
    >>> monotonicity(np.array([0.01, 0.03, 0.02, 0.04]))
    (0.8, 0.6666666666666666)
    """
    numbers = SortedRows(np.arange(len(means), dtype=np.float64)[None, :])
    everybody = np.ones((1, len(means)), dtype=bool)
    if np.isnan(means).any() or not np.ptp(means) > 0:
        return float("nan"), float("nan")
    rank = numbers.among(everybody).correlation(SortedRows(means[None, :]), least=2)
    steps = np.diff(means) * np.sign(means[-1] - means[0])
    return round(float(rank[0]), 12), float(np.mean(steps > 0))


@jit
def _label(ranks: Any, count: Any, quantiles: int, labels: Any) -> None:
    for row in range(len(ranks)):
        if count[row] < quantiles:
            continue
        span = 2 * max(count[row] - 1, 1)
        for name in range(ranks.shape[1]):
            if ranks[row, name] > 0:
                place = np.int64(2 * ranks[row, name]) - 2  # twice the position from 0, whole even among ties
                labels[row, name] = max((place * quantiles + span - 1) // span - 1, 0)


@jit
def _means(values: Any, labels: Any, means: Any) -> None:
    groups = means.shape[1]
    total, count = np.empty(groups), np.empty(groups, np.int64)
    for row in range(len(labels)):
        for group in range(groups):
            total[group], count[group] = 0.0, 0
        for name in range(labels.shape[1]):
            group = labels[row, name]
            if group >= 0 and not np.isnan(values[row, name]):
                total[group] += values[row, name]
                count[group] += 1
        for group in range(groups):
            means[row, group] = total[group] / count[group] if count[group] > 0 else np.nan


@jit
def _turnover(now: Any, before: Any, part: Any) -> None:
    groups = part.shape[1]
    held, new, were = np.empty(groups, np.int64), np.empty(groups, np.int64), np.empty(groups, np.int64)
    for row in range(len(now)):
        for group in range(groups):
            held[group], new[group], were[group] = 0, 0, 0
        for name in range(now.shape[1]):
            group, former = now[row, name], before[row, name]
            if group >= 0:
                held[group] += 1
                new[group] += group != former
            if former >= 0:
                were[former] += 1
        for group in range(groups):
            if held[group] > 0 and were[group] > 0:
                part[row, group] = new[group] / held[group]
