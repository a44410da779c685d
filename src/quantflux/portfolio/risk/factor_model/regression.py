"""Factor returns: each day's returns regressed across names on the exposures of the close before.

1. Exposures at the close of day t-1 (`exposures.py`) meet the returns of day t. Who is in the regression was in the
   estimation universe at t-1, and trades on t.
2. Names weigh with the root of their capitalisation, as the variance of what is specific falls about so with size.
3. The market is 1 for all and the industries add up to it, so the industries' returns are held to a
   capitalisation-weighted sum of zero: the market's return is then that of the capitalisation-weighted portfolio,
   about. The restriction is solved by substitution for the largest industry (`_restriction`).
4. An industry without a name in the regression, or a style without values, has no return on that day.
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
    residuals: np.ndarray

    def column_of(self, factor: str) -> int:
        """Return the place of a factor; `InvalidRequest` names those there are."""
        if factor not in self.factors:
            raise InvalidRequest(f"no factor is called {factor!r}; there are: {', '.join(self.factors)}")
        return self.factors.index(factor)


@dataclass(frozen=True, eq=False)
class CrossSection:
    """The regression of one day: `returns` and `t_statistics` of shape (K,), NaN for factors that are absent."""

    returns: np.ndarray
    t_statistics: np.ndarray
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
        residuals=np.full((days, names), np.nan, dtype=np.float32),
    )


def _fill(made: FactorReturns, inputs: RiskInputs, row: int, raw: np.ndarray) -> None:
    """Fill in what the exposures of a row tell of it, and of the returns of the next."""
    day = day_exposures(inputs, row, raw)
    members = max(int(np.count_nonzero(inputs.universe[row])), 1)
    made.filled[row] = np.where(day.filled < 0, np.nan, day.filled / members)
    if row + 1 == len(inputs.times):
        return
    after = inputs.returns[row + 1]
    found = cross_section(day, np.where(inputs.universe[row], after, np.nan), inputs.capitalisation[row])
    made.returns[row + 1], made.t_statistics[row + 1] = found.returns, found.t_statistics
    made.r_squared[row + 1], made.names[row + 1] = found.r_squared, found.names
    left = _residuals(day, found.returns, after)
    made.residuals[row + 1] = np.where(inputs.traded[row], left, np.nan)


def day_exposures(inputs: RiskInputs, row: int, raw: np.ndarray) -> Exposures:
    """Return the exposures at the close of a day from its raw styles, shape (S, N)."""
    return exposures_of(
        raw,
        inputs.universe[row],
        inputs.capitalisation[row],
        inputs.industry_codes(row),
        len(inputs.industries.names),
    )


def cross_section(day: Exposures, returns: np.ndarray, capitalisation: np.ndarray) -> CrossSection:
    """Return the weighted, restricted regression of one day.

    Parameters
    ----------
    day : Exposures
        At the close before.
    returns : array of shape (N,)
        NaN for names that are not to take part; nor do those without an industry or capitalisation.
    capitalisation : array of shape (N,)
        At the close before.
    """
    industries, styles = day.industries, day.styles.shape[1]
    count = 1 + industries + styles
    present = np.flatnonzero(day.filled >= 0)
    normal, right, sums = np.zeros((count, count)), np.zeros(count), np.zeros(4)
    sizes = np.zeros(industries)
    _normal_equations(
        day.styles,
        present,
        day.codes,
        returns,
        np.array(capitalisation, dtype=np.float64),
        industries,
        normal,
        right,
        sizes,
        sums,
    )
    total, first, second, names = sums
    nothing = CrossSection(np.full(count, np.nan), np.full(count, np.nan), np.nan, int(names))
    here = np.concatenate([[True], sizes > 0, day.filled >= 0])
    restriction = _restriction(sizes, here)
    free = restriction.shape[1]
    if names < 2 * free:
        return nothing
    inverse = _inverse(restriction.T @ normal @ restriction)
    if inverse is None:
        return nothing
    slopes = inverse @ (restriction.T @ right)
    unexplained = max(second - slopes @ (restriction.T @ right), 0.0)
    variance = unexplained / (names - free)
    found = restriction @ slopes
    errors = np.sqrt(np.maximum(np.einsum("kf,fg,kg->k", restriction, inverse, restriction) * variance, 0.0))
    t_statistics = np.divide(found, errors, out=np.full(count, np.nan), where=errors > 0)
    spread = second - first * first / total
    found[~here] = np.nan
    return CrossSection(
        found,
        np.where(here, t_statistics, np.nan),
        1.0 - unexplained / spread if spread > 0 else np.nan,
        int(names),
    )


@jit
def _normal_equations(
    styles: Any,
    present: Any,
    codes: Any,
    returns: Any,
    cap: Any,
    industries: int,
    normal: Any,
    right: Any,
    sizes: Any,
    sums: Any,
) -> None:
    """Fill X'WX, X'Wy, the industries' capitalisation, and the sums of w, wy, wyy and 1, in one pass over names.

    A name is in one industry, so its row of X has few entries: that is what makes thousands of days quick.
    """
    start = 1 + industries
    for i in range(len(returns)):
        y, code = returns[i], codes[i]
        if np.isnan(y) or code < 0 or not cap[i] > 0.0:
            continue
        w = np.sqrt(cap[i])
        sizes[code] += cap[i]
        sums[0] += w
        sums[1] += w * y
        sums[2] += w * y * y
        sums[3] += 1.0
        normal[1 + code, 1 + code] += w
        right[1 + code] += w * y
        for a in range(len(present)):
            s = present[a]
            wz = w * styles[i, s]
            normal[1 + code, start + s] += wz
            normal[0, start + s] += wz
            right[start + s] += wz * y
            for b in range(a + 1):
                normal[start + s, start + present[b]] += wz * styles[i, present[b]]
    normal[0, 0], right[0] = sums[0], sums[1]
    for p in range(industries):
        normal[0, 1 + p] = normal[1 + p, 1 + p]
    for j in range(start + styles.shape[1]):
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


def _residuals(day: Exposures, factor_returns: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Return what the factors leave of each name's return; NaN all over where there was no regression."""
    by_industry = np.append(np.nan_to_num(factor_returns[1 : 1 + day.industries]), 0.0)
    present = day.filled >= 0
    explained = day.styles[:, present] @ factor_returns[1 + day.industries :][present]
    return np.asarray(returns - factor_returns[0] - by_industry[day.codes] - explained)
