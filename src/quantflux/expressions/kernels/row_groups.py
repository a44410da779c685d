"""Cross-section kernels within groups, such as industries: `kernel(x, hx, group, hg, out, ho, first, last, ...)`.

A group is a code: a whole number from 0 up to `MOST_GROUPS - 1`, as float64. NaN, and any other number, is no group.
A symbol without number or without group takes no part and is NaN in the output.

Each symbol of a row gets a *slot* (`join_groups`): its group's code, or the slot behind the last group if it takes no
part. Tables by slot hold NaN in that last one, so that loops over symbols need not ask. The work per row is that of
some passes over the symbols and the groups; ranks and medians sort the row once, all groups together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.expressions.kernels.contract import jit
from quantflux.expressions.kernels.row_sorting import sort_row, sorting_space
from quantflux.expressions.kernels.rows import NO_SPREAD, RowKernel

MOST_GROUPS = 1 << 16
"""Codes from here on are no group, so that a wrong code costs no memory."""


@jit
def count_groups(codes: Any, first: int, last: int) -> int:
    """Return how many groups some rows of codes may hold: their highest code and one."""
    highest = -1.0
    for r in range(first, last):
        for i in range(codes.shape[1]):
            code = codes[r, i]
            code = code if code < MOST_GROUPS else -1.0
            highest = code if code > highest else highest
    return int(highest) + 1


@jit
def join_groups(row: Any, codes: Any, slots: Any, counts: Any) -> None:
    """Write the slot of each symbol, and how many symbols each group has; NaN for the last slot, which is no group."""
    nowhere = counts.size - 1
    counts[:] = 0.0
    for i in range(row.size):
        there = (row[i] == row[i]) & (codes[i] >= 0) & (codes[i] < nowhere)
        code = codes[i] if there else float(nowhere)
        slot = int(code)
        slots[i] = slot if slot == code else nowhere
    for i in range(row.size):  # apart from the loop above, which is then done for several symbols at once
        counts[slots[i]] += 1.0
    counts[nowhere] = np.nan


@jit
def group_means(row: Any, slots: Any, counts: Any, anchors: Any, means: Any) -> None:
    """Write the mean of each group: of the distances from its last number, so that equal numbers have their mean."""
    for i in range(row.size):
        anchors[slots[i]] = row[i] if np.isfinite(row[i]) else 0.0
    means[:] = 0.0
    for i in range(row.size):
        means[slots[i]] += row[i] - anchors[slots[i]]
    for slot in range(means.size):
        means[slot] = anchors[slot] + means[slot] / counts[slot]


@jit
def _group_stds(row: Any, slots: Any, counts: Any, means: Any, stds: Any) -> None:
    stds[:] = 0.0
    for i in range(row.size):
        distance = row[i] - means[slots[i]]
        stds[slots[i]] += distance * distance
    for slot in range(stds.size):
        stds[slot] = np.sqrt(stds[slot] / (counts[slot] - 1)) if counts[slot] > 1 else np.nan


@jit
def _group_totals(row: Any, slots: Any, absolute: bool, totals: Any) -> None:
    totals[:] = 0.0
    for i in range(row.size):
        totals[slots[i]] += abs(row[i]) if absolute else row[i]
    totals[totals.size - 1] = np.nan


@jit
def _spread(table: Any, slots: Any, out: Any) -> None:
    for i in range(slots.size):
        out[i] = table[slots[i]]


@jit
def group_space(x: Any, codes: Any, first: int, last: int) -> tuple[Any, Any, Any, Any, Any]:
    """Return an array for the slots of a row and four tables by slot, for some rows of codes."""
    size = count_groups(codes, first, last) + 1
    return np.empty(x.shape[1], np.int64), np.empty(size), np.zeros(size), np.empty(size), np.empty(size)


@jit
def _group_count(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, _, _, _ = group_space(x, group, hg + first, hg + last)
    for r in range(first, last):
        join_groups(x[hx + r], group[hg + r], slots, counts)
        _spread(counts, slots, out[ho + r])


@jit
def _group_sum(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, totals, _, _ = group_space(x, group, hg + first, hg + last)
    for r in range(first, last):
        join_groups(x[hx + r], group[hg + r], slots, counts)
        _group_totals(x[hx + r], slots, False, totals)
        _spread(totals, slots, out[ho + r])


@jit
def _group_mean(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, anchors, means, _ = group_space(x, group, hg + first, hg + last)
    for r in range(first, last):
        join_groups(x[hx + r], group[hg + r], slots, counts)
        group_means(x[hx + r], slots, counts, anchors, means)
        _spread(means, slots, out[ho + r])


@jit
def _group_std(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, anchors, means, stds = group_space(x, group, hg + first, hg + last)
    for r in range(first, last):
        join_groups(x[hx + r], group[hg + r], slots, counts)
        group_means(x[hx + r], slots, counts, anchors, means)
        _group_stds(x[hx + r], slots, counts, means, stds)
        _spread(stds, slots, out[ho + r])


@jit
def _group_demean(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, anchors, means, _ = group_space(x, group, hg + first, hg + last)
    for r in range(first, last):
        row, to = x[hx + r], out[ho + r]
        join_groups(row, group[hg + r], slots, counts)
        group_means(row, slots, counts, anchors, means)
        for i in range(row.size):
            to[i] = row[i] - means[slots[i]]


@jit
def _group_zscore(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, anchors, means, stds = group_space(x, group, hg + first, hg + last)
    for r in range(first, last):
        row, to = x[hx + r], out[ho + r]
        join_groups(row, group[hg + r], slots, counts)
        group_means(row, slots, counts, anchors, means)
        _group_stds(row, slots, counts, means, stds)
        for slot in range(stds.size):
            if not stds[slot] > NO_SPREAD * abs(means[slot]):
                stds[slot] = np.nan
        for i in range(row.size):
            to[i] = (row[i] - means[slots[i]]) / stds[slots[i]]


@jit
def _group_scale(
    x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int, a: float
) -> None:
    slots, counts, factors, _, _ = group_space(x, group, hg + first, hg + last)
    for r in range(first, last):
        row, to = x[hx + r], out[ho + r]
        join_groups(row, group[hg + r], slots, counts)
        _group_totals(row, slots, True, factors)
        for slot in range(factors.size):
            factors[slot] = a / factors[slot] if factors[slot] > 0 else np.nan
        for i in range(row.size):
            to[i] = row[i] * factors[slots[i]]


@jit
def _write_ranks(order: Any, tied: Any, count: int, slots: Any, seen: Any, equal: Any, out: Any) -> None:
    """Write each number's rank in its group; equal ones of a group share the mean of their ranks.

    `seen` is how many of each group came before, `equal` how many of it are among the numbers now equal.
    """
    seen[:] = 0.0
    equal[:] = 0.0
    start = 0
    while start < count:
        stop = start + 1
        while stop < count and tied[stop]:
            stop += 1
        if stop == start + 1:  # the three loops below would do the same, slower
            slot = slots[order[start]]
            seen[slot] += 1.0
            out[order[start]] = seen[slot]
            start = stop
            continue
        for i in range(start, stop):
            equal[slots[order[i]]] += 1.0
        for i in range(start, stop):
            slot = slots[order[i]]
            out[order[i]] = seen[slot] + (equal[slot] + 1) / 2
        for i in range(start, stop):
            slot = slots[order[i]]
            seen[slot] += equal[slot]
            equal[slot] = 0.0
        start = stop


@jit
def _divide(row: Any, slots: Any, counts: Any) -> None:
    for i in range(row.size):
        row[i] /= counts[slots[i]]


@jit
def _group_rank(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, seen, equal, _ = group_space(x, group, hg + first, hg + last)
    bits, space = x.view(np.uint64), sorting_space(x.shape[1])
    for r in range(first, last):
        to = out[ho + r]
        join_groups(x[hx + r], group[hg + r], slots, counts)
        count = sort_row(bits[hx + r], space)
        to[:] = np.nan
        _write_ranks(space[0], space[1], count, slots, seen, equal, to)
        _divide(to, slots, counts)


@jit
def _group_median(x: Any, hx: int, group: Any, hg: int, out: Any, ho: int, first: int, last: int) -> None:
    slots, counts, seen, lows, highs = group_space(x, group, hg + first, hg + last)
    bits, space = x.view(np.uint64), sorting_space(x.shape[1])
    order = space[0]
    for r in range(first, last):
        row = x[hx + r]
        join_groups(row, group[hg + r], slots, counts)
        seen[:] = 0.0
        for i in range(sort_row(bits[hx + r], space)):
            slot = slots[order[i]]
            seen[slot] += 1.0
            beyond = 2 * seen[slot] - (counts[slot] + 1)  # 0 for the middle one, -1 and 1 for the middle two
            if abs(beyond) <= 1:
                if beyond <= 0:
                    lows[slot] = row[order[i]]
                if beyond >= 0:
                    highs[slot] = row[order[i]]
        lows[lows.size - 1] = highs[highs.size - 1] = np.nan
        for slot in range(lows.size):
            lows[slot] = lows[slot] if lows[slot] == highs[slot] else lows[slot] / 2 + highs[slot] / 2
        _spread(lows, slots, out[ho + r])


def _sorted_cost(*_: float) -> float:
    return 14.0


def _cost(*_: float) -> float:
    return 5.0


GROUP_COUNT = RowKernel("group_count", _group_count, inputs=2, cost=_cost)
"""How many symbols of the group have a number, given to these."""

GROUP_SUM = RowKernel("group_sum", _group_sum, inputs=2, cost=_cost)
"""Sum of the group."""

GROUP_MEAN = RowKernel("group_mean", _group_mean, inputs=2, cost=_cost)
"""Mean of the group."""

GROUP_STD = RowKernel("group_std", _group_std, inputs=2, cost=_cost)
"""Sample standard deviation (ddof=1) of the group; NaN for a single number."""

GROUP_MEDIAN = RowKernel("group_median", _group_median, inputs=2, cost=_sorted_cost)
"""Median of the group."""

GROUP_DEMEAN = RowKernel("group_demean", _group_demean, inputs=2, cost=_cost)
"""Distance from the group's mean: x neutralised by group."""

GROUP_ZSCORE = RowKernel("group_zscore", _group_zscore, inputs=2, cost=_cost)
"""Distance from the group's mean in its sample standard deviations (ddof=1); NaN where nothing varies."""

GROUP_SCALE = RowKernel("group_scale", _group_scale, inputs=2, parameters=(float,), cost=_cost)
"""x times a number that makes the absolute values of the group add up to the parameter `a`; NaN where all are 0."""

GROUP_RANK = RowKernel("group_rank", _group_rank, inputs=2, cost=_sorted_cost)
"""Rank among the group's numbers divided by their count: 1/count to 1, equal ones sharing the mean of their ranks."""
