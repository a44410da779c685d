"""Rolling sum, mean and count against exact sums, NumPy and pandas."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from quantflux.expressions.kernels import sums
from quantflux.expressions.kernels.contract import run_whole
from quantflux.expressions.kernels.sums import ROLLING_SUM
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


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_a_case_worked_by_hand():
    x = column(NAN, 1, 2, NAN, NAN, 6, 9)

    total, mean, count = (out.ravel() for out in run_whole(ROLLING_SUM, x, parameters=(3, 2)))

    np.testing.assert_array_equal(total, [NAN, NAN, 3, 3, NAN, NAN, 15])
    np.testing.assert_array_equal(mean, [NAN, NAN, 1.5, 1.5, NAN, NAN, 7.5])
    np.testing.assert_array_equal(count, [NAN, 1, 2, 2, 1, 1, 2])


@pytest.mark.parametrize(("window", "least"), [(1, 1), (2, 2), (5, 3), (20, 1), (70, 70)])
def test_a_hard_panel_against_extended_precision(window, least):
    x = hard_panel()

    found = run_whole(ROLLING_SUM, x, parameters=(window, least))

    expected = reference.sums(x, window, least)
    assert_within(found[0], expected[0], expected[0], 1e-15)
    assert_within(found[1], expected[1], expected[1], 1e-15)
    np.testing.assert_array_equal(found[2], expected[2])


def test_the_sum_is_rounded_once():
    x = np.random.default_rng(3).normal(size=(400, 1)) * 10.0 ** np.arange(-8, 8).repeat(25)[:, None]

    total = run_whole(ROLLING_SUM, x, parameters=(30, 30))[0].ravel()

    assert total[29:].tolist() == [math.fsum(x[t - 29 : t + 1, 0]) for t in range(29, 400)]


def test_an_outlier_leaves_no_trace():
    x = np.full((100, 1), 0.1)
    x[50] = 1e15

    total, mean, _ = run_whole(ROLLING_SUM, x, parameters=(10, 10))

    assert set(total[60:, 0]) == set(total[9:50, 0]) == {1.0}
    assert set(mean[60:, 0]) == {0.1}


def test_the_mean_of_equal_numbers_is_that_number():
    random = np.random.default_rng(5)
    x = np.broadcast_to(random.lognormal(3, 5, 500), (300, 500)).copy()
    x[random.random(x.shape) < 0.1] = NAN  # the newest row may be missing

    mean = run_whole(ROLLING_SUM, x, parameters=(49, 1))[1]

    known = ~np.isnan(mean)
    np.testing.assert_array_equal(mean[known], np.broadcast_to(np.nanmax(x, axis=0), x.shape)[known])


@pytest.mark.parametrize("window", [5, 60])
def test_pandas_agrees(window):
    x = panel(2)
    rolling = pd.DataFrame(x).rolling(window, min_periods=3)

    total, mean, _ = run_whole(ROLLING_SUM, x, parameters=(window, 3))

    assert_close(total, rolling.sum(), rtol=1e-11, atol=1e-9)
    assert_close(mean, rolling.mean(), rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("parameters", [(5, 1), (70, 3)])
def test_any_chunking_and_any_neighbours_give_the_same_bits(parameters):
    assert_any_chunking_gives_the_same_bits(ROLLING_SUM, hard_panel(rows=420), parameters=parameters)


def test_the_contract():
    assert_nothing_comes_from_nothing(ROLLING_SUM, (5, 1))
    assert_offsets_are_kept(ROLLING_SUM, panel(rows=200), parameters=(5, 1))
    assert_compiles_once(ROLLING_SUM, (5, 1))


def test_no_rows_and_one_row():
    assert [len(out) for out in run_whole(ROLLING_SUM, np.empty((0, 3)), parameters=(5, 1))] == [0, 0, 0]
    assert [out.item() for out in run_whole(ROLLING_SUM, column(7), parameters=(5, 1))] == [7, 7, 1]


def test_the_interpreter_computes_the_same(monkeypatch):
    x = hard_panel(rows=140)[:, ::3]

    assert_interpreted_alike(monkeypatch, sums, ROLLING_SUM, x, parameters=(7, 2))
