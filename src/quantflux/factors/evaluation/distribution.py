"""How the values of a factor are distributed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from quantflux.factors.ranking import SortedRows

_SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_BINS = 60


@dataclass(frozen=True)
class Distribution:
    """The values of a factor among investable names.

    Attributes
    ----------
    quantiles : mapping of float to float
        By the part of all values that lies below; all days together.
    mean, deviation, skewness, kurtosis : float
        Of the names of a day, the mean over days; the kurtosis of a normal distribution is 0 here.
    distinct : float
        Different values of a day by names that have one: 1 without ties, the mean over days.
    edges, counts : array
        A histogram of 60 bins from the 1 % to the 99 % quantile; values beyond are in the outer bins.
    """

    quantiles: Mapping[float, float]
    mean: float
    deviation: float
    skewness: float
    kurtosis: float
    distinct: float
    edges: np.ndarray
    counts: np.ndarray


def distribution_of(values: np.ndarray, chosen: np.ndarray) -> Distribution:
    """Return the distribution of values of shape (T, N) among the chosen names; NaN and 0 where there are none."""
    among = chosen & np.isfinite(values)
    pool = values[among]
    shares = np.quantile(pool, _SHARES) if len(pool) else np.full(len(_SHARES), np.nan)
    low, high = shares[0], shares[-1]
    edges = np.linspace(low, high, _BINS + 1) if high > low else np.array([low, high])
    counts = np.histogram(np.clip(pool, low, high), edges)[0] if high > low else np.array([len(pool)])
    mean, deviation, skewness, kurtosis = _moments(values, among)
    order, count = SortedRows(np.where(among, values, np.nan)).order, among.sum(axis=1)
    ahead = np.arange(values.shape[1]) < count[:, None]
    different = (ahead & (order >= 0)).sum(axis=1)
    return Distribution(
        MappingProxyType(dict(zip(_SHARES, shares.tolist(), strict=True))),
        mean,
        deviation,
        skewness,
        kurtosis,
        float(np.mean(different[count > 0] / count[count > 0])) if count.any() else float("nan"),
        edges,
        counts,
    )


def _moments(values: np.ndarray, among: np.ndarray) -> tuple[float, float, float, float]:
    """Return the mean over days of the names' mean, deviation, skewness and excess kurtosis."""
    enough = among.sum(axis=1) >= 3
    if not enough.any():
        return (float("nan"),) * 4
    among, values = among[enough], values[enough]
    count = among.sum(axis=1)
    mean = np.where(among, values, 0.0).sum(axis=1) / count
    gaps = np.where(among, values - mean[:, None], 0.0)
    squares = gaps * gaps
    second, third, fourth = (
        part.sum(axis=1) / count for part in (squares, squares * gaps, squares * squares)
    )
    spread = second > (1e-12 * mean) ** 2
    deviation = np.sqrt(second * count / (count - 1))
    if not spread.any():
        return float(mean.mean()), float(deviation.mean()), float("nan"), float("nan")
    variance = second[spread]
    skewness, kurtosis = third[spread] / variance**1.5, fourth[spread] / variance**2 - 3
    return float(mean.mean()), float(deviation.mean()), float(skewness.mean()), float(kurtosis.mean())
