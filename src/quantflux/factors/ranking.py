"""Cross-section ranks and correlations, row by row, all rows at once.

Rank correlations need the ranks among the names that have *both* values, which differ for every pair of arrays. To
sort each array only once:

1. `SortedRows` sorts every row of an array and notes which neighbours are equal;
2. `SortedRows.among` walks along that order and ranks the names that take part, equal values sharing the mean of
   their ranks;
3. `Ranking.correlation` walks along the order of the second array. Where it lacks some of those names the first is
   ranked again without them.

On 800 names that sort is 7 times as fast as `numpy.argsort`, and a correlation costs a third of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.contract import jit
from quantflux.expressions.kernels.row_sorting import sort_row, sorting_space


class SortedRows:
    """The order of each row of an array of shape (T, N).

    Parameters
    ----------
    values : array of float64, shape (T, N)
        NaN is left out.

    Attributes
    ----------
    there : array of bool, shape (T, N)
        Where there is a number.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.there = ~np.isnan(values)
        # Twelve of these are kept for one market: two bytes a cell instead of four are half a gigabyte of 5,000 names.
        narrow = values.shape[1] <= np.iinfo(np.int16).max
        self._order = np.empty(values.shape, dtype=np.int16 if narrow else np.int32)
        _sort_rows(np.ascontiguousarray(values, dtype=np.float64), self._order)

    def among(self, names: np.ndarray) -> Ranking:
        """Return the ranks among those of `names`, of shape (T, N), that have a value."""
        if names.shape != self.there.shape:
            raise InvalidRequest(
                f"names must have shape {self.there.shape} like the values, had {names.shape}"
            )
        taking = self.there & names
        ranks, count = np.zeros(taking.shape), taking.sum(axis=1)
        _rank_rows(self._order, taking, count, ranks)
        return Ranking(ranks, count, self)

    def ranks(self, among: np.ndarray) -> np.ndarray:
        """Return ranks 1 .. n among the chosen names of each row, ties sharing their mean; 0 elsewhere.

        Examples
        --------
        >>> SortedRows(np.array([[5.0, 1.0, 5.0, np.nan]])).ranks(np.ones((1, 4), dtype=bool)).tolist()
        [[2.5, 1.0, 2.5, 0.0]]
        """
        return self.among(among).ranks

    def lagged(self, rows: int) -> SortedRows:
        """Return the order of the values of `rows` rows before; the first rows have none."""
        moved = object.__new__(SortedRows)
        moved.there = np.zeros_like(self.there)
        moved.there[rows:] = self.there[: max(len(self.there) - rows, 0)]
        moved._order = np.empty_like(self._order)
        moved._order[rows:] = self._order[: max(len(self._order) - rows, 0)]
        return moved

    @property
    def order(self) -> np.ndarray:
        """Columns from the least value up, shape (T, N); `~column` where a value equals the one before it.

        Behind the last name that has a value stands whatever.
        """
        return self._order


@dataclass(frozen=True)
class Ranking:
    """Ranks among the names that take part.

    Attributes
    ----------
    ranks : array of float64, shape (T, N)
        1 .. n, ties sharing their mean; 0 elsewhere.
    count : array of int, shape (T,)
        How many take part.
    rows : SortedRows
        What was ranked.
    """

    ranks: np.ndarray
    count: np.ndarray
    rows: SortedRows

    def correlation(self, other: SortedRows, least: int) -> np.ndarray:
        """Return Spearman's correlation of each row with another array, over the names that have both values.

        Rows with fewer than `least` such names, or in which all values of one side are equal, are NaN; shape (T,).
        """
        out = np.empty(len(self.count))
        _correlate_ranks(self.ranks, self.count, self.rows.order, other.order, other.there, least, out)
        return out

    def correlation_by_group(
        self, other: SortedRows, groups: np.ndarray, number: int, least: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the same within each group of names, and how many names that were.

        Parameters
        ----------
        groups : array of int, shape (T, N)
            0 .. number-1; names with another one take no part.

        Returns
        -------
        correlation : array of float64, shape (T, number)
        names : array of int, shape (T, number)
        """
        out = np.full((len(self.count), number), np.nan)
        names = np.zeros(out.shape, dtype=np.int64)
        both = (self.ranks > 0) & other.there
        _correlate_within(self.rows.order, other.order, both, groups, least, out, names)
        return out, names


def rank_correlation(one: SortedRows, two: SortedRows, among: np.ndarray, least: int) -> np.ndarray:
    """Return Spearman's correlation of each row over the names that have both values; see `Ranking.correlation`."""
    return one.among(among).correlation(two, least)


def row_correlation(one: np.ndarray, two: np.ndarray, among: np.ndarray, least: int) -> np.ndarray:
    """Return Pearson's correlation of each row over the chosen names; shape (T,). NaN as in `rank_correlation`.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> row_correlation(x, -x, np.ones((1, 3), dtype=bool), least=3).tolist()
    [-1.0]
    """
    out = np.empty(len(among))
    _correlate_rows(np.ascontiguousarray(one), np.ascontiguousarray(two), among, least, out)
    return out


_NONE: Any = np.int64(0)
"""A plain 0 is a type of its own to the compiler, which would compile everything called with it twice."""


@jit
def _sort_rows(values: Any, order: Any) -> None:
    space = sorting_space(values.shape[1])
    names, tied = space[0], space[1]
    bits = values.view(np.uint64)
    for row in range(len(values)):
        for i in range(sort_row(bits[row], space)):
            order[row, i] = ~names[i] if tied[i] else names[i]


@jit
def _rank_row(order: Any, taking: Any, count: int, ranks: Any, run: Any) -> None:
    """Fill in the ranks of the names that take part in one row; `run` is room for one run of ties."""
    seen, first, place = _NONE, _NONE, _NONE
    fresh = True
    while seen < count:
        name = order[place]
        place += 1
        if name < 0:
            name = ~name
        else:
            fresh = True
        if not taking[name]:
            continue
        if fresh:
            _share(ranks, run, first, seen)
            first, fresh = seen, False
        run[seen - first] = name
        seen += 1
    _share(ranks, run, first, seen)


@jit
def _share(ranks: Any, run: Any, first: int, last: int) -> None:
    mean = 0.5 * (first + 1 + last)
    for i in range(last - first):
        ranks[run[i]] = mean


@jit
def _rank_rows(order: Any, taking: Any, count: Any, ranks: Any) -> None:
    run = np.empty(order.shape[1], np.int32)
    for row in range(len(order)):
        _rank_row(order[row], taking[row], count[row], ranks[row], run)


@jit
def _correlate_ranks(
    ranks: Any, count: Any, order: Any, other: Any, there: Any, least: int, out: Any
) -> None:
    columns = order.shape[1]
    again, run, both = np.empty(columns), np.empty(columns, np.int32), np.empty(columns, np.bool_)
    for row in range(len(order)):
        number = _NONE
        for column in range(columns):
            both[column] = ranks[row, column] > 0 and there[row, column]
            number += both[column]
        if number < least:
            out[row] = np.nan
        elif number == count[row]:
            out[row] = _correlate_row(ranks[row], other[row], both, number)
        else:
            _rank_row(order[row], both, number, again, run)
            out[row] = _correlate_row(again, other[row], both, number)


@jit
def _correlate_row(ranks: Any, other: Any, both: Any, number: int) -> float:
    # Ranks are halves of whole numbers, so these sums are exact and need no centring first.
    joint, squares, other_squares, run = 0.0, 0.0, 0.0, 0.0
    seen, first, place = _NONE, _NONE, _NONE
    fresh = True
    while seen < number:
        name = other[place]
        place += 1
        if name < 0:
            name = ~name
        else:
            fresh = True
        if not both[name]:
            continue
        if fresh:
            mean = 0.5 * (first + 1 + seen)
            joint += run * mean
            other_squares += (seen - first) * mean * mean
            first, run, fresh = seen, 0.0, False
        run += ranks[name]
        squares += ranks[name] * ranks[name]
        seen += 1
    mean = 0.5 * (first + 1 + seen)
    joint += run * mean
    other_squares += (seen - first) * mean * mean
    level = 0.25 * number * (number + 1.0) ** 2
    return _quotient(joint - level, squares - level, other_squares - level)


@jit
def _quotient(joint: float, one: float, two: float) -> float:
    scale = math.sqrt(one * two)
    if not scale > 0:
        return np.nan
    return min(max(joint / scale, -1.0), 1.0)


@jit
def _correlate_within(
    order: Any, other: Any, both: Any, groups: Any, least: int, out: Any, counts: Any
) -> None:
    rows, columns = order.shape
    number = out.shape[1]
    first, second = np.empty(columns), np.empty(columns)
    sums = np.empty((3, number))
    for row in range(rows):
        count = counts[row]
        for name in range(columns):
            if both[row, name] and 0 <= groups[row, name] < number:
                count[groups[row, name]] += 1
        _rank_within(order[row], both[row], groups[row], count, first)
        _rank_within(other[row], both[row], groups[row], count, second)
        for group in range(number):
            sums[0, group] = sums[1, group] = sums[2, group] = 0.0
        for name in range(columns):
            if both[row, name] and 0 <= groups[row, name] < number:
                group = groups[row, name]
                sums[0, group] += first[name] * second[name]
                sums[1, group] += first[name] * first[name]
                sums[2, group] += second[name] * second[name]
        for group in range(number):
            if count[group] >= max(least, 1):
                level = 0.25 * count[group] * (count[group] + 1.0) ** 2
                out[row, group] = _quotient(
                    sums[0, group] - level, sums[1, group] - level, sums[2, group] - level
                )


@jit
def _rank_within(order: Any, both: Any, groups: Any, count: Any, ranks: Any) -> None:
    """Rank the names of each group among themselves."""
    number = len(count)
    members = np.empty(len(order), np.int32)
    start, seen, first = np.zeros(number, np.int64), np.zeros(number, np.int64), np.zeros(number, np.int64)
    value, last = 1, np.zeros(number, np.int64)  # the running number of a value, and each group's last one
    place, left = 0, count[0]
    for group in range(1, number):
        start[group] = start[group - 1] + count[group - 1]
        left += count[group]
    while left > 0:
        name = order[place]
        place += 1
        if name < 0:
            name = ~name
        else:
            value += 1
        group = groups[name]
        if not both[name] or not 0 <= group < number:
            continue
        if last[group] != value:
            _share(ranks, members[start[group] + first[group] :], first[group], seen[group])
            first[group], last[group] = seen[group], value
        members[start[group] + seen[group]] = name
        seen[group] += 1
        left -= 1
    for group in range(number):
        _share(ranks, members[start[group] + first[group] :], first[group], seen[group])


@jit
def _correlate_rows(one: Any, two: Any, among: Any, least: int, out: Any) -> None:
    for row in range(len(out)):
        count = _NONE
        for name in range(among.shape[1]):
            count += among[row, name]
        mean_one, mean_two = _mean(one[row], among[row], count), _mean(two[row], among[row], count)
        joint, squares_one, squares_two = 0.0, 0.0, 0.0
        for name in range(among.shape[1]):
            if among[row, name]:
                x, y = one[row, name] - mean_one, two[row, name] - mean_two
                joint += x * y
                squares_one += x * x
                squares_two += y * y
        out[row] = _quotient(joint, squares_one, squares_two) if count >= least else np.nan


@jit
def _mean(values: Any, among: Any, count: int) -> float:
    """Return the mean of the chosen values: exactly their value if they are all equal."""
    anchor, total = np.nan, 0.0
    for name in range(len(values)):
        if among[name]:
            anchor = values[name] if np.isnan(anchor) else anchor
            total += values[name] - anchor
    return anchor + total / max(count, 1)
