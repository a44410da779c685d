"""Exposures of one day: how much of each factor is in each name.

1. A style's raw values are standardised in the estimation universe: mean 0 weighted by capitalisation, sample standard
   deviation 1.
2. What lies beyond `BOUND` deviations is cut off there.
3. A name without a value gets the capitalisation-weighted mean of its industry's members of the universe, or of the
   market (0) where the industry has none. How many there are is counted.
4. All are standardised again, so that the market portfolio has no style and each style the same scale.

The market's exposure is 1 for all, an industry's is 1 for its members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.contract import jit

BOUND = 3.0
"""Standard deviations at which exposures are cut off; the style library has cut wild values off before."""

_LEAST_NAMES = 10  # with fewer a deviation says little, and the style is left out of the day


@jit
def _centre_and_scale(values: Any, universe: Any, cap: Any) -> Any:
    """Return the weighted mean, the sample deviation about the plain mean, and the number of known members."""
    weight = total = plain = 0.0
    count = 0
    for i in range(len(values)):
        if universe[i] and not np.isnan(values[i]):
            weight += cap[i]
            total += cap[i] * values[i]
            plain += values[i]
            count += 1
    if count < 2 or weight <= 0.0:
        return 0.0, 0.0, count
    mean = total / weight
    plain /= count
    squares = 0.0
    for i in range(len(values)):
        if universe[i] and not np.isnan(values[i]):
            squares += (values[i] - plain) ** 2
    return mean, np.sqrt(squares / (count - 1)), count


@jit
def _fill_from_industries(values: Any, universe: Any, cap: Any, codes: Any, industries: int) -> int:
    """Replace NaN by the industry's weighted mean, or 0; return how many members of the universe that were."""
    weight, total = np.zeros(industries), np.zeros(industries)
    for i in range(len(values)):
        if universe[i] and codes[i] >= 0 and not np.isnan(values[i]):
            weight[codes[i]] += cap[i]
            total[codes[i]] += cap[i] * values[i]
    filled = 0
    for i in range(len(values)):
        if np.isnan(values[i]):
            known = codes[i] >= 0 and weight[codes[i]] > 0.0
            values[i] = total[codes[i]] / weight[codes[i]] if known else 0.0
            filled += universe[i]
    return filled


@jit
def _standardise(
    raw: Any,
    universe: Any,
    cap: Any,
    codes: Any,
    industries: int,
    bound: float,
    least: int,
    out: Any,
    filled: Any,
) -> None:
    """Fill `out` (N, S) with the exposures of raw values (S, N), and `filled` (S,) with how many were missing.

    A style that too few members of the universe have, or that is the same for all, gets NaN and -1.
    """
    styles, names = raw.shape
    values = np.empty(names)
    for s in range(styles):
        for i in range(names):
            values[i] = raw[s, i]
        mean, deviation, count = _centre_and_scale(values, universe, cap)
        if count < least or not deviation > 1e-12 * (abs(mean) + deviation):
            out[:, s] = np.nan
            filled[s] = -1
            continue
        for i in range(names):
            values[i] = (
                min(max((values[i] - mean) / deviation, -bound), bound) if values[i] == values[i] else np.nan
            )
        filled[s] = _fill_from_industries(values, universe, cap, codes, industries)
        mean, deviation, count = _centre_and_scale(values, universe, cap)
        for i in range(names):
            out[i, s] = (values[i] - mean) / deviation


@dataclass(frozen=True, eq=False)
class Exposures:
    """The exposures of one day.

    Attributes
    ----------
    styles : array of shape (N, S)
        NaN in the whole column of a style that the day does not have.
    codes : array of int64, shape (N,)
        Industry, -1 where unknown.
    industries : int
        P, the number of industries.
    filled : array of int64, shape (S,)
        Members of the universe whose style was taken from their industry; -1 if the day lacks the style.
    """

    styles: np.ndarray
    codes: np.ndarray
    industries: int
    filled: np.ndarray

    def matrix(self) -> np.ndarray:
        """Return all exposures, shape (N, 1 + P + S): the market, the industries, the styles."""
        dummies = self.codes[:, None] == np.arange(self.industries)
        return np.column_stack([np.ones(len(self.codes)), dummies, self.styles])


def exposures_of(
    raw: np.ndarray, universe: np.ndarray, capitalisation: np.ndarray, codes: np.ndarray, industries: int
) -> Exposures:
    """Return the exposures of a day.

    Parameters
    ----------
    raw : array of shape (S, N)
        Styles as they come; NaN where there is none.
    universe : array of bool, shape (N,)
    capitalisation : array of shape (N,)
        Positive for members of the universe.
    codes : array of int64, shape (N,)
        Industry from 0 to `industries` - 1, or -1.
    industries : int

    Raises
    ------
    InvalidRequest
        If a member of the universe has no capitalisation.

    Examples
    --------
    >>> raw = np.array([[*np.arange(10.0), np.nan]])
    >>> day = exposures_of(raw, np.ones(11, bool), np.ones(11), np.zeros(11, np.int64), 1)
    >>> day.styles[:, 0].round(2).tolist(), day.filled.tolist()
    ([-1.57, -1.22, -0.87, -0.52, -0.17, 0.17, 0.52, 0.87, 1.22, 1.57, 0.0], [1])
    """
    if not (capitalisation[universe] > 0).all():
        raise InvalidRequest("every member of the estimation universe needs a positive capitalisation")
    out = np.empty((raw.shape[1], raw.shape[0]))
    filled = np.empty(raw.shape[0], dtype=np.int64)
    _standardise(
        np.array(raw, dtype=np.float64),
        np.array(universe),
        np.array(capitalisation, dtype=np.float64),
        codes,
        industries,
        BOUND,
        _LEAST_NAMES,
        out,
        filled,
    )
    return Exposures(out, codes, industries, filled)
