"""The six classic factors: by hand, against pandas, and blind to the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.panel import Panel
from quantflux.factors import Choice, choose_factors, research_panel
from quantflux.factors import classic as c
from tests.factors.markets import days, hand_panel, random_panel, symbols

EVERY = (
    c.REVERSAL_20, c.MOMENTUM_12_1, c.MOMENTUM_6_1, c.VOLATILITY_20, c.LOW_TURNOVER, c.ILLIQUIDITY_20,
    c.PRICE_VOLUME_20, c.SIZE, c.SMALL_VALUE_TRADED_20, c.VALUE,
)  # fmt: skip


def full_panel(rows: int = 300, columns: int = 8) -> Panel:
    raw = random_panel(rows, columns, seed=3)
    rng = np.random.default_rng(4)
    traded = ~np.isnan(raw["close"])
    basics = {
        "turnover_rate": rng.uniform(0.1, 5, raw.shape),
        "total_mv": rng.uniform(1e9, 9e10, raw.shape),
        "pb": rng.uniform(-0.5, 8, raw.shape),
    }
    basic = Panel(raw.times, raw.symbols, {k: np.where(traded, v, np.nan) for k, v in basics.items()})
    return research_panel(raw, basic)


def frame(panel: Panel, name: str) -> pd.DataFrame:
    return pd.DataFrame(panel[name], index=panel.times, columns=panel.symbols)


def oracle(panel: Panel) -> dict[str, pd.DataFrame]:
    """Each factor once more, in pandas."""
    close = frame(panel, "close")
    moves = close.pct_change(fill_method=None)
    rolling = {"window": 20, "min_periods": 15}
    pb = frame(panel, "pb")
    return {
        "reversal_20": -(close / close.shift(20) - 1),
        "momentum_12_1": close.shift(21) / close.shift(252) - 1,
        "momentum_6_1": close.shift(21) / close.shift(126) - 1,
        "volatility_20": -moves.rolling(**rolling).std(),
        "low_turnover": -frame(panel, "turnover_rate").rolling(**rolling).mean(),
        "illiquidity_20": (moves.abs() / frame(panel, "amount")).rolling(**rolling).mean(),
        "price_volume_20": -close.rolling(**rolling).corr(frame(panel, "volume")),
        "size": -np.log(frame(panel, "total_mv")),
        "small_value_traded_20": -np.log(frame(panel, "value_traded").rolling(**rolling).mean()),
        "value": (1 / pb).where(pb > 0),
    }


@pytest.mark.parametrize("factor", EVERY, ids=lambda f: f.name)
def test_a_factor_agrees_with_pandas(factor: c.Factor) -> None:
    panel = full_panel()

    values = factor.values(panel)

    expected = oracle(panel)[factor.name].where(frame(panel, "close").notna()).to_numpy()
    np.testing.assert_allclose(values, expected, rtol=1e-7, atol=1e-16)
    assert np.isfinite(values).any()


@pytest.mark.parametrize("factor", EVERY, ids=lambda f: f.name)
def test_the_future_changes_no_value(factor: c.Factor) -> None:
    panel = full_panel()
    for end in (factor.lookback, 255, 290):
        past = Panel(
            panel.times[: end + 1], panel.symbols, {k: v[: end + 1] for k, v in panel.fields.items()}
        )

        assert np.array_equal(factor.values(panel)[: end + 1], factor.values(past), equal_nan=True)


@pytest.mark.parametrize("factor", EVERY, ids=lambda f: f.name)
def test_a_value_needs_no_more_than_the_stated_lookback(factor: c.Factor) -> None:
    panel = full_panel()
    start = len(panel) - 1 - factor.lookback
    tail = Panel(panel.times[start:], panel.symbols, {k: v[start:] for k, v in panel.fields.items()})

    assert np.array_equal(factor.values(panel)[-1], factor.values(tail)[-1], equal_nan=True)


def test_a_dividend_changes_no_earlier_value() -> None:
    raw = random_panel(60, 3, seed=9)
    factor = raw["adj_factor"].copy()
    factor[40:] *= 1.25
    later = raw.with_field("adj_factor", factor)

    before, after = (c.REVERSAL_20.values(research_panel(p)) for p in (raw, later))

    assert np.array_equal(before[:40], after[:40], equal_nan=True)


def test_reversal_by_hand() -> None:
    close = [[10.0, 10.0]] * 20 + [[11.0, np.nan]]

    values = c.REVERSAL_20.values(hand_panel(close))

    assert values[20, 0] == pytest.approx(-0.1)
    assert np.isnan(values[20, 1])
    assert np.isnan(values[:20]).all()


def test_momentum_leaves_the_last_month_out() -> None:
    close = np.full((253, 1), 10.0)
    close[231] = 15.0  # 21 rows before the last
    close[240:] = 99.0

    assert c.MOMENTUM_12_1.values(hand_panel(close.tolist()))[-1, 0] == pytest.approx(0.5)


def test_volatility_by_hand() -> None:
    # Returns alternate between +10 % and 0: deviations are 5 % from a mean of 5 %, ten and ten of them.
    close = [[float(1.1 ** ((i + 1) // 2))] for i in range(21)]

    value = c.VOLATILITY_20.values(hand_panel(close))[-1, 0]

    assert value == pytest.approx(-0.05 * np.sqrt(20 / 19))


def test_a_price_without_adj_factor_is_taken_as_adjusted() -> None:
    panel = hand_panel([[10.0], [11.0]])

    assert research_panel(panel)["close"].tolist() == [[10.0], [11.0]]


def test_value_traded_is_the_amount_or_an_estimate() -> None:
    raw = random_panel(5, 3)
    bare = raw.select(fields=["open", "high", "low", "close", "volume"])

    assert np.array_equal(research_panel(raw)["value_traded"], raw["amount"], equal_nan=True)
    assert "amount" not in research_panel(bare)
    expected = (raw["high"] + raw["low"] + raw["close"]) / 3 * raw["volume"]
    assert np.array_equal(research_panel(bare)["value_traded"], expected, equal_nan=True)


def names(choice: Choice) -> list[str]:
    return [factor.name for factor in choice.factors]


def test_full_data_allow_the_six() -> None:
    choice = choose_factors(full_panel(400))

    assert names(choice) == ["reversal_20", "momentum_12_1", "volatility_20", "low_turnover", "size", "value"]
    assert not choice.replaced
    assert not choice.omitted


def test_a_year_of_bare_bars_gets_stand_ins_and_says_why() -> None:
    panel = research_panel(random_panel(243, 6).select(fields=["open", "high", "low", "close", "volume"]))

    choice = choose_factors(panel)

    expected = ["reversal_20", "momentum_6_1", "volatility_20", "price_volume_20", "small_value_traded_20"]
    assert names(choice) == expected
    assert "243 trading days, 378 are needed" in choice.replaced["momentum_6_1"]
    assert "turnover_rate on 0%" in choice.replaced["price_volume_20"]
    assert set(choice.omitted) == {"value"}


def test_amounts_without_valuations_give_amihud() -> None:
    choice = choose_factors(research_panel(random_panel(400, 6)))

    assert "illiquidity_20" in names(choice)


def test_a_short_file_omits_what_it_cannot_show() -> None:
    choice = choose_factors(research_panel(random_panel(45, 6)))

    assert choice.omitted["momentum_12_1"] == "the data have 45 trading days, 189 are needed"


def test_an_empty_market_allows_nothing() -> None:
    gaps = np.full((3, 2), np.nan)
    panel = Panel(days(3), symbols(2), dict.fromkeys(("open", "high", "low", "close", "volume"), gaps))

    assert not choose_factors(research_panel(panel)).factors
