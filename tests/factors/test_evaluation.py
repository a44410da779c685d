"""Evaluation against a slow second method in pandas and scipy, and on factors whose worth is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.factors import (
    EvaluationPlan,
    Evaluator,
    FactorReport,
    Industries,
    Market,
    correlations,
    evaluate_factor,
    forward_returns,
    paper_returns,
    research_panel,
)
from quantflux.factors.evaluation.distribution import distribution_of
from quantflux.factors.evaluation.judging import half_life
from quantflux.factors.evaluation.quantiles import NOT_HELD, quantile_labels
from quantflux.factors.ranking import SortedRows
from tests.factors.markets import market_of, random_panel

PLAN = EvaluationPlan(horizon=3, quantiles=3, decay=(1, 3, 8), least_names=5)
DAYS, NAMES = 130, 30


@pytest.fixture(scope="module")
def market() -> Market:
    rng = np.random.default_rng(5)
    panel = research_panel(random_panel(DAYS, NAMES))
    return market_of(panel, up=rng.random(panel.shape) < 0.05, down=rng.random(panel.shape) < 0.05)


@pytest.fixture(scope="module")
def noise(market: Market) -> np.ndarray:
    return np.random.default_rng(8).normal(size=market.chosen.shape)


@pytest.fixture(scope="module")
def report(market: Market, noise: np.ndarray) -> FactorReport:
    industries = Industries(np.repeat([0, 1, 2, -1], [14, 12, 2, 2]), ("a", "b", "tiny"))
    return evaluate_factor("noise", noise, market, industries=industries, plan=PLAN)


def spearman(one: np.ndarray, two: np.ndarray, who: np.ndarray, least: int = 5) -> np.ndarray:
    """Spearman's correlation of each row, one row at a time."""
    out = np.full(len(one), np.nan)
    for row in range(len(one)):
        both = who[row] & ~np.isnan(one[row]) & ~np.isnan(two[row])
        if both.sum() >= least:
            out[row] = scipy.stats.spearmanr(one[row, both], two[row, both]).statistic
    return out


def lagged(values: np.ndarray, rows: int) -> np.ndarray:
    return np.vstack([np.full((rows, values.shape[1]), np.nan), values[: len(values) - rows]])


def test_both_variants_are_spearman_by_day(market: Market, noise: np.ndarray, report: FactorReport) -> None:
    sides = (
        (report.paper, paper_returns(market, 3), market.traded),
        (report.tradable, forward_returns(market, 3), market.chosen),
    )
    for variant, ahead, who in sides:
        expected = pd.Series(spearman(noise, ahead, who))

        np.testing.assert_allclose(variant.rank_ic, expected, atol=1e-12)
        assert variant.rank_ic_mean == pytest.approx(expected.mean())
        assert variant.icir == pytest.approx(expected.mean() / expected.std())
        assert variant.hit_rate == pytest.approx((expected.dropna() * expected.mean() > 0).mean())
        assert variant.decay[3] == variant.ageing[0] == variant.rank_ic_mean
        row = 100
        both = who[row] & ~np.isnan(ahead[row])
        assert variant.ic[row] == pytest.approx(
            scipy.stats.pearsonr(noise[row, both], ahead[row, both]).statistic
        )
    assert report.paper.rank_ic_mean != report.tradable.rank_ic_mean


def test_decay_and_ageing_agree_with_a_second_method(
    market: Market, noise: np.ndarray, report: FactorReport
) -> None:
    three = forward_returns(market, 3)
    for days in (1, 8):
        held = spearman(noise, forward_returns(market, days), market.chosen)
        aged = spearman(lagged(noise, days), three, market.chosen)

        assert report.tradable.decay[days] == pytest.approx(np.nanmean(held), abs=1e-12)
        assert report.tradable.ageing[days] == pytest.approx(np.nanmean(aged), abs=1e-12)


def test_years_and_industries_agree_with_a_second_method(
    market: Market, noise: np.ndarray, report: FactorReport
) -> None:
    found, ahead = report.tradable, forward_returns(market, 3)
    by_day = pd.Series(found.rank_ic, index=pd.DatetimeIndex(report.times))
    net = pd.Series(found.portfolios.long_short_net, index=by_day.index)
    assert sum(year.days for year in found.years.values()) == by_day.notna().sum()
    for year, result in found.years.items():
        assert result.rank_ic_mean == pytest.approx(by_day[by_day.index.year == year].mean(), nan_ok=True)
        assert result.long_short_net == pytest.approx(net[net.index.year == year].sum())

    weighted = np.zeros((2, DAYS))
    for name, columns in (("a", slice(0, 14)), ("b", slice(14, 26))):
        who = np.zeros_like(market.chosen)
        who[:, columns] = market.chosen[:, columns]
        expected, count = spearman(noise, ahead, who), (who & ~np.isnan(ahead)).sum(axis=1)
        assert found.industries[name].rank_ic_mean == pytest.approx(np.nanmean(expected))
        assert found.industries[name].days == np.count_nonzero(~np.isnan(expected))
        weighted += np.where(np.isnan(expected), 0.0, [expected * count, count])
    total, weights = weighted[:, weighted[1] > 0]
    assert found.within_industries == pytest.approx((total / weights).mean())
    assert set(found.industries) == {"a", "b"}  # two names are no industry, and -1 is nobody's


def test_quantile_means_agree_with_pandas(market: Market, noise: np.ndarray, report: FactorReport) -> None:
    ahead = forward_returns(market, 3)
    labels = quantile_labels(SortedRows(noise), market.chosen, 3)
    cells = pd.DataFrame(
        {"row": np.repeat(np.arange(DAYS), NAMES), "q": labels.ravel(), "r": ahead.ravel()}
    ).dropna()

    by_day = cells[cells.q != NOT_HELD].groupby(["row", "q"])["r"].mean().unstack()

    np.testing.assert_allclose(report.tradable.quantile_means, by_day.mean().to_numpy())


def test_a_perfect_factor_has_an_ic_of_one_and_ordered_quantiles(market: Market) -> None:
    found = Evaluator(market, PLAN).report("oracle", forward_returns(market, 3)).tradable

    assert found.rank_ic_mean == pytest.approx(1.0)
    assert found.monotonicity == found.ordered_steps == found.hit_rate == 1.0
    assert found.portfolios.net.annual > 0
    assert found.portfolios.curves[-1, 2] > found.portfolios.curves[-1, 1] > found.portfolios.curves[-1, 0]


def test_a_factor_turned_round_has_the_opposite_ic(market: Market, report: FactorReport) -> None:
    turned = Evaluator(market, PLAN).report("b", -np.random.default_rng(8).normal(size=market.chosen.shape))

    np.testing.assert_allclose(report.tradable.rank_ic, -turned.tradable.rank_ic, atol=1e-12)
    assert report.tradable.t_value == pytest.approx(-turned.tradable.t_value)


def test_costs_are_paid_by_the_tradable_variant_alone(report: FactorReport) -> None:
    paper, tradable = report.paper.portfolios, report.tradable.portfolios

    assert paper.net == paper.gross
    assert (
        tradable.net.annual < tradable.gross.annual - 0.01
    )  # noise changes two thirds of its names in 3 days
    assert tradable.excess.annual < 0.5 * tradable.gross.annual


def test_the_future_changes_no_past_day(market: Market, noise: np.ndarray, report: FactorReport) -> None:
    cut = 110
    panel = market.panel
    past = Panel(panel.times[:cut], panel.symbols, {k: v[:cut] for k, v in panel.fields.items()})
    parts = {n: getattr(market, n)[:cut] for n in ("chosen", "buyable", "sellable", "at_open", "at_close")}

    early = Evaluator(replace(market, panel=past, **parts), PLAN).report("noise", noise[:cut])

    known = cut - PLAN.horizon - 1  # later signals had no outcome yet
    last = np.flatnonzero(market.sellable[:cut].any(axis=0))
    open_exits = [cut - 1 - market.sellable[:cut, name][::-1].argmax() for name in last]
    settled = min(known, min(open_exits) - PLAN.horizon)  # before that, everything was out by the cut
    assert settled > 60
    assert np.array_equal(early.tradable.rank_ic[:settled], report.tradable.rank_ic[:settled], equal_nan=True)
    assert np.array_equal(early.paper.rank_ic[: known + 1], report.paper.rank_ic[: known + 1], equal_nan=True)
    assert np.isnan(early.tradable.rank_ic[known:]).all()
    for name in ("returns", "costs", "bought"):
        before, after = (getattr(r.tradable.portfolios, name)[:cut] for r in (early, report))
        assert np.array_equal(before, after, equal_nan=True)


def test_who_chases_locked_limits_earns_on_paper_only() -> None:
    rng = np.random.default_rng(0)
    shape = (200, 20)
    jump = rng.random(shape) < 0.2
    close = np.cumprod(1 + np.where(jump, 0.1, rng.normal(-0.02, 0.01, shape)), axis=0)
    base = random_panel(*shape)
    panel = Panel(base.times, base.symbols, dict.fromkeys(("open", "high", "low", "close", "volume"), close))
    chase = np.vstack([jump[1:], np.zeros((1, 20))]) + rng.normal(0, 1e-6, shape)  # knows tomorrow's jump

    found = evaluate_factor("chase", chase, market_of(panel, up=jump), plan=replace(PLAN, horizon=1))

    assert found.paper.rank_ic_mean > 0.4
    assert abs(found.tradable.rank_ic_mean) < 0.1
    assert found.paper.portfolios.gross.annual > 5
    assert found.tradable.portfolios.gross.annual < 1


def test_coverage_counts_investable_names(market: Market, noise: np.ndarray) -> None:
    half = np.where(np.arange(NAMES) % 2, noise, np.nan)

    coverage = Evaluator(market, PLAN).report("half", half).tradable.coverage

    expected = (market.chosen & (np.arange(NAMES) % 2 == 1)).sum(axis=1) / market.chosen.sum(axis=1)
    np.testing.assert_allclose(coverage, expected)


def test_infinite_values_are_unknown(market: Market, noise: np.ndarray) -> None:
    infinite, missing = noise.copy(), noise.copy()
    infinite[::2, 3], missing[::2, 3] = np.inf, np.nan

    one, two = (Evaluator(market, PLAN).report("x", values).tradable for values in (infinite, missing))

    assert np.array_equal(one.ic, two.ic, equal_nan=True)
    assert np.array_equal(one.rank_ic, two.rank_ic, equal_nan=True)


def test_a_factor_without_values_is_unknown_not_zero(market: Market) -> None:
    report = Evaluator(market, PLAN).report("nothing", np.full(market.chosen.shape, np.nan))

    found = report.tradable
    numbers = (
        *(found.rank_ic_mean, found.icir, found.t_value, found.turnover[-1], found.half_life),
        *(found.hit_rate, found.portfolios.net.annual, found.portfolios.break_even, found.monotonicity),
        *(report.distribution.mean, report.distribution.distinct),
    )
    assert np.isnan(numbers).all()
    assert report.distribution.counts.sum() == 0


def test_a_constant_factor_says_nothing(market: Market) -> None:
    report = Evaluator(market, PLAN).report("one", np.full(market.chosen.shape, 0.1))

    assert np.isnan(report.tradable.rank_ic_mean) and np.isnan(report.tradable.ic_mean)
    assert report.distribution.distinct < 0.2


def test_half_lives_by_hand() -> None:
    assert half_life({0: 0.1, 1: 0.08, 5: 0.05}) == pytest.approx(5.0)
    assert half_life({0: 0.1, 1: 0.03}) == pytest.approx(0.5 / 0.7)
    assert half_life({0: -0.1, 10: math.nan, 20: -0.02}) == pytest.approx(20 * 0.5 / 0.8)
    assert half_life({0: 0.1, 60: 0.09}) == math.inf
    assert math.isnan(half_life({0: math.nan, 1: 0.1}))


def test_noise_has_no_half_life(report: FactorReport) -> None:
    assert abs(report.tradable.t_value) < 2
    assert math.isnan(report.tradable.half_life)


def test_the_distribution_agrees_with_scipy(market: Market) -> None:
    rng = np.random.default_rng(9)
    values = np.where(rng.random(market.chosen.shape) < 0.2, np.nan, rng.gamma(2, size=market.chosen.shape))
    values[:, 5] = values[:, 6]

    found = distribution_of(values, market.chosen)

    rows = [row[who & ~np.isnan(row)] for row, who in zip(values, market.chosen, strict=True)]
    rows = [row for row in rows if len(row) > 2]
    pool = np.concatenate(rows)
    assert found.skewness == pytest.approx(np.mean([scipy.stats.skew(row) for row in rows]))
    assert found.kurtosis == pytest.approx(np.mean([scipy.stats.kurtosis(row) for row in rows]))
    assert found.deviation == pytest.approx(np.mean([row.std(ddof=1) for row in rows]))
    assert found.quantiles[0.25] == pytest.approx(np.quantile(pool, 0.25))
    assert found.distinct == pytest.approx(np.mean([len(set(row)) / len(row) for row in rows]))
    assert found.counts.sum() == len(pool)


def test_correlations_with_other_factors(market: Market, noise: np.ndarray) -> None:
    other = noise + np.random.default_rng(1).normal(size=noise.shape)
    factors = {"noise": noise, "near": other, "opposite": -noise}

    found = Evaluator(market, PLAN).report("noise", noise, factors).correlations
    every = correlations(factors, market.chosen, least=5)

    assert found is not None and found.names == ("noise", "near", "opposite")
    sampled = spearman(noise[::3], other[::3], market.chosen[::3])
    assert found.matrix[0, 1] == found.matrix[1, 0] == pytest.approx(np.nanmean(sampled))
    assert found.matrix[0, 2] == pytest.approx(-1.0)
    assert found.closest == ("opposite", pytest.approx(-1.0))
    assert every.matrix[0, 1] == pytest.approx(np.nanmean(spearman(noise, other, market.chosen)))
    assert np.array_equal(np.diag(found.matrix), np.ones(3))


def test_results_are_json_without_holes(market: Market, noise: np.ndarray, report: FactorReport) -> None:
    short, whole = json.loads(report.to_json()), json.loads(report.to_json(series=True))

    assert short["tradable"]["rank_ic_mean"] == report.tradable.rank_ic_mean
    assert short["tradable"]["long_short_net"]["annual"] == report.tradable.portfolios.net.annual
    assert short["tradable"]["half_life"] is None
    assert short["verdict"] == report.verdict.value
    assert short["tradable"]["industries"]["a"]["days"] > 0
    assert "series" not in short["paper"]
    series = whole["tradable"]["series"]
    assert {len(series[name]) for name in series} == {len(whole["times"])} == {DAYS}
    assert [v for v in series["rank_ic"] if v is not None] == [
        v for v in report.tradable.rank_ic if not math.isnan(v)
    ]


def test_arrays_of_another_shape_are_refused(market: Market, noise: np.ndarray) -> None:
    with pytest.raises(InvalidRequest, match=r"'short' must have shape \(130, 30\).*had \(3, 3\)"):
        Evaluator(market, PLAN).report("short", np.zeros((3, 3)))
    with pytest.raises(InvalidRequest, match="'other' must have shape"):
        Evaluator(market, PLAN).report("x", noise, {"other": np.zeros((3, 3))})
    with pytest.raises(InvalidRequest, match="industry codes must have shape"):
        Evaluator(market, PLAN, industries=Industries(np.zeros(3, dtype=int), ("a",)))


@pytest.mark.parametrize("plan", [{"horizon": 0}, {"decay": (0, 1)}, {"quantiles": 1}, {"decay": ()}])
def test_impossible_plans_are_refused(plan: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        EvaluationPlan(**plan)  # type: ignore[arg-type]
