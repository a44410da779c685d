"""Synthetic money flow adds up to the bars; what holders paid follows the prices."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.conform import conform
from quantflux.data.schema import CHIP, MONEYFLOW
from quantflux.data.sources.synthetic import SyntheticMarket

CLOCK = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
START, END = date(2021, 1, 4), date(2022, 12, 30)
SIZES = ("sm", "md", "lg", "elg")


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return SyntheticMarket(seed=11, companies=100, start=START, end=END)


@pytest.fixture(scope="module")
def tables(market: SyntheticMarket) -> tuple[pa.Table, pa.Table]:
    (both,) = market.flow_tables()
    return both


@pytest.fixture(scope="module")
def bars(market: SyntheticMarket) -> pl.DataFrame:
    (daily,) = market.daily_tables()
    return pl.DataFrame(daily)


def test_every_table_is_accepted_by_its_dataset(
    tables: tuple[pa.Table, pa.Table], bars: pl.DataFrame
) -> None:
    for source, table in zip((MONEYFLOW, CHIP), tables, strict=True):
        assert conform(source, table, CLOCK).equals(table)
        assert table.num_rows == bars.height
        assert sum(column.null_count for column in table.columns) == 0


def test_more_companies_change_none(tables: tuple[pa.Table, pa.Table]) -> None:
    (few,) = SyntheticMarket(seed=11, companies=7, start=START, end=END).flow_tables()

    for less, table in zip(few, tables, strict=True):
        assert table.filter(pa.compute.is_in(table["symbol"], value_set=less["symbol"].unique())).equals(less)


def test_what_is_bought_is_sold_and_is_what_was_traded(
    tables: tuple[pa.Table, pa.Table], bars: pl.DataFrame
) -> None:
    flow = pl.DataFrame(tables[0]).join(bars, on=["symbol", "trade_date"])

    for side in ("buy", "sell"):
        shares = flow.select(pl.sum_horizontal(f"{side}_{size}_vol" for size in SIZES)).to_series()
        value = flow.select(pl.sum_horizontal(f"{side}_{size}_amount" for size in SIZES)).to_series()
        assert (shares == flow["volume"]).all()
        assert (value - flow["amount"]).abs().max() < 0.05
    every = flow.select(
        f"{s}_{size}_{w}" for s in ("buy", "sell") for size in SIZES for w in ("vol", "amount")
    )
    assert every.min_horizontal().min() >= 0


def test_large_orders_lean_towards_the_move_of_the_day(
    tables: tuple[pa.Table, pa.Table], bars: pl.DataFrame
) -> None:
    close = pl.col("close") * pl.col("adj_factor")
    moved = bars.with_columns(move=(close / close.shift(1)).over("symbol") - 1)
    both = pl.DataFrame(tables[0]).join(moved, on=["symbol", "trade_date"]).drop_nulls("move")

    assert both.select(pl.corr("net_mf_amount", "move", method="spearman")).item() > 0.1


def test_costs_are_ordered_and_lie_where_prices_were(
    tables: tuple[pa.Table, pa.Table], bars: pl.DataFrame
) -> None:
    chip = pl.DataFrame(tables[1]).join(bars, on=["symbol", "trade_date"])
    costs = chip.select(f"cost_{p}pct" for p in (5, 15, 50, 85, 95)).to_numpy()

    assert (np.diff(costs, axis=1) >= 0).all()
    assert (chip["his_low"] <= chip["low"] + 0.006).all() and (chip["his_high"] >= chip["high"] - 0.006).all()
    assert chip["winner_rate"].is_between(0, 100).all()
    above = chip.filter(pl.col("close") > pl.col("cost_50pct") + 0.01)
    assert (above["winner_rate"] >= 49.9).all() and above.height > 1000


def test_costs_follow_the_price_as_fast_as_shares_change_hands(
    market: SyntheticMarket, tables: tuple[pa.Table, pa.Table], bars: pl.DataFrame
) -> None:
    """The mean cost of a company without ex-dates is the turnover-weighted mean of its past prices."""
    steps = bars.group_by("symbol").agg(pl.col("adj_factor").n_unique(), pl.len())
    symbol = steps.filter(pl.col("adj_factor") == 1).sort("len")["symbol"][-1]
    own = bars.filter(pl.col("symbol") == symbol)
    ((_, basic),) = market.tables()
    shares = pl.DataFrame(basic).filter(pl.col("symbol") == symbol)["total_share"][0]

    mean = np.log(own["close"][0])
    for close, volume in zip(own["close"], own["volume"], strict=True):
        mean += min(volume / shares, 1.0) * (np.log(close) - mean)

    last = pl.DataFrame(tables[1]).filter(pl.col("symbol") == symbol)["cost_50pct"][-1]
    assert last == pytest.approx(np.exp(mean), abs=0.011)
