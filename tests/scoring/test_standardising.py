"""Winsorised z-scores beside pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.scoring.standardising import zscores


def slow(values: np.ndarray, chosen: np.ndarray, k: float) -> np.ndarray:
    frame = pd.DataFrame(values).replace([np.inf, -np.inf], np.nan).where(chosen)
    if k:
        median = frame.median(axis=1)
        reach = 1.4826 * k * frame.sub(median, axis=0).abs().median(axis=1)
        frame = frame.clip(median - reach, median + reach, axis=0)
    return frame.sub(frame.mean(axis=1), axis=0).div(frame.std(axis=1, ddof=1), axis=0).to_numpy()


@pytest.mark.parametrize("k", [0.0, 1.5, 5.0])
def test_they_are_those_of_pandas(k: float) -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_t(2, (40, 25))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[3, 4], values[5, 6] = np.inf, -np.inf
    chosen = rng.random(values.shape) < 0.8

    np.testing.assert_allclose(zscores(values, chosen, k), slow(values, chosen, k), rtol=1e-9, atol=1e-12)


def test_names_not_chosen_do_not_matter() -> None:
    values, chosen = np.array([[1.0, 2.0, 4.0, 900.0]]), np.array([[True, True, True, False]])

    one, other = zscores(values, chosen), zscores(np.array([[1.0, 2.0, 4.0, -7.0]]), chosen)

    np.testing.assert_array_equal(one, other)
    assert np.isnan(one[0, 3])


def test_mostly_equal_values_keep_their_differences() -> None:
    # The median absolute deviation is 0, which would move every name onto the median.
    values = np.array([[0.0, 0.0, 0.0, 0.0, 5.0]])

    made = zscores(values, np.ones((1, 5), dtype=bool))

    assert made[0, 4] > 1.5 and made[0].sum() == pytest.approx(0)


def test_equal_values_are_neither_good_nor_bad() -> None:
    made = zscores(np.array([[7.0, 7.0, np.nan], [np.nan, 2.0, np.nan]]), np.ones((2, 3), dtype=bool))

    np.testing.assert_array_equal(made, [[0.0, 0.0, np.nan], [np.nan, 0.0, np.nan]])


def test_no_row_knows_another() -> None:
    rng = np.random.default_rng(4)
    values, chosen = rng.normal(size=(30, 12)), rng.random((30, 12)) < 0.9

    np.testing.assert_array_equal(zscores(values, chosen)[:11], zscores(values[:11], chosen[:11]))
