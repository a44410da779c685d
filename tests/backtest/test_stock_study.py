"""The whole study on a small synthetic market."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from quantflux.backtest import Schedule, Study, Venue, study
from quantflux.core.panel import Panel
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.factors import Market, adjustment, forward_returns, research_panel
from quantflux.rules import locked_at_open, special_treatment


@pytest.fixture(scope="module")
def world() -> tuple[Market, Venue]:
    source = SyntheticMarket(5, 60, date(2022, 1, 4), date(2023, 12, 29))
    raw = Panel.from_table(pa.concat_tables(source.daily_tables()))
    special = special_treatment(source.instruments(), raw.times, raw.symbols)
    market = Market.of(research_panel(raw), locked_at_open(raw, special), special)
    return market, Venue.of(market, adjustment(raw))


@pytest.fixture(scope="module")
def clairvoyant(world: tuple[Market, Venue]) -> Study:
    market, venue = world
    return study(venue, forward_returns(market, 20), market.chosen)


def test_knowing_the_future_beats_the_market(clairvoyant: Study) -> None:
    assert clairvoyant.comparison.excess_return > 0.5
    assert clairvoyant.comparison.information_ratio > 3
    assert clairvoyant.comparison.hit_rate > 0.9


def test_random_picks_earn_the_market_less_costs(world: tuple[Market, Venue]) -> None:
    market, venue = world
    noise = np.where(market.chosen, np.random.default_rng(1).random(market.chosen.shape), np.nan)

    found = study(venue, noise, market.chosen, schedule=Schedule.WEEKLY)

    assert abs(found.comparison.excess_return + found.cost_effect) < 0.15
    assert found.cost_effect > 0.01


def test_costs_take_about_what_was_paid(clairvoyant: Study) -> None:
    drag = clairvoyant.cost_effect / (1 + clairvoyant.performance.annual_return + clairvoyant.cost_effect)

    assert drag == pytest.approx(clairvoyant.comparison.cost_drag, rel=0.3)


def test_the_benchmark_pays_nothing_and_is_invested(clairvoyant: Study) -> None:
    benchmark = clairvoyant.benchmark

    assert benchmark.fills.fees.sum() == 0
    assert (benchmark.cash / benchmark.equity)[benchmark.first + 1 :].max() < 0.05
    assert benchmark.first == clairvoyant.run.first


def test_positions_and_cash_are_the_account(clairvoyant: Study) -> None:
    run = clairvoyant.run

    assert np.array_equal(run.equity, run.cash + run.positions)
    assert (run.cash >= 0).all()
    assert run.cash[-1] == pytest.approx(run.capital + run.fills.cash.sum())
