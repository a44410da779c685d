"""Trailing windows against pandas, and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest
from quantflux.factors.windows import lagged, window_correlation, window_mean, window_std


@st.composite
def holed(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(1, 320)), draw(st.integers(1, 4)))
    holes = draw(st.floats(0, 0.9))
    arrays = [np.where(rng.random(shape) < holes, np.nan, rng.normal(3, 1, shape)) for _ in range(2)]
    return arrays[0], arrays[1]


@settings(deadline=None, max_examples=60)
@given(holed(), st.integers(2, 25), st.data())
def test_windows_agree_with_pandas(
    arrays: tuple[np.ndarray, np.ndarray], window: int, data: st.DataObject
) -> None:
    least = data.draw(st.integers(2, window))
    one, two = arrays
    rolling = pd.DataFrame(one).rolling(window, min_periods=least)

    np.testing.assert_allclose(window_mean(one, window, least), rolling.mean(), rtol=1e-9)
    np.testing.assert_allclose(window_std(one, window, least), rolling.std(), rtol=1e-6, atol=1e-7)
    expected = rolling.corr(pd.DataFrame(two)).to_numpy()
    both = ~(np.isnan(one) | np.isnan(two))
    enough = pd.DataFrame(both.astype(float)).rolling(window, min_periods=1).sum().to_numpy() >= max(least, 3)
    ours = window_correlation(one, two, window, least)
    np.testing.assert_allclose(ours[enough], expected[enough], rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(holed(), st.integers(2, 25), st.integers(1, 319))
def test_neither_the_future_nor_a_longer_past_changes_a_bit(
    arrays: tuple[np.ndarray, np.ndarray], window: int, cut: int
) -> None:
    one, two = arrays
    cut = min(cut, len(one))
    for kernel in (lambda x, y: window_std(x, window, 2), lambda x, y: window_correlation(x, y, window, 2)):
        whole = kernel(one, two)

        assert np.array_equal(whole[:cut], kernel(one[:cut], two[:cut]), equal_nan=True)
        late = kernel(one[cut - 1 :], two[cut - 1 :])
        assert np.array_equal(whole[cut - 1 + window - 1 :], late[window - 1 :], equal_nan=True)


def test_a_still_window_has_no_direction() -> None:
    still, moving = np.full((5, 1), 0.1), np.arange(5.0)[:, None]

    assert np.isnan(window_correlation(still, moving, 5, 5)).all()
    assert window_std(still, 5, 5)[-1, 0] == pytest.approx(0, abs=1e-15)


def test_looking_ahead_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="may not look ahead"):
        lagged(np.zeros((3, 1)), -1)


def test_a_lag_longer_than_the_history_is_all_unknown() -> None:
    assert np.isnan(lagged(np.ones((3, 2)), 5)).all()


def test_a_window_cannot_ask_for_more_numbers_than_rows() -> None:
    with pytest.raises(InvalidRequest, match="window of 3 rows"):
        window_mean(np.zeros((3, 1)), 3, 4)
