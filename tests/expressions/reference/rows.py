"""Operators across the symbols of a row: each row by itself, sums by `math.fsum`, regressions by least squares.

Where a row holds numbers whose squares or sums are beyond a float it is undecided: it must not be infinite, no more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tests.expressions.reference.answers import ROUNDING, TINY, Answer, Array
from tests.expressions.reference.rolling import deviations, quantile_of

HUGE = 1e150
FLAT = 1e-140
"""A deviation below it counts as none: its square is hardly a float."""

NO_SPREAD = 1e-12
"""Numbers with a deviation below this part of their mean count as equal."""

COLLINEAR = 1e-6
"""The part of an exposure that must be its own."""

Row = list[float]
RowResult = tuple[Row, float]
"""Values for the numbers of a row, in order, and their floor."""


def over_rows(x: Array, function: Callable[[Row], RowResult], *, bounded: bool = True) -> Answer:
    """Apply a function to the numbers of each row; `bounded` says that it is undecided where they are huge."""
    answer = Answer(np.full(x.shape, np.nan), np.zeros(x.shape))
    for t in range(len(x)):
        there = np.flatnonzero(~np.isnan(x[t]))
        numbers = x[t, there].tolist()
        if not numbers:
            continue
        if bounded and max(map(abs, numbers)) > HUGE:
            answer.floor[t, there] = np.inf
            continue
        values, floor = function(numbers)
        answer.values[t, there], answer.floor[t, there] = values, floor
    return answer


def _everywhere(value: float, numbers: Row, floor: float = 0.0) -> RowResult:
    return [value] * len(numbers), floor


def rounding_of(numbers: Row) -> float:
    """Return what rounding leaves in a mean or a distance from it."""
    return 4 * ROUNDING * (len(numbers) + 1) * max(map(abs, numbers))


def spread_of(numbers: Row) -> tuple[float, float]:
    """Return the sample standard deviation, NaN for one number, and its floor."""
    if len(numbers) < 2:
        return math.nan, 0.0
    squares = math.fsum(d * d for d in deviations(numbers)[1])
    return math.sqrt(squares / (len(numbers) - 1)), rounding_of(numbers) + FLAT


def ranks_of(numbers: Row) -> Row:
    """Return ranks from 1, equal numbers sharing the mean of theirs."""
    return [sum(v < x for v in numbers) + (sum(v == x for v in numbers) + 1) / 2 for x in numbers]


def rank(x: Array) -> Answer:
    ranked = over_rows(x, lambda v: ([r / len(v) for r in ranks_of(v)], 0.0), bounded=False)
    return Answer.exactly(ranked.values)


def bucket(x: Array, buckets: int) -> Answer:
    def of(numbers: Row) -> RowResult:
        if len(numbers) < buckets:
            return _everywhere(math.nan, numbers)
        return [math.floor((r - 0.5) * buckets / len(numbers)) for r in ranks_of(numbers)], 0.0

    return Answer.exactly(over_rows(x, of, bounded=False).values)


def row_mean(x: Array) -> Answer:
    return over_rows(x, lambda v: _everywhere(deviations(v)[0], v, rounding_of(v)))


def row_sum(x: Array) -> Answer:
    return over_rows(x, lambda v: _everywhere(math.fsum(v), v, len(v) * rounding_of(v)))


def row_std(x: Array) -> Answer:
    def of(numbers: Row) -> RowResult:
        value, floor = spread_of(numbers)
        return _everywhere(value, numbers, floor)

    return over_rows(x, of)


def row_count(x: Array) -> Answer:
    return Answer.exactly(over_rows(x, lambda v: _everywhere(len(v), v), bounded=False).values)


def row_max(x: Array) -> Answer:
    return Answer.exactly(over_rows(x, lambda v: _everywhere(max(v), v), bounded=False).values)


def row_min(x: Array) -> Answer:
    return Answer.exactly(over_rows(x, lambda v: _everywhere(min(v), v), bounded=False).values)


def demean(x: Array) -> Answer:
    return over_rows(x, lambda v: (deviations(v)[1], rounding_of(v)))


def standardised(numbers: Row) -> RowResult:
    """Return distances from the mean in standard deviations, NaN where nothing varies."""
    spread, floor = spread_of(numbers)
    mean, distances = deviations(numbers)
    if len(numbers) < 2 or min(numbers) == max(numbers):
        return _everywhere(math.nan, numbers)
    if spread < 2 * FLAT or 0.3 < spread / (NO_SPREAD * abs(mean) + math.ulp(0)) < 3:
        return _everywhere(math.nan, numbers, math.inf)
    if spread <= NO_SPREAD * abs(mean):
        return _everywhere(math.nan, numbers)
    return [d / spread for d in distances], 4 * len(numbers) * floor / spread


def zscore(x: Array) -> Answer:
    return over_rows(x, standardised)


def scaled(numbers: Row, a: float) -> RowResult:
    """Return numbers whose absolute values add up to `a`."""
    total = math.fsum(map(abs, numbers))
    if total == 0:
        return _everywhere(math.nan, numbers)
    if total < 1e-290 or (a and not 1e-290 < abs(a / total) < 1e290):
        return _everywhere(math.nan, numbers, math.inf)
    return [v * (a / total) for v in numbers], 1e-290


def scale(x: Array, a: float) -> Answer:
    return over_rows(x, lambda v: scaled(v, a))


def median_of(numbers: Row) -> float:
    ordered = sorted(numbers)
    return ordered[(len(ordered) - 1) // 2] / 2 + ordered[len(ordered) // 2] / 2


def row_median(x: Array) -> Answer:
    return over_rows(x, lambda v: _everywhere(median_of(v), v, math.ulp(0)))


def winsorize(x: Array, low: float, high: float) -> Answer:
    def of(numbers: Row) -> RowResult:
        (bottom, floor_1), (top, floor_2) = quantile_of(numbers, low), quantile_of(numbers, high)
        return [min(max(v, bottom), top) for v in numbers], floor_1 + floor_2

    return over_rows(x, of)


def winsorize_mad(x: Array, k: float) -> Answer:
    def of(numbers: Row) -> RowResult:
        center = median_of(numbers)
        reach = k * 1.4826 * median_of([abs(v - center) for v in numbers])
        return [min(max(v, center - reach), center + reach) for v in numbers], (1 + k) * rounding_of(numbers)

    return over_rows(x, of)


def row_weighted_mean(x: Array, weight: Array) -> Answer:
    """Undecided where weights of both signs nearly cancel."""
    answer = Answer(np.full(x.shape, np.nan), np.zeros(x.shape))
    for t in range(len(x)):
        there = np.flatnonzero(~(np.isnan(x[t]) | np.isnan(weight[t])))
        numbers, weights = x[t, there].tolist(), weight[t, there].tolist()
        if not numbers:
            continue
        total, gross = math.fsum(weights), math.fsum(map(abs, weights))
        known = x[t, ~np.isnan(x[t])]  # the sum is of distances from one of these
        largest = float(np.abs(known).max())
        if max(largest, gross) > HUGE or (gross and (abs(total) < 1e-9 * gross or gross < 1e-290)):
            answer.floor[t, there] = np.inf
        elif total > 0:
            value = math.fsum(v * (w / total) for v, w in zip(numbers, weights, strict=True))
            answer.values[t, there] = value
            products = 8 * ROUNDING * (len(numbers) + 1) * largest * gross + len(numbers) * TINY
            answer.floor[t, there] = products / total
    return answer


def _centred(column: Array, groups: Array) -> Array:
    """Take the mean of each group off."""
    out = column.astype(float).copy()
    for code in np.unique(groups):
        out[groups == code] = deviations(column[groups == code].tolist())[1]
    return out


def _residual(y: Array, exposures: list[Array], groups: Array) -> tuple[Array, float]:
    """Return what a regression on the exposures and an intercept for each group leaves, and the floor.

    An exposure that the ones before it explain is left out; undecided where that is a matter of rounding.
    """
    kept: list[Array] = []
    smallest = 1.0
    for exposure in exposures:
        raw, own = float(np.linalg.norm(exposure)), _centred(exposure, groups)
        length = float(np.linalg.norm(own))
        if 0 < length < 10 * FLAT or (raw and 0.1 < length / (NO_SPREAD * raw) < 10):
            return y, math.inf
        if length <= NO_SPREAD * raw:
            continue
        own = own / length
        left = own - _explained(own, kept)
        share = float(np.linalg.norm(left))
        if 0.01 * COLLINEAR < share < 100 * COLLINEAR:
            return y, math.inf
        if share > COLLINEAR:
            kept.append(own)
            smallest = min(smallest, share)
    own_y = _centred(y, groups)
    floor = 1e-11 * float(np.linalg.norm(own_y)) / smallest + len(y) * ROUNDING * 8 * float(np.abs(y).max())
    return own_y - _explained(own_y, kept), floor + FLAT


def _explained(y: Array, columns: list[Array]) -> Array:
    if not columns:
        return np.zeros(len(y))
    matrix = np.column_stack(columns)
    length = float(np.abs(y).max()) or 1.0
    return np.asarray(matrix @ np.linalg.lstsq(matrix, y / length, rcond=None)[0] * length)


def residuals(y: Array, exposures: tuple[Array, ...], groups: Array) -> Answer:
    """Regress each row within its groups; a row needs a name more than it has coefficients."""
    answer = Answer(np.full(y.shape, np.nan), np.zeros(y.shape))
    for t in range(len(y)):
        columns = np.array([y[t], *(e[t] for e in exposures)])
        there = np.flatnonzero(~np.isnan(columns).any(axis=0) & ~np.isnan(groups[t]))
        columns, codes = columns[:, there], groups[t, there]
        if len(there) < len(exposures) + len(np.unique(codes)) + 1 or not len(there):
            continue
        if np.abs(columns).max() > HUGE:
            answer.floor[t, there] = np.inf
            continue
        answer.values[t, there], answer.floor[t, there] = _residual(columns[0], list(columns[1:]), codes)
    return answer


def neutralize(y: Array, *exposures: Array) -> Answer:
    return residuals(y, exposures, np.zeros(y.shape))


REFERENCES: Mapping[str, Callable[..., Answer]] = {
    f.__name__: f
    for f in (
        rank, bucket, row_mean, row_sum, row_std, row_count, row_max, row_min, row_median, demean, zscore, scale,
        winsorize, winsorize_mad, row_weighted_mean, neutralize,
    )
}  # fmt: skip
