"""Quantile groups against pandas, and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quantflux.factors.evaluation.quantiles import (
    NOT_HELD,
    group_means,
    group_turnover,
    monotonicity,
    quantile_labels,
)
from quantflux.factors.ranking import SortedRows


@settings(deadline=None, max_examples=150)
@given(st.integers(2, 20), st.integers(0, 90), st.integers(0, 2**32))
def test_quantiles_are_those_of_pandas_without_ties(quantiles: int, more: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=quantiles + more)
    assume(
        quantiles not in {6, 11, 12, 14, 15}
        or all((len(values) - 1) * k % quantiles for k in range(1, quantiles))
    )

    labels = quantile_labels(SortedRows(values[None]), np.ones((1, len(values)), dtype=bool), quantiles)

    assert np.array_equal(labels[0], pd.qcut(values, quantiles, labels=False))


def test_a_value_exactly_on_a_quantile_is_in_the_lower_group() -> None:
    values = np.arange(31.0)[None, :]  # six groups: the quantiles are 5, 10, 15, 20 and 25

    labels = quantile_labels(SortedRows(values), values >= 0, 6)

    assert np.flatnonzero(np.diff(labels[0])).tolist() == [5, 10, 15, 20, 25]


def test_names_outside_are_not_held_and_do_not_count() -> None:
    values = np.array([[1.0, 2.0, np.nan, 3.0, 4.0, 9.0]])
    chosen = np.array([[True, True, True, True, True, False]])

    assert quantile_labels(SortedRows(values), chosen, 2).tolist() == [[0, 0, NOT_HELD, 1, 1, NOT_HELD]]


def test_tied_names_stay_together_where_their_middle_falls() -> None:
    values = np.array(
        [
            [1.0, 1.0, 1.0, 1.0, 1.0, 9.0],  # the middle of five ties is the third of six
            [1.0, 9.0, 9.0, 9.0, 9.0, 9.0],
            [7.0, 7.0, 7.0, 7.0, 7.0, 7.0],
        ]
    )

    labels = quantile_labels(SortedRows(values), np.ones((3, 6), dtype=bool), 3)

    assert labels.tolist() == [[1, 1, 1, 1, 1, 2], [0, 1, 1, 1, 1, 1], [1] * 6]


def test_days_with_fewer_names_than_quantiles_hold_nothing() -> None:
    labels = quantile_labels(SortedRows(np.array([[1.0, 2.0, np.nan]])), np.ones((1, 3), dtype=bool), 3)

    assert labels.tolist() == [[NOT_HELD] * 3]


def test_group_means_agree_with_pandas() -> None:
    rng = np.random.default_rng(6)
    values = np.where(rng.random((30, 12)) < 0.2, np.nan, rng.normal(size=(30, 12)))
    labels = rng.integers(-1, 4, values.shape).astype(np.int8)

    cells = pd.DataFrame({"row": np.repeat(np.arange(30), 12), "q": labels.ravel(), "x": values.ravel()})
    expected = cells[cells.q >= 0].groupby(["row", "q"])["x"].mean().unstack().reindex(columns=range(4))

    np.testing.assert_allclose(group_means(values, labels, 4), expected)


def test_group_means_skip_gaps_and_leave_empty_groups_unknown() -> None:
    means = group_means(np.array([[1.0, np.nan, 5.0]]), np.array([[0, 0, NOT_HELD]], dtype=np.int8), 2)

    assert means[0, 0] == 1.0
    assert np.isnan(means[0, 1])


def test_turnover_by_hand() -> None:
    labels = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, -1], [0, 0, 0, 0]], dtype=np.int8)

    turnover = group_turnover(labels, 2, lag=1)

    np.testing.assert_array_equal(turnover[:, 1], [np.nan, 0.5, 0.0, np.nan])
    np.testing.assert_array_equal(turnover[:, 0], [np.nan, 0.5, 0.0, 0.75])
    assert np.isnan(group_turnover(labels, 2, lag=9)).all()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_monotonicity_is_spearman(means: list[int]) -> None:
    rank, _ = monotonicity(np.array(means, dtype=np.float64))

    if len(set(means)) == 1:
        assert np.isnan(rank)
    else:
        assert rank == pytest.approx(scipy.stats.spearmanr(range(len(means)), means).statistic)


def test_steps_are_counted_in_the_direction_of_the_whole() -> None:
    assert monotonicity(np.array([1.0, 2.0, 3.0])) == (1.0, 1.0)
    assert monotonicity(np.array([3.0, 1.0, 2.0, 0.0])) == (pytest.approx(-0.8), pytest.approx(2 / 3))
    assert np.isnan(monotonicity(np.array([1.0, np.nan]))).all()
