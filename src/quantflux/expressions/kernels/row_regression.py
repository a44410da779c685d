"""What a regression within one row leaves of y: `kernel(y, hy, [g, hg,] xs, hxs, out, ho, first, last)`.

`xs` and `hxs` are tuples of one to eight exposures and their offsets (`RowKernel.gathered`). Per row:

1. Names that lack y, an exposure or, with groups, the group take no part and are NaN in the output; nor do infinite
   ones. The others are copied into one array, y first (`_gather`).
2. The intercept goes by taking off each column's mean, the intercepts of groups by taking off the group's mean, which
   leaves the same residuals as dummies would (Frisch-Waugh). What takes no part becomes 0, so that no later sum need
   ask (`_center`).
3. Modified Gram-Schmidt: each exposure in turn is taken out of those behind it and out of y (`_take_out`). What
   remains of y is the residual. This is as accurate as Householder's QR [1] and needs no solution of equations.

An exposure that follows from those before it up to `COLLINEAR` of its length, or that hardly varies (`NO_SPREAD`), is
passed over, and the row is explained by the others. A row needs a name more than it has coefficients, the intercepts
included; else it is NaN.

References
----------
[1] A. Bjorck, "Solving linear least squares problems by Gram-Schmidt orthogonalization", BIT 7 (1967): y is treated
as one more column.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.contract import jit
from quantflux.expressions.kernels.row_groups import group_means, group_space, join_groups
from quantflux.expressions.kernels.rows import NO_SPREAD, RowKernel, lanes, mean_of, total_squares

MOST_EXPOSURES = 8

COLLINEAR = 1e-6
"""Part of an exposure's length (of its deviations from the mean) that must be its own.

Far above the rounding of float64 and just above that of float32, in which fields may have been stored.
"""

_TINY = 1e-280  # a sum of squares below has lost its digits


@jit
def _gather(y: Any, xs: Any, hxs: Any, r: int, columns: Any) -> int:
    """Copy a row of y and the exposures, NaN where a name lacks any of them; return how many names are left."""
    there = columns[0]
    for i in range(there.size):
        there[i] = y[i] + (y[i] - y[i])  # NaN if it is NaN or infinite
    for j in range(len(xs)):
        row = xs[j][hxs[j] + r]
        for i in range(row.size):
            there[i] += row[i] - row[i]
    count = 0
    for i in range(there.size):
        count += there[i] == there[i]
    for j in range(len(xs)):
        row, to = xs[j][hxs[j] + r], columns[j + 1]
        for i in range(row.size):
            to[i] = row[i] if there[i] == there[i] else np.nan
    return count


@jit
def _center(column: Any) -> None:
    mean = mean_of(column)[0]
    for i in range(column.size):
        column[i] -= mean


@jit
def _center_groups(column: Any, slots: Any, counts: Any, anchors: Any, means: Any) -> None:
    group_means(column, slots, counts, anchors, means)
    for i in range(column.size):
        column[i] -= means[slots[i]]


@lanes
def _product(one: Any, two: Any) -> float:
    total = 0.0
    for i in range(one.size):
        total += one[i] * two[i]
    return total


@jit
def _clear_gaps(column: Any, square: float) -> float:
    """Put 0 for NaN in a centred column; return its squared length, 0 if that is rounding of the raw one, `square`."""
    for i in range(column.size):
        column[i] = column[i] if column[i] == column[i] else 0.0
    length = _product(column, column)
    return length if length > NO_SPREAD * NO_SPREAD * square else 0.0


@jit
def _take_out(columns: Any, lengths: Any) -> None:
    """Take the exposures, which are columns 1 .. k of these squared lengths, out of column 0."""
    exposures = columns.shape[0] - 1
    for j in range(1, exposures + 1):
        length = _product(columns[j], columns[j])
        if lengths[j] == 0 or not length > max(COLLINEAR * COLLINEAR * lengths[j], _TINY):
            continue
        for later in range(j + 1, exposures + 2):
            column = columns[later % (exposures + 1)]
            slope = _product(columns[j], column) / length
            for i in range(column.size):
                column[i] -= slope * columns[j, i]


@jit
def _write(residual: Any, there: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = residual[i] if there[i] else np.nan


@jit
def _row_residual(y: Any, hy: int, xs: Any, hxs: Any, out: Any, ho: int, first: int, last: int) -> None:
    exposures, width = len(xs), y.shape[1]
    columns, lengths = np.empty((exposures + 1, width)), np.empty(exposures + 1)
    there = np.empty(width, np.bool_)
    for r in range(first, last):
        if _gather(y[hy + r], xs, hxs, r, columns) < exposures + 2:
            out[ho + r, :] = np.nan
            continue
        for i in range(width):
            there[i] = columns[0, i] == columns[0, i]
        for j in range(exposures + 1):
            square = total_squares(columns[j], 0.0)
            _center(columns[j])
            lengths[j] = _clear_gaps(columns[j], square)
        _take_out(columns, lengths)
        _write(columns[0], there, out[ho + r])


@jit
def _group_residual(
    y: Any, hy: int, group: Any, hg: int, xs: Any, hxs: Any, out: Any, ho: int, first: int, last: int
) -> None:
    exposures, width = len(xs), y.shape[1]
    columns, lengths = np.empty((exposures + 1, width)), np.empty(exposures + 1)
    there = np.empty(width, np.bool_)
    slots, counts, anchors, means, _ = group_space(y, group, hg + first, hg + last)
    nowhere = counts.size - 1
    for r in range(first, last):
        _gather(y[hy + r], xs, hxs, r, columns)
        join_groups(columns[0], group[hg + r], slots, counts)
        count, groups = 0, 0
        for i in range(width):
            there[i] = slots[i] != nowhere
            count += there[i]
        for slot in range(nowhere):
            groups += counts[slot] > 0
        if count < exposures + groups + 1 or count == 0:
            out[ho + r, :] = np.nan
            continue
        for j in range(exposures + 1):
            for i in range(width):  # a name without a group must not count in the exposure's size either
                columns[j, i] = columns[j, i] if there[i] else np.nan
            square = total_squares(columns[j], 0.0)
            _center_groups(columns[j], slots, counts, anchors, means)
            lengths[j] = _clear_gaps(columns[j], square)
        _take_out(columns, lengths)
        _write(columns[0], there, out[ho + r])


def _check(exposures: int) -> None:
    if not 1 <= exposures <= MOST_EXPOSURES:
        raise InvalidRequest(f"a row regression has 1 to {MOST_EXPOSURES} exposures, asked for {exposures}")


@cache
def row_residual(exposures: int) -> RowKernel:
    """Return the kernel of y's residual on so many exposures and an intercept; its inputs are y, x1, .., xk.

    Raises
    ------
    InvalidRequest
        If there are none or more than `MOST_EXPOSURES`.

    Examples
    --------
    >>> y, x, out = np.array([[1.0, 2.0, 6.0]]), np.array([[0.0, 1.0, 2.0]]), np.empty((1, 3))
    >>> row_residual(1).fill([(y, 0), (x, 0)], out, 0, 0, 1)
    >>> out.tolist()
    [[0.5, -1.0, 0.5]]
    """
    _check(exposures)
    cost = 1.0 + 1.3 * exposures + 0.17 * exposures * exposures
    return RowKernel(
        f"row_residual_{exposures}", _row_residual, exposures + 1, exposures, cost=lambda *_: cost
    )


@cache
def group_residual(exposures: int) -> RowKernel:
    """Return the kernel of y's residual on so many exposures and an intercept for each group.

    Its inputs are y, the group, x1, .., xk. A name that is alone in its group is explained by its intercept: 0.

    Raises
    ------
    InvalidRequest
        If there are none or more than `MOST_EXPOSURES`.
    """
    _check(exposures)
    cost = 3.0 + 5.2 * exposures + 0.1 * exposures * exposures
    return RowKernel(
        f"group_residual_{exposures}", _group_residual, exposures + 2, exposures, cost=lambda *_: cost
    )
