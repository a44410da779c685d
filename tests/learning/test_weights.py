"""Weights of cells, against pandas and scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.utils.class_weight import compute_sample_weight

from quantflux.core.errors import InvalidRequest
from quantflux.learning.weights import balanced, decayed, within_days

ROWS = arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 20))


@settings(deadline=None, max_examples=50)
@given(ROWS, st.floats(0.5, 40))
def test_old_samples_fade_as_pandas_has_it(row: np.ndarray, half_life: float) -> None:
    found = decayed(row, half_life)

    # A mean with these weights is the exponentially weighted one of pandas at the last row.
    daily = pd.Series(np.arange(21.0) ** 2)
    newest = int(row.max())
    by_row = decayed(np.arange(newest + 1), half_life)
    mean = (by_row * daily[: newest + 1]).sum() / by_row.sum()
    assert mean == pytest.approx(daily[: newest + 1].ewm(halflife=half_life).mean().iloc[-1], rel=1e-5)
    assert found.dtype == np.float32
    assert found.tolist() == by_row[row].tolist()


def test_a_half_life_halves() -> None:
    assert decayed(np.array([30, 0, 20, 10]), 10).tolist() == [1.0, 0.125, 0.5, 0.25]
    assert decayed(np.zeros(0, dtype=np.int64), 10).tolist() == []


def test_no_weight_vanishes() -> None:
    weight = decayed(np.arange(0, 3_500, 100), 5)

    assert (weight > 0).all() and (np.diff(weight) >= 0).all()


@pytest.mark.parametrize("half_life", [0, -3, float("nan")])
def test_a_half_life_of_nothing_is_refused(half_life: float) -> None:
    with pytest.raises(InvalidRequest, match="more than 0 days, was"):
        decayed(np.arange(3), half_life)


@settings(deadline=None, max_examples=50)
@given(ROWS)
def test_classes_are_balanced_as_by_scikit_learn(classes: np.ndarray) -> None:
    found = balanced(classes.astype(np.float32))

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, compute_sample_weight("balanced", classes), rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(ROWS, st.integers(0, 2**32))
def test_days_have_the_same_total_and_keep_proportions(row: np.ndarray, seed: int) -> None:
    weight = np.random.default_rng(seed).uniform(0.1, 3, len(row))

    found = within_days(weight, row)

    days = pd.Series(found.astype(np.float64)).groupby(row)
    part = pd.Series(weight).groupby(row).transform(lambda day: day / day.sum())
    assert found.dtype == np.float32
    assert found.mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(days.sum(), len(row) / days.ngroups, rtol=1e-5)
    np.testing.assert_allclose(days.transform(lambda day: day / day.sum()), part, rtol=1e-5)


def test_nothing_has_no_weights() -> None:
    nothing = np.zeros(0, dtype=np.int64)

    assert balanced(nothing).shape == within_days(nothing, nothing).shape == (0,)
