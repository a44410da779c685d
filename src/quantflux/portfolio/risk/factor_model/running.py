"""Variances with fading memory, at every day of many series: what was forecast then for the next day.

The variance after day t of returns x, with weights w that halve every half-life and a Newey-West correction of L lags:

    [ sum w_s x_s^2  +  2 sum_d (1 - d / (L + 1)) sum sqrt(w_s w_(s-d)) x_s x_(s-d) ]  /  sum w_s

Second moments are about zero, as is usual for daily returns, whose mean is far below what can be measured. With the
roots of both weights it is the Newey-West variance of sqrt(w) x, which is never negative. A gap counts as no
observation: it has no weight, and its lagged products are absent.

Newey and West (1987), "A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent covariance
matrix", Econometrica 55(3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit


def fading(half_life: float) -> float:
    """Return by what weights shrink from one day to the next."""
    return float(0.5 ** (1.0 / half_life))


def running_variances(values: np.ndarray, half_life: float, *, lags: int = 0, least: int = 60) -> np.ndarray:
    """Return the variance of each series after each day, shape (T, N) and type of `values`.

    Parameters
    ----------
    values : array of shape (T, N), float32 or float64
        Daily returns; NaN in gaps.
    half_life : float
        In days; a gap lets time pass.
    lags : int
        Of the Newey-West correction; 0 for none. With it the variance is that of a day in a longer stretch.
    least : int
        Days with a return before there is a variance; NaN until then.

    Examples
    --------
    >>> running_variances(np.array([[1.0], [np.nan], [2.0]]), 1.0, least=1).round(3).ravel().tolist()
    [1.0, 1.0, 3.4]
    """
    out = np.empty_like(values)
    _running_variances(np.ascontiguousarray(values), fading(half_life), lags, least, out)
    return out


@jit
def _running_variances(values: Any, fade: float, lags: int, least: int, out: Any) -> None:
    days, names = values.shape
    sums, weight, count = np.zeros((lags + 1, names)), np.zeros(names), np.zeros(names)
    bartlett = np.array([1.0 if d == 0 else 2.0 * (1.0 - d / (lags + 1)) for d in range(lags + 1)])
    halfway = np.array([fade ** (d / 2) for d in range(lags + 1)])
    for t in range(days):
        for i in range(names):
            x = values[t, i]
            weight[i] *= fade
            if not np.isnan(x):
                weight[i] += 1.0
                count[i] += 1.0
        for d in range(lags + 1):
            for i in range(names):
                product = values[t, i] * values[t - d, i] if d <= t else 0.0
                sums[d, i] = fade * sums[d, i] + (0.0 if np.isnan(product) else halfway[d] * product)
        for i in range(names):
            total = 0.0
            for d in range(lags + 1):
                total += bartlett[d] * sums[d, i]
            # rounding alone can bring it below zero
            out[t, i] = max(total, 0.0) / weight[i] if count[i] >= least else np.nan


def surprises(values: np.ndarray, weights: np.ndarray, half_life: float, least: int = 60) -> np.ndarray:
    """Return each day's squared returns over their forecasts, averaged across series: 1 when forecasts were right.

    The forecast is the running variance after the day before, without lags. A day on which no series has one is NaN.

    Parameters
    ----------
    values : array of shape (T, N), float32 or float64
    weights : array of shape (T, N)
        Weight of each series in the average, taken from the day before; NaN is none.
    half_life, least
        Of the variances.

    Returns
    -------
    array of shape (T,)
    """
    out = np.empty(len(values))
    _surprises(np.ascontiguousarray(values), np.ascontiguousarray(weights), fading(half_life), least, out)
    return out


@jit
def _surprises(values: Any, weights: Any, fade: float, least: int, out: Any) -> None:
    days, names = values.shape
    sums, total, count = np.zeros(names), np.zeros(names), np.zeros(names)
    for t in range(days):
        top = bottom = 0.0
        for i in range(names):
            x = values[t, i]
            known = not np.isnan(x)
            if known and count[i] >= least and sums[i] > 0.0 and weights[t - 1, i] > 0.0:
                top += weights[t - 1, i] * x * x * total[i] / sums[i]
                bottom += weights[t - 1, i]
            sums[i] *= fade
            total[i] *= fade
            if known:
                sums[i] += x * x
                total[i] += 1.0
                count[i] += 1.0
        out[t] = top / bottom if bottom > 0.0 else np.nan


def regime_multipliers(surprise: np.ndarray, half_life: float) -> np.ndarray:
    """Return by what the variances are to be multiplied after each day, shape (T,): the fading mean of surprises.

    Above 1 when forecasts have lately been too low for all series together, as when a crisis begins: the volatility
    regime adjustment of Menchero, Orr and Wang (2011), "The Barra US Equity Model (USE4)". 1 before the first surprise.

    Examples
    --------
    >>> regime_multipliers(np.array([np.nan, 1.0, 4.0]), 1.0).tolist()
    [1.0, 1.0, 3.0]
    """
    made, fade = np.ones(len(surprise)), fading(half_life)
    total = weight = 0.0
    for t, value in enumerate(surprise):
        total, weight = total * fade, weight * fade
        if not np.isnan(value):
            total, weight = total + value, weight + 1.0
        if weight > 0:
            made[t] = total / weight
    return made
