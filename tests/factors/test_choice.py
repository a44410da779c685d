"""Which classic factors data allow, and what they are computed from."""

from __future__ import annotations

import numpy as np

from quantflux.core.panel import Panel
from quantflux.factors import research_panel
from quantflux.factors.choice import Choice, choose_factors
from tests.factors.markets import days, hand_panel, random_panel, symbols

BARS = ("open", "high", "low", "close", "volume")


def fields_of_bars(raw: Panel) -> Panel:
    """Return bars as the fields that factors read."""
    panel = research_panel(raw)
    vwap = (panel["high"] + panel["low"] + panel["close"]) / 3
    return panel.with_field("vwap", vwap).with_field("adj_factor", np.ones(panel.shape))


def full_panel(rows: int) -> Panel:
    panel = fields_of_bars(random_panel(rows, 8, seed=3))
    rng = np.random.default_rng(4)
    for name in ("turnover_rate", "total_mv", "pb"):
        panel = panel.with_field(
            name, np.where(np.isnan(panel["close"]), np.nan, rng.uniform(0.1, 5, panel.shape))
        )
    return panel


def names(choice: Choice) -> list[str]:
    return [factor.id for factor in choice.factors]


def test_full_data_allow_the_six() -> None:
    choice = choose_factors(full_panel(400))

    assert names(choice) == ["reversal_20", "momentum_12_1", "volatility_20", "low_turnover", "size", "value"]
    assert not choice.replaced
    assert not choice.omitted


def test_a_year_of_bare_bars_gets_stand_ins_and_says_why() -> None:
    panel = fields_of_bars(random_panel(243, 6).select(fields=BARS))

    choice = choose_factors(panel)

    expected = ["reversal_20", "momentum_6_1", "volatility_20", "price_volume_20", "small_value_traded_20"]
    assert names(choice) == expected
    assert "243 trading days, 378 are needed" in choice.replaced["momentum_6_1"]
    assert "turnover_rate on 0%" in choice.replaced["price_volume_20"]
    assert set(choice.omitted) == {"value"}


def test_amounts_without_valuations_give_amihud() -> None:
    choice = choose_factors(fields_of_bars(random_panel(400, 6)))

    assert "illiquidity_20" in names(choice)


def test_a_short_file_omits_what_it_cannot_show() -> None:
    choice = choose_factors(fields_of_bars(random_panel(45, 6)))

    assert choice.omitted["momentum_12_1"] == "the data have 45 trading days, 189 are needed"


def test_an_empty_market_allows_nothing() -> None:
    panel = Panel(days(3), symbols(2), dict.fromkeys(BARS, np.full((3, 2), np.nan)))

    assert not choose_factors(panel).factors


def test_a_price_without_adj_factor_is_taken_as_adjusted() -> None:
    assert research_panel(hand_panel([[10.0], [11.0]]))["close"].tolist() == [[10.0], [11.0]]


def test_a_dividend_changes_no_earlier_price() -> None:
    raw = random_panel(60, 3, seed=9)
    factor = raw["adj_factor"].copy()
    factor[40:] *= 1.25
    later = raw.with_field("adj_factor", factor)

    before, after = (research_panel(panel)["close"] for panel in (raw, later))

    assert np.array_equal(before[:40], after[:40], equal_nan=True)
    np.testing.assert_allclose(after[40:], 1.25 * before[40:])
