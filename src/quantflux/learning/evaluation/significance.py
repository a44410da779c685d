"""How likely a mean as large as this one is if nothing is there.

The t-value of Newey and West is not normal when it allows for many autocovariances of a short series: its denominator
is itself a guess, and too low on average. With bandwidth b, as a part of the series, it is close to Student's t with
1.5 / b degrees of freedom divided by the root of 1 - b. Taken for normal, it would find something in 2 % of the series
in which there is nothing, where 1 % was promised.

References
----------
Kiefer, Vogelsang (2005), "A New Asymptotic Theory for Heteroskedasticity-Autocorrelation Robust Tests", Econometric
Theory 21(6).
Lazarus, Lewis, Stock, Watson (2018), "HAR Inference: Recommendations for Practice", Journal of Business & Economic
Statistics 36(4): degrees of freedom of Bartlett's kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation.significance import newey_west_t, usual_lags

_LAGS = 4
"""Horizons whose autocovariances are allowed for. Labels overlap by one; Newey and West's weights would hide a third
of that with as many lags, and a tenth of it with four times as many."""


@dataclass(frozen=True, slots=True)
class Significance:
    """A mean beside what chance does.

    Attributes
    ----------
    count : int
        Numbers it was taken of.
    mean : float
    t_value : float
        With Newey and West's allowance for autocorrelation; NaN where it cannot be told.
    lags : int
        Autocovariances that were allowed for.
    trials : int
        How many means were looked at, of which this is the best.
    """

    count: int
    mean: float
    t_value: float
    lags: int
    trials: int = 1

    @property
    def error(self) -> float:
        """Standard error of the mean; NaN without a t-value, or with one of exactly 0."""
        return abs(self.mean / self.t_value) if self.t_value else math.nan

    @property
    def above(self) -> float:
        """Probability that the best of so many useless means reaches this t-value; NaN where it is unknown."""
        return self._tail(self.t_value)

    @property
    def below(self) -> float:
        """The same of falling this far below zero."""
        return self._tail(-self.t_value)

    def needed(self, level: float) -> float:
        """Return the t-value that is reached with probability `level` if nothing is there."""
        if self.count < 3:
            return math.nan
        one = -math.expm1(math.log1p(-level) / self.trials)
        bandwidth = self._bandwidth
        return float(-stdtrit(1.5 / bandwidth, one) / math.sqrt(1 - bandwidth))

    def _tail(self, t_value: float) -> float:
        if math.isnan(t_value):
            return math.nan
        bandwidth = self._bandwidth
        one = float(stdtr(1.5 / bandwidth, -t_value * math.sqrt(1 - bandwidth)))
        return -math.expm1(self.trials * math.log1p(-one)) if one < 1 else 1.0

    @property
    def _bandwidth(self) -> float:
        return min((self.lags + 1) / self.count, 0.9)


def significance_of(values: np.ndarray, horizon: int = 1, trials: int = 1) -> Significance:
    """Return how sure one can be that the mean of daily figures is not zero.

    Parameters
    ----------
    values : array of float64, shape (T,)
        By day; NaN is left out.
    horizon : int
        Days over which a figure looks ahead: so many neighbours have days in common.
    trials : int
        How many such series were tried, of which this one was kept.

    Raises
    ------
    InvalidRequest
        If the horizon or the trials are below 1.

    Examples
    --------
    >>> found = significance_of(np.array([0.02, 0.05, -0.01, 0.04] * 50))
    >>> found.count, round(found.mean, 3), found.above < 0.001
    (200, 0.025, True)
    """
    if horizon < 1 or trials < 1:
        raise InvalidRequest(f"horizon and trials must be at least 1, were {horizon} and {trials}")
    known = values[~np.isnan(values)]
    count, lags = len(known), lags_of(len(known), horizon)
    mean = float(known.mean()) if count else math.nan
    return Significance(count, mean, newey_west_t(known, lags), lags, trials)


def lags_of(count: int, horizon: int) -> int:
    """Return how many autocovariances are allowed for in so many daily figures that look some days ahead."""
    wanted = max(_LAGS * horizon, usual_lags(count)) if horizon > 1 else usual_lags(count)
    return min(wanted, max(count - 2, 0))


def long_run_deviation(values: np.ndarray, horizon: int = 1) -> float:
    """Return what the standard error of the mean of daily figures is times the root of their number.

    For independent figures it is their standard deviation; for figures that have days in common it is larger.

    Parameters
    ----------
    values : array of float64, shape (T,)
        By day; NaN is left out.
    horizon : int

    Returns
    -------
    float
        NaN with fewer than 3 numbers, or if they are all equal.
    """
    known = values[~np.isnan(values)]
    count, lags = len(known), lags_of(len(known), horizon)
    if count < 3:
        return math.nan
    # The t-value of a mean of 1 is 1 over the standard error, which is too small by the bandwidth on average.
    error = 1 / newey_west_t(known - known.mean() + 1, lags)
    return error * math.sqrt(count / (1 - min((lags + 1) / count, 0.9)))
