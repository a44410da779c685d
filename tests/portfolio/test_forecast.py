"""Scores become expected returns: by hand, and in a market that obeys the rule."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.portfolio.forecast import combined_zscore, grinold


def test_a_simulated_market_returns_what_is_forecast() -> None:
    """Where scores correlate with later returns by IC, the mean return at a z-score is IC x volatility x z."""
    rng = np.random.default_rng(3)
    ic, horizon, volatility, trials = 0.1, 5, 0.02, 400_000
    score = rng.normal(size=trials)
    move = volatility * np.sqrt(horizon) * (ic * score + np.sqrt(1 - ic**2) * rng.normal(size=trials))

    near_one = (score > 0.9) & (score < 1.1)
    expected = grinold(np.array([score[near_one].mean()]), np.array([volatility]), ic, horizon)[0]

    assert move[near_one].mean() / horizon == pytest.approx(expected, rel=0.1)


def test_unknown_scores_expect_nothing() -> None:
    assert grinold(np.array([np.nan]), np.array([0.02]), 0.05, 4).tolist() == [0.0]


def test_a_combined_score_has_a_standard_deviation_of_one_among_the_chosen() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=500), rng.normal(5, 3, size=500)
    chosen = rng.random(500) < 0.8

    combined = combined_zscore([one, two], [1.0, 1.0], chosen)

    assert combined[chosen].mean() == pytest.approx(0, abs=0.02)
    assert combined[chosen].std() == pytest.approx(1, abs=0.02)
    by_hand = sum((x - x[chosen].mean()) / x[chosen].std() for x in (one, two))
    assert np.corrcoef(by_hand[chosen], combined[chosen])[0, 1] > 0.999


def test_what_lies_far_out_is_held_within_three() -> None:
    values = np.append(np.zeros(99), 1e6) + np.arange(100) * 1e-3

    assert combined_zscore([values], [1.0], np.ones(100, dtype=bool)).max() <= 3.0


def test_a_name_is_scored_by_what_it_has() -> None:
    one, two = np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 2.0, np.nan, np.nan])

    combined = combined_zscore([one, two], [2.0, 1.0], np.ones(4, dtype=bool))

    assert np.isnan(combined[3]) and not np.isnan(combined[:3]).any()
    assert combined[2] > combined[1] > combined[0]


def test_equal_scores_tell_nothing() -> None:
    assert combined_zscore([np.full(3, 7.0)], [1.0], np.ones(3, dtype=bool)).tolist() == [0.0, 0.0, 0.0]
