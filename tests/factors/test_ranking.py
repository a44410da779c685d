"""Ranks and row correlations against scipy and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.factors.ranking import SortedRows, rank_correlation, row_correlation


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrays with many ties and gaps, and who takes part; sometimes longer than one piece."""
    seed, rows, columns = draw(st.integers(0, 2**32)), draw(st.integers(1, 150)), draw(st.integers(1, 12))
    rng = np.random.default_rng(seed)
    levels = draw(st.sampled_from([2, 5, 10_000]))
    one, two = (rng.integers(0, levels, (rows, columns)).astype(float) for _ in range(2))
    one[rng.random(one.shape) < 0.2] = np.nan
    two[rng.random(two.shape) < 0.2] = np.nan
    return one, two, rng.random(one.shape) < 0.9


@settings(deadline=None, max_examples=60)
@given(pairs())
def test_ranks_agree_with_pandas(arrays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    one, _, among = arrays

    expected = pd.DataFrame(np.where(among, one, np.nan)).rank(axis=1).fillna(0).to_numpy()

    assert np.array_equal(SortedRows(one).ranks(among), expected)


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
            assert np.isnan(ours[row])
            continue
        assert ours[row] == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)
        assert plain[row] == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-9)


def test_too_few_names_have_no_correlation() -> None:
    row = np.array([[1.0, 2.0, 3.0]])

    assert np.isnan(rank_correlation(SortedRows(row), SortedRows(row), row > 0, least=4))
    assert rank_correlation(SortedRows(row), SortedRows(row), row > 0, least=3).tolist() == [1.0]
