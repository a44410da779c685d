"""When a strategy decides and what it wants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.backtest import Schedule, best_share, combined_score, decision_rows, everything
from quantflux.core.errors import InvalidRequest
from tests.factors.markets import days


@pytest.mark.parametrize(("schedule", "freq"), [(Schedule.WEEKLY, "W-SUN"), (Schedule.MONTHLY, "M")])
def test_decisions_fall_on_the_last_day_of_each_period(schedule: Schedule, freq: str) -> None:
    times = days(200)

    rows = decision_rows(times, schedule)

    periods = pd.DatetimeIndex(times).to_period(freq)
    last = pd.Series(range(200)).groupby(periods).max().to_list()
    assert rows.tolist() == last[:-1]  # no later day confirms the last one


def test_the_score_is_the_mean_rank_of_the_factors_there_are() -> None:
    nan = np.nan
    one = np.array([[1.0, 2.0, 3.0, 4.0, 9.0]])
    two = np.array([[4.0, nan, 2.0, 1.0, 9.0]])
    chosen = np.array([[True, True, True, True, False]])

    score = combined_score({"one": one, "two": two}, chosen)

    # Ranks in quarters 1/8 3/8 5/8 7/8 of `one`; in thirds 1/6 3/6 5/6 of `two`.
    expected = [(1 / 8 + 5 / 6) / 2, 3 / 8, (5 / 8 + 3 / 6) / 2, (7 / 8 + 1 / 6) / 2, nan]
    np.testing.assert_allclose(score[0], expected)


def test_names_with_too_few_factors_have_no_score() -> None:
    gap = np.array([[1.0, np.nan]])

    score = combined_score({"a": gap, "b": gap, "c": np.array([[1.0, 2.0]])}, np.ones((1, 2), dtype=bool))

    assert np.isnan(score[0]).tolist() == [False, True]


def test_the_best_share_is_held_in_equal_weights() -> None:
    rng = np.random.default_rng(0)
    score = rng.random((5, 50))
    score[rng.random(score.shape) < 0.3] = np.nan

    targets = best_share(score, np.array([1, 4]), share=0.2)

    for row, weights in zip(targets.rows, targets.weights, strict=True):
        held = pd.Series(score[row]).nlargest(round(0.2 * np.count_nonzero(~np.isnan(score[row]))))
        assert set(np.flatnonzero(weights)) == set(held.index)
        assert weights.sum() == pytest.approx(1)


def test_days_with_few_scores_decide_nothing() -> None:
    score = np.full((2, 20), np.nan)
    score[0] = np.arange(20)
    score[1, :9] = 1.0

    assert best_share(score, np.array([0, 1])).rows.tolist() == [0]


def test_the_benchmark_holds_all_that_is_investable() -> None:
    chosen = np.array([[True, True, False, False], [False] * 4])

    targets = everything(chosen, np.array([0, 1]))

    assert targets.rows.tolist() == [0]
    assert targets.weights.tolist() == [[0.5, 0.5, 0.0, 0.0]]


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="above 0 and at most 1"):
        best_share(np.zeros((1, 1)), np.array([0]), share=0.0)
    with pytest.raises(InvalidRequest, match="at least one factor"):
        combined_score({}, np.zeros((1, 1), dtype=bool))


def test_scores_do_not_depend_on_the_future() -> None:
    rng = np.random.default_rng(1)
    factors = {name: rng.random((30, 12)) for name in "ab"}
    chosen = rng.random((30, 12)) < 0.8

    whole = combined_score(factors, chosen)
    past = combined_score({n: v[:17] for n, v in factors.items()}, chosen[:17])

    assert np.array_equal(whole[:17], past, equal_nan=True)
