"""The 18 built-in factors of the first version against pandas and cases by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quantflux.core.panel import Panel
from quantflux.data.schema import MONEYFLOW
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import fields_of
from quantflux.factors.libraries import load_library
from tests.factors.libraries.market import market

Frames = dict[str, pd.DataFrame]


def percentile(x: pd.DataFrame) -> pd.DataFrame:
    return x.where(x > 0).rolling(252, min_periods=20).rank(pct=True)


def orders(f: Frames, sides: str, sizes: str) -> pd.DataFrame:
    return sum(f[f"{side}_{size}_amount"] for side in sides.split() for size in sizes.split())


def change(f: Frames, rows: int) -> pd.DataFrame:
    return f["close"] / f["close"].shift(rows) - 1


def mean20(x: pd.DataFrame) -> pd.DataFrame:
    return x.rolling(20, min_periods=15).mean()


REFERENCE: dict[str, Callable[[Frames], pd.DataFrame]] = {
    "momentum_1d": lambda f: change(f, 1),
    "momentum_5d": lambda f: change(f, 5),
    "momentum_20d": lambda f: change(f, 20),
    "volatility_20d": lambda f: change(f, 1).rolling(20, min_periods=15).std(),
    "volume_ratio_20d": lambda f: f["volume"] / mean20(f["volume"]),
    "price_to_ma20": lambda f: f["close"] / mean20(f["close"]) - 1,
    "pe_percentile": lambda f: percentile(f["pe_ttm"]),
    "pb_percentile": lambda f: percentile(f["pb"]),
    "ps_percentile": lambda f: percentile(f["ps_ttm"]),
    "roe_ttm": lambda f: f["net_profit_ttm"] / f["total_equity_average"].where(f["total_equity_average"] > 0),
    "roa_ttm": lambda f: f["net_profit_ttm"] / f["total_assets_average"].where(f["total_assets_average"] > 0),
    "revenue_growth": lambda f: (
        f["revenue_ttm"] / f["revenue_ttm_prev_year"].where(f["revenue_ttm_prev_year"] > 0) - 1
    ),
    "profit_growth": lambda f: (
        f["net_profit_ttm"] / f["net_profit_ttm_prev_year"].where(f["net_profit_ttm_prev_year"] > 0) - 1
    ),
    "money_flow_strength": lambda f: (
        (orders(f, "buy", "lg elg") - orders(f, "sell", "lg elg")) / orders(f, "buy", "sm md lg elg")
    ),
    "big_order_ratio": lambda f: orders(f, "buy sell", "lg elg") / orders(f, "buy sell", "sm md lg elg"),
    "money_flow_momentum": lambda f: f["net_mf_amount"].rolling(5).sum(),
    "chip_concentration": lambda f: (f["cost_95pct"] - f["cost_5pct"]) / f["cost_50pct"],
    "winner_rate_change": lambda f: f["winner_rate"].diff(5),
}


@pytest.fixture(scope="module")
def panel() -> Panel:
    bars = market(320, 10, 9)
    rng = np.random.default_rng(10)
    fields = dict(bars.fields)
    every = {name for factor in load_library("v1") for name in fields_of(factor.node)}
    for name in sorted(every - set(fields)):
        spread = rng.normal(3, 2, bars.shape)  # of ratios and amounts, some are negative
        positive = name in MONEYFLOW.by_name or name.startswith("cost")
        fields[name] = np.exp(spread) if positive else np.where(rng.random(bars.shape) < 0.05, 0.0, spread)
    fields["net_mf_amount"] = rng.normal(0, 1e6, bars.shape)
    return Panel(bars.times, bars.symbols, fields)


@pytest.mark.parametrize("name", REFERENCE)
def test_factor_equals_pandas(name, panel):
    frames = {field: pd.DataFrame(values) for field, values in panel.fields.items()}

    found = evaluate(load_library("v1")[name].node, panel)["value"]

    np.testing.assert_allclose(found, REFERENCE[name](frames), rtol=1e-8, atol=1e-10)


def test_the_ids_are_those_of_the_first_version():
    assert [factor.id for factor in load_library("v1")] == list(REFERENCE)


def test_every_description_says_what_the_first_version_did():
    for factor in load_library("v1"):
        assert "v1" in factor.description


def test_a_rank_among_its_own_past_by_hand():
    values = [8.0] * 19 + [5.0, -3.0, 8.0, 9.0]
    days = np.datetime64("2024-01-01") + np.arange(len(values))
    panel = Panel(days, ["600000.SH"], {"pe_ttm": np.array(values)[:, None]})

    found = evaluate(load_library("v1")["pe_percentile"].node, panel)["value"][:, 0]

    # Of 20 positive ones 5 is the lowest. A loss has no rank and takes no place: 8 shares places 2 to 21 of 21.
    np.testing.assert_allclose(found[18:], [np.nan, 1 / 20, np.nan, 11.5 / 21, 1.0])
