"""Portfolios by quantile of a factor: what each earns, and how fast it changes."""

from __future__ import annotations

import numpy as np

from quantflux.factors.ranking import SortedRows

NOT_HELD = -1


def quantile_labels(factor: SortedRows, chosen: np.ndarray, quantiles: int) -> np.ndarray:
    """Return the quantile of each name, 0 (lowest) to quantiles-1 (highest), `NOT_HELD` outside; shape (T, N).

    Rows with fewer chosen names than quantiles hold nothing.

    Examples
    --------
    >>> quantile_labels(SortedRows(np.array([[4.0, 1.0, 3.0, 2.0]])), np.ones((1, 4), dtype=bool), 2).tolist()
    [[1, 0, 1, 0]]
    """
    among = chosen & factor.there
    count = among.sum(axis=1, keepdims=True)
    ranks = factor.ranks(among)
    # The half keeps tied names together in the middle of their ranks and makes the groups equal without ties.
    group = np.floor((ranks - 0.5) * quantiles / np.maximum(count, 1)).astype(np.int8)
    return np.where(among & (count >= quantiles), group, NOT_HELD).astype(np.int8)


def group_means(values: np.ndarray, labels: np.ndarray, groups: int) -> np.ndarray:
    """Return the mean value of each group in each row, shape (T, groups); NaN for groups without a number."""
    rows = len(values)
    held = (labels != NOT_HELD) & ~np.isnan(values)
    cell = (np.arange(rows)[:, None] * groups + labels)[held]
    total = np.bincount(cell, weights=values[held], minlength=rows * groups)
    count = np.bincount(cell, minlength=rows * groups)
    means = np.full(rows * groups, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means.reshape(rows, groups)


def cohort_returns(held: np.ndarray, labels: np.ndarray, quantiles: int, horizon: int) -> np.ndarray:
    """Return the daily return of each quantile when a new equal-weighted cohort is bought every day.

    A cohort chosen at the close of day s is bought at the open of s+1 and held `horizon` days, so on every day
    the portfolio is the mean of the `horizon` cohorts alive. Costs are not taken off.

    Parameters
    ----------
    held : array of float64, shape (T, N)
        Return of each name from the open of day t-1 to the open of day t.
    labels : array of int8, shape (T, N)
        Quantile by the day it was chosen on, `NOT_HELD` where the name could not be bought.

    Returns
    -------
    array of float64, shape (T, quantiles)
        Row t is the return from the open of t-1 to the open of t; NaN while no cohort is alive.
    """
    total = np.zeros((len(held), quantiles))
    alive = np.zeros((len(held), quantiles))
    for age in range(2, min(horizon + 2, len(held))):
        means = group_means(held[age:], labels[:-age], quantiles)
        there = ~np.isnan(means)
        total[age:] += np.where(there, means, 0.0)
        alive[age:] += there
    out = np.full(total.shape, np.nan)
    np.divide(total, alive, out=out, where=alive > 0)
    return out


def mean_turnover(labels: np.ndarray, group: int, horizon: int) -> float:
    """Return which part of a group is new after `horizon` days, on average; NaN if it is never held twice."""
    now, before = labels[horizon:] == group, labels[: max(len(labels) - horizon, 0)] == group
    size = now.sum(axis=1)
    both = (size > 0) & before.any(axis=1)
    if not both.any():
        return float("nan")
    return float(np.mean((now & ~before).sum(axis=1)[both] / size[both]))
