"""The variance of what is a name's own, at a close.

1. Where there is enough history, the fading variance of the regressions' residuals, with a Newey-West correction
   (`running.py`).
2. Where there is little or none, what names with such exposures have: the log of the deviations of names with full
   history is regressed on their exposures (`structural`). In between, a blend by length of history.
3. Deviations are drawn towards the mean of names of similar size, the more the further out they are: extreme ones
   are mostly noise and come back (`towards_size_means`).
4. All are multiplied by how much residuals have lately surprised.

After Menchero, Orr and Wang (2011), "The Barra US Equity Model (USE4)", section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class SpecificRule:
    """How specific variances are estimated; the numbers are those of USE4S.

    Attributes
    ----------
    half_life : float
        Days.
    lags : int
        Of the Newey-West correction, in days.
    least, full : int
        Days of history below which none is used, and from which on nothing else is.
    shrinkage : float
        0 leaves deviations as they are; the larger, the nearer to the mean of their size.
    buckets : int
        Groups by size.
    regime_half_life : float or None
        Of the volatility regime adjustment; None for none.
    """

    half_life: float = 84.0
    lags: int = 5
    least: int = 60
    full: int = 180
    shrinkage: float = 0.1
    buckets: int = 10
    regime_half_life: float | None = 42.0

    def __post_init__(self) -> None:
        if self.half_life <= 0 or (self.regime_half_life or 1.0) <= 0 or self.lags < 0 or self.shrinkage < 0:
            raise InvalidRequest(f"half-lives must be positive, lags and shrinkage 0 or more, was {self}")
        if not 2 <= self.least <= self.full or self.buckets < 1:
            raise InvalidRequest(f"2 <= least <= full days and 1 bucket or more are needed, was {self}")

    def confidence(self, days: np.ndarray) -> np.ndarray:
        """Return how far each name's own history is believed, from 0 to 1, by its number of days.

        Examples
        --------
        >>> SpecificRule().confidence(np.array([20, 60, 120, 500])).tolist()
        [0.0, 0.0, 0.5, 1.0]
        """
        if self.full == self.least:
            return np.asarray((days >= self.full).astype(np.float64))
        return np.clip((days - self.least) / (self.full - self.least), 0.0, 1.0)


def specific_variances(
    measured: np.ndarray,
    days: np.ndarray,
    exposures: np.ndarray,
    capitalisation: np.ndarray,
    rule: SpecificRule,
) -> np.ndarray:
    """Return the specific variance of each name, steps 2 and 3, shape (N,).

    Parameters
    ----------
    measured : array of shape (N,)
        Variance of the residuals; NaN where there is none.
    days : array of int, shape (N,)
        Residuals behind it.
    exposures : array of shape (N, K)
    capitalisation : array of shape (N,)
        Positive.
    rule : SpecificRule

    Raises
    ------
    InvalidRequest
        If too few names have a full history to learn from, and some have not.
    """
    confidence = np.where(np.isnan(measured) | (measured <= 0), 0.0, rule.confidence(days))
    deviation = np.sqrt(np.where(confidence > 0, measured, 1.0))
    if (confidence < 1).any():
        from_exposures = structural(deviation, confidence == 1, exposures, capitalisation)
        deviation = confidence * deviation + (1 - confidence) * from_exposures
    return towards_size_means(deviation, capitalisation, rule.shrinkage, rule.buckets) ** 2


def structural(
    deviation: np.ndarray, full: np.ndarray, exposures: np.ndarray, capitalisation: np.ndarray
) -> np.ndarray:
    """Return the deviations that names' exposures suggest, shape (N,).

    The log of the deviations of names with a full history is regressed on exposures, weighted with the root of
    capitalisation; what exponentiating loses of their mean is given back to all.

    Raises
    ------
    InvalidRequest
        If fewer than twice as many names as exposures have a full history.
    """
    if np.count_nonzero(full) < 2 * exposures.shape[1]:
        raise InvalidRequest(
            f"{np.count_nonzero(full)} names have a full history of residuals, from which the specific risk of "
            f"{np.count_nonzero(~full)} others with {exposures.shape[1]} exposures cannot be told; give more days"
        )
    weight = np.sqrt(capitalisation[full])
    root = np.sqrt(weight)
    # Industries add up to the market: of the many solutions the smallest is as good, the fit is the same.
    slopes = np.linalg.lstsq(exposures[full] * root[:, None], np.log(deviation[full]) * root, rcond=None)[0]
    fitted = np.exp(exposures @ slopes)
    return np.asarray(fitted * (weight @ deviation[full]) / (weight @ fitted[full]))


def towards_size_means(
    deviation: np.ndarray, capitalisation: np.ndarray, shrinkage: float, buckets: int
) -> np.ndarray:
    """Return deviations drawn towards the capitalisation-weighted mean of their size bucket, shape (N,).

    With m that mean, d the distance from it and s the root of the mean of d^2 in the bucket, the mean's part is
    shrinkage d / (s + shrinkage d).

    Examples
    --------
    >>> towards_size_means(np.array([0.01, 0.03]), np.array([1.0, 1.0]), 1.0, 1).round(4).tolist()
    [0.015, 0.025]
    """
    order = np.argsort(capitalisation, kind="stable")
    made = deviation.copy()
    for members in np.array_split(order, min(buckets, len(order))):
        mean = np.average(deviation[members], weights=capitalisation[members])
        distance = np.abs(deviation[members] - mean)
        typical = np.sqrt((distance**2).mean())
        if typical > 0:
            part = shrinkage * distance / (typical + shrinkage * distance)
            made[members] = part * mean + (1 - part) * deviation[members]
    return made
