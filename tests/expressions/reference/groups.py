"""Operators within groups: each group of a row as if it were a row of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tests.expressions.reference import rows
from tests.expressions.reference.answers import Answer, Array
from tests.expressions.reference.rows import Row, RowResult

MOST_GROUPS = 65536


def codes_of(group: Array) -> Array:
    """Return the codes of groups, NaN for what is none: only whole numbers from 0 to 65535 are."""
    known = (group >= 0) & (group < MOST_GROUPS) & (np.floor(group) == group)
    return np.where(known, group, np.nan)


def _within(x: Array, group: Array, function: Callable[[Row], RowResult], *, bounded: bool = True) -> Answer:
    """Apply a function to the numbers of each group; `bounded` says that huge ones leave it undecided."""
    answer = Answer(np.full(x.shape, np.nan), np.zeros(x.shape))
    codes = codes_of(group)
    for t in range(len(x)):
        known = np.where(np.isnan(x[t]), np.nan, codes[t])
        for code in np.unique(known[~np.isnan(known)]):
            there = np.flatnonzero(known == code)
            numbers = x[t, there].tolist()
            if bounded and max(map(abs, numbers)) > rows.HUGE:
                answer.floor[t, there] = np.inf
            else:
                answer.values[t, there], answer.floor[t, there] = function(numbers)
    return answer


def _each(value: float, numbers: Row, floor: float = 0.0) -> RowResult:
    return [value] * len(numbers), floor


def group_rank(x: Array, group: Array) -> Answer:
    ranked = _within(x, group, lambda v: ([r / len(v) for r in rows.ranks_of(v)], 0.0), bounded=False)
    return Answer.exactly(ranked.values)


def group_count(x: Array, group: Array) -> Answer:
    return Answer.exactly(_within(x, group, lambda v: _each(len(v), v), bounded=False).values)


def group_sum(x: Array, group: Array) -> Answer:
    return _within(x, group, lambda v: _each(math.fsum(v), v, len(v) * rows.rounding_of(v)))


def group_mean(x: Array, group: Array) -> Answer:
    return _within(x, group, lambda v: _each(rows.deviations(v)[0], v, rows.rounding_of(v)))


def group_std(x: Array, group: Array) -> Answer:
    return _within(x, group, lambda v: _each(rows.spread_of(v)[0], v, rows.spread_of(v)[1]))


def group_median(x: Array, group: Array) -> Answer:
    return _within(x, group, lambda v: _each(rows.median_of(v), v, math.ulp(0)))


def group_demean(x: Array, group: Array) -> Answer:
    return _within(x, group, lambda v: (rows.deviations(v)[1], rows.rounding_of(v)))


def group_zscore(x: Array, group: Array) -> Answer:
    return _within(x, group, rows.standardised)


def group_scale(x: Array, group: Array, a: float) -> Answer:
    return _within(x, group, lambda v: rows.scaled(v, a))


def group_neutralize(y: Array, group: Array, *exposures: Array) -> Answer:
    return rows.residuals(y, exposures, codes_of(group))


REFERENCES: Mapping[str, Callable[..., Answer]] = {
    f.__name__: f
    for f in (
        group_rank, group_count, group_sum, group_mean, group_std, group_median, group_demean, group_zscore,
        group_scale, group_neutralize,
    )
}  # fmt: skip
