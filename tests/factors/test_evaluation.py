"""Evaluation against a slow second method in pandas and scipy, and on factors whose worth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.factors import EvaluationPlan, Evaluator, Market, forward_returns, research_panel
from quantflux.factors.quantiles import NOT_HELD, cohort_returns, group_means, mean_turnover, quantile_labels
from quantflux.factors.ranking import SortedRows
from quantflux.factors.significance import newey_west_t
from tests.factors.markets import market_of, random_panel

PLAN = EvaluationPlan(horizon=3, quantiles=3, decay=(1, 3, 8), least_names=5)


@pytest.fixture(scope="module")
def market() -> Market:
    rng = np.random.default_rng(5)
    panel = research_panel(random_panel(80, 30))
    return market_of(panel, up=rng.random(panel.shape) < 0.05)


@pytest.fixture(scope="module")
def noise(market: Market) -> np.ndarray:
    return np.random.default_rng(8).normal(size=market.chosen.shape)


def test_rank_ic_is_spearman_by_day(market: Market, noise: np.ndarray) -> None:
    report = Evaluator(market, PLAN).report("noise", noise)

    ahead = forward_returns(market, 3)
    for row in range(0, 80, 7):
        who = market.chosen[row] & ~np.isnan(ahead[row])
        if who.sum() < PLAN.least_names:
            assert np.isnan(report.rank_ic[row])
            continue
        assert report.rank_ic[row] == pytest.approx(
            scipy.stats.spearmanr(noise[row, who], ahead[row, who]).statistic
        )
        assert report.ic[row] == pytest.approx(
            scipy.stats.pearsonr(noise[row, who], ahead[row, who]).statistic
        )
    assert report.rank_ic_mean == pytest.approx(pd.Series(report.rank_ic).mean())
    assert report.icir == pytest.approx(pd.Series(report.rank_ic).mean() / pd.Series(report.rank_ic).std())
    assert report.decay[3] == report.rank_ic_mean


def test_a_perfect_factor_has_an_ic_of_one_and_ordered_quantiles(market: Market) -> None:
    report = Evaluator(market, PLAN).report("oracle", forward_returns(market, 3))

    assert report.rank_ic_mean == pytest.approx(1.0)
    assert (np.diff(report.quantile_means) > 0).all()
    assert report.long_short_annual > 0
    assert report.quantile_curves[-1, 2] > report.quantile_curves[-1, 1] > report.quantile_curves[-1, 0]


def test_a_factor_turned_round_has_the_opposite_ic(market: Market, noise: np.ndarray) -> None:
    evaluator = Evaluator(market, PLAN)
    one, two = evaluator.report("a", noise), evaluator.report("b", -noise)

    np.testing.assert_allclose(one.rank_ic, -two.rank_ic, atol=1e-12)
    assert one.t_value == pytest.approx(-two.t_value)
    assert one.turnover != two.turnover  # the other end of the ranking is held


def test_quantile_means_agree_with_pandas(market: Market, noise: np.ndarray) -> None:
    report = Evaluator(market, PLAN).report("noise", noise)

    ahead = forward_returns(market, 3)
    labels = quantile_labels(SortedRows(noise), market.chosen, 3)
    cells = pd.DataFrame(
        {"row": np.repeat(np.arange(80), 30), "q": labels.ravel(), "r": ahead.ravel()}
    ).dropna()
    by_day = cells[cells.q != NOT_HELD].groupby(["row", "q"])["r"].mean().unstack()
    np.testing.assert_allclose(report.quantile_means, by_day.mean().to_numpy())


def test_cohorts_agree_with_a_loop(market: Market, noise: np.ndarray) -> None:
    labels = quantile_labels(SortedRows(noise), market.chosen & market.buyable, 3)
    held = np.random.default_rng(2).normal(size=noise.shape)

    ours = cohort_returns(held, labels, 3, horizon=4)

    for day in (1, 2, 3, 5, 40, 79):
        for group in range(3):
            cohorts = [s for s in range(day - 5, day - 1) if s >= 0 and (labels[s] == group).any()]
            expected = np.mean([held[day, labels[s] == group].mean() for s in cohorts]) if cohorts else np.nan
            assert ours[day, group] == pytest.approx(expected, nan_ok=True)


def test_quantile_groups_are_equal_and_tied_names_stay_together() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 1.0, 1.0, 1.0, 1.0, 9.0]])

    labels = quantile_labels(SortedRows(values), np.ones((2, 6), dtype=bool), 3)

    assert labels[0].tolist() == [0, 0, 1, 1, 2, 2]
    assert len(set(labels[1, :5].tolist())) == 1
    assert labels[1, 5] == 2


def test_days_with_fewer_names_than_quantiles_hold_nothing() -> None:
    labels = quantile_labels(SortedRows(np.array([[1.0, 2.0, np.nan]])), np.ones((1, 3), dtype=bool), 3)

    assert labels.tolist() == [[NOT_HELD] * 3]


def test_group_means_skip_gaps_and_leave_empty_groups_unknown() -> None:
    means = group_means(np.array([[1.0, np.nan, 5.0]]), np.array([[0, 0, NOT_HELD]], dtype=np.int8), 2)

    assert means[0, 0] == 1.0
    assert np.isnan(means[0, 1])


def test_turnover_by_hand() -> None:
    labels = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 0]], dtype=np.int8)

    assert mean_turnover(labels, 1, 1) == pytest.approx((0.5 + 0.0) / 2)
    assert np.isnan(mean_turnover(labels, 1, 5))


def test_the_future_changes_no_past_day(market: Market, noise: np.ndarray) -> None:
    cut = 60
    panel = market.panel
    past = Panel(panel.times[:cut], panel.symbols, {k: v[:cut] for k, v in panel.fields.items()})
    parts = {n: getattr(market, n)[:cut] for n in ("chosen", "buyable", "sellable", "at_open", "at_close")}

    early = Evaluator(replace(market, panel=past, **parts), PLAN).report("noise", noise[:cut])
    whole = Evaluator(market, PLAN).report("noise", noise)

    known = cut - PLAN.horizon - 1  # later signals had no outcome yet
    assert np.array_equal(early.rank_ic[:known], whole.rank_ic[:known], equal_nan=True)
    assert np.isnan(early.rank_ic[known:]).all()
    assert np.array_equal(
        early.quantile_returns[: cut - 1], whole.quantile_returns[: cut - 1], equal_nan=True
    )


def test_who_chases_locked_limits_earns_on_paper_only() -> None:
    # Column 0 opens at its limit every other day after a jump: the jump cannot be had.
    rng = np.random.default_rng(0)
    close = np.cumprod(1 + rng.normal(0, 0.001, (60, 12)), axis=0)
    jump = rng.random(close.shape) < 0.2
    close = np.cumprod(1 + np.where(jump, 0.1, rng.normal(-0.005, 0.001, close.shape)), axis=0)
    panel = Panel(
        random_panel(60, 12).times,
        random_panel(60, 12).symbols,
        dict.fromkeys(("open", "high", "low", "close", "volume"), close),
    )
    chase = np.vstack([jump[1:], np.zeros((1, 12))]).astype(float)  # knows tomorrow's jump

    report = Evaluator(market_of(panel, up=jump), PLAN).report(
        "chase", chase + rng.normal(0, 1e-6, chase.shape)
    )

    assert report.paper_rank_ic > 0.3
    assert report.rank_ic_mean < 0.15


def test_coverage_counts_investable_names(market: Market, noise: np.ndarray) -> None:
    half = np.where(np.arange(30) % 2, noise, np.nan)

    coverage = Evaluator(market, PLAN).report("half", half).coverage

    expected = (market.chosen & (np.arange(30) % 2 == 1)).sum(axis=1) / market.chosen.sum(axis=1)
    np.testing.assert_allclose(coverage, expected)


def test_a_factor_without_values_is_unknown_not_zero(market: Market) -> None:
    report = Evaluator(market, PLAN).report("nothing", np.full(market.chosen.shape, np.nan))

    for number in (
        report.rank_ic_mean,
        report.icir,
        report.t_value,
        report.turnover,
        report.long_short_annual,
    ):
        assert np.isnan(number)


def test_a_factor_of_another_shape_is_refused(market: Market) -> None:
    with pytest.raises(InvalidRequest, match=r"must have shape \(80, 30\)"):
        Evaluator(market, PLAN).report("short", np.zeros((3, 3)))


@pytest.mark.parametrize("plan", [{"horizon": 0}, {"decay": (0, 1)}, {"quantiles": 1}])
def test_impossible_plans_are_refused(plan: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        EvaluationPlan(**plan)  # type: ignore[arg-type]


def test_newey_west_agrees_with_its_formula() -> None:
    x = np.random.default_rng(3).normal(0.1, 1, 200)
    x[1:] += 0.6 * x[:-1]
    known = x - x.mean()
    lags = 6
    matrix = np.array([[max(0.0, 1 - abs(i - j) / (lags + 1)) for j in range(200)] for i in range(200)])
    variance = known @ matrix @ known / 200**2

    assert newey_west_t(np.append(x, np.nan), lags) == pytest.approx(x.mean() / np.sqrt(variance))
    assert abs(newey_west_t(x, lags)) < abs(newey_west_t(x, 0))  # persistence makes one less sure


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [0.5] * 9])
def test_too_little_to_be_sure_of(values: list[float]) -> None:
    assert np.isnan(newey_west_t(np.array(values)))
