"""The Sharpe ratio and chance: figures of the paper, simulation, and what must hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantflux.backtest.metrics import (
    deflated_sharpe,
    expected_best_sharpe,
    luck,
    minimum_track_record,
    probabilistic_sharpe,
)
from quantflux.core.errors import InvalidRequest
from tests.backtest.metrics.series import fat_tailed


def test_the_best_of_a_hundred_trials_as_in_the_paper() -> None:
    # Bailey and Lopez de Prado (2014), numerical example: variance of 1/2 a year, 250 days a year.
    assert expected_best_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


def test_the_expected_best_agrees_with_simulation() -> None:
    best = np.random.default_rng(1).normal(0, 0.05, (4000, 50)).max(axis=1)

    assert expected_best_sharpe(50, 0.05**2) == pytest.approx(best.mean(), rel=0.02)


def test_picking_the_best_of_useless_strategies_convinces_the_probability_alone() -> None:
    noise = np.random.default_rng(2).normal(0, 0.01, (200, 500))
    best = max(noise, key=lambda r: r.mean() / r.std())

    assert probabilistic_sharpe(best) > 0.99
    assert deflated_sharpe(best, 200) < 0.8


def test_the_estimated_variance_is_that_of_useless_strategies() -> None:
    noise = np.random.default_rng(3).normal(0, 0.01, (3000, 250))
    ratios = noise.mean(axis=1) / noise.std(axis=1, ddof=1)

    ours = [luck(r, trials=30).expected_best / math.sqrt(244) for r in noise[:50]]

    assert np.mean(ours) == pytest.approx(expected_best_sharpe(30, ratios.var(ddof=1)), rel=0.03)


def test_one_trial_deflates_nothing() -> None:
    r = fat_tailed(4)

    assert deflated_sharpe(r, 1) == probabilistic_sharpe(r)


def test_more_trials_deflate_more() -> None:
    r = fat_tailed(4)

    found = [deflated_sharpe(r, trials) for trials in (1, 2, 10, 100, 1000)]

    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 5


def test_the_least_record_is_where_certainty_begins() -> None:
    r = np.abs(fat_tailed(5, 120, 0.0)) - 0.0083  # ahead of zero, but not surely so
    least = minimum_track_record(r)
    whole = np.tile(r, 40)  # the same moments as long as wanted

    assert 120 < least < 4000
    assert probabilistic_sharpe(whole[: 120 * math.floor(0.97 * least / 120)]) < 0.95
    assert probabilistic_sharpe(whole[: 120 * math.ceil(1.03 * least / 120)]) > 0.95


def test_no_record_is_long_enough_for_a_loss() -> None:
    assert minimum_track_record(-np.abs(fat_tailed(6)) - 1e-4) == math.inf


@pytest.mark.parametrize("r", [np.zeros(0), np.array([0.01, 0.02]), np.full(50, 0.001)])
def test_too_little_to_tell_is_not_a_number(r: np.ndarray) -> None:
    found = luck(r, trials=5)

    assert math.isnan(found.probability)
    assert math.isnan(found.deflated)
    assert math.isnan(found.expected_best)
    assert math.isnan(found.least_days)


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="number of trials must be at least 1"):
        deflated_sharpe(fat_tailed(7), 0)
    with pytest.raises(InvalidRequest, match="variance"):
        expected_best_sharpe(5, -1.0)
    with pytest.raises(InvalidRequest, match="confidence"):
        minimum_track_record(fat_tailed(7), confidence=1.0)
