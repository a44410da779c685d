"""Ranks and quantiles of trailing windows against pandas and a case by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.expressions.kernels import ordering
from quantflux.expressions.kernels.contract import run_whole
from quantflux.expressions.kernels.ordering import ROLLING_QUANTILES, ROLLING_RANK
from tests.expressions.kernels.reference_order import (
    assert_any_chunking_gives_the_same_bits,
    assert_close,
    assert_compiles_once,
    assert_nothing_comes_from_nothing,
    assert_offsets_are_kept,
    assert_same_bits,
    panel,
    run_interpreted,
    windows,
)

NAN = np.nan
SHAPES = [(1, 1), (2, 1), (5, 5), (8, 3), (20, 1), (33, 20), (60, 1), (130, 7)]
KERNELS = [
    (ROLLING_RANK, (5, 1)),
    (ROLLING_RANK, (60, 3)),
    (ROLLING_QUANTILES, (5, 1, 0.8, 0.2)),
    (ROLLING_QUANTILES, (60, 3, 0.5, 1.0)),
]


def test_ranks_by_hand():
    x = np.array([[3.0], [1.0], [3.0], [NAN], [3.0], [2.0], [2.0]])

    (found,) = run_whole(ROLLING_RANK, x, parameters=(3, 2))

    # Two numbers at least; equal ones share their ranks: in row 2 the window is 3, 1, 3 and the ranks 2.5, 1, 2.5.
    assert_same_bits(found, np.array([[NAN], [0.5], [2.5 / 3], [NAN], [1.5 / 2], [0.5], [1.5 / 3]]))


def test_quantiles_by_hand():
    x = np.array([[3.0], [1.0], [NAN], [2.0], [8.0], [4.0]])

    median, quarter = run_whole(ROLLING_QUANTILES, x, parameters=(4, 1, 0.5, 0.25))

    # Windows: 3 | 1 3 | 1 3 | 1 2 3 | 1 2 8 | 2 4 8
    assert_same_bits(median, np.array([[3.0], [2.0], [2.0], [2.0], [2.0], [4.0]]))
    assert_same_bits(quarter, np.array([[3.0], [1.5], [1.5], [1.5], [1.5], [3.0]]))


@pytest.mark.parametrize(("window", "least"), SHAPES)
def test_ranks_equal_pandas(window, least):
    x = panel(1)

    (found,) = run_whole(ROLLING_RANK, x, parameters=(window, least))

    assert_close(found, pd.DataFrame(x).rolling(window, min_periods=least).rank(pct=True))


@pytest.mark.parametrize(("window", "least"), SHAPES)
@pytest.mark.parametrize("quantiles", [(0.8, 0.2), (0.5, 0.0), (1.0, 1 / 3)])
def test_quantiles_equal_pandas(window, least, quantiles):
    x = panel(2)
    frame = pd.DataFrame(x).rolling(window, min_periods=least)

    for found, q in zip(
        run_whole(ROLLING_QUANTILES, x, parameters=(window, least, *quantiles)), quantiles, strict=True
    ):
        assert_close(found, frame.quantile(q), atol=1e-13)


def test_quantiles_equal_numpy_one_window_at_a_time():
    x = panel(3, rows=90)

    low, high = run_whole(ROLLING_QUANTILES, x, parameters=(11, 4, 0.1, 0.9))

    assert_close(low, windows(x, 11, 4, lambda numbers: np.quantile(numbers, 0.1)), atol=1e-13)
    assert_close(high, windows(x, 11, 4, lambda numbers: np.quantile(numbers, 0.9)), atol=1e-13)


def test_infinite_numbers_are_ordered_and_do_not_meet_the_empty_places():
    x = np.array([[np.inf], [1.0], [NAN], [-np.inf], [2.0], [np.inf], [np.inf], [np.inf]])

    (rank,) = run_whole(ROLLING_RANK, x, parameters=(4, 1))
    largest, median = run_whole(ROLLING_QUANTILES, x, parameters=(4, 1, 1.0, 0.5))

    assert_same_bits(rank[:, 0], np.array([1, 0.5, NAN, 1 / 3, 1, 1, 3.5 / 4, 3 / 4]))
    assert_same_bits(largest[:, 0], np.array([np.inf, np.inf, np.inf, np.inf, 2, np.inf, np.inf, np.inf]))
    assert_same_bits(median[:, 0], np.array([np.inf, np.inf, np.inf, 1, 1, 2, np.inf, np.inf]))


def test_an_empty_window_is_missing_even_if_no_number_is_asked_for():
    for kernel, parameters in ((ROLLING_RANK, (3, 0)), (ROLLING_QUANTILES, (3, 0, 1.0, 0.0))):
        for found in run_whole(kernel, np.full((4, 1), NAN), parameters=parameters):
            assert np.isnan(found).all()


def test_the_highest_rank_is_one_exactly():
    x = np.arange(500.0)[:, None]

    for window in (3, 49, 107, 250):  # 49 * (1 / 49) is not 1
        (found,) = run_whole(ROLLING_RANK, x, parameters=(window, window))
        assert (found[window - 1 :] == 1.0).all()


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_any_chunking_gives_the_same_bits(kernel, parameters):
    x = panel(4)

    assert_any_chunking_gives_the_same_bits(kernel, x, parameters=parameters)
    assert_offsets_are_kept(kernel, x, parameters=parameters)


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_nothing_comes_from_nothing(kernel, parameters):
    assert_nothing_comes_from_nothing(kernel, parameters)
    assert_compiles_once(kernel, parameters)


@pytest.mark.parametrize(
    ("kernel", "parameters"), [(ROLLING_RANK, (7, 2)), (ROLLING_QUANTILES, (7, 2, 0.8, 0.2))]
)
def test_interpreted_equals_compiled(kernel, parameters, monkeypatch):
    for name in ("_count_below", "_read", "_replace", "_interpolate"):
        monkeypatch.setattr(ordering, name, getattr(ordering, name).py_func)
    x = panel(5, rows=40, width=14)

    for found, expected in zip(
        run_interpreted(kernel, x, parameters=parameters, chunk=33),
        run_whole(kernel, x, parameters=parameters),
        strict=True,
    ):
        assert_close(found, expected)
