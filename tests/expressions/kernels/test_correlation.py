"""Rolling correlation, covariance and regression of two series against extended precision, pandas and SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantflux.expressions.kernels import correlation
from quantflux.expressions.kernels.contract import Kernel, run_whole
from quantflux.expressions.kernels.correlation import ROLLING_BETA, ROLLING_CORRELATION
from tests.expressions.kernels import reference
from tests.expressions.kernels.reference import assert_interpreted_alike, assert_within, hard_panel, spreads
from tests.expressions.kernels.reference_order import (
    assert_any_chunking_gives_the_same_bits,
    assert_close,
    assert_compiles_once,
    assert_nothing_comes_from_nothing,
    assert_offsets_are_kept,
    panel,
)

NAN = np.nan
BOTH = [(ROLLING_CORRELATION, (0.0,)), (ROLLING_BETA, ())]
CASES = [(1, 1), (2, 2), (5, 3), (20, 1), (70, 70)]


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def hard_pair(rows: int = 700) -> tuple[np.ndarray, np.ndarray]:
    """Two hard panels, each kind of column beside another kind, and some that move together."""
    x, y = hard_panel(0, rows), np.roll(hard_panel(1, rows), 5, axis=1)
    y[:, :2] = x[:, :2] * 3 + np.random.default_rng(2).normal(size=(rows, 2))
    y[:, 30] = -2 * x[:, 30]
    return x, y


def test_correlation_worked_by_hand():
    # The pairs are (1, 2), (2, 4), (3, 4), (9, 4); rows 2 and 4 hold one number each. Of the first three, the joint
    # deviations are 2 and the squares 2 and 8 / 3: r = sqrt(3) / 2.
    x, y = column(1, 2, NAN, 3, 5, 9), column(2, 4, 7, 4, NAN, 4)

    found = run_whole(ROLLING_CORRELATION, x, y, parameters=(4, 2, 0.0))

    np.testing.assert_allclose(found[0].ravel(), [NAN, 1, 1, np.sqrt(3) / 2, NAN, NAN], rtol=1e-14)
    np.testing.assert_allclose(found[1].ravel(), [NAN, 1, 1, 1, 0, 0], atol=1e-14)


def test_beta_worked_by_hand():
    # y = 1, 2, 6 on x = 2, 3, 4: slope 5 / 2, through (3, 3); 6 is 0.5 above the line.
    y, x = column(1, 2, 6, 4, NAN), column(2, 3, 4, NAN, 8)

    slope, residual = (out.ravel() for out in run_whole(ROLLING_BETA, y, x, parameters=(4, 2)))

    np.testing.assert_allclose(slope, [NAN, 1, 2.5, 2.5, 4], rtol=1e-14)
    np.testing.assert_allclose(residual, [NAN, 0, 0.5, NAN, NAN], atol=1e-14)


@pytest.mark.parametrize(("window", "least", "floor"), [*((*case, 0.0) for case in CASES), (5, 3, 2e-5)])
def test_a_hard_panel_against_extended_precision(window, least, floor):
    x, y = hard_pair()

    r, covariance = run_whole(ROLLING_CORRELATION, x, y, parameters=(window, least, floor))

    expected = reference.correlation(x, y, window, least, floor)
    assert_within(r, expected[0], 1.0, 1e-10)
    assert_within(covariance, expected[1], paired_spread(x, y, window) * paired_spread(y, x, window), 1e-10)


@pytest.mark.parametrize(("window", "least"), CASES)
def test_beta_of_a_hard_panel_against_extended_precision(window, least):
    y, x = hard_pair()

    slope, residual = run_whole(ROLLING_BETA, y, x, parameters=(window, least))

    expected = reference.beta(y, x, window, least)
    scale = paired_spread(y, x, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert_within(slope, expected[0], scale / paired_spread(x, y, window), 1e-10)
    assert_within(residual, expected[1], scale, 1e-10)


def paired_spread(x: np.ndarray, y: np.ndarray, window: int) -> np.ndarray:
    """The deviation of x over the rows where both are numbers."""
    both = (np.abs(x) < 1e70) & (np.abs(y) < 1e70)
    return spreads(np.where(both, x, NAN), window)


@pytest.mark.parametrize("window", [5, 60])
def test_pandas_agrees(window):
    random = np.random.default_rng(7)
    x, y = random.normal(size=(2, 300, 8))
    x[:30, 0] = x[100:150, 1] = y[::4, 2] = x[::5, 3] = y[::7, 3] = NAN
    rolling, other = pd.DataFrame(x).rolling(window, min_periods=3), pd.DataFrame(y)

    r, covariance = run_whole(ROLLING_CORRELATION, x, y, parameters=(window, 3, 0.0))

    # pandas' corr takes each deviation over that series' own numbers; its cov takes the pairs, as we do.
    full = ~(np.isnan(x) | np.isnan(y)).any(axis=0)
    assert_close(r[:, full], rolling.corr(other).loc[:, full], rtol=1e-9, atol=1e-9)
    assert_close(covariance, rolling.cov(other), rtol=1e-9, atol=1e-9)


def test_scipy_agrees():
    x, y = np.random.default_rng(8).normal(size=(2, 50, 1))

    r, _ = run_whole(ROLLING_CORRELATION, x, y, parameters=(50, 50, 0.0))
    slope, residual = run_whole(ROLLING_BETA, y, x, parameters=(50, 50))

    line = stats.linregress(x[:, 0], y[:, 0])
    assert r[-1, 0] == pytest.approx(line.rvalue, rel=1e-12)
    assert slope[-1, 0] == pytest.approx(line.slope, rel=1e-12)
    assert residual[-1, 0] == pytest.approx((y - line.intercept - line.slope * x)[-1, 0], rel=1e-12)


def test_a_series_is_perfectly_correlated_with_itself():
    x = hard_panel()

    r, _ = run_whole(ROLLING_CORRELATION, x, x, parameters=(20, 2, 0.0))
    opposite, _ = run_whole(ROLLING_CORRELATION, x, -x, parameters=(20, 2, 0.0))

    assert np.nanmin(r) > 1 - 1e-15 and np.nanmax(r) == 1
    assert np.nanmax(opposite) < -1 + 1e-15 and np.nanmin(opposite) == -1


def test_correlation_is_missing_where_a_deviation_is_at_most_the_floor():
    random = np.random.default_rng(1)
    shape = np.arange(10.0)[:, None] / np.arange(10.0).std(ddof=1)
    x, y = 5 + np.hstack([shape * 1.9e-5, shape * 2.1e-5]), random.normal(size=(10, 2))

    for pair in ((x, y), (y, x)):
        assert np.isnan(run_whole(ROLLING_CORRELATION, *pair, parameters=(10, 2, 2e-5))[0][-1]).tolist() == [
            True,
            False,
        ]
        assert np.isfinite(run_whole(ROLLING_CORRELATION, *pair, parameters=(10, 2, 0.0))[0][-1]).all()


def test_what_rounding_leaves_of_equal_numbers_is_no_variation():
    y = np.random.default_rng(1).normal(size=(100, 1))
    volume = np.random.default_rng(2).integers(1, 10**9, (100, 1)).astype(float)
    price = volume * 10.01 / volume  # an average price while all trades are at 10.01
    assert len(np.unique(price)) > 1

    assert np.isnan(run_whole(ROLLING_CORRELATION, price, y, parameters=(20, 2, 0.0))[0]).all()
    assert np.isnan(run_whole(ROLLING_CORRELATION, y, price, parameters=(20, 2, 0.0))[0]).all()
    assert np.isnan(run_whole(ROLLING_BETA, y, price, parameters=(20, 2))[0]).all()


@pytest.mark.parametrize(("kernel", "floor"), BOTH)
@pytest.mark.parametrize("parameters", [(5, 1), (70, 3)])
def test_any_chunking_and_any_neighbours_give_the_same_bits(
    kernel: Kernel, floor: tuple[float, ...], parameters: tuple[int, int]
):
    assert_any_chunking_gives_the_same_bits(kernel, *hard_pair(420), parameters=(*parameters, *floor))


@pytest.mark.parametrize(("kernel", "floor"), BOTH)
def test_the_contract(kernel, floor):
    assert_nothing_comes_from_nothing(kernel, (5, 1, *floor))
    assert_offsets_are_kept(kernel, panel(0, 200), panel(1, 200), parameters=(5, 1, *floor))
    assert_compiles_once(kernel, (5, 1, *floor))


@pytest.mark.parametrize(("kernel", "floor"), BOTH)
def test_nothing_is_infinite_at_the_ends_of_the_range(kernel, floor):
    scales = 10.0 ** np.array([-300, -81, -60, 60, 69, 300])
    x, y = np.random.default_rng(6).normal(size=(2, 200, 36))

    outputs = run_whole(kernel, x * scales.repeat(6), y * np.tile(scales, 6), parameters=(5, 1, *floor))

    assert not any(np.isinf(out).any() for out in outputs)


@pytest.mark.parametrize(("kernel", "floor"), BOTH)
def test_the_interpreter_computes_the_same(monkeypatch, kernel, floor):
    x, y = (panel[:, ::3] for panel in hard_pair(140))

    assert_interpreted_alike(monkeypatch, correlation, kernel, x, y, parameters=(7, 2, *floor))
