"""Mean absolute deviation and product of trailing windows against NumPy and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.expressions.kernels import deviation
from quantflux.expressions.kernels.contract import run_whole
from quantflux.expressions.kernels.deviation import ROLLING_MAD, ROLLING_PRODUCT
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
SHAPES = [(1, 1), (2, 2), (5, 1), (14, 6), (20, 20), (60, 3)]
KERNELS = [(ROLLING_MAD, (14, 3)), (ROLLING_PRODUCT, (14, 3))]


def test_by_hand():
    x = np.array([[2.0], [NAN], [4.0], [-9.0], [NAN], [NAN], [NAN]])

    (mad,) = run_whole(ROLLING_MAD, x, parameters=(3, 1))
    (product,) = run_whole(ROLLING_PRODUCT, x, parameters=(3, 1))

    # Windows: 2 | 2 | 2 4, mean 3 | 4 -9, mean -2.5 | 4 -9 | -9 | none
    assert_same_bits(mad[:, 0], np.array([0.0, 0.0, 1.0, 6.5, 6.5, 0.0, NAN]))
    assert_same_bits(product[:, 0], np.array([2.0, 2.0, 8.0, -36.0, -36.0, -9.0, NAN]))


@pytest.mark.parametrize(("window", "least"), SHAPES)
def test_mad_equals_numpy_on_each_window(window, least):
    x = panel(1)
    x[:, 12] -= 1e9  # deviations that are small beside the mean are tested below

    (found,) = run_whole(ROLLING_MAD, x, parameters=(window, least))

    assert_close(
        found, windows(x, window, least, lambda y: np.abs(y - y.mean()).mean()), rtol=1e-11, atol=1e-13
    )


def test_mad_of_small_differences_between_large_numbers():
    small = np.random.default_rng(2).normal(size=(100, 3))
    large = 1e9 + small

    (found,) = run_whole(ROLLING_MAD, large, parameters=(20, 20))

    # 1e9 + y is rounded to a multiple of 2**-23; taking 1e9 off again is exact.
    assert_close(found, windows(large - 1e9, 20, 20, lambda y: np.abs(y - y.mean()).mean()), rtol=1e-6)


def test_mad_of_equal_numbers_is_zero_exactly():
    x = np.full((60, 2), 0.1)
    x[20:40:3, 1] = NAN

    (found,) = run_whole(ROLLING_MAD, x, parameters=(7, 1))

    assert (found == 0.0).all()


@pytest.mark.parametrize(("window", "least"), SHAPES)
def test_product_equals_pandas(window, least):
    x = panel(3)

    (found,) = run_whole(ROLLING_PRODUCT, x, parameters=(window, least))

    # A product of 60 numbers around 1e9 is beyond the largest float: NaN here, infinite in NumPy.
    expected = pd.DataFrame(x).rolling(window, min_periods=least).apply(np.nanprod, raw=True).to_numpy()
    assert_close(found, np.where(np.isinf(expected), NAN, expected))


def test_infinite_values_are_missing_and_results_never_infinite():
    x = np.array([[1.0], [1e60], [1e60], [np.inf], [2.0], [3.0], [-np.inf], [1e200]])

    (product,) = run_whole(ROLLING_PRODUCT, x, parameters=(2, 1))
    (mad,) = run_whole(ROLLING_MAD, x, parameters=(2, 1))
    (beyond,) = run_whole(ROLLING_PRODUCT, np.full((7, 1), 1e60), parameters=(7, 1))

    assert_close(product[:, 0], np.array([1.0, 1e60, 1e120, 1e60, 2.0, 6.0, 3.0, NAN]))
    assert_close(mad[:, 0], np.array([0.0, 5e59, 0.0, 0.0, 0.0, 0.5, 0.0, NAN]))
    assert_close(beyond[:, 0], np.array([1e60, 1e120, 1e180, 1e240, 1e300, NAN, NAN]))


def test_an_empty_window_is_missing_even_if_no_number_is_asked_for():
    for kernel in (ROLLING_MAD, ROLLING_PRODUCT):
        assert np.isnan(run_whole(kernel, np.full((4, 1), NAN), parameters=(3, 0))[0]).all()


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_any_chunking_gives_the_same_bits(kernel, parameters):
    x = panel(4)

    assert_any_chunking_gives_the_same_bits(kernel, x, parameters=parameters)
    assert_offsets_are_kept(kernel, x, parameters=parameters)


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_nothing_comes_from_nothing(kernel, parameters):
    assert_nothing_comes_from_nothing(kernel, parameters)
    assert_compiles_once(kernel, parameters)


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_interpreted_equals_compiled(kernel, parameters, monkeypatch):
    x = panel(5, rows=40, width=14)
    (expected,) = run_whole(kernel, x, parameters=parameters)  # compiled before what it calls is replaced
    monkeypatch.setattr(deviation, "_count", deviation._count.py_func)

    (found,) = run_interpreted(kernel, x, parameters=parameters, chunk=33)

    assert_close(found, expected, rtol=1e-11, atol=1e-13)
