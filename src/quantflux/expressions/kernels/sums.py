"""Sum, mean and count of a window's numbers.

The sum is kept as two floats, the rounded sum and what its roundings left out (Knuth's two-sum), so that neither an
outlier that has left the window nor a long run shows in it. It is added up anew at multiples of `anchor_period` all
the same.
"""

from __future__ import annotations

import numpy as np

from quantflux.expressions.kernels.anchoring import LARGEST, Rows, Vector
from quantflux.expressions.kernels.contract import Kernel, anchor_period, jit

_COUNT, _SUM, _LOST, _LAST = range(4)  # the rows of the state


@jit
def rolling_sum(
    x: Rows, hx: int, total: Rows, ht: int, mean: Rows, hm: int, count: Rows, hc: int,
    state: Rows, rows: int, t: int, window: int, least: int,
) -> None:  # fmt: skip
    """Fill `total`, `mean` and `count` with the sum, mean and number of the window's numbers.

    Sum and mean are NaN where there are fewer than `least` numbers, the count where there is none. The mean of equal
    numbers is that number, to the last bit.

    Examples
    --------
    >>> from quantflux.expressions.kernels.contract import run_whole
    >>> x = np.array([[1.0], [np.nan], [4.0], [6.0]])
    >>> total, mean, count = run_whole(ROLLING_SUM, x, parameters=(3, 2))
    >>> total.ravel().tolist(), mean.ravel().tolist(), count.ravel().tolist()
    ([nan, nan, 5.0, 10.0], [nan, nan, 2.5, 5.0], [1.0, 1.0, 2.0, 2.0])
    """
    period = anchor_period(window)
    for i in range(rows):
        row = hx + i
        if (t + i) % period == 0:
            _accumulate(x, row, window, state)
        else:
            _slide(x[row], x[row - window], state)
        _write(state, max(least, 1), total[ht + i], mean[hm + i], count[hc + i])


@jit
def _accumulate(x: Rows, row: int, window: int, state: Rows) -> None:
    """Add up the window that ends at `row`, the oldest first."""
    state[:_LAST] = 0.0
    for k in range(row - window + 1, row + 1):
        _add(x[k], state)


@jit
def _add(newest: Vector, state: Rows) -> None:
    n, s, lost, last = state[_COUNT], state[_SUM], state[_LOST], state[_LAST]
    for j in range(newest.shape[0]):
        value, before = newest[j], last[j]
        number = abs(value) < LARGEST
        v = value if number else 0.0
        a = s[j]
        b = a + v
        c = b - a
        s[j] = b
        lost[j] += (a - (b - c)) + (v - c)
        n[j] += 1.0 if number else 0.0
        last[j] = value if number else before


@jit
def _slide(newest: Vector, oldest: Vector, state: Rows) -> None:
    """Add the newest number and take the oldest one out, in one pass: two two-sums."""
    n, s, lost, last = state[_COUNT], state[_SUM], state[_LOST], state[_LAST]
    for j in range(newest.shape[0]):
        value, old, before = newest[j], oldest[j], last[j]
        number, leaves = abs(value) < LARGEST, abs(old) < LARGEST
        v, o = value if number else 0.0, old if leaves else 0.0
        a = s[j]
        b = a + v
        c = b - a
        d = b - o
        e = d - b
        s[j] = d
        lost[j] += ((a - (b - c)) + (v - c)) + ((b - (d - e)) - (o + e))
        n[j] += (1.0 if number else 0.0) - (1.0 if leaves else 0.0)
        last[j] = value if number else before


@jit
def _write(state: Rows, enough: int, total: Vector, mean: Vector, count: Vector) -> None:
    counts, s, lost, last = state[_COUNT], state[_SUM], state[_LOST], state[_LAST]
    for j in range(total.shape[0]):
        n, newest = counts[j], last[j]
        value = s[j] + lost[j]
        average = value / n
        average = newest if newest * n == value else average  # equal numbers: dividing may miss them by a bit
        total[j] = value if n >= enough else np.nan
        mean[j] = average if n >= enough else np.nan
        count[j] = n if n > 0.0 else np.nan


ROLLING_SUM = Kernel(
    "rolling_sum", rolling_sum, 1, 3, (int, int),
    history=lambda window, least: window, state_rows=lambda *_: 4,
    cost=lambda window, least: 1.3 + 0.8 * window / anchor_period(window),
)  # fmt: skip
