"""Ranks, buckets, medians and clipping: by hand, and against pandas, NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.expressions.kernels.row_ranks import (
    ROW_MEDIAN,
    ROW_QUANTILE_BUCKET,
    ROW_RANK,
    ROW_WINSORIZE,
    ROW_WINSORIZE_MAD,
)
from quantflux.expressions.kernels.rows import run_rows
from tests.expressions.kernels.row_samples import rows_of_every_kind

NAN = np.nan


@st.composite
def awkward_rows(draw: st.DrawFn) -> np.ndarray:
    """Rows with many ties and gaps, zeros of both signs and infinities."""
    seed, width = draw(st.integers(0, 2**32)), draw(st.integers(1, 200))
    levels = draw(st.sampled_from([1, 3, 20, 10**6]))
    random = np.random.default_rng(seed)
    x = random.integers(-levels, levels + 1, (3, width)) * draw(st.sampled_from([1.0, 0.1, -1e-300, 1e300]))
    x[random.random(x.shape) < draw(st.sampled_from([0.0, 0.3]))] = NAN
    x[random.random(x.shape) < 0.02] = -np.inf
    x[random.random(x.shape) < 0.02] = -0.0
    return x


def test_rank_by_hand() -> None:
    x = np.array([[5.0, 1.0, NAN, 5.0, -0.0, 0.0, np.inf, -np.inf]])

    # in order: -inf, then both zeros, 1, both fives, inf
    np.testing.assert_array_equal(
        run_rows(ROW_RANK, x), np.array([[5.5, 4.0, NAN, 5.5, 2.5, 2.5, 7.0, 1.0]]) / 7
    )


@settings(deadline=None, max_examples=150)
@given(awkward_rows())
def test_ranks_are_those_of_pandas(x: np.ndarray) -> None:
    np.testing.assert_array_equal(run_rows(ROW_RANK, x), pd.DataFrame(x).rank(axis=1, pct=True))


@pytest.mark.parametrize("width", [61, 800, 5000])
def test_ranks_are_those_of_pandas_on_rows_of_every_kind(width: int) -> None:
    x = rows_of_every_kind(width=width)

    np.testing.assert_array_equal(run_rows(ROW_RANK, x), pd.DataFrame(x).rank(axis=1, pct=True))


def test_the_highest_rank_is_one_for_every_count() -> None:
    for count in range(1, 400):
        assert run_rows(ROW_RANK, np.arange(count, dtype=float)[None, :]).max() == 1.0


def test_bucket_by_hand() -> None:
    x = np.array([[10.0, 20.0, 20.0, 40.0, NAN], [1.0, 2.0, 3.0, 4.0, 5.0]])

    # ranks 1, 2.5, 2.5, 4 of 4: 0.5 * 2 / 4, 2 * 2 / 4, 3.5 * 2 / 4
    np.testing.assert_array_equal(
        run_rows(ROW_QUANTILE_BUCKET, x, parameters=(2,)), [[0, 1, 1, 1, NAN], [0, 0, 1, 1, 1]]
    )


@pytest.mark.parametrize("buckets", [2, 5, 10, 49])
def test_buckets_follow_the_ranks_of_pandas(buckets: int) -> None:
    x = rows_of_every_kind()
    rank, count = pd.DataFrame(x).rank(axis=1), (~np.isnan(x)).sum(axis=1)[:, None]

    expected = np.floor((rank - 0.5) * buckets / count).where(np.broadcast_to(count >= buckets, x.shape))

    np.testing.assert_array_equal(run_rows(ROW_QUANTILE_BUCKET, x, parameters=(buckets,)), expected)


def test_buckets_are_equal_without_ties() -> None:
    x = np.random.default_rng(0).permutation(1000.0 * np.arange(600))[None, :]

    found = run_rows(ROW_QUANTILE_BUCKET, x, parameters=(6,))

    assert np.unique(found, return_counts=True)[1].tolist() == [100] * 6


def test_too_few_names_for_the_buckets_have_none() -> None:
    x = np.array([[1.0, 2.0, NAN, 3.0]])

    assert np.isnan(run_rows(ROW_QUANTILE_BUCKET, x, parameters=(4,))).all()


def test_median_by_hand() -> None:
    x = np.array([[9.0, 1.0, NAN, 4.0], [9.0, 1.0, 2.0, 4.0], [np.inf, np.inf, 1.0, NAN]])

    np.testing.assert_array_equal(
        run_rows(ROW_MEDIAN, x), [[4, 4, NAN, 4], [3, 3, 3, 3], [np.inf, np.inf, np.inf, NAN]]
    )


def test_medians_are_those_of_numpy() -> None:
    x = np.delete(rows_of_every_kind(), 2, axis=0)

    expected = np.where(np.isnan(x), NAN, np.nanmedian(x, axis=1, keepdims=True))

    np.testing.assert_allclose(run_rows(ROW_MEDIAN, x), expected, rtol=1e-15)


def test_winsorize_by_hand() -> None:
    x = np.array([[0.0, 10.0, 20.0, NAN, 1000.0, 30.0]])

    # of 0, 10, 20, 30, 1000 the quantile 1/8 is half way from 0 to 10, 7/8 half way from 30 to 1000
    np.testing.assert_array_equal(
        run_rows(ROW_WINSORIZE, x, parameters=(0.125, 0.875)), [[5.0, 10.0, 20.0, NAN, 515.0, 30.0]]
    )


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.01, 0.99), (0.25, 0.6), (0.5, 0.5)])
def test_winsorize_clips_at_the_quantiles_of_numpy(bounds: tuple[float, float]) -> None:
    x = np.delete(rows_of_every_kind(), [2, 7], axis=0)  # all but the empty and the infinite row

    low, high = np.nanquantile(x, bounds, axis=1, keepdims=True)

    expected = np.where(np.isnan(x), NAN, np.clip(x, low, high))
    np.testing.assert_allclose(run_rows(ROW_WINSORIZE, x, parameters=bounds), expected, rtol=1e-13)


def test_winsorize_with_infinite_ends() -> None:
    one_far = np.array([[np.inf, *range(100)]], dtype=float)
    both_ends = np.array([[np.inf, -np.inf]])

    assert run_rows(ROW_WINSORIZE, one_far, parameters=(0.0, 0.98))[0, 0] == 98.0
    assert run_rows(ROW_WINSORIZE, both_ends, parameters=(0.25, 0.75)).tolist() == both_ends.tolist()


def test_winsorize_mad_by_hand() -> None:
    x = np.array([[1.0, 2.0, 3.0, NAN, 5.0, 100.0]])

    # median 3, distances 2, 1, 0, 2, 97 with median 2: bounds 3 - 2.9652 and 3 + 2.9652
    np.testing.assert_allclose(
        run_rows(ROW_WINSORIZE_MAD, x, parameters=(1.0,)), [[1.0, 2.0, 3.0, NAN, 5.0, 5.9652]], rtol=1e-15
    )


@pytest.mark.parametrize("width", [5, 6, 61, 62])
@pytest.mark.parametrize("k", [0.0, 0.7, 3.0])
def test_winsorize_mad_clips_at_the_deviations_of_scipy(k: float, width: int) -> None:
    x = np.delete(rows_of_every_kind(width=width), [2, 7], axis=0)

    center = np.nanmedian(x, axis=1, keepdims=True)
    reach = k * 1.4826 * scipy.stats.median_abs_deviation(x, axis=1, nan_policy="omit")[:, None]

    expected = np.where(np.isnan(x), NAN, np.clip(x, center - reach, center + reach))
    np.testing.assert_allclose(run_rows(ROW_WINSORIZE_MAD, x, parameters=(k,)), expected, rtol=1e-13)


def test_mostly_one_number_has_no_deviation() -> None:
    x = np.array([[0.0, 0.0, 0.0, 0.0, 7.0, -3.0, 2.0]])

    assert run_rows(ROW_WINSORIZE_MAD, x, parameters=(5.0,)).tolist() == [[0.0] * 7]


def test_infinite_numbers_are_moved_to_the_deviations() -> None:
    x = np.array([[-np.inf, 1.0, 2.0, 3.0, np.inf], [np.inf, np.inf, np.inf, 1.0, NAN]])

    found = run_rows(ROW_WINSORIZE_MAD, x, parameters=(2.0,))

    np.testing.assert_allclose(found[0], [2 - 2.9652, 1.0, 2.0, 3.0, 2 + 2.9652], rtol=1e-15)
    np.testing.assert_array_equal(found[1], [np.inf] * 4 + [NAN])  # mostly one number
