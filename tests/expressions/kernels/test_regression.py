"""Rolling regression on time and linearly decaying mean against least squares in extended precision, and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from quantflux.expressions.kernels import regression
from quantflux.expressions.kernels.contract import run_whole
from quantflux.expressions.kernels.regression import ROLLING_DECAY, ROLLING_REGRESSION
from tests.expressions.kernels import reference
from tests.expressions.kernels.reference import assert_interpreted_alike, assert_within, hard_panel, spreads
from tests.expressions.kernels.reference_order import (
    assert_any_chunking_gives_the_same_bits,
    assert_compiles_once,
    assert_nothing_comes_from_nothing,
    assert_offsets_are_kept,
    panel,
)

NAN = np.nan
BOTH = [ROLLING_REGRESSION, ROLLING_DECAY]
CASES = [(1, 1), (2, 2), (5, 3), (20, 1), (70, 70)]


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_regression_worked_by_hand():
    # Rows 2 to 4 hold 1, 3, 2 at places 1, 2, 3: slope 0.5, through 2 at place 2; 0.5**2 * 2 / 2 = 0.25 explained.
    x = column(NAN, NAN, 1, 3, 2, NAN, 4)

    slope, rsquare, residual = (out.ravel() for out in run_whole(ROLLING_REGRESSION, x, parameters=(3, 2)))

    np.testing.assert_allclose(slope, [NAN, NAN, NAN, 2, 0.5, -1, 1], rtol=1e-14)
    np.testing.assert_allclose(rsquare, [NAN, NAN, NAN, 1, 0.25, 1, 1], rtol=1e-14)
    np.testing.assert_allclose(residual, [NAN, NAN, NAN, 0, -0.5, NAN, 0], atol=1e-14)


def test_decay_worked_by_hand():
    x = column(NAN, 1, 5, NAN, 2, 2)

    (mean,) = run_whole(ROLLING_DECAY, x, parameters=(3, 1))

    expected = [NAN, 1, (2 * 1 + 3 * 5) / 5, (1 * 1 + 2 * 5) / 3, (1 * 5 + 3 * 2) / 4, (2 * 2 + 3 * 2) / 5]
    np.testing.assert_allclose(mean.ravel(), expected, rtol=1e-15)


@pytest.mark.parametrize(("window", "least"), CASES)
def test_a_hard_panel_against_extended_precision(window, least):
    x = hard_panel()
    scale = spreads(x, window)

    slope, rsquare, residual = run_whole(ROLLING_REGRESSION, x, parameters=(window, least))
    (mean,) = run_whole(ROLLING_DECAY, x, parameters=(window, least))

    expected = reference.regression(x, window, least)
    assert_within(slope, expected[0], scale / window, 1e-10)
    assert_within(rsquare, expected[1], 1.0, 1e-10)
    assert_within(residual, expected[2], scale, 1e-10)
    expected = reference.decay(x, window, least)
    assert_within(mean, expected[0], np.abs(expected[0]) + scale, 1e-12)


def test_scipy_agrees_on_the_line():
    x = np.random.default_rng(8).normal(size=50).cumsum()
    days = np.arange(50)
    known = np.random.default_rng(9).random(50) < 0.7
    known[-1] = True

    slope, rsquare, residual = run_whole(
        ROLLING_REGRESSION, np.where(known, x, NAN)[:, None], parameters=(50, 2)
    )

    line = stats.linregress(days[known], x[known])
    assert slope[-1, 0] == pytest.approx(line.slope, rel=1e-12)
    assert rsquare[-1, 0] == pytest.approx(line.rvalue**2, rel=1e-12)
    assert residual[-1, 0] == pytest.approx(x[-1] - line.intercept - 49 * line.slope, rel=1e-12)


def test_numpy_agrees_on_the_decaying_mean():
    x = np.random.default_rng(8).normal(size=(30, 1))

    (mean,) = run_whole(ROLLING_DECAY, x, parameters=(10, 10))

    expected = [np.average(x[t - 9 : t + 1, 0], weights=np.arange(1, 11)) for t in range(9, 30)]
    np.testing.assert_allclose(mean[9:, 0], expected, rtol=1e-12)


def test_equal_numbers_lie_on_a_level_line_exactly():
    random = np.random.default_rng(4)
    x = random.lognormal(10, 5, (300, 100))
    x[150:] = x[150]
    x[150:][random.random((150, 100)) < 0.1] = NAN

    slope, rsquare, residual = run_whole(ROLLING_REGRESSION, x, parameters=(20, 2))
    (mean,) = run_whole(ROLLING_DECAY, x, parameters=(20, 2))

    assert (slope[169:] == 0).all() and np.isnan(rsquare[169:]).all()
    assert (residual[169:][~np.isnan(x[169:])] == 0).all()
    np.testing.assert_array_equal(mean[169:], np.broadcast_to(np.nanmax(x[150:], axis=0), (131, 100)))


def test_rsquare_is_missing_where_the_deviation_is_at_most_2e_5():
    shape = np.arange(10.0)[:, None] / np.arange(10.0).std(ddof=1)
    x = 5 + np.hstack([shape * 1.9e-5, shape * 2.1e-5])

    rsquare = run_whole(ROLLING_REGRESSION, x, parameters=(10, 10))[1][-1]

    assert np.isnan(rsquare[0])
    assert rsquare[1] == pytest.approx(1, abs=1e-9)


def test_the_last_numbers_of_a_series_keep_their_line():
    # Two neighbours at the old end of a wide window: what rounding left in the sum of place * y stands beside them.
    x = 1000 + np.random.default_rng(5).normal(size=(460, 60)).cumsum(axis=0)
    x[300:] = NAN

    slope, rsquare, _ = run_whole(ROLLING_REGRESSION, x, parameters=(150, 2))
    (mean,) = run_whole(ROLLING_DECAY, x, parameters=(150, 2))

    expected = reference.regression(x, 150, 2)
    places = np.where(np.isnan(x), NAN, np.arange(460)[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert_within(slope, expected[0], spreads(x, 150) / spreads(places, 150), 1e-10)
    assert_within(rsquare, expected[1], 1.0, 1e-10)
    assert_within(mean, *reference.decay(x, 150, 2), 1.0, 1e-10)


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
def test_nothing_is_infinite_at_the_ends_of_the_range(kernel):
    x = np.random.default_rng(6).normal(size=(200, 7)) * 10.0 ** np.array([-300, -81, -71, -60, 60, 69, 300])

    outputs = run_whole(kernel, x, parameters=(5, 1))

    assert not any(np.isinf(out).any() for out in outputs)


@pytest.mark.parametrize("kernel", BOTH)
def test_the_interpreter_computes_the_same(monkeypatch, kernel):
    x = hard_panel(rows=140)[:, ::3]

    assert_interpreted_alike(monkeypatch, regression, kernel, x, parameters=(7, 2))
