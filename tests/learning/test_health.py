"""Decay is noticed in time, and a steady model is left alone as often as was said; simulated, and by other formulas."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import integrate

from quantflux.core.errors import InvalidRequest
from quantflux.learning.evaluation import long_run_deviation, rank_ic_by_day
from quantflux.learning.monitoring import Health, State, Validated, health_of, validated_of
from tests.learning.small_market import HORIZON, knowing, market, noise

MEAN, DEVIATION = 0.06, 0.10
YEAR = 244


def figures(days: int, mean: float, seed: int, horizon: int = HORIZON) -> np.ndarray:
    """Daily RankICs of predictions that look a few days ahead."""
    drawn = np.random.default_rng(seed).normal(size=days + horizon - 1)
    return (
        mean + DEVIATION * np.lib.stride_tricks.sliding_window_view(drawn, horizon).sum(axis=1) / horizon**0.5
    )


def dates(count: int) -> np.ndarray:
    return np.datetime64("2024-01-01") + np.arange(count)


def watched(live: np.ndarray, seed: int = 0, days: int = 750) -> Health:
    return health_of(dates(len(live)), live, validated_of(figures(days, MEAN, 10_000 + seed), HORIZON))


def test_a_steady_model_is_seldom_an_alarm_within_a_year() -> None:
    """5 % are allowed; every model here is measured on a validation of its own, as in life."""
    alarms, days_watched = 0, 0
    for seed in range(400):
        live = figures(YEAR, MEAN, seed)
        found = watched(live, seed)
        alarms += bool((found.shortfall >= found.threshold).any())
        days_watched += found.state is State.WATCH

    assert alarms <= 30  # 20 on average at the most; more than 30 would happen once in a hundred times
    assert days_watched <= 36


def test_a_model_that_lost_everything_is_noticed_within_days() -> None:
    """The expected time is told, and half of all cases are noticed within it; all but few within three times that."""
    noticed = []
    for seed in range(200):
        live = np.concatenate([figures(60, MEAN, seed), figures(600, 0.0, 50_000 + seed)])
        found = watched(live, seed)
        over = np.flatnonzero(found.shortfall[60:] >= found.threshold)
        noticed.append((over[0] + 1 if len(over) else np.inf) / found.notice)

    assert 0.5 < np.median(noticed) < 1.25
    assert np.mean(np.array(noticed) > 3) < 0.06


def test_decay_of_a_strong_signal_is_flagged_within_forty_days() -> None:
    live = np.concatenate([figures(120, 0.12, 1, horizon=1), figures(60, -0.01, 2, horizon=1)])

    for stop, expected in ((120, State.OK), (160, State.ALARM)):
        found = health_of(dates(stop), live[:stop], validated_of(figures(500, 0.12, 3, horizon=1), 1))
        assert found.state is expected

    assert dates(200)[120] < found.since < dates(200)[160]
    assert "Alarm since" in found.reason.en
    assert str(found.since) in found.reason.zh
    assert found.notice < 20


def test_a_weaker_model_is_first_watched() -> None:
    live = np.concatenate([figures(200, MEAN, 1), figures(60, MEAN, 2) - 0.5 * MEAN])
    known = validated_of(figures(750, MEAN, 3), HORIZON)
    bad = live.copy()
    bad[-60:] += known.mean - 1.8 * known.long_run * (1 / 60 + 1 / known.days) ** 0.5 - bad[-60:].mean()

    found = health_of(dates(len(bad)), bad, known)

    assert found.state is State.WATCH
    assert found.shortfall_t == pytest.approx(-1.8)
    assert "-1.8 standard errors" in found.reason.en
    assert "Keep an eye on it" in found.reason.en


def test_the_sum_is_pages_day_by_day() -> None:
    live = figures(300, 0.02, 5)
    live[[3, 100, 299]] = np.nan
    known = validated_of(figures(750, MEAN, 6), HORIZON)
    found = health_of(dates(300), live, known)

    level = (known.mean - known.error) / 2
    total, expected = 0.0, []
    for value in live:
        if not np.isnan(value):
            total = max(0.0, total + (level - value) / known.long_run)
        expected.append(total)

    np.testing.assert_allclose(found.shortfall, expected, atol=1e-9)


def test_the_threshold_is_reached_after_the_time_that_the_rate_means() -> None:
    """The mean time to a threshold of a Brownian motion that is kept above nothing, by integrating its equation."""
    known = Validated(mean=0.05, deviation=0.1, long_run=0.2, days=10**18)
    found = health_of(dates(30), np.full(30, 0.05), known, false_alarms=0.05)
    slope, height = 0.025 / 0.2, found.threshold

    def inner(x: float) -> float:
        return float(integrate.quad(lambda y: 2 * np.exp(2 * slope * (x - y)), 0, x)[0])

    within = integrate.quad(inner, 0, height)[0]
    assert np.exp(-YEAR / within) == pytest.approx(0.95, rel=1e-6)


def test_the_long_run_deviation_is_that_of_means() -> None:
    means = [figures(250, 0.0, seed).mean() for seed in range(2000)]
    told = [long_run_deviation(figures(250, 0.0, seed), HORIZON) for seed in range(200)]

    # Weights that fall with the lag hide a part of what days have in common.
    assert 0.87 < np.mean(told) / 250**0.5 / np.std(means) < 1
    assert long_run_deviation(figures(4000, 0.0, 1, horizon=1)) == pytest.approx(DEVIATION, rel=0.1)


def test_live_predictions_of_a_market_are_watched() -> None:
    data = market()
    good = knowing(data, part=0.3)
    spoilt = np.where(np.arange(len(good))[:, None] < 330, good, noise(data, 8))
    known = validated_of(rank_ic_by_day(good, data.market, HORIZON)[:250], HORIZON)
    times = data.raw.times[250:]

    steady = health_of(times, rank_ic_by_day(good, data.market, HORIZON)[250:], known)
    decayed = health_of(times, rank_ic_by_day(spoilt, data.market, HORIZON)[250:], known)

    assert steady.state is State.OK
    assert decayed.state is State.ALARM
    assert decayed.since is not None
    assert data.raw.times[330] < decayed.since < data.raw.times[400]
    assert np.isnan(rank_ic_by_day(good, data.market, HORIZON)[-HORIZON - 1 :]).all()


def test_few_days_are_too_early_to_tell() -> None:
    found = watched(figures(19, MEAN, 1))

    assert found.state is State.OK
    assert "too early to tell" in found.reason.en
    assert watched(np.full(5, np.nan)).days == 0
    assert watched(np.zeros(0)).state is State.OK


def test_what_was_validated_is_kept_without_loss() -> None:
    known = validated_of(figures(750, MEAN, 3), HORIZON)

    assert Validated.from_dict(json.loads(json.dumps(known.to_dict()))) == known
    with pytest.raises(InvalidRequest, match="has the numbers"):
        Validated.from_dict({"mean": 0.1})


def test_what_cannot_be_watched_is_refused() -> None:
    useless = Validated(mean=0.001, deviation=0.1, long_run=0.2, days=400)

    with pytest.raises(InvalidRequest, match="not found to predict"):
        health_of(dates(5), np.zeros(5), useless)
    with pytest.raises(InvalidRequest, match="each of 4 days"):
        health_of(dates(4), np.zeros(5), useless)
    with pytest.raises(InvalidRequest, match="false alarms"):
        health_of(dates(5), np.zeros(5), useless, false_alarms=1.5)
    with pytest.raises(InvalidRequest, match="not all alike"):
        validated_of(np.full(9, 0.1), 1)
