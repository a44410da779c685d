"""How sure one can be that a mean is not zero when neighbouring observations overlap."""

from __future__ import annotations

import math

import numpy as np


def newey_west_t(values: np.ndarray, lags: int | None = None) -> float:
    """Return the t-value of the mean, with Newey and West's allowance for autocorrelation.

    Parameters
    ----------
    values : array of float64, shape (T,)
        NaN is left out.
    lags : int, optional
        Autocovariances to allow for; the usual 4 (n / 100)^(2/9) unless given.

    Returns
    -------
    float
        NaN with fewer than 3 numbers, or if they are all equal.

    References
    ----------
    Newey, West (1987), "A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation Consistent
    Covariance Matrix", Econometrica 55(3).

    Examples
    --------
    >>> round(newey_west_t(np.array([1.0, 2.0, 3.0, 2.0]), lags=0), 3)  # mean 2, variance 2 / 4, root of 4
    5.657
    """
    known = values[~np.isnan(values)]
    count = len(known)
    if count < 3:
        return math.nan
    lags = usual_lags(count) if lags is None else lags
    gaps = known - known.mean()
    variance = float(gaps @ gaps) / count
    for lag in range(1, min(lags, count - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(gaps[lag:] @ gaps[:-lag]) / count
    if variance <= 0:
        return math.nan
    return float(known.mean() / math.sqrt(variance / count))


def usual_lags(count: int) -> int:
    """Return how many autocovariances are allowed for in a series of so many numbers, unless overlap asks for more.

    Examples
    --------
    >>> usual_lags(100), usual_lags(3654)
    (4, 8)
    """
    return int(4 * (count / 100) ** (2 / 9))
