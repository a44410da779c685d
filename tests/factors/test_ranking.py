"""Ranks and row correlations against scipy and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest
from quantflux.factors.ranking import SortedRows, rank_correlation, row_correlation


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrays with many ties and gaps, and who takes part."""
    seed, rows, columns = draw(st.integers(0, 2**32)), draw(st.integers(1, 40)), draw(st.integers(1, 12))
    rng = np.random.default_rng(seed)
    levels = draw(st.sampled_from([2, 5, 10_000]))
    one, two = (rng.integers(-levels, levels, (rows, columns)) / 8 for _ in range(2))
    one[rng.random(one.shape) < 0.2] = np.nan
    two[rng.random(two.shape) < 0.2] = np.nan
    return one, two, rng.random(one.shape) < 0.9


@settings(deadline=None, max_examples=60)
@given(pairs())
def test_ranks_agree_with_pandas(arrays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    one, _, among = arrays

    ranking = SortedRows(one).among(among)

    expected = pd.DataFrame(np.where(among, one, np.nan)).rank(axis=1)
    assert np.array_equal(ranking.ranks, expected.fillna(0).to_numpy())
    assert np.array_equal(ranking.count, expected.notna().sum(axis=1).to_numpy())


@settings(deadline=None, max_examples=40)
@given(pairs())
def test_correlations_agree_with_scipy(arrays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    one, two, among = arrays

    ours = rank_correlation(SortedRows(one), SortedRows(two), among, least=3)
    plain = row_correlation(one, two, among & ~np.isnan(one) & ~np.isnan(two), least=3)

    for row in range(len(one)):
        both = among[row] & ~np.isnan(one[row]) & ~np.isnan(two[row])
        x, y = one[row, both], two[row, both]
        if both.sum() < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
            assert np.isnan(ours[row]) and np.isnan(plain[row])
            continue
        assert ours[row] == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)
        assert plain[row] == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(pairs(), st.integers(1, 4), st.integers(0, 2**32))
def test_correlations_within_groups_agree_with_scipy(
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray], number: int, seed: int
) -> None:
    one, two, among = arrays
    groups = np.random.default_rng(seed).integers(-1, number + 1, one.shape)  # -1 and `number` are nobody's

    ours, names = SortedRows(one).among(among).correlation_by_group(SortedRows(two), groups, number, least=3)

    for row in range(len(one)):
        for group in range(number):
            both = among[row] & ~np.isnan(one[row]) & ~np.isnan(two[row]) & (groups[row] == group)
            x, y = one[row, both], two[row, both]
            assert names[row, group] == both.sum()
            if both.sum() < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
                assert np.isnan(ours[row, group])
            else:
                assert ours[row, group] == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)


def test_too_few_names_have_no_correlation() -> None:
    row = np.array([[1.0, 2.0, 3.0]])

    assert np.isnan(rank_correlation(SortedRows(row), SortedRows(row), row > 0, least=4))
    assert rank_correlation(SortedRows(row), SortedRows(row), row > 0, least=3).tolist() == [1.0]


def test_equal_values_that_are_no_binary_fraction_have_no_spread() -> None:
    same, other = np.full((1, 7), 0.1), np.arange(7.0)[None, :]

    assert np.isnan(row_correlation(same, other, np.ones((1, 7), dtype=bool), least=3))


def test_lagged_rows_are_those_of_before() -> None:
    values = np.random.default_rng(1).normal(size=(6, 5))
    everybody = np.ones(values.shape, dtype=bool)

    lagged = SortedRows(values).lagged(2).ranks(everybody)

    assert np.array_equal(lagged[2:], SortedRows(values).ranks(everybody)[:-2])
    assert not lagged[:2].any()
    assert not SortedRows(values).lagged(9).there.any()


def test_the_order_of_values_that_hardly_differ_is_exact() -> None:
    values = 1 + np.random.default_rng(4).permutation(300)[None, :] * 2.0**-52

    assert np.array_equal(
        SortedRows(values).ranks(np.ones((1, 300), dtype=bool)), scipy.stats.rankdata(values)[None]
    )


def test_more_names_than_two_bytes_can_count() -> None:
    values = np.random.default_rng(5).normal(size=(1, 33_000))

    ranks = SortedRows(values).ranks(np.ones(values.shape, dtype=bool))

    assert np.array_equal(ranks, scipy.stats.rankdata(values)[None])


def test_names_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"shape \(1, 3\).*had \(2, 3\)"):
        SortedRows(np.zeros((1, 3))).among(np.ones((2, 3), dtype=bool))
