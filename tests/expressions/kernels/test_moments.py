"""Rolling variance, deviation, skewness and kurtosis against two passes in extended precision, and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantflux.expressions.kernels import moments
from quantflux.expressions.kernels.contract import run_whole
from quantflux.expressions.kernels.moments import ROLLING_MOMENTS, ROLLING_SHAPE
from tests.expressions.kernels import reference
from tests.expressions.kernels.reference import assert_interpreted_alike, assert_within, hard_panel
from tests.expressions.kernels.reference_order import (
    assert_any_chunking_gives_the_same_bits,
    assert_close,
    assert_compiles_once,
    assert_nothing_comes_from_nothing,
    assert_offsets_are_kept,
    panel,
)

NAN = np.nan
BOTH = [ROLLING_MOMENTS, ROLLING_SHAPE]
CASES = [(1, 1), (2, 2), (5, 3), (20, 1), (70, 70)]


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_variance_worked_by_hand():
    x = column(NAN, 2, NAN, 4, 9, 9, 9)

    variance, deviation = (out.ravel() for out in run_whole(ROLLING_MOMENTS, x, parameters=(3, 1)))

    np.testing.assert_allclose(variance, [NAN, NAN, NAN, 2, 12.5, 25 / 3, 0], rtol=1e-15)
    np.testing.assert_allclose(deviation, np.sqrt([NAN, NAN, NAN, 2, 12.5, 25 / 3, 0]), rtol=1e-15)


def test_shape_worked_by_hand():
    # 0, 0, 0, 4: deviations -1, -1, -1, 3; m2 = 3, m3 = 6, m4 = 21. G1 = sqrt(12) / 2 * 6 / 3**1.5 = 2;
    # G2 = 3 / (2 * 1) * (5 * 21 / 9 - 3 * 3) = 4.
    skewness, kurtosis = (
        out.ravel() for out in run_whole(ROLLING_SHAPE, column(0, 0, 0, 4, 4), parameters=(4, 1))
    )

    np.testing.assert_allclose(skewness, [NAN, NAN, NAN, 2, 0], rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(kurtosis, [NAN, NAN, NAN, 4, -6], rtol=1e-14)


@pytest.mark.parametrize(("window", "least"), CASES)
def test_a_hard_panel_against_extended_precision(window, least):
    x = hard_panel()

    variance, deviation = run_whole(ROLLING_MOMENTS, x, parameters=(window, least))
    skewness, kurtosis = run_whole(ROLLING_SHAPE, x, parameters=(window, least))

    expected = reference.moments(x, window, least)
    assert_within(variance, expected[0], expected[0], 1e-10)
    assert_within(deviation, expected[1], expected[1], 1e-10)
    expected = reference.shape(x, window, least)
    assert_within(skewness, expected[0], 1 + np.abs(expected[0]), 1e-10)
    assert_within(kurtosis, expected[1], 1 + np.abs(expected[1]), 2e-10)


@pytest.mark.parametrize("window", [5, 60])
def test_pandas_agrees(window):
    x = np.random.default_rng(7).normal(size=(300, 8))
    x[:30, 0] = x[100:150, 1] = x[::4, 2] = NAN
    rolling = pd.DataFrame(x).rolling(window, min_periods=4)

    variance, deviation = run_whole(ROLLING_MOMENTS, x, parameters=(window, 4))
    skewness, kurtosis = run_whole(ROLLING_SHAPE, x, parameters=(window, 4))

    assert_close(variance, rolling.var(), rtol=1e-9)
    assert_close(deviation, rolling.std(), rtol=1e-9)
    assert_close(skewness, rolling.skew(), rtol=1e-9, atol=1e-9)
    assert_close(kurtosis, rolling.kurt(), rtol=1e-9, atol=1e-9)


def test_scipy_agrees_on_skewness_and_kurtosis():
    x = np.random.default_rng(8).lognormal(size=(50, 1))

    skewness, kurtosis = run_whole(ROLLING_SHAPE, x, parameters=(50, 50))

    assert skewness[-1, 0] == pytest.approx(stats.skew(x[:, 0], bias=False), rel=1e-12)
    assert kurtosis[-1, 0] == pytest.approx(stats.kurtosis(x[:, 0], bias=False), rel=1e-12)


def test_equal_numbers_have_no_deviation_whatever_came_before():
    random = np.random.default_rng(4)
    x = random.lognormal(10, 5, (600, 200))
    x[300:] = x[300]
    x[300:][random.random((300, 200)) < 0.1] = NAN

    variance, deviation = run_whole(ROLLING_MOMENTS, x, parameters=(20, 1))
    skewness, kurtosis = run_whole(ROLLING_SHAPE, x, parameters=(20, 1))

    assert (deviation[20:300] > 0).all()
    assert (variance[319:] == 0).all() and (deviation[319:] == 0).all()
    assert np.isnan(skewness[319:]).all() and np.isnan(kurtosis[319:]).all()


def test_a_change_of_the_last_digit_is_seen():
    x = np.full((300, 1), 17.31)
    x[250] = np.nextafter(17.31, 18)

    deviation = run_whole(ROLLING_MOMENTS, x, parameters=(10, 2))[1].ravel()

    assert np.flatnonzero(deviation > 0).tolist() == list(range(250, 260))
    np.testing.assert_allclose(deviation[250:260], np.spacing(17.31) / np.sqrt(10), rtol=1e-9)


def test_shape_is_missing_where_numbers_differ_by_rounding_only():
    x = column(*[0.1 + 0.2, 0.3] * 20)

    skewness, kurtosis = run_whole(ROLLING_SHAPE, x, parameters=(5, 1))

    assert np.isnan(skewness).all() and np.isnan(kurtosis).all()


def test_nothing_is_infinite_at_the_ends_of_the_range():
    random = np.random.default_rng(6)
    x = random.normal(size=(200, 7)) * 10.0 ** np.array([-300, -81, -71, -60, 60, 69, 300])

    outputs = [out for kernel in BOTH for out in run_whole(kernel, x, parameters=(5, 1))]

    assert not any(np.isinf(out).any() for out in outputs)
    assert np.isfinite(outputs[3][10:, 3:6]).all()


@pytest.mark.parametrize("kernel", BOTH)
@pytest.mark.parametrize("parameters", [(5, 1), (70, 3)])
def test_any_chunking_and_any_neighbours_give_the_same_bits(kernel, parameters):
    assert_any_chunking_gives_the_same_bits(kernel, hard_panel(rows=420), parameters=parameters)


@pytest.mark.parametrize("kernel", BOTH)
def test_the_contract(kernel):
    assert_nothing_comes_from_nothing(kernel, (5, 1))
    assert_offsets_are_kept(kernel, panel(rows=200), parameters=(5, 1))
    assert_compiles_once(kernel, (5, 1))


@pytest.mark.parametrize("kernel", BOTH)
def test_the_interpreter_computes_the_same(monkeypatch, kernel):
    x = hard_panel(rows=140)[:, ::3]

    assert_interpreted_alike(monkeypatch, moments, kernel, x, parameters=(7, 2))
