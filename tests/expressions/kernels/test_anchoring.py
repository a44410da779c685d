"""What the kernels that keep sums about an anchor rely on."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.expressions.kernels.anchoring import CANCELLATION, anchor_at, doubtful, varies, window_mean
from quantflux.expressions.kernels.contract import anchor_period

NAN = np.nan


def test_the_period_covers_two_windows():
    assert [anchor_period(w) for w in (1, 64, 65, 128, 129, 1200)] == [128, 128, 256, 256, 512, 4096]


def test_numbers_become_anchors_and_gaps_keep_theirs():
    anchor = np.array([1.0, 2.0, 3.0, 4.0])

    anchor_at(np.array([5.0, NAN, -np.inf, 1e71]), anchor)

    assert anchor.tolist() == [5.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("count", [1, 3, 10, 49, 98, 1000])
def test_the_mean_of_equal_numbers_is_exact(count):
    # Otherwise a constant window would be added up anew at every row.
    x = np.full((count + 1, 300), NAN)
    x[1:] = np.random.default_rng(count).lognormal(3, 5, 300)
    x[2::5] = NAN

    assert [window_mean(x, count, x, count, count, j) for j in range(300)] == x[1].tolist()


def test_the_mean_is_over_the_rows_where_both_hold_numbers():
    x = np.array([[100.0], [1.0], [2.0], [NAN], [6.0]])
    y = np.array([[0.0], [NAN], [1.0], [1.0], [1.0], [0.0], [np.inf]])

    assert window_mean(x, 4, x, 4, 4, 0) == 3.0
    assert window_mean(x, 4, y, 4, 4, 0) == 4.0
    assert window_mean(x, 4, y, 6, 4, 0) == 1.5
    assert window_mean(x, 3, x, 3, 1, 0) == 0.0


def test_sums_are_doubtful_where_the_window_varies_little_beside_the_energy():
    n, q = 10.0, 4.0

    assert not doubtful(n, 0.0, q, q * CANCELLATION, CANCELLATION)
    assert doubtful(n, 0.0, q, q * CANCELLATION * 1.01, CANCELLATION)
    assert doubtful(n, np.sqrt(n * q), q, q, CANCELLATION)
    assert not doubtful(n, 0.0, 0.0, 0.0, CANCELLATION)


def test_numbers_vary_above_the_floor_and_above_rounding():
    n, deviation = 10.0, 1e-3
    spread = n * (n - 1) * deviation**2

    assert varies(n, 0.0, spread, 0.99e-3) and not varies(n, 0.0, spread, 1.01e-3)
    assert varies(n, n * 0.9e11, spread, 0.0) and not varies(n, n * 1.1e11, spread, 0.0)
    assert not varies(n, 0.0, 1e-150, 0.0)
    assert not varies(n, 0.0, NAN, 0.0)
