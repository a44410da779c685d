"""The regression of a window's numbers on time, and their mean with linearly decaying weights.

Both know a row by its place in the window, from 1 for the oldest to `window` for the newest. When the window moves on,
every place falls by one: the sum of place * y falls by the sum of y, and the number at place 1 drops out by itself.
"""

from __future__ import annotations

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
# the sums of y, y * y, place * y, place and place * place. Sums of places are whole numbers and always exact.
_ANCHOR, _ENERGY, _COUNT, _Y, _YY, _PY, _P, _PP = range(8)

_CLUSTERED = 12.0 * 16.0 * CANCELLATION
"""As `CANCELLATION`, for joint sums where the numbers stand close together: at the end of a series, between gaps."""

_FLAT = 2e-5
"""The deviation at or below which R squared is NaN, as in Qlib."""


@jit
def rolling_regression(
    x: Rows, hx: int, slope: Rows, hs: int, rsquare: Rows, hr: int, residual: Rows, he: int,
    state: Rows, rows: int, t: int, window: int, least: int,
) -> None:  # fmt: skip
    """Fill `slope`, `rsquare` and `residual` from the least squares line through the window's numbers over their rows.

    The slope is the change per row, R squared the share of the variance that the line explains, the residual what it
    leaves of the newest number. All are NaN where there are fewer than `least` numbers or than two; R squared also
    where the numbers do not vary: their deviation is at most 2e-5, or rounding; the residual where the newest row has
    no number.

    Examples
    --------
    >>> from quantflux.expressions.kernels.contract import run_whole
    >>> x = np.array([[1.0], [3.0], [np.nan], [4.0]])
    >>> slope, rsquare, residual = run_whole(ROLLING_REGRESSION, x, parameters=(4, 2))
    >>> slope.ravel().round(4).tolist(), residual.ravel().round(4).tolist()
    ([nan, 2.0, 2.0, 0.9286], [nan, 0.0, nan, -0.2143])
    """
    for i in range(rows):
        _advance(x, hx + i, t + i, window, state)
        _write_line(state, x[hx + i], window, max(least, 2), slope[hs + i], rsquare[hr + i], residual[he + i])


@jit
def rolling_decay(
    x: Rows, hx: int, out: Rows, ho: int, state: Rows, rows: int, t: int, window: int, least: int
) -> None:
    """Fill `out` with the mean of the window's numbers, weighted `window` for the newest row down to 1 for the oldest.

    The weights of missing rows are left out. NaN where there are fewer than `least` numbers.

    Examples
    --------
    >>> from quantflux.expressions.kernels.contract import run_whole
    >>> x = np.array([[1.0], [np.nan], [5.0]])
    >>> run_whole(ROLLING_DECAY, x, parameters=(3, 1))[0].ravel().tolist()
    [1.0, 1.0, 4.0]
    """
    enough = max(least, 1)
    for i in range(rows):
        _advance(x, hx + i, t + i, window, state)
        anchor, n, py, p, means = state[_ANCHOR], state[_COUNT], state[_PY], state[_P], out[ho + i]
        for j in range(x.shape[1]):
            mean = anchor[j] + py[j] / p[j]
            means[j] = mean if n[j] >= enough else np.nan


@jit
def _advance(x: Rows, row: int, t: int, window: int, state: Rows) -> None:
    """Bring the sums to the window that ends at `row`, whose absolute number is t."""
    if t % anchor_period(window) == 0:
        anchor_at(x[row], state[_ANCHOR])
        doubts = _accumulate(x, row, window, state)
    else:
        doubts = _slide(x[row], x[row - window], float(window), state)
    if doubts:
        _recentre(x, row, window, state)


@jit
def _doubtful(n: float, s: float, q: float, energy: float, p: float, pp: float, width: float) -> bool:
    """Return whether rounding may show in the sums of y * y, or in those of place * y.

    What rounding leaves in the latter grows with the window's width, and what it stands beside is the spread of the
    places that hold numbers: a twelfth of the squared width if they fill the window, next to nothing if two are left.
    """
    across, spread = n * pp - p * p, n * q - s * s
    joint = spread * across * _CLUSTERED < n * energy * (n * n * (width * width))
    return doubtful(n, s, q, energy, CANCELLATION) | joint


@jit
def _accumulate(x: Rows, row: int, window: int, state: Rows) -> int:
    """Add up the window that ends at `row`, about the anchors in the state. Return how many sums are doubtful."""
    anchor, energy, n = state[_ANCHOR], state[_ENERGY], state[_COUNT]
    s, q, py, p, pp = state[_Y], state[_YY], state[_PY], state[_P], state[_PP]
    state[_COUNT:] = 0.0
    for k in range(window):
        values, place = x[row - k], float(window - k)
        for j in range(values.shape[0]):
            number = abs(values[j]) < LARGEST
            one = 1.0 if number else 0.0
            y = values[j] - anchor[j]
            y = y if number else 0.0
            n[j] += one
            s[j] += y
            q[j] += y * y
            py[j] += place * y
            p[j] += place * one
            pp[j] += place * place * one
    doubts, width = 0, float(window)
    for j in range(n.shape[0]):
        energy[j] = q[j]
        doubts += 1 if _doubtful(n[j], s[j], q[j], q[j], p[j], pp[j], width) else 0
    return doubts


@jit
def _slide(newest: Vector, oldest: Vector, width: float, state: Rows) -> int:
    """Add a row's numbers at place `width` and take out those at place 1. Return how many sums are doubtful."""
    anchor, energy, n = state[_ANCHOR], state[_ENERGY], state[_COUNT]
    s, q, py, p, pp = state[_Y], state[_YY], state[_PY], state[_P], state[_PP]
    doubts = 0
    for j in range(newest.shape[0]):
        number, leaves = abs(newest[j]) < LARGEST, abs(oldest[j]) < LARGEST
        y, o = newest[j] - anchor[j], oldest[j] - anchor[j]
        y, o = y if number else 0.0, o if leaves else 0.0
        one = 1.0 if number else 0.0
        places, squares = p[j] + (width * one - n[j]), pp[j] + ((n[j] - 2.0 * p[j]) + width * width * one)
        py[j] += width * y - s[j]
        count, ones = n[j] + (one - (1.0 if leaves else 0.0)), s[j] + (y - o)
        twos, most = q[j] + (y * y - o * o), energy[j]
        most = most if most > twos else twos
        n[j], s[j], q[j], energy[j], p[j], pp[j] = count, ones, twos, most, places, squares
        doubts += 1 if _doubtful(count, ones, twos, most, places, squares, width) else 0
    return doubts


@jit
def _recentre(x: Rows, row: int, window: int, state: Rows) -> None:
    """Add up the doubtful symbols' windows anew, about their means."""
    energy, n, s, q, p, pp = state[_ENERGY], state[_COUNT], state[_Y], state[_YY], state[_P], state[_PP]
    for j in range(n.shape[0]):
        if _doubtful(n[j], s[j], q[j], energy[j], p[j], pp[j], float(window)):
            state[_ANCHOR, j] = window_mean(x, row, x, row, window, j)
            _accumulate(x[:, j : j + 1], row, window, state[:, j : j + 1])


@jit
def _write_line(
    state: Rows, newest: Vector, window: int, enough: int, slope: Vector, rsquare: Vector, residual: Vector
) -> None:
    anchor, counts, s, q = state[_ANCHOR], state[_COUNT], state[_Y], state[_YY]
    py, p, pp = state[_PY], state[_P], state[_PP]
    for j in range(newest.shape[0]):
        n, value = counts[j], newest[j]
        across = n * pp[j] - p[j] * p[j]
        joint = n * py[j] - p[j] * s[j]
        spread = n * q[j] - s[j] * s[j]
        line = joint / across
        line = line if n >= enough else np.nan
        share = line * joint / spread
        share = share if share < 1.0 else 1.0
        known = (n >= enough) & varies(n, n * anchor[j] + s[j], spread, _FLAT)
        left = (value - anchor[j]) - (s[j] + line * (window * n - p[j])) / n
        slope[j] = line
        rsquare[j] = share if known else np.nan
        residual[j] = left if abs(value) < LARGEST else np.nan


ROLLING_REGRESSION = Kernel(
    "rolling_regression", rolling_regression, 1, 3, (int, int),
    history=lambda window, least: window, state_rows=lambda *_: 8,
    cost=lambda window, least: 2.5 + window / anchor_period(window),
)  # fmt: skip

ROLLING_DECAY = Kernel(
    "rolling_decay", rolling_decay, 1, 1, (int, int),
    history=lambda window, least: window, state_rows=lambda *_: 8,
    cost=lambda window, least: 1.6 + window / anchor_period(window),
)  # fmt: skip
