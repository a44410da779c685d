"""Every step of a synthetic factor is a dividend or split that a shareholder can count."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.panel import Panel
from quantflux.data.conform import conform
from quantflux.data.corporate_actions import placed_actions
from quantflux.data.ex_rights import share_growth
from quantflux.data.schema import CORPORATE_ACTIONS
from quantflux.data.sources.synthetic import SyntheticMarket

START, END = date(2021, 1, 4), date(2023, 12, 29)


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return SyntheticMarket(seed=11, companies=200, start=START, end=END)


@pytest.fixture(scope="module")
def actions(market: SyntheticMarket) -> pa.Table:
    return market.corporate_actions()


@pytest.fixture(scope="module")
def daily(market: SyntheticMarket) -> pa.Table:
    (table,) = market.daily_tables()
    return table.select(["symbol", "trade_date", "close", "adj_factor"])


def test_the_dataset_accepts_them_as_they_are(actions: pa.Table) -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))

    assert conform(CORPORATE_ACTIONS, actions, clock).equals(actions)
    frame = pl.from_arrow(actions)
    assert isinstance(frame, pl.DataFrame)
    assert (frame["cash"] > 0).sum() > 200 and (frame["shares"] > 0).sum() > 5
    assert (frame["record_date"] < frame["ex_date"]).all()
    assert ((frame["cash"] * 100).round(6) % 1 == 0).all(), (
        "cash is whole cents, as it was taken off the price"
    )


def test_fewer_companies_have_the_same_actions(actions: pa.Table) -> None:
    fewer = SyntheticMarket(seed=11, companies=20, start=START, end=END)

    few = fewer.corporate_actions()

    (bars,) = fewer.daily_tables()
    names = bars["symbol"].unique()
    assert actions.filter(pa.compute.is_in(actions["symbol"], value_set=names)).equals(few)


def test_every_step_is_explained_and_every_action_shown(actions: pa.Table, daily: pa.Table) -> None:
    bars = Panel.from_table(daily)

    grown = share_growth(bars, placed_actions(actions, bars.times, bars.symbols))

    factor = bars["adj_factor"]
    steps = np.nansum(np.abs(factor[1:] / factor[:-1] - 1) > 1e-9)
    assert steps > 200
    assert len(grown.growth.shares) == 0
    assert (len(grown.unexplained), len(grown.unshown)) == (0, 0)


def test_a_patient_holder_who_reinvests_earns_the_adjusted_return(actions: pa.Table, daily: pa.Table) -> None:
    # Counted share by share, independently of `share_growth`: cash buys shares at the day's reference price.
    events = pl.from_arrow(actions)
    rows = pl.from_arrow(daily)
    assert isinstance(events, pl.DataFrame) and isinstance(rows, pl.DataFrame)
    symbol = events.filter(pl.col("shares") > 0)["symbol"][0]
    own = rows.filter(pl.col("symbol") == symbol)
    due = events.filter(pl.col("symbol") == symbol).rows(named=True)

    shares, previous = 1.0, own["close"][0]
    for day, close in own.select("trade_date", "close").iter_rows():
        while due and due[0]["ex_date"] <= day:
            paid = due.pop(0)
            reference = round((previous - paid["cash"]) / (1 + paid["shares"]), 2)
            shares *= 1 + paid["shares"] + paid["cash"] / reference
        previous = close

    adjusted = own["close"][-1] * own["adj_factor"][-1] / (own["close"][0] * own["adj_factor"][0])
    assert shares * own["close"][-1] / own["close"][0] == pytest.approx(adjusted, rel=2e-3)
