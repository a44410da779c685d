"""Scores against pandas, on days with gaps, ties, infinities and nobody at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.backtest.runs.scores import standardised, weighted
from quantflux.core.errors import InvalidRequest


def market(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=(30, 12)), 1)  # rounded, so that there are ties
    values[rng.random(values.shape) < 0.2] = np.nan
    values[4] = np.nan
    values[5] = 7.0
    values[6, 3] = np.inf
    chosen = rng.random(values.shape) < 0.8
    chosen[7] = False
    return values, chosen


def among(values: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values).where(chosen).replace([np.inf, -np.inf], np.nan)


def test_ranks_equal_those_of_pandas() -> None:
    values, chosen = market()

    found = standardised(values, chosen, "rank")

    frame = among(values, chosen)
    expected = frame.rank(axis=1).sub(0.5).div(frame.count(axis=1), axis=0)
    np.testing.assert_allclose(found, expected.to_numpy(), atol=1e-15)


def test_zscores_equal_those_of_pandas_and_are_zero_where_all_are_equal() -> None:
    values, chosen = market()

    found = standardised(values, chosen, "zscore")

    frame = among(values, chosen)
    expected = (
        frame.sub(frame.mean(axis=1), axis=0).div(frame.std(axis=1, ddof=0), axis=0).to_numpy(copy=True)
    )
    expected[5] = np.where(chosen[5], 0.0, np.nan)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_equal_values_with_rounding_errors_are_equal() -> None:
    values = np.full((1, 7), 0.1) + np.array([0, 1, 0, 0, -1, 0, 0]) * 1e-17

    assert standardised(values, np.ones((1, 7), dtype=bool), "zscore").tolist() == [[0.0] * 7]


def test_a_score_is_the_weighted_mean_of_what_is_known() -> None:
    rng = np.random.default_rng(1)
    parts = [np.where(rng.random((20, 9)) < 0.3, np.nan, rng.normal(size=(20, 9))) for _ in range(3)]
    weights = [1.0, 2.0, 5.0]

    found = weighted(parts, weights, least=0.5)

    for row, column in np.ndindex(found.shape):
        known = [
            (w, p[row, column])
            for w, p in zip(weights, parts, strict=True)
            if p[row, column] == p[row, column]
        ]
        weight = sum(w for w, _ in known)
        if weight >= 4.0:
            assert found[row, column] == pytest.approx(sum(w * x for w, x in known) / weight)
        else:
            assert np.isnan(found[row, column])


def test_a_name_that_has_just_enough_is_scored() -> None:
    one, two = np.array([[1.0]]), np.array([[np.nan]])

    assert weighted([one, two, one], [0.1, 0.7, 0.2], least=0.3)[0, 0] == 1.0  # 0.1 + 0.2 is not 0.3


def test_each_part_needs_a_weight() -> None:
    with pytest.raises(InvalidRequest, match="needs a weight for each part"):
        weighted([np.zeros((1, 1))], [1, 2])
