"""Variance, standard deviation, skewness and kurtosis of a window's numbers, from sums about an anchor."""

from __future__ import annotations

import math

import numpy as np

from quantflux.expressions.kernels.anchoring import (
    CANCELLATION,
    LARGEST,
    Rows,
    Vector,
    anchor_at,
    doubtful,
    varies,
    window_mean,
)
from quantflux.expressions.kernels.contract import Kernel, anchor_period, jit

# The rows of the state: the anchor, the largest sum of squares since the sums were added up, the count of numbers and
# the sums of the first to fourth powers.
_ANCHOR, _ENERGY, _COUNT, _ONE, _TWO, _THREE, _FOUR = range(7)

_SHAPE_CANCELLATION = 128.0
"""As `CANCELLATION`, for fourth powers: they lose twice the digits."""


@jit
def rolling_moments(
    x: Rows, hx: int, variance: Rows, hv: int, deviation: Rows, hd: int,
    state: Rows, rows: int, t: int, window: int, least: int,
) -> None:  # fmt: skip
    """Fill `variance` and `deviation` with the sample variance (ddof=1) of the window's numbers and its root.

    Both are NaN where there are fewer than `least` numbers or than two, and exactly zero where all are equal, and
    only there.

    Examples
    --------
    >>> from quantflux.expressions.kernels.contract import run_whole
    >>> x = np.array([[5.0], [5.0], [np.nan], [7.0], [7.0]])
    >>> run_whole(ROLLING_MOMENTS, x, parameters=(3, 1))[0].ravel().tolist()
    [nan, 0.0, 0.0, 2.0, 0.0]
    """
    period = anchor_period(window)
    for i in range(rows):
        row = hx + i
        if (t + i) % period == 0:
            anchor_at(x[row], state[_ANCHOR])
            doubts = _accumulate(x, row, window, state)
        else:
            doubts = _slide(x[row], x[row - window], state)
        if doubts:
            _recentre(x, row, window, state)
        _write_moments(state, max(least, 2), variance[hv + i], deviation[hd + i])


@jit
def _accumulate(x: Rows, row: int, window: int, state: Rows) -> int:
    """Add up the window that ends at `row`, about the anchors in the state. Return how many sums are doubtful."""
    anchor, energy, n, s, q = state[_ANCHOR], state[_ENERGY], state[_COUNT], state[_ONE], state[_TWO]
    n[:], s[:], q[:] = 0.0, 0.0, 0.0
    for k in range(row, row - window, -1):
        values = x[k]
        for j in range(values.shape[0]):
            number = abs(values[j]) < LARGEST
            y = values[j] - anchor[j]
            y = y if number else 0.0
            n[j] += 1.0 if number else 0.0
            s[j] += y
            q[j] += y * y
    doubts = 0
    for j in range(n.shape[0]):
        energy[j] = q[j]
        doubts += 1 if doubtful(n[j], s[j], q[j], q[j], CANCELLATION) else 0
    return doubts


@jit
def _slide(newest: Vector, oldest: Vector, state: Rows) -> int:
    """Add a row's numbers and take another's out. Return how many sums are doubtful."""
    anchor, energy, n, s, q = state[_ANCHOR], state[_ENERGY], state[_COUNT], state[_ONE], state[_TWO]
    doubts = 0
    for j in range(newest.shape[0]):
        number, leaves = abs(newest[j]) < LARGEST, abs(oldest[j]) < LARGEST
        y, o = newest[j] - anchor[j], oldest[j] - anchor[j]
        y, o = y if number else 0.0, o if leaves else 0.0
        count = n[j] + ((1.0 if number else 0.0) - (1.0 if leaves else 0.0))
        one, two, most = s[j] + (y - o), q[j] + (y * y - o * o), energy[j]
        most = most if most > two else two
        n[j], s[j], q[j], energy[j] = count, one, two, most
        doubts += 1 if doubtful(count, one, two, most, CANCELLATION) else 0
    return doubts


@jit
def _recentre(x: Rows, row: int, window: int, state: Rows) -> None:
    """Add up the doubtful symbols' windows anew, about their means."""
    energy, n, s, q = state[_ENERGY], state[_COUNT], state[_ONE], state[_TWO]
    for j in range(n.shape[0]):
        if doubtful(n[j], s[j], q[j], energy[j], CANCELLATION):
            state[_ANCHOR, j] = window_mean(x, row, x, row, window, j)
            _accumulate(x[:, j : j + 1], row, window, state[:, j : j + 1])


@jit
def _write_moments(state: Rows, enough: int, variance: Vector, deviation: Vector) -> None:
    counts, s, q = state[_COUNT], state[_ONE], state[_TWO]
    for j in range(variance.shape[0]):
        n = counts[j]
        value = (n * q[j] - s[j] * s[j]) / (n * (n - 1.0))
        value = value if n >= enough else np.nan
        variance[j] = value
        deviation[j] = math.sqrt(value)


ROLLING_MOMENTS = Kernel(
    "rolling_moments", rolling_moments, 1, 2, (int, int),
    history=lambda window, least: window, state_rows=lambda *_: 5,
    cost=lambda window, least: 1.7 + 0.8 * window / anchor_period(window),
)  # fmt: skip


@jit
def rolling_shape(
    x: Rows, hx: int, skewness: Rows, hs: int, kurtosis: Rows, hk: int,
    state: Rows, rows: int, t: int, window: int, least: int,
) -> None:  # fmt: skip
    """Fill `skewness` and `kurtosis` with those of the window's numbers, corrected for bias as in pandas.

    Kurtosis is the excess over a normal distribution's 3. NaN where there are fewer than `least` numbers, than three
    (skewness) or four (kurtosis), and where the numbers do not vary by more than rounding: there the statistic is
    0 / 0. (pandas says 0 and -3 for equal numbers.)
    """
    period = anchor_period(window)
    for i in range(rows):
        row = hx + i
        if (t + i) % period == 0:
            anchor_at(x[row], state[_ANCHOR])
            doubts = _accumulate_powers(x, row, window, state)
        else:
            doubts = _slide_powers(x[row], x[row - window], state)
        if doubts:
            _recentre_powers(x, row, window, state)
        _write_shape(state, max(least, 3), max(least, 4), skewness[hs + i], kurtosis[hk + i])


@jit
def _accumulate_powers(x: Rows, row: int, window: int, state: Rows) -> int:
    """As `_accumulate`, with third and fourth powers."""
    anchor, energy, n = state[_ANCHOR], state[_ENERGY], state[_COUNT]
    s, q, c, d = state[_ONE], state[_TWO], state[_THREE], state[_FOUR]
    state[_COUNT:] = 0.0
    for k in range(row, row - window, -1):
        values = x[k]
        for j in range(values.shape[0]):
            number = abs(values[j]) < LARGEST
            y = values[j] - anchor[j]
            y = y if number else 0.0
            square = y * y
            n[j] += 1.0 if number else 0.0
            s[j] += y
            q[j] += square
            c[j] += square * y
            d[j] += square * square
    doubts = 0
    for j in range(n.shape[0]):
        energy[j] = q[j]
        doubts += 1 if doubtful(n[j], s[j], q[j], q[j], _SHAPE_CANCELLATION) else 0
    return doubts


@jit
def _slide_powers(newest: Vector, oldest: Vector, state: Rows) -> int:
    """As `_slide`, with third and fourth powers."""
    anchor, energy, n = state[_ANCHOR], state[_ENERGY], state[_COUNT]
    s, q, c, d = state[_ONE], state[_TWO], state[_THREE], state[_FOUR]
    doubts = 0
    for j in range(newest.shape[0]):
        number, leaves = abs(newest[j]) < LARGEST, abs(oldest[j]) < LARGEST
        y, o = newest[j] - anchor[j], oldest[j] - anchor[j]
        y, o = y if number else 0.0, o if leaves else 0.0
        yy, oo = y * y, o * o
        count = n[j] + ((1.0 if number else 0.0) - (1.0 if leaves else 0.0))
        one, two, most = s[j] + (y - o), q[j] + (yy - oo), energy[j]
        most = most if most > two else two
        n[j], s[j], q[j], energy[j] = count, one, two, most
        c[j] += yy * y - oo * o
        d[j] += yy * yy - oo * oo
        doubts += 1 if doubtful(count, one, two, most, _SHAPE_CANCELLATION) else 0
    return doubts


@jit
def _recentre_powers(x: Rows, row: int, window: int, state: Rows) -> None:
    """As `_recentre`, with third and fourth powers."""
    energy, n, s, q = state[_ENERGY], state[_COUNT], state[_ONE], state[_TWO]
    for j in range(n.shape[0]):
        if doubtful(n[j], s[j], q[j], energy[j], _SHAPE_CANCELLATION):
            state[_ANCHOR, j] = window_mean(x, row, x, row, window, j)
            _accumulate_powers(x[:, j : j + 1], row, window, state[:, j : j + 1])


@jit
def _write_shape(state: Rows, enough: int, enough_4: int, skewness: Vector, kurtosis: Vector) -> None:
    anchor, counts = state[_ANCHOR], state[_COUNT]
    ones, twos, threes, fours = state[_ONE], state[_TWO], state[_THREE], state[_FOUR]
    for j in range(skewness.shape[0]):
        n = counts[j]
        share = 1.0 / n
        m, q, c, d = ones[j] * share, twos[j] * share, threes[j] * share, fours[j] * share
        second = q - m * m
        third = c - m * (3.0 * q - 2.0 * m * m)
        fourth = d - m * (4.0 * c - m * (6.0 * q - 3.0 * m * m))
        known = varies(n, n * (anchor[j] + m), n * n * second, 0.0)
        skew = math.sqrt(n * (n - 1.0) * second) * third / ((n - 2.0) * second * second)
        peak = (n + 1.0) * fourth / (second * second) - 3.0 * (n - 1.0)
        kurt = (n - 1.0) * peak / ((n - 2.0) * (n - 3.0))
        skewness[j] = skew if known & (n >= enough) else np.nan
        kurtosis[j] = kurt if known & (n >= enough_4) else np.nan


ROLLING_SHAPE = Kernel(
    "rolling_shape", rolling_shape, 1, 2, (int, int),
    history=lambda window, least: window, state_rows=lambda *_: 7,
    cost=lambda window, least: 3.6 + window / anchor_period(window),
)  # fmt: skip
