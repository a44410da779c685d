"""Correlation, covariance and regression of two series over a window; rows in which both hold numbers count."""

from __future__ import annotations

import math

import numpy as np

from quantflux.expressions.kernels.anchoring import (
    CANCELLATION,
    LARGEST,
    Rows,
    Vector,
    doubtful,
    varies,
    window_mean,
)
from quantflux.expressions.kernels.contract import Kernel, anchor_period, jit

# The rows of the state: the anchors of both series, the largest sums of squares since the sums were added up, the count
# of pairs, and the sums of a = x - its anchor, b = y - its anchor, and of their products.
_ANCHOR_X, _ANCHOR_Y, _ENERGY_X, _ENERGY_Y, _COUNT, _A, _B, _AA, _BB, _AB = range(10)


@jit
def rolling_correlation(
    x: Rows, hx: int, y: Rows, hy: int, correlation: Rows, hr: int, covariance: Rows, hv: int,
    state: Rows, rows: int, t: int, window: int, least: int, floor: float,
) -> None:  # fmt: skip
    """Fill `correlation` and `covariance` (ddof=1) from the window's pairs of numbers.

    Both are NaN where there are fewer than `least` pairs or than two. Correlation is also NaN where either series does
    not vary: its deviation (ddof=1) is at most `floor`, or what rounding leaves of equal numbers.

    Examples
    --------
    >>> from quantflux.expressions.kernels.contract import run_whole
    >>> x, y = np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [4.0], [4.0]])
    >>> correlation, covariance = run_whole(ROLLING_CORRELATION, x, y, parameters=(3, 2, 0.0))
    >>> correlation.ravel().round(4).tolist(), covariance.ravel().tolist()
    ([nan, 1.0, 0.866], [nan, 1.0, 1.0])
    """
    for i in range(rows):
        _advance(x, hx + i, y, hy + i, t + i, window, state)
        _write_correlation(state, max(least, 2), floor, correlation[hr + i], covariance[hv + i])


@jit
def rolling_beta(
    y: Rows, hy: int, x: Rows, hx: int, slope: Rows, hs: int, residual: Rows, he: int,
    state: Rows, rows: int, t: int, window: int, least: int,
) -> None:  # fmt: skip
    """Fill `slope` and `residual` from the regression of the first series on the second, with intercept.

    The residual is what the regression leaves of the newest number. Both are NaN where there are fewer than `least`
    pairs or than two, or the second series varies by no more than rounding; the residual also where the newest row is
    no pair.

    Examples
    --------
    >>> from quantflux.expressions.kernels.contract import run_whole
    >>> y, x = np.array([[1.0], [2.0], [6.0]]), np.array([[2.0], [3.0], [4.0]])
    >>> slope, residual = run_whole(ROLLING_BETA, y, x, parameters=(3, 2))
    >>> slope.ravel().tolist(), residual.ravel().round(4).tolist()
    ([nan, 1.0, 2.5], [nan, 0.0, 0.5])
    """
    for i in range(rows):
        _advance(y, hy + i, x, hx + i, t + i, window, state)
        _write_line(state, y[hy + i], x[hx + i], max(least, 2), slope[hs + i], residual[he + i])


@jit
def _advance(x: Rows, row_x: int, y: Rows, row_y: int, t: int, window: int, state: Rows) -> None:
    """Bring the sums to the window that ends at these rows, whose absolute number is t."""
    if t % anchor_period(window) == 0:
        _anchor_at(x[row_x], y[row_y], state[_ANCHOR_X], state[_ANCHOR_Y])
        doubts = _accumulate(x, row_x, y, row_y, window, state)
    else:
        doubts = _slide(x[row_x], x[row_x - window], y[row_y], y[row_y - window], state)
    if doubts:
        _recentre(x, row_x, y, row_y, window, state)


@jit
def _anchor_at(newest_x: Vector, newest_y: Vector, anchor_x: Vector, anchor_y: Vector) -> None:
    """Make a row's pairs the anchors."""
    for j in range(newest_x.shape[0]):
        pair = (abs(newest_x[j]) < LARGEST) & (abs(newest_y[j]) < LARGEST)
        u, v, before_x, before_y = newest_x[j], newest_y[j], anchor_x[j], anchor_y[j]
        anchor_x[j] = u if pair else before_x
        anchor_y[j] = v if pair else before_y


@jit
def _doubtful(n: float, a: float, aa: float, most_a: float, b: float, bb: float, most_b: float) -> bool:
    return doubtful(n, a, aa, most_a, CANCELLATION) | doubtful(n, b, bb, most_b, CANCELLATION)


@jit
def _accumulate(x: Rows, row_x: int, y: Rows, row_y: int, window: int, state: Rows) -> int:
    """Add up the window that ends at these rows, about the anchors in the state. Return how many sums are doubtful."""
    anchor_x, anchor_y, energy_x, energy_y = (
        state[_ANCHOR_X],
        state[_ANCHOR_Y],
        state[_ENERGY_X],
        state[_ENERGY_Y],
    )
    n, sa, sb, saa, sbb, sab = state[_COUNT], state[_A], state[_B], state[_AA], state[_BB], state[_AB]
    state[_COUNT:] = 0.0
    for k in range(window):
        values_x, values_y = x[row_x - k], y[row_y - k]
        for j in range(values_x.shape[0]):
            pair = (abs(values_x[j]) < LARGEST) & (abs(values_y[j]) < LARGEST)
            a, b = values_x[j] - anchor_x[j], values_y[j] - anchor_y[j]
            a, b = a if pair else 0.0, b if pair else 0.0
            n[j] += 1.0 if pair else 0.0
            sa[j] += a
            sb[j] += b
            saa[j] += a * a
            sbb[j] += b * b
            sab[j] += a * b
    doubts = 0
    for j in range(n.shape[0]):
        energy_x[j], energy_y[j] = saa[j], sbb[j]
        doubts += 1 if _doubtful(n[j], sa[j], saa[j], saa[j], sb[j], sbb[j], sbb[j]) else 0
    return doubts


@jit
def _slide(newest_x: Vector, oldest_x: Vector, newest_y: Vector, oldest_y: Vector, state: Rows) -> int:
    """Add a row's pairs and take another's out. Return how many sums are doubtful."""
    anchor_x, anchor_y, energy_x, energy_y = (
        state[_ANCHOR_X],
        state[_ANCHOR_Y],
        state[_ENERGY_X],
        state[_ENERGY_Y],
    )
    n, sa, sb, saa, sbb, sab = state[_COUNT], state[_A], state[_B], state[_AA], state[_BB], state[_AB]
    doubts = 0
    for j in range(newest_x.shape[0]):
        pair = (abs(newest_x[j]) < LARGEST) & (abs(newest_y[j]) < LARGEST)
        leaves = (abs(oldest_x[j]) < LARGEST) & (abs(oldest_y[j]) < LARGEST)
        a, b = newest_x[j] - anchor_x[j], newest_y[j] - anchor_y[j]
        c, d = oldest_x[j] - anchor_x[j], oldest_y[j] - anchor_y[j]
        a, b = a if pair else 0.0, b if pair else 0.0
        c, d = c if leaves else 0.0, d if leaves else 0.0
        count = n[j] + ((1.0 if pair else 0.0) - (1.0 if leaves else 0.0))
        one_a, one_b = sa[j] + (a - c), sb[j] + (b - d)
        two_a, two_b = saa[j] + (a * a - c * c), sbb[j] + (b * b - d * d)
        most_a, most_b = energy_x[j], energy_y[j]
        most_a, most_b = most_a if most_a > two_a else two_a, most_b if most_b > two_b else two_b
        n[j], sa[j], sb[j], saa[j], sbb[j] = count, one_a, one_b, two_a, two_b
        energy_x[j], energy_y[j] = most_a, most_b
        sab[j] += a * b - c * d
        doubts += 1 if _doubtful(count, one_a, two_a, most_a, one_b, two_b, most_b) else 0
    return doubts


@jit
def _recentre(x: Rows, row_x: int, y: Rows, row_y: int, window: int, state: Rows) -> None:
    """Add up the doubtful symbols' windows anew, about their means."""
    n, energy_x, energy_y = state[_COUNT], state[_ENERGY_X], state[_ENERGY_Y]
    sa, sb, saa, sbb = state[_A], state[_B], state[_AA], state[_BB]
    for j in range(n.shape[0]):
        if _doubtful(n[j], sa[j], saa[j], energy_x[j], sb[j], sbb[j], energy_y[j]):
            state[_ANCHOR_X, j] = window_mean(x, row_x, y, row_y, window, j)
            state[_ANCHOR_Y, j] = window_mean(y, row_y, x, row_x, window, j)
            _accumulate(x[:, j : j + 1], row_x, y[:, j : j + 1], row_y, window, state[:, j : j + 1])


@jit
def _write_correlation(
    state: Rows, enough: int, floor: float, correlation: Vector, covariance: Vector
) -> None:
    anchor_x, anchor_y = state[_ANCHOR_X], state[_ANCHOR_Y]
    counts, sa, sb, saa, sbb, sab = state[_COUNT], state[_A], state[_B], state[_AA], state[_BB], state[_AB]
    for j in range(correlation.shape[0]):
        n, a, b = counts[j], sa[j], sb[j]
        joint, spread_x, spread_y = n * sab[j] - a * b, n * saa[j] - a * a, n * sbb[j] - b * b
        r = joint / math.sqrt(spread_x * spread_y)
        r = r if r < 1.0 else 1.0
        r = r if r > -1.0 else -1.0
        known = varies(n, n * anchor_x[j] + a, spread_x, floor) & varies(
            n, n * anchor_y[j] + b, spread_y, floor
        )
        cov = joint / (n * (n - 1.0))
        correlation[j] = r if known & (n >= enough) else np.nan
        covariance[j] = cov if n >= enough else np.nan


@jit
def _write_line(
    state: Rows, newest: Vector, other: Vector, enough: int, slope: Vector, residual: Vector
) -> None:
    anchor_x, anchor_y = state[_ANCHOR_X], state[_ANCHOR_Y]
    counts, sa, sb, sbb, sab = state[_COUNT], state[_A], state[_B], state[_BB], state[_AB]
    for j in range(newest.shape[0]):
        n, a, b, u, v = counts[j], sa[j], sb[j], newest[j], other[j]
        spread = n * sbb[j] - b * b
        known = (n >= enough) & varies(n, n * anchor_y[j] + b, spread, 0.0)
        line = (n * sab[j] - a * b) / spread
        line = line if known else np.nan
        left = (u - anchor_x[j]) - line * (v - anchor_y[j]) - (a - line * b) / n
        pair = (abs(u) < LARGEST) & (abs(v) < LARGEST)
        slope[j] = line
        residual[j] = left if pair else np.nan


ROLLING_CORRELATION = Kernel(
    "rolling_correlation", rolling_correlation, 2, 2, (int, int, float),
    history=lambda window, least, floor: window, state_rows=lambda *_: 10,
    cost=lambda window, least, floor: 3.4 + 1.2 * window / anchor_period(window),
)  # fmt: skip

ROLLING_BETA = Kernel(
    "rolling_beta", rolling_beta, 2, 2, (int, int),
    history=lambda window, least: window, state_rows=lambda *_: 10,
    cost=lambda window, least: 3.1 + 1.2 * window / anchor_period(window),
)  # fmt: skip
