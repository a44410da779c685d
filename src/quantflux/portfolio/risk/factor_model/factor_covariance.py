"""The covariance of factor returns at a close: quick volatilities, slow correlations.

1. Volatilities fade fast, with a Newey-West correction (`running.py`).
2. Correlations fade slowly, as there are many more of them; corrected likewise, about zero.
3. What regressions were off by is no risk of the factors, and is taken out (`without_errors`): of an industry of twenty
   names it is a third of the variance, of one of two hundred a few hundredths.
4. A covariance of many factors from few days flatters the portfolios an optimiser likes: its smallest eigenvalues are
   too small. They are raised by as much as a simulation of the same size shows (`eigenfactor.py`).
5. All is multiplied by how much the factors have lately surprised (`running.regime_multipliers`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.definite import semidefinite
from quantflux.portfolio.risk.factor_model.eigenfactor import eigenfactor_adjusted
from quantflux.portfolio.risk.factor_model.running import running_variances
from quantflux.portfolio.risk.moments import decay

MOST_ERROR = 0.8
"""The largest part of a variance that is taken for an error of measurement."""


@dataclass(frozen=True, slots=True)
class CovarianceRule:
    """How the covariance of factors is estimated; the numbers are those of USE4S.

    Attributes
    ----------
    volatility_half_life, correlation_half_life : float
        Days.
    volatility_lags, correlation_lags : int
        Of the Newey-West corrections, in days.
    corrects_errors : bool
        Whether the errors of regressions are taken out; not in USE4S, whose market is larger.
    regime_half_life : float or None
        Of the volatility regime adjustment; None for none.
    simulations : int
        Of the eigenfactor adjustment; 0 for none.
    eigenfactor_scale : float
        What the simulated bias is multiplied by: real returns have fatter tails than simulated ones.
    least : int
        Days with a return that a factor must have.
    """

    volatility_half_life: float = 84.0
    correlation_half_life: float = 504.0
    volatility_lags: int = 5
    correlation_lags: int = 2
    corrects_errors: bool = True
    regime_half_life: float | None = 42.0
    simulations: int = 200
    eigenfactor_scale: float = 1.4
    least: int = 60

    def __post_init__(self) -> None:
        lives = (self.volatility_half_life, self.correlation_half_life, self.regime_half_life or 1.0)
        if min(lives) <= 0 or min(self.volatility_lags, self.correlation_lags, self.simulations) < 0:
            raise InvalidRequest(f"half-lives must be positive, lags and simulations 0 or more, was {self}")
        if self.least < 2:
            raise InvalidRequest(f"least must be 2 days or more, was {self.least}")


def factor_covariance(returns: np.ndarray, errors: np.ndarray, rule: CovarianceRule) -> np.ndarray:
    """Return the covariance of factors after the last day, steps 1 to 4, shape (K, K).

    Parameters
    ----------
    returns : array of shape (T, K)
        Daily factor returns, each with at least `rule.least` known. NaN on days without.
    errors : array of shape (T, K, K)
        Covariance of what they are off by; NaN where there is none.
    rule : CovarianceRule
    """
    days = len(returns)
    variances = running_variances(
        returns, rule.volatility_half_life, lags=rule.volatility_lags, least=rule.least
    )[-1]
    correlation = fading_correlation(returns, rule.correlation_half_life, rule.correlation_lags)
    deviation = np.sqrt(variances)
    covariance = correlation * np.outer(deviation, deviation)
    if rule.corrects_errors:
        covariance = without_errors(covariance, _fading_mean(errors, rule.volatility_half_life))
    if not rule.simulations:
        return covariance
    return eigenfactor_adjusted(
        covariance,
        quick=_effective_days(days, rule.volatility_half_life),
        slow=_effective_days(days, rule.correlation_half_life),
        simulations=rule.simulations,
        scale=rule.eigenfactor_scale,
    )


def without_errors(covariance: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the covariance less that of independent errors, shape (K, K).

    The errors are themselves estimated, so that of no combination of factors more than `MOST_ERROR` of the variance is
    taken for error: the result stays a covariance.

    Examples
    --------
    >>> without_errors(np.diag([4.0, 1.0]), np.diag([1.0, 5.0])).round(6).tolist()
    [[3.0, 0.0], [0.0, 0.2]]
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-12 * values[-1]  # industries held to a sum of zero leave a direction without variance
    root = vectors[:, kept] * np.sqrt(values[kept])
    whitening = vectors[:, kept] / np.sqrt(values[kept])
    share, directions = np.linalg.eigh(whitening.T @ errors @ whitening)
    turned = root @ directions
    made = (turned * (1 - np.clip(share, 0.0, MOST_ERROR))) @ turned.T
    return np.asarray((made + made.T) / 2)


def _fading_mean(errors: np.ndarray, half_life: float) -> np.ndarray:
    """Return the mean over days with fading weights, shape (K, K); NaN is no observation."""
    weights = decay(len(errors), half_life)
    known = np.isfinite(errors)
    total = np.tensordot(weights, np.where(known, errors, 0.0), axes=1)
    weight = np.tensordot(weights, known, axes=1)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


def fading_correlation(returns: np.ndarray, half_life: float, lags: int) -> np.ndarray:
    """Return correlations with fading weights and a Newey-West correction, about zero, shape (K, K).

    Each pair is measured over the days that both have; where there are gaps, negative eigenvalues are removed.

    Parameters
    ----------
    returns : array of shape (T, K)
    half_life : float
    lags : int
    """
    known = ~np.isnan(returns)
    weights = decay(len(returns), half_life)
    x = np.where(known, returns, 0.0) * np.sqrt(weights)[:, None]
    moments = x.T @ x
    for lag in range(1, min(lags, len(x) - 1) + 1):
        lagged = x[lag:].T @ x[:-lag]
        moments += (1 - lag / (lags + 1)) * (lagged + lagged.T)
    gaps = not known.all()
    if gaps:
        flags = known.astype(np.float64)
        shared = flags.T @ (flags * weights[:, None])
        moments = np.divide(moments, shared, out=np.zeros_like(moments), where=shared > 0)
    deviation = np.sqrt(moments.diagonal())
    correlation = np.clip(moments / np.outer(deviation, deviation), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return semidefinite(correlation)[0] if gaps else correlation


def _effective_days(days: int, half_life: float) -> int:
    """Return how many days of equal weight tell as much: the squared sum of weights over the sum of their squares."""
    weights = decay(days, half_life)
    return max(round(float(weights.sum() ** 2 / (weights**2).sum())), 2)
