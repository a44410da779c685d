"""The classic factors against pandas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quantflux.core.panel import Panel
from quantflux.expressions.evaluate import evaluate
from quantflux.factors.libraries import load_library
from tests.factors.libraries.market import market

Frames = dict[str, pd.DataFrame]


def returns(f: Frames) -> pd.DataFrame:
    return f["close"] / f["close"].shift(1) - 1


def correlation(x: pd.DataFrame, y: pd.DataFrame) -> pd.DataFrame:
    return x.rolling(20, min_periods=15).corr(y)


REFERENCE: dict[str, Callable[[Frames], pd.DataFrame]] = {
    "reversal_20": lambda f: 1 - f["close"] / f["close"].shift(20),
    "momentum_12_1": lambda f: f["close"].shift(21) / f["close"].shift(252) - 1,
    "momentum_6_1": lambda f: f["close"].shift(21) / f["close"].shift(126) - 1,
    "volatility_20": lambda f: -returns(f).rolling(20, min_periods=15).std(),
    "low_turnover": lambda f: -f["turnover_rate"].rolling(20, min_periods=15).mean(),
    "illiquidity_20": lambda f: (returns(f).abs() / f["amount"]).rolling(20, min_periods=15).mean(),
    "price_volume_20": lambda f: -correlation(f["close"], f["volume"]),
    "size": lambda f: -np.log(f["total_mv"]),
    "small_value_traded_20": lambda f: -np.log(f["amount"].rolling(20, min_periods=15).mean()),
    "value": lambda f: (1 / f["pb"]).where(f["pb"] > 0),
}


@pytest.fixture(scope="module")
def panel() -> Panel:
    bars = market(320, 12, 6)
    rng = np.random.default_rng(7)
    traded = np.where(np.isnan(bars["close"]), np.nan, 1.0)
    fields = dict(bars.fields)
    fields["adj_factor"] = np.broadcast_to(rng.uniform(1, 9, bars.shape[1]), bars.shape).copy()
    fields["amount"] = fields["amount"] / fields["adj_factor"]
    fields["turnover_rate"] = rng.lognormal(0, 0.5, bars.shape) * traded
    fields["total_mv"] = bars["cap"]
    # Valuations may be known on days without trade, and book value may be negative or nil.
    fields["pb"] = np.where(rng.random(bars.shape) < 0.1, 0.0, rng.normal(2, 1.5, bars.shape))
    return Panel(bars.times, bars.symbols, fields)


@pytest.mark.parametrize("name", REFERENCE)
def test_factor_equals_pandas(name, panel):
    frames = {field: pd.DataFrame(values) for field, values in panel.fields.items()}

    found = evaluate(load_library("classic")[name].node, panel)["value"]

    expected = REFERENCE[name](frames).where(frames["close"].notna())
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


def test_all_are_compared_and_more_is_better():
    library = load_library("classic")

    assert {factor.id for factor in library} == set(REFERENCE)
    assert {factor.orientation for factor in library} == {1}


def test_a_day_without_amount_counts_for_nothing():
    close = np.array([10.0, 11.0] * 10 + [11.0])[:, None]
    amount = np.array([1_000.0] * 20 + [0.0])[:, None]
    days = np.datetime64("2024-01-01") + np.arange(21)

    found = evaluate(
        load_library("classic")["illiquidity_20"].node,
        Panel(days, ["600000.SH"], {"close": close, "amount": amount}),
    )["value"]

    # 19 moves in the window: 9 falls of 1/11, 10 rises of 1/10; the day without amount leaves the mean alone.
    assert found[20, 0] == pytest.approx((9 / 11 + 10 / 10) / 19 / 1_000)
