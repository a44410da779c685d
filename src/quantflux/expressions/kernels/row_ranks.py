"""Cross-section kernels that need the order of a row: rank, buckets, median, and clipping at quantiles.

Infinities are numbers like others here, and -0.0 equals 0.0. Each row is sorted once (`row_sorting.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit
from quantflux.expressions.kernels.row_sorting import sort_row, sorting_space
from quantflux.expressions.kernels.rows import RowKernel, broadcast

MAD_TO_STD = 1.4826
"""A normal variable's standard deviation in median absolute deviations."""


@jit
def write_ranks(order: Any, tied: Any, count: int, out: Any) -> None:
    """Write the ranks 1 .. count of sorted numbers to their positions, equal ones sharing the mean of their ranks."""
    starts = np.empty(count, np.int64)
    start, stop = 0, count
    for i in range(count):  # no branch on ties in either loop: nobody can foresee them
        start = start if tied[i] else i
        starts[i] = start
    for i in range(count - 1, -1, -1):
        out[order[i]] = (starts[i] + stop + 1) / 2
        stop = stop if tied[i] else i


@jit
def _divide(row: Any, count: int) -> None:
    for i in range(row.size):
        row[i] /= count


@jit
def _row_rank(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    bits, space = x.view(np.uint64), sorting_space(x.shape[1])
    for r in range(first, last):
        count = sort_row(bits[hx + r], space)
        if count < x.shape[1]:
            out[ho + r, :] = np.nan
        write_ranks(space[0], space[1], count, out[ho + r])
        _divide(out[ho + r], count)


@jit
def _put_in_buckets(ranks: Any, count: int, buckets: int) -> None:
    # The half keeps tied names together in the middle of their ranks and makes the buckets equal without ties.
    for i in range(ranks.size):
        ranks[i] = np.floor((ranks[i] - 0.5) * buckets / count)


@jit
def _row_quantile_bucket(x: Any, hx: int, out: Any, ho: int, first: int, last: int, buckets: int) -> None:
    bits, space = x.view(np.uint64), sorting_space(x.shape[1])
    for r in range(first, last):
        count = sort_row(bits[hx + r], space)
        if count < x.shape[1] or count < buckets:
            out[ho + r, :] = np.nan
        if count >= buckets:
            write_ranks(space[0], space[1], count, out[ho + r])
            _put_in_buckets(out[ho + r], count, buckets)


@jit
def middle(row: Any, order: Any, count: int) -> float:
    """Return the median of sorted numbers, NaN of none."""
    if count == 0:
        return np.nan
    low, high = float(row[order[(count - 1) // 2]]), float(row[order[count // 2]])
    return low if low == high else low / 2 + high / 2


@jit
def _quantile(row: Any, order: Any, count: int, share: float) -> float:
    """Return a quantile of sorted numbers, interpolated linearly between the two next to it; NaN of none."""
    if count == 0:
        return np.nan
    at = share * (count - 1)
    below = int(at)
    weight = at - below
    low, high = float(row[order[below]]), float(row[order[min(below + 1, count - 1)]])
    if weight == 0 or low == high:
        return low
    return (1 - weight) * low + weight * high


@jit
def _median_deviation(row: Any, order: Any, count: int, center: float) -> float:
    """Return the median distance of sorted numbers from their median.

    Distances grow to both sides of the median, so the sorted distances are these two sides merged.
    """
    left, right = (count - 1) // 2, (count - 1) // 2 + 1
    before, distance = 0.0, 0.0
    for _ in range(count // 2 + 1):
        before = distance
        to_left = _distance(row[order[left]], center) if left >= 0 else np.inf
        to_right = _distance(row[order[right]], center) if right < count else np.inf
        if left >= 0 and to_left <= to_right:
            distance = to_left
            left -= 1
        else:
            distance = to_right
            right += 1
    if count % 2 == 1 or before == distance:
        return distance
    return before / 2 + distance / 2


@jit
def _distance(number: float, center: float) -> float:
    return 0.0 if number == center else abs(number - center)


@jit
def _clip(row: Any, low: float, high: float, out: Any) -> None:
    for i in range(row.size):
        value = row[i]
        value = low if value < low else value
        out[i] = high if value > high else value


@jit
def _row_median(x: Any, hx: int, out: Any, ho: int, first: int, last: int) -> None:
    bits, space = x.view(np.uint64), sorting_space(x.shape[1])
    for r in range(first, last):
        row = x[hx + r]
        count = sort_row(bits[hx + r], space)
        broadcast(row, middle(row, space[0], count), out[ho + r])


@jit
def _row_winsorize(
    x: Any, hx: int, out: Any, ho: int, first: int, last: int, lower: float, upper: float
) -> None:
    bits, space = x.view(np.uint64), sorting_space(x.shape[1])
    for r in range(first, last):
        row = x[hx + r]
        count = sort_row(bits[hx + r], space)
        low, high = _quantile(row, space[0], count, lower), _quantile(row, space[0], count, upper)
        _clip(row, low, high, out[ho + r])


@jit
def _row_winsorize_mad(x: Any, hx: int, out: Any, ho: int, first: int, last: int, k: float) -> None:
    bits, space = x.view(np.uint64), sorting_space(x.shape[1])
    for r in range(first, last):
        row = x[hx + r]
        count = sort_row(bits[hx + r], space)
        center = middle(row, space[0], count)
        reach = k * MAD_TO_STD * _median_deviation(row, space[0], count, center) if count else np.nan
        _clip(row, center - reach, center + reach, out[ho + r])


def _sorted_cost(*_: float) -> float:
    return 9.0


ROW_RANK = RowKernel("row_rank", _row_rank, cost=_sorted_cost)
"""Rank among the row's numbers divided by their count: 1/count to 1, equal ones sharing the mean of their ranks."""

ROW_QUANTILE_BUCKET = RowKernel(
    "row_quantile_bucket", _row_quantile_bucket, parameters=(int,), cost=_sorted_cost
)
"""Which of the parameter's so many buckets by rank, 0 the lowest: floor((rank - 1/2) * buckets / count).

Equal numbers share a bucket. Rows with fewer numbers than buckets are NaN.
"""

ROW_MEDIAN = RowKernel("row_median", _row_median, cost=_sorted_cost)
"""Median of the row, given to every symbol that has a number."""

ROW_WINSORIZE = RowKernel("row_winsorize", _row_winsorize, parameters=(float, float), cost=_sorted_cost)
"""x, moved to the row's quantile `lower` or `upper` if it lies beyond: 0 <= lower <= upper <= 1.

Quantiles are interpolated linearly, as NumPy does by default. A bound between -inf and inf is none.
"""

ROW_WINSORIZE_MAD = RowKernel("row_winsorize_mad", _row_winsorize_mad, parameters=(float,), cost=_sorted_cost)
"""x, moved to `k` robust deviations (1.4826 x median absolute deviation) from the row's median if beyond.

Where more than half of the row is one number, the deviation is 0 and all become that number.
"""
