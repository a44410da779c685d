"""Extremes of trailing windows against pandas and NumPy, one window at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.expressions.kernels.contract import Kernel, run_whole
from quantflux.expressions.kernels.extremes import (
    ARG_INDEX,
    ARG_START,
    ARGMAX_STEP,
    ARGMIN_STEP,
    MASK_BY_COUNT,
    MAX_STEP,
    MIN_STEP,
    doubling_steps,
)
from tests.expressions.kernels.reference_order import (
    assert_any_chunking_gives_the_same_bits,
    assert_compiles_once,
    assert_nothing_comes_from_nothing,
    assert_offsets_are_kept,
    assert_same_bits,
    panel,
    run_interpreted,
)

NAN = np.nan
WINDOWS = (1, 2, 3, 5, 8, 20, 60, 63, 64, 65)
STEPS = [(MAX_STEP, 3), (MIN_STEP, 3), (ARGMAX_STEP, 3), (ARGMIN_STEP, 3)]
OTHERS = [(ARG_START, 0), (ARG_START, 1), (ARG_INDEX, 20), (MASK_BY_COUNT, 2)]


def extreme(step: Kernel, x: np.ndarray, window: int) -> np.ndarray:
    for lag in doubling_steps(window):
        (x,) = run_whole(step, x, parameters=(lag,))
    return x


def index(step: Kernel, x: np.ndarray, window: int, nan_first: int, known: np.ndarray) -> np.ndarray:
    value, row = run_whole(ARG_START, x, parameters=(nan_first,))
    for lag in doubling_steps(window):
        value, row = run_whole(step, value, row, parameters=(lag,))
    (found,) = run_whole(ARG_INDEX, row, known, parameters=(window,))
    return found


def slow_index(x: np.ndarray, window: int, largest: bool, nan_first: int) -> np.ndarray:
    """The 1-based place in the window, of a series that starts at the symbol's first number."""
    out = np.full(x.shape, NAN)
    for j in range(x.shape[1]):
        numbers = np.flatnonzero(~np.isnan(x[:, j]))
        for t in range(numbers[0], len(x)) if len(numbers) else ():
            inside = x[max(t - window + 1, numbers[0]) : t + 1, j]
            if np.isnan(inside).all():
                continue
            if nan_first:
                out[t, j] = (np.argmax if largest else np.argmin)(inside) + 1
            else:
                out[t, j] = (np.nanargmax if largest else np.nanargmin)(inside) + 1
    return out


@pytest.mark.parametrize("window", range(1, 131))
def test_steps_double_until_the_window_is_covered_exactly(window):
    covered = 1
    for lag in doubling_steps(window):
        assert lag <= covered  # else rows between the two halves would be left out
        covered += lag

    assert covered == window
    assert len(doubling_steps(window)) == int(np.ceil(np.log2(window)))


def test_windows_over_one_input_share_their_first_steps():
    assert doubling_steps(60)[:5] == doubling_steps(32) == (1, 2, 4, 8, 16)


def test_a_window_without_a_row_is_refused():
    with pytest.raises(InvalidRequest, match="0 was asked"):
        doubling_steps(0)


def test_extremes_of_three_rows_by_hand():
    x = np.array([[3.0], [NAN], [1.0], [1.0], [NAN], [NAN], [NAN], [2.0]])

    assert_same_bits(
        extreme(MAX_STEP, x, 3), np.array([[3.0], [3.0], [3.0], [1.0], [1.0], [1.0], [NAN], [2.0]])
    )
    assert_same_bits(
        extreme(MIN_STEP, x, 3), np.array([[3.0], [3.0], [1.0], [1.0], [1.0], [1.0], [NAN], [2.0]])
    )


def test_places_of_three_rows_by_hand():
    x = np.array([[NAN], [3.0], [3.0], [NAN], [1.0], [3.0], [NAN], [NAN], [NAN]])
    largest = extreme(MAX_STEP, x, 3)

    skipping = index(ARGMAX_STEP, x, 3, 0, largest)
    nan_first = index(ARGMAX_STEP, x, 3, 1, largest)

    # The window starts at the listing in row 1: rows [1], [1, 2], [1, 2, 3], [2, 3, 4], ...
    assert_same_bits(skipping, np.array([[NAN], [1.0], [1.0], [1.0], [1.0], [3.0], [2.0], [1.0], [NAN]]))
    assert_same_bits(nan_first, np.array([[NAN], [1.0], [1.0], [3.0], [2.0], [1.0], [3.0], [2.0], [NAN]]))


@pytest.mark.parametrize("window", WINDOWS)
def test_extremes_equal_pandas(window):
    x = panel(1)
    frame = pd.DataFrame(x).rolling(window, min_periods=1)

    np.testing.assert_array_equal(extreme(MAX_STEP, x, window), frame.max().to_numpy())
    np.testing.assert_array_equal(extreme(MIN_STEP, x, window), frame.min().to_numpy())


@pytest.mark.parametrize("nan_first", [0, 1])
@pytest.mark.parametrize("window", [1, 2, 5, 20, 37])
def test_places_equal_numpy_on_each_window(window, nan_first):
    x = panel(2, rows=160)
    x[100, 14], x[103, 14], x[106, 14] = np.inf, NAN, -np.inf  # NaN beats even these

    for step, value, largest in ((ARGMAX_STEP, MAX_STEP, True), (ARGMIN_STEP, MIN_STEP, False)):
        found = index(step, x, window, nan_first, extreme(value, x, window))
        np.testing.assert_array_equal(found, slow_index(x, window, largest, nan_first))


def test_the_place_of_a_symbol_does_not_depend_on_rows_before_its_listing():
    x = panel(3)
    later = np.vstack([np.full((17, x.shape[1]), NAN), x])

    for nan_first in (0, 1):
        found = index(ARGMAX_STEP, later, 20, nan_first, extreme(MAX_STEP, later, 20))
        assert_same_bits(found[17:], index(ARGMAX_STEP, x, 20, nan_first, extreme(MAX_STEP, x, 20)))


def test_a_mask_keeps_values_with_enough_numbers():
    x = np.array([[1.0, 2.0, NAN, 4.0]])
    counts = np.array([[NAN, 3.0, 5.0, 2.0]])

    (found,) = run_whole(MASK_BY_COUNT, x, counts, parameters=(3,))

    assert_same_bits(found, np.array([[NAN, 2.0, NAN, NAN]]))


@pytest.mark.parametrize(("kernel", "parameter"), STEPS + OTHERS)
def test_any_chunking_gives_the_same_bits(kernel, parameter):
    inputs = (panel(4), panel(5))[: kernel.inputs]

    assert_any_chunking_gives_the_same_bits(kernel, *inputs, parameters=(parameter,))
    assert_offsets_are_kept(kernel, *inputs, parameters=(parameter,))


@pytest.mark.parametrize(("kernel", "parameter"), STEPS + OTHERS)
def test_nothing_comes_from_nothing(kernel, parameter):
    assert_nothing_comes_from_nothing(kernel, (parameter,))
    assert_compiles_once(kernel, (parameter,))


@pytest.mark.parametrize(("kernel", "parameter"), STEPS + OTHERS)
def test_interpreted_equals_compiled(kernel, parameter):
    inputs = (panel(6, rows=60), panel(7, rows=60))[: kernel.inputs]

    for found, expected in zip(
        run_interpreted(kernel, *inputs, parameters=(parameter,), chunk=25),
        run_whole(kernel, *inputs, parameters=(parameter,)),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
