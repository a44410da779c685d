"""Factor returns: each day's returns regressed across names on the exposures of the close before.

1. Exposures at the close of day t-1 (`exposures.py`) meet the returns of day t. Who is in the regression was in the
   estimation universe at t-1, and trades on t.
2. Names weigh with the root of their capitalisation, as the variance of what is specific falls about so with size.
3. The market is 1 for all and the industries add up to it, so the industries' returns are held to a
   capitalisation-weighted sum of zero: the market's return is then that of the capitalisation-weighted portfolio,
   about. The restriction is solved by substitution for the largest industry (`_restriction`).
4. An industry without a name in the regression, or a style without values, has no return on that day.
5. Factor returns are measured with an error, the larger the fewer names there are; its covariance, robust to what sizes
   the residuals have, is kept, so that it is not taken for risk of the factors (`factor_covariance.py`). White (1980),
   "A heteroskedasticity-consistent covariance matrix estimator", Econometrica 48(4), with the correction for degrees of
   freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.contract import jit
from quantflux.portfolio.risk.factor_model.exposures import Exposures, exposures_of
from quantflux.portfolio.risk.factor_model.market import RiskInputs

_CHUNK = 64  # rows of styles that are in memory at once
_LEAST_PIVOT = 1e-6  # of a design scaled to unit columns: below, a factor is a combination of the others


@dataclass(frozen=True, eq=False)
class FactorReturns:
    """What the regressions found.

    Attributes
    ----------
    times : datetime64[D] array of shape (T,)
    factors : tuple of str, length K
        The market, the industries, the styles.
    styles : int
        How many of the last are styles.
    returns, t_statistics : arrays of shape (T, K)
        Of the day; NaN where there is none. The first row has none.
    r_squared : array of shape (T,)
        Part of the weighted variance across names that the factors explain; NaN where there was no regression.
    names : array of int64, shape (T,)
        Names in the regression.
    filled : array of shape (T, S)
        Part of the universe whose style was taken from its industry, at the close of the row; NaN if the day lacks it.
    errors : array of float32, shape (T, K, K)
        Covariance of what the returns are off by; NaN for factors that are absent.
    residuals : array of float32, shape (T, N)
        What factors left of each name that traded on this day and the one before, in the universe or not.
    """

    times: np.ndarray
    factors: tuple[str, ...]
    styles: int
    returns: np.ndarray
    t_statistics: np.ndarray
    r_squared: np.ndarray
    names: np.ndarray
    filled: np.ndarray
    errors: np.ndarray
    residuals: np.ndarray

    def column_of(self, factor: str) -> int:
        """Return the place of a factor; `InvalidRequest` names those there are."""
        if factor not in self.factors:
            raise InvalidRequest(f"no factor is called {factor!r}; there are: {', '.join(self.factors)}")
        return self.factors.index(factor)

    def unshrunk_residuals(self) -> np.ndarray:
        """Return residuals made larger by as much as fitting made them smaller, shape (T, N).

        Of n names, a regression on k factors leaves (n - k) / n of the variance of what is their own.
        """
        factors = np.isfinite(self.returns).sum(axis=1) - 1  # one is bound by the industries' sum
        whole = np.sqrt(
            self.names / np.maximum(self.names - factors, 1)
        )  # residuals are NaN where there are none
        return np.asarray(self.residuals * whole.astype(np.float32)[:, None])


@dataclass(frozen=True, eq=False)
class CrossSection:
    """The regression of one day.

    Attributes
    ----------
    returns, t_statistics : arrays of shape (K,)
        NaN for factors that are absent, or for all if there was no regression; so are the next two.
    errors : array of shape (K, K)
    residuals : array of shape (N,)
        Of every name with a return.
    r_squared : float
    names : int
        In the regression.
    """

    returns: np.ndarray
    t_statistics: np.ndarray
    errors: np.ndarray
    residuals: np.ndarray
    r_squared: float
    names: int


def regress(inputs: RiskInputs) -> FactorReturns:
    """Return the factor returns of all days, reading styles a few days at a time.

    Raises
    ------
    InvalidRequest
        If no day could be regressed.
    """
    days = len(inputs.times)
    made = _unfilled(inputs)
    for first in range(0, days, _CHUNK):
        last = min(first + _CHUNK, days)
        raw = inputs.styles.read(slice(first, last))
        # Threads for systems this small wait for each other longer than they compute.
        with threadpool_limits(limits=1, user_api="blas"):
            for row in range(first, last):
                _fill(made, inputs, row, raw[:, row - first])
    if np.isnan(made.r_squared).all():
        raise InvalidRequest(
            f"no day has enough names for a regression on {len(made.factors)} factors; the largest estimation "
            f"universe has {int(inputs.universe.sum(axis=1).max())} names"
        )
    return made


def _unfilled(inputs: RiskInputs) -> FactorReturns:
    days, names = inputs.shape
    labels, styles = inputs.industries.names, inputs.styles.names
    factors = ("market", *(f"industry:{label}" for label in labels), *styles)
    return FactorReturns(
        inputs.times,
        factors,
        len(styles),
        returns=np.full((days, len(factors)), np.nan),
        t_statistics=np.full((days, len(factors)), np.nan),
        r_squared=np.full(days, np.nan),
        names=np.zeros(days, dtype=np.int64),
        filled=np.full((days, len(styles)), np.nan),
        errors=np.full((days, len(factors), len(factors)), np.nan, dtype=np.float32),
        residuals=np.full((days, names), np.nan, dtype=np.float32),
    )


def _fill(made: FactorReturns, inputs: RiskInputs, row: int, raw: np.ndarray) -> None:
    """Fill in what the exposures of a row tell of it, and of the returns of the next."""
    day = day_exposures(inputs, row, raw)
    members = max(int(np.count_nonzero(inputs.universe[row])), 1)
    made.filled[row] = np.where(day.filled < 0, np.nan, day.filled / members)
    if row + 1 == len(inputs.times):
        return
    found = cross_section(day, inputs.returns[row + 1], inputs.capitalisation[row], inputs.universe[row])
    made.returns[row + 1], made.t_statistics[row + 1] = found.returns, found.t_statistics
    made.r_squared[row + 1], made.names[row + 1] = found.r_squared, found.names
    made.errors[row + 1] = found.errors
    made.residuals[row + 1] = np.where(inputs.traded[row], found.residuals, np.nan)


def day_exposures(inputs: RiskInputs, row: int, raw: np.ndarray) -> Exposures:
    """Return the exposures at the close of a day from its raw styles, shape (S, N)."""
    return exposures_of(
        raw,
        inputs.universe[row],
        inputs.capitalisation[row],
        inputs.industry_codes(row),
        len(inputs.industries.names),
    )


def cross_section(
    day: Exposures, returns: np.ndarray, capitalisation: np.ndarray, members: np.ndarray
) -> CrossSection:
    """Return the weighted, restricted regression of one day.

    Parameters
    ----------
    day : Exposures
        At the close before.
    returns : array of shape (N,)
        NaN where there is none.
    capitalisation : array of shape (N,)
        At the close before.
    members : array of bool, shape (N,)
        Who may take part; those without a return, an industry or a capitalisation do not.
    """
    taking_part = members & ~np.isnan(returns) & (day.codes >= 0) & (capitalisation > 0)
    weights = np.sqrt(np.where(taking_part, capitalisation, 0.0))
    names = int(np.count_nonzero(taking_part))
    normal, right = _normal_equations(day, returns, weights)
    sizes = np.bincount(day.codes[taking_part], capitalisation[taking_part], day.industries)
    here = np.concatenate([[True], sizes > 0, day.filled >= 0])
    restriction = _restriction(sizes, here)
    free = restriction.shape[1]
    inverse = _inverse(restriction.T @ normal @ restriction) if names >= 2 * free else None
    if inverse is None:
        none = np.full(len(here), np.nan)
        return CrossSection(
            none, none, np.full((len(here), len(here)), np.nan), np.full(len(returns), np.nan), np.nan, names
        )
    solver = restriction @ inverse @ restriction.T
    found = solver @ right
    residuals = returns - _explained(day, np.where(here, found, 0.0))
    squares = np.where(taking_part, residuals, 0.0) ** 2
    variance = float(weights @ squares) / (names - free)
    deviation = np.sqrt(np.maximum(solver.diagonal() * variance, 0.0))
    # The meat of White's sandwich: normal equations with the squares of weight times residual.
    meat, _ = _normal_equations(day, returns, weights**2 * squares * (names / (names - free)))
    errors = solver @ meat @ solver
    centred = np.where(
        taking_part, returns - weights[taking_part] @ returns[taking_part] / weights.sum(), 0.0
    )
    spread = float(weights @ centred**2)
    found[~here] = errors[~here] = errors[:, ~here] = np.nan
    return CrossSection(
        found,
        np.divide(found, deviation, out=np.full(len(found), np.nan), where=here & (deviation > 0)),
        errors,
        residuals,
        1.0 - float(weights @ squares) / spread if spread > 0 else np.nan,
        names,
    )


def _normal_equations(
    day: Exposures, returns: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return X'WX and X'Wy over names of positive weight; zeros for styles that the day lacks."""
    count = 1 + day.industries + day.styles.shape[1]
    normal, right = np.zeros((count, count)), np.zeros(count)
    present = np.flatnonzero(day.filled >= 0)
    _sum_up(day.styles, present, day.codes, returns, weights, 1 + day.industries, normal, right)
    return normal, right


@jit
def _sum_up(
    styles: Any, present: Any, codes: Any, returns: Any, weights: Any, start: int, normal: Any, right: Any
) -> None:
    """Fill X'WX and X'Wy in one pass over names; styles begin in column `start`.

    A name is in one industry, so its row of X has few entries: that is what makes thousands of days quick.
    """
    for i in range(len(returns)):
        w = weights[i]
        if not w > 0.0:
            continue
        y, own = returns[i], 1 + codes[i]
        normal[own, own] += w
        right[own] += w * y
        for a in range(len(present)):
            s = present[a]
            wz = w * styles[i, s]
            normal[own, start + s] += wz
            right[start + s] += wz * y
            for b in range(a + 1):
                normal[start + s, start + present[b]] += wz * styles[i, present[b]]
    for p in range(1, start):  # the market is the sum of the industries
        normal[0, 0] += normal[p, p]
        normal[0, p] = normal[p, p]
        right[0] += right[p]
        for k in range(start, len(right)):
            normal[0, k] += normal[p, k]
    for j in range(len(right)):
        for k in range(j):
            either = normal[j, k] if k >= start else normal[k, j]
            normal[j, k] = normal[k, j] = either


def _restriction(sizes: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Return R such that all factor returns are R times the free ones, shape (K, free).

    The largest industry's return is what brings the sum of size times return over the industries to zero.
    """
    whole = np.eye(len(here))
    if sizes.any():
        largest = int(sizes.argmax())
        whole[1 + largest, 1 : 1 + len(sizes)] = -sizes / sizes[largest]
        here = here.copy()
        here[1 + largest] = False
    return whole[:, here]


def _inverse(normal: np.ndarray) -> np.ndarray | None:
    """Return the inverse, or None if a column is, but for rounding, a combination of the others."""
    scale = np.sqrt(normal.diagonal())
    if not (scale > 0).all():
        return None
    try:
        pivots = np.linalg.cholesky(normal / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        return None
    if pivots.diagonal().min() < _LEAST_PIVOT:
        return None
    half = np.linalg.inv(pivots) / scale
    return np.asarray(half.T @ half)


def _explained(day: Exposures, factor_returns: np.ndarray) -> np.ndarray:
    """Return what the factors make of each name's return."""
    by_industry = np.append(factor_returns[1 : 1 + day.industries], 0.0)  # the last for those of no industry
    present = day.filled >= 0
    styles = day.styles[:, present] @ factor_returns[1 + day.industries :][present]
    return np.asarray(factor_returns[0] + by_industry[day.codes] + styles)
