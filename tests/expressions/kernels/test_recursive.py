"""Recursive kernels against pandas, TA-Lib and cases by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib

from quantflux.expressions.kernels.contract import run_whole
from quantflux.expressions.kernels.recursive import CUMULATIVE_SUM, EWM, FILL_AFTER, LAST_KNOWN, SEEDED_EWM
from tests.expressions.kernels.reference_order import (
    assert_any_chunking_gives_the_same_bits,
    assert_close,
    assert_compiles_once,
    assert_nothing_comes_from_nothing,
    assert_offsets_are_kept,
    assert_same_bits,
    panel,
    run_interpreted,
)

NAN = np.nan
KERNELS = [
    (EWM, (0.2, 1, 3)),
    (EWM, (0.2, 0, 1)),
    (SEEDED_EWM, (0.25, 7)),
    (CUMULATIVE_SUM, ()),
    (FILL_AFTER, (0.5,)),
    (LAST_KNOWN, (0,)),
    (LAST_KNOWN, (3,)),
]


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_weighted_means_by_hand():
    x = column(NAN, 4.0, NAN, 8.0, NAN)

    (adjusted,) = run_whole(EWM, x, parameters=(0.5, 1, 1))
    (plain,) = run_whole(EWM, x, parameters=(0.5, 0, 1))

    # Two rows halve the weight of 4 twice. Adjusted, the newest weighs 1, else alpha: (4/4 + 8) / (1/4 + 1) and
    # (4/4 + 8/2) / (1/4 + 1/2).
    assert_close(adjusted, column(NAN, 4.0, 4.0, 7.2, 7.2))
    assert_close(plain, column(NAN, 4.0, 4.0, 20 / 3, 20 / 3))


@pytest.mark.parametrize("adjust", [0, 1])
@pytest.mark.parametrize("least", [0, 1, 5, 40])
@pytest.mark.parametrize("alpha", [0.05, 1 / 3, 0.9, 1.0])
def test_weighted_means_equal_pandas(alpha, adjust, least):
    x = panel(1)

    (found,) = run_whole(EWM, x, parameters=(alpha, adjust, least))

    expected = (
        pd.DataFrame(x).ewm(alpha=alpha, adjust=bool(adjust), ignore_na=False, min_periods=least).mean()
    )
    assert_close(found, expected, rtol=1e-11, atol=1e-13)


def test_seeded_means_by_hand():
    x = column(NAN, 1.0, NAN, 3.0, 5.0, 7.0, NAN, 1.0)

    (found,) = run_whole(SEEDED_EWM, x, parameters=(0.5, 3))

    # The seed is (1 + 3 + 5) / 3 = 3; then 3 + 4/2 = 5 and, with the gap passed over, 5 - 4/2 = 3.
    assert_same_bits(found, column(NAN, NAN, NAN, NAN, 3.0, 5.0, NAN, 3.0))


@pytest.mark.parametrize("window", [2, 3, 14, 60])
def test_seeded_means_equal_talib_on_the_numbers(window):
    x = panel(2)

    (found,) = run_whole(SEEDED_EWM, x, parameters=(2 / (window + 1), window))

    expected = np.full_like(x, NAN)
    for j in range(x.shape[1]):
        numbers = ~np.isnan(x[:, j])
        if numbers.sum() >= window:
            expected[numbers, j] = talib.EMA(x[numbers, j], window)
    assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_wilder_smoothing_of_true_ranges_equals_talib():
    random = np.random.default_rng(3)
    close = 50 + random.normal(size=300).cumsum()
    high, low = close + random.random(300), close - random.random(300)

    (found,) = run_whole(SEEDED_EWM, column(*talib.TRANGE(high, low, close)), parameters=(1 / 14, 14))

    assert_close(found[:, 0], talib.ATR(high, low, close, 14))


def test_a_window_of_one_number_is_seeded_at_once():
    x = column(NAN, 2.0, 4.0)

    assert_same_bits(run_whole(SEEDED_EWM, x, parameters=(0.25, 1))[0], column(NAN, 2.0, 2.5))


def test_sums_equal_pandas():
    x = panel(4)

    assert_close(run_whole(CUMULATIVE_SUM, x)[0], pd.DataFrame(x).cumsum(), rtol=1e-11, atol=1e-11)


def test_sums_by_hand():
    assert_same_bits(run_whole(CUMULATIVE_SUM, column(NAN, 1.0, NAN, -3.0))[0], column(NAN, 1.0, NAN, -2.0))


def test_gaps_are_filled_once_the_other_series_has_begun():
    x = column(NAN, 1.0, NAN, NAN, 2.0, NAN)
    since = column(NAN, NAN, NAN, 5.0, NAN, NAN)

    (found,) = run_whole(FILL_AFTER, x, since, parameters=(-1.0,))

    assert_same_bits(found, column(NAN, 1.0, NAN, -1.0, 2.0, -1.0))


def test_filling_equals_pandas():
    x, since = panel(5), panel(6)

    (found,) = run_whole(FILL_AFTER, x, since, parameters=(0.25,))

    begun = pd.DataFrame(since).ffill().notna()
    assert_close(found, pd.DataFrame(x).mask(pd.DataFrame(x).isna() & begun, 0.25))


def test_numbers_are_carried_as_far_as_the_limit():
    x = column(NAN, 1.0, NAN, NAN, NAN, 2.0, NAN)

    assert_same_bits(run_whole(LAST_KNOWN, x, parameters=(0,))[0], column(NAN, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0))
    assert_same_bits(run_whole(LAST_KNOWN, x, parameters=(2,))[0], column(NAN, 1.0, 1.0, 1.0, NAN, 2.0, 2.0))


@pytest.mark.parametrize("limit", [0, 1, 5, 24, 25])
def test_carrying_equals_pandas(limit):
    x = panel(7)

    assert_same_bits(
        run_whole(LAST_KNOWN, x, parameters=(limit,))[0],
        pd.DataFrame(x).ffill(limit=limit or None).to_numpy(),
    )


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS[:4])
def test_one_infinite_value_does_not_stay(kernel, parameters):
    x = panel(14)[:, [0, 15]]
    gap, infinite = x.copy(), x.copy()
    gap[20:22], infinite[20], infinite[21] = NAN, np.inf, -np.inf

    assert_same_bits(
        run_whole(kernel, infinite, parameters=parameters)[0],
        run_whole(kernel, gap, parameters=parameters)[0],
    )


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_any_chunking_gives_the_same_bits(kernel, parameters):
    inputs = (panel(8), panel(9))[: kernel.inputs]

    assert_any_chunking_gives_the_same_bits(kernel, *inputs, parameters=parameters)
    assert_offsets_are_kept(kernel, *inputs, parameters=parameters)


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_a_symbol_listed_later_needs_no_history(kernel, parameters):
    inputs = (panel(10), panel(11))[: kernel.inputs]
    later = [np.vstack([np.full((40, x.shape[1]), NAN), x]) for x in inputs]

    (found,) = run_whole(kernel, *later, parameters=parameters)

    assert np.isnan(found[:40]).all()
    assert_same_bits(found[40:], run_whole(kernel, *inputs, parameters=parameters)[0])


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_nothing_comes_from_nothing(kernel, parameters):
    assert_nothing_comes_from_nothing(kernel, parameters)
    assert_compiles_once(kernel, parameters)


@pytest.mark.parametrize(("kernel", "parameters"), KERNELS)
def test_interpreted_equals_compiled(kernel, parameters):
    inputs = (panel(12, rows=60), panel(13, rows=60))[: kernel.inputs]

    (found,) = run_interpreted(kernel, *inputs, parameters=parameters, chunk=25)

    assert_close(found, run_whole(kernel, *inputs, parameters=parameters)[0], rtol=1e-11, atol=1e-13)
