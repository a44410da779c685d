"""Adjusted prices against pandas, and the refusal to guess a factor."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import MemoryStore, open_store
from quantflux.data.panels import PanelTier
from quantflux.data.schema import DAILY, MINUTE
from tests.data.market_tables import daily_bars, table_of

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))
PRICES = ["open", "high", "low", "close"]
LIVE, DELISTED = "600519.SH", "000002.SZ"


@pytest.fixture
def store() -> MemoryStore:
    store = open_store(clock=CLOCK)
    store.write(DAILY, daily_bars([LIVE], date(2022, 12, 1), 400, seed=1))
    store.write(DAILY, daily_bars([DELISTED], date(2022, 12, 1), 50, seed=2))
    return store


@pytest.fixture(params=["panel", "store"])
def layer(request: pytest.FixtureRequest, store: MemoryStore, tmp_path: Path) -> DataAccessLayer:
    panels = PanelTier(store, tmp_path, clock=CLOCK) if request.param == "panel" else None
    return DataAccessLayer(store, panels, clock=CLOCK)


def with_factors(rows: pa.Table, factors: object) -> pa.Table:
    place = rows.schema.get_field_index("adj_factor")
    return rows.set_column(place, "adj_factor", pa.array(factors, pa.float64()))


def expected(layer: DataAccessLayer, mode: str, symbols: list[str] | None = None) -> pd.DataFrame:
    raw = layer.get_many(symbols).to_pandas()
    multiplier = raw["adj_factor"]
    if mode == "forward":
        multiplier = multiplier / raw.groupby("symbol")["adj_factor"].transform("last")
    raw[PRICES] = raw[PRICES].mul(multiplier, axis=0)
    return raw


@pytest.mark.parametrize("mode", ["forward", "backward"])
def test_every_symbol_is_adjusted_like_pandas_does(layer: DataAccessLayer, mode: str) -> None:
    got = layer.get_many(adjust=mode).to_pandas()

    pd.testing.assert_frame_equal(got, expected(layer, mode), check_exact=True)


@pytest.mark.parametrize("mode", ["forward", "backward"])
@pytest.mark.parametrize("symbol", [LIVE, DELISTED])
def test_a_part_of_the_history_is_adjusted_like_the_whole(
    layer: DataAccessLayer, mode: str, symbol: str
) -> None:
    got = layer.get_stock_data(symbol, "2022-12-10", "2023-01-05", adjust=mode).to_pandas()

    whole = expected(layer, mode, [symbol])
    inside = whole["trade_date"].between("2022-12-10", "2023-01-05")
    pd.testing.assert_frame_equal(got, whole[inside].reset_index(drop=True), check_exact=True)


def test_volume_and_amount_are_never_adjusted(layer: DataAccessLayer) -> None:
    raw = layer.get_stock_data(LIVE)
    adjusted = layer.get_stock_data(LIVE, adjust="backward")

    assert adjusted["volume"].tolist() == raw["volume"].tolist()
    assert adjusted["amount"].tolist() == raw["amount"].tolist()
    assert adjusted["close"].tolist() != raw["close"].tolist()


def test_forward_adjustment_leaves_the_anchor_day_as_traded(layer: DataAccessLayer) -> None:
    day = "2023-03-01"

    raw = layer.get_stock_data(LIVE, day, day)
    anchored = layer.get_stock_data(LIVE, day, day, adjust="forward", anchor=day)
    latest = layer.get_stock_data(LIVE, day, day, adjust="forward")

    assert anchored["close"].tolist() == raw["close"].tolist()
    assert latest["close"][0] == raw["close"][0] * (raw["adj_factor"][0] / 20.0)


def test_a_new_dividend_changes_forward_prices_and_no_backward_ones(layer: DataAccessLayer) -> None:
    forward, backward = (layer.get_stock_data(LIVE, adjust=mode)["close"] for mode in ("forward", "backward"))

    layer.write(DAILY, with_factors(daily_bars([LIVE], date(2024, 1, 5), 1), [40.0]))

    np.testing.assert_allclose(layer.get_stock_data(LIVE, adjust="forward")["close"][:400], forward / 2)
    assert layer.get_stock_data(LIVE, adjust="backward")["close"][:400].tolist() == backward.tolist()


def test_forward_prices_follow_a_dividend_that_another_process_wrote(
    store: MemoryStore, tmp_path: Path
) -> None:
    clock = FixedClock(CLOCK.now())
    panels = PanelTier(store, tmp_path, clock=clock, check_seconds=5.0)
    layer = DataAccessLayer(store, panels, clock=clock)
    before = layer.get_stock_data(LIVE, adjust="forward", fields=["close"])["close"]
    day = daily_bars([LIVE], date(2024, 1, 5), 1, seed=3)
    factor = layer.get_stock_data(LIVE, fields=["adj_factor"])["adj_factor"][-1]

    store.write(DAILY, with_factors(day, [factor * 2.0]))
    layer.get_stock_data(LIVE, adjust="forward")  # the panels are not asked to look again yet
    clock.advance(5.1)
    after = layer.get_stock_data(LIVE, adjust="forward", fields=["close"])["close"]

    assert len(after) == len(before) + 1
    np.testing.assert_allclose(after[:-1], before / 2.0, rtol=1e-12)


def test_panels_are_adjusted_too(layer: DataAccessLayer) -> None:
    panel = layer.panel(["close", "volume"], adjust="forward")
    bars = layer.get_many(fields=["close", "volume"], adjust="forward")

    assert panel.to_arrow().cast(bars.to_arrow().schema).equals(bars.to_arrow())


def test_weeks_are_folded_from_adjusted_days(layer: DataAccessLayer) -> None:
    days = expected(layer, "backward", [LIVE]).set_index("trade_date")
    week = layer.get_stock_data(LIVE, frequency="1w", adjust="backward").to_pandas()

    assert week["high"].tolist() == days["high"].resample("W-SUN").max().tolist()
    assert week["open"].tolist() == days["open"].resample("W-SUN").first().tolist()


@pytest.mark.parametrize("frequency", ["1min", "5min", "60min"])
@pytest.mark.parametrize("mode", ["forward", "backward"])
def test_minutes_use_the_factor_of_their_day(layer: DataAccessLayer, frequency: str, mode: str) -> None:
    days = [date(2022, 12, 20), date(2022, 12, 21), date(2023, 1, 30)]  # factors 1, 2 and 4 of 20
    layer.write(MINUTE, table_of(MINUTE, [(LIVE, d, slot) for d in days for slot in range(240)], seed=3))
    factor = {days[0]: 1.0, days[1]: 2.0, days[2]: 4.0}

    raw = layer.get_stock_data(LIVE, frequency=frequency)
    adjusted = layer.get_stock_data(LIVE, frequency=frequency, adjust=mode)

    factors = np.array([factor[d] for d in raw.times.astype("datetime64[D]").tolist()])
    multiplier = factors / 20.0 if mode == "forward" else factors
    for name in PRICES:
        assert adjusted[name].tolist() == (raw[name] * multiplier).tolist()
    assert adjusted["volume"].tolist() == raw["volume"].tolist()


def test_a_day_without_a_factor_has_no_adjusted_price_and_keeps_its_row(layer: DataAccessLayer) -> None:
    rows = daily_bars(["300750.SZ"], date(2023, 1, 1), 4)
    layer.write(DAILY, with_factors(rows, [1.0, None, 2.0, None]))

    bars = layer.get_stock_data("300750.SZ", adjust="forward")

    assert np.isnan(bars["close"]).tolist() == [False, True, False, True]
    assert bars["close"][0] == rows["close"][0].as_py() / 2
    assert len(bars["volume"]) == 4
    assert bars.to_arrow()["close"].null_count == 2


@pytest.mark.parametrize("mode", ["forward", "backward"])
def test_a_symbol_without_any_factor_is_refused_by_name(layer: DataAccessLayer, mode: str) -> None:
    layer.write(DAILY, with_factors(daily_bars(["300750.SZ"], date(2023, 1, 1), 4), [None] * 4))

    with pytest.raises(
        InvalidRequest, match=r"no adjustment factors are stored for 300750\.SZ: .*adjust='none'"
    ):
        layer.get_many(adjust=mode)
    assert len(layer.get_many([LIVE, DELISTED], adjust=mode)) == 450


def test_an_anchor_before_the_first_factor_is_refused(layer: DataAccessLayer) -> None:
    with pytest.raises(InvalidRequest, match="on or before 2020-01-01"):
        layer.get_stock_data(LIVE, adjust="forward", anchor="2020-01-01")


def test_minutes_of_a_symbol_without_daily_bars_cannot_be_adjusted(layer: DataAccessLayer) -> None:
    layer.write(MINUTE, table_of(MINUTE, [("688981.SH", date(2023, 1, 3), 0)], seed=4))

    assert len(layer.get_stock_data("688981.SH", frequency="1min")) == 1
    with pytest.raises(InvalidRequest, match=r"no adjustment factors are stored for 688981\.SH"):
        layer.get_stock_data("688981.SH", frequency="1min", adjust="forward")
