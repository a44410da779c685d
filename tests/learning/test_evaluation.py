"""Predictions judged: the planted ones are found, noise is called noise, and the figures are those of other tools."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from quantflux.backtest import simulate
from quantflux.backtest.arena import load_arena
from quantflux.backtest.policies.ranked import TopRanked
from quantflux.config import Settings
from quantflux.core.errors import InvalidRequest
from quantflux.factors import Market, research_panel
from quantflux.factors.market_data import MarketData, load_market
from quantflux.learning.evaluation import (
    Evaluation,
    Significance,
    TopPlan,
    Verdict,
    judge,
    rank_ic_by_day,
    reason_of,
    verdict_of,
)
from quantflux.learning.evaluation.top import venue_of
from quantflux.platform import Platform
from quantflux.rules import Standing, locked_at_open
from tests.backtest.example_market import market_folder
from tests.learning.small_market import HORIZON, knowing, market, noise, outcomes

PLAN = TopPlan(top=6, buffer=2)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    data = market()
    return judge(knowing(data), data, outcomes(data), horizon=HORIZON, top=PLAN)


def test_what_was_planted_is_found(found: Evaluation) -> None:
    reason = reason_of(found)

    assert found.verdict is Verdict.FOUND
    assert f"{found.significance.mean:+.4f}" in reason.en
    assert f"{found.significance.mean:+.4f}" in reason.zh
    assert "Holding the best 6 under all rules" in reason.en


def test_turned_round_it_is_reversed() -> None:
    data = market()

    told = judge(-knowing(data), data, outcomes(data), horizon=HORIZON, top=None)

    assert told.verdict is Verdict.REVERSED
    assert "below -" in reason_of(told).en


def test_noise_is_called_noise_and_so_is_its_money() -> None:
    data = market()

    told = judge(noise(data, 3), data, outcomes(data), horizon=HORIZON, top=PLAN)

    assert told.verdict is Verdict.NOISE
    assert abs(told.figures["rank_ic"]) < 0.03
    assert "which a model that knows nothing exceeds with a probability of 1%" in reason_of(told).en


def test_noise_is_found_about_as_often_as_was_said() -> None:
    """Numbers that stay for a week are the worst: neighbouring days then have all of their outcome in common."""
    data = market(20)
    labels = outcomes(data)

    told = [
        judge(noise(data, seed, held=HORIZON), data, labels, horizon=HORIZON, top=None, level=0.1).verdict
        for seed in range(60)
    ]
    strict = [
        judge(noise(data, seed, held=HORIZON), data, labels, horizon=HORIZON, top=None).verdict
        for seed in range(60)
    ]

    wrong = len(told) - told.count(Verdict.NOISE)
    assert 3 <= wrong <= 25  # two sides of 10 % each: 12 on average, and 1 in 10,000 has fewer or more
    assert strict.count(Verdict.NOISE) >= 55


def test_the_rank_ic_is_that_of_scipy(found: Evaluation) -> None:
    data = market()
    scores, labels = knowing(data), outcomes(data)

    for day in (100, 222, 470):
        both = data.market.chosen[day] & ~np.isnan(labels[day]) & ~np.isnan(scores[day])
        expected = stats.spearmanr(scores[day, both], labels[day, both]).statistic
        assert found.rank_ic[day - 100] == pytest.approx(expected, abs=1e-12)
    assert found.times[0] == data.raw.times[100]


def test_the_rank_ic_by_day_is_the_same_alone(found: Evaluation) -> None:
    data = market()

    np.testing.assert_allclose(rank_ic_by_day(knowing(data), data.market, HORIZON)[100:], found.rank_ic)


def test_names_that_could_not_be_chosen_do_not_count(found: Evaluation) -> None:
    data = market()
    scores = np.where(data.market.chosen, knowing(data), 1e6 * outcomes(data))
    scores[:100] = np.nan

    told = judge(scores, data, outcomes(data), horizon=HORIZON, top=PLAN)

    assert told.figures == found.figures


def test_the_label_that_was_learnt_is_judged_beside_the_money() -> None:
    data = market()
    labels = np.sign(outcomes(data)) * np.abs(outcomes(data)) ** 3  # the same order

    told = judge(knowing(data), data, labels, horizon=HORIZON, top=None)

    np.testing.assert_allclose(told.label_ic, told.rank_ic)
    assert told.label.t_value == pytest.approx(told.significance.t_value)


def test_the_best_names_are_held_under_the_rules(found: Evaluation) -> None:
    data = market()
    venue = venue_of(data)
    scores = np.where(data.market.chosen, knowing(data), np.nan)
    rows = np.arange(100, len(venue) - 1, HORIZON)

    alone = simulate(venue, TopRanked(scores, rows, top=6, buffer=2))

    assert found.top is not None
    np.testing.assert_array_equal(found.top.study.run.equity, alone.equity)
    assert found.top.study.ladder is not None
    assert found.top.study.run.fees.sum() > 0
    assert found.figures["top_excess"] == found.top.beside.comparison.excess_return


def test_rules_are_not_priced_where_that_is_not_asked_for(found: Evaluation) -> None:
    data = market()
    plain = TopPlan(top=6, buffer=2, price_rules=False)

    told = judge(knowing(data), data, outcomes(data), horizon=HORIZON, top=plain)

    assert told.top is not None
    assert told.top.study.ladder is None
    assert told.figures == found.figures


def test_what_is_held_ends_with_the_last_prediction() -> None:
    data = market()
    scores = knowing(data)
    scores[201:] = np.nan

    told = judge(scores, data, outcomes(data), horizon=HORIZON, top=PLAN)

    assert told.top is not None
    assert told.top.study.times[-1] == data.raw.times[200 + HORIZON + 1]


def ended(data: MarketData, days: int) -> MarketData:
    """The same market as it was known when its first `days` days were there."""
    assert data.standing is not None
    raw = data.raw.select(end=data.raw.times[days - 1])
    standing = Standing(data.standing.special[:days], data.standing.delisting[:days], data.standing.listed)
    locks = locked_at_open(raw, standing.special, delisting=standing.delisting, listed=standing.listed)
    of = Market.of(research_panel(raw), locks, standing.special)
    return MarketData(raw, of, locks, standing, data.industries)


def stuck_at(data: MarketData, row: int) -> bool:
    """Whether a later day says more of what a name brought that could not be sold on that one."""
    market = data.market
    return bool((~market.sellable[row] & np.isfinite(market.at_open[row])).any())


def test_what_comes_long_after_the_last_prediction_changes_nothing() -> None:
    data = market(120)
    last = next(row for row in range(180, 300) if not stuck_at(data, row + HORIZON + 1))
    scores = knowing(data)
    scores[last + 1 :] = np.nan
    days = last + HORIZON + 2  # the outcome of the last prediction is known at the last open
    then, labels = ended(data, days), outcomes(data)

    before = judge(scores[:days], then, labels[:days], horizon=HORIZON, top=TopPlan(price_rules=False))
    later = judge(scores, data, labels, horizon=HORIZON, top=TopPlan(price_rules=False))

    assert len(data.raw.times) > 2 * days - 100  # most of the days are later ones
    assert later.factor.plan.quantiles == before.factor.plan.quantiles == 10
    np.testing.assert_array_equal(later.times, before.times)
    np.testing.assert_array_equal(later.rank_ic, before.rank_ic)
    assert (later.significance, later.label) == (before.significance, before.label)
    assert later.figures == pytest.approx(before.figures, nan_ok=True, rel=1e-12)
    assert later.to_dict()["signal"]["tradable"] == before.to_dict()["signal"]["tradable"]


def test_a_name_that_is_stuck_brings_what_it_was_sold_for_later() -> None:
    data = market()
    last = next(row for row in range(180, 300) if stuck_at(data, row + HORIZON + 1))
    scores = knowing(data)
    scores[last + 1 :] = np.nan

    told = judge(scores, data, outcomes(data), horizon=HORIZON, top=None)

    assert told.times[-1] == data.raw.times[last + HORIZON + 1]
    expected = rank_ic_by_day(scores, data.market, HORIZON)[100 : last + HORIZON + 2]
    np.testing.assert_allclose(told.rank_ic, expected)


def test_it_is_held_on_the_market_that_backtests_use(
    found: Evaluation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Platform.open(Settings(data_dir=market_folder(tmp_path_factory))) as platform:
        data = load_market(platform.data)
        arena = load_arena(platform.data, start=data.raw.times[100].item())
        told = judge(knowing(data), data, outcomes(data), horizon=HORIZON, venue=arena.venue, top=PLAN)

    assert told.top is not None
    assert told.top.study.times[0] == data.raw.times[100]
    assert told.top.study.run.symbols.tolist() == arena.venue.symbols.tolist()


def test_by_default_a_fifth_of_few_names_is_held() -> None:
    assert TopPlan().filled(31.0, 5) == (6, 3, 5)
    assert TopPlan().filled(4000.0, 5) == (50, 25, 5)
    assert TopPlan(top=9, buffer=0, every=2).filled(4000.0, 5) == (9, 0, 2)
    with pytest.raises(InvalidRequest, match="top must be 1"):
        TopPlan(top=0)


def test_classes_are_judged_by_their_probabilities() -> None:
    data = market()
    labels = outcomes(data)
    classes = np.where(np.isnan(labels), np.nan, (labels > 0).astype(float))
    score = 1 / (1 + np.exp(-250 * knowing(data)))
    probabilities = np.stack([1 - score, score], axis=2)

    told = judge(
        score, data, classes, horizon=HORIZON, task="classification", probabilities=probabilities, top=None
    )

    assert told.calibration is None
    assert told.reliability is not None
    assert len(told.reliability.curves) == 2
    assert told.reliability.curves[1].realised[-1] > told.reliability.curves[1].realised[0]
    assert told.figures["brier"] == told.reliability.brier


def test_scores_of_a_ranking_have_no_unit_to_be_calibrated() -> None:
    data = market()

    told = judge(knowing(data), data, outcomes(data), horizon=HORIZON, task="ranking", top=None)

    assert told.calibration is told.reliability is None


def test_everything_can_be_told_as_json(found: Evaluation) -> None:
    told = json.loads(json.dumps(found.to_dict(series=True), allow_nan=False))

    assert told["verdict"] == "found"
    assert told["figures"]["rank_ic"] == found.significance.mean
    assert len(told["signal"]["tradable"]["series"]["rank_ic"]) == len(found.times)
    assert told["calibration"]["groups"]["count"] == found.calibration.groups.count.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("t_value", "days", "gain", "expected"),
    [
        (4.0, 250, 0.1, Verdict.FOUND),
        (4.0, 250, -0.1, Verdict.COSTS),
        (4.0, 250, math.nan, Verdict.COSTS),
        (2.3, 250, 0.1, Verdict.NOISE),
        (-4.0, 250, 0.1, Verdict.REVERSED),
        (4.0, 59, 0.1, Verdict.UNKNOWN),
        (math.nan, 250, 0.1, Verdict.UNKNOWN),
    ],
)
def test_the_rules(found: Evaluation, t_value: float, days: int, gain: float, expected: Verdict) -> None:
    shown = Significance(days, 0.02, t_value, 8)

    assert verdict_of(shown, gain) is expected
    told = reason_of(replace(found, significance=shown, verdict=expected))
    assert told.zh
    assert told.en.endswith(".")


def test_the_best_of_many_models_says_so(found: Evaluation) -> None:
    many = replace(found.significance, trials=200)

    assert "best of 200 models" in reason_of(replace(found, significance=many)).en
    assert "200 个模型" in reason_of(replace(found, significance=many)).zh


def test_what_cannot_be_judged_is_refused() -> None:
    data = market()
    scores, labels = knowing(data), outcomes(data)

    with pytest.raises(InvalidRequest, match="need the market's shape"):
        judge(scores[1:], data, labels, horizon=HORIZON)
    with pytest.raises(InvalidRequest, match="no prediction of an investable name"):
        judge(np.full_like(scores, np.nan), data, labels, horizon=HORIZON)
    with pytest.raises(InvalidRequest, match="a task is one of"):
        judge(scores, data, labels, horizon=HORIZON, task="guessing")
    with pytest.raises(InvalidRequest, match="belong to classification"):
        judge(scores, data, labels, horizon=HORIZON, probabilities=np.zeros((*scores.shape, 2)))
    with pytest.raises(InvalidRequest, match="which the market to trade in has not"):
        judge(scores, data, labels, horizon=HORIZON, venue=venue_of(data, 300))
