"""The synthetic market keeps A-share law, adds up, and never depends on how much of it one asks for."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest
from quantflux.data.conform import conform
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS, MINUTE
from quantflux.data.sources.synthetic import PLANTED, SyntheticMarket

CLOCK = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
START, END = date(2020, 1, 2), date(2022, 12, 30)


@pytest.fixture(scope="module")
def market() -> SyntheticMarket:
    return SyntheticMarket(seed=2024, companies=300, start=START, end=END)


@pytest.fixture(scope="module")
def tables(market: SyntheticMarket) -> tuple[pa.Table, pa.Table]:
    (both,) = market.tables()
    return both


@pytest.fixture(scope="module")
def daily(tables: tuple[pa.Table, pa.Table]) -> pl.DataFrame:
    frame = pl.from_arrow(tables[0])
    assert isinstance(frame, pl.DataFrame)
    previous = pl.col("close").shift(1).over("symbol")
    step = (pl.col("adj_factor") / pl.col("adj_factor").shift(1)).over("symbol")
    return frame.with_columns(pre_close=(previous / step).round(2), step=step)


def test_every_table_is_accepted_by_its_dataset(
    market: SyntheticMarket, tables: tuple[pa.Table, pa.Table]
) -> None:
    rows, basic = tables

    assert conform(DAILY, rows, CLOCK).equals(rows)
    assert conform(DAILY_BASIC, basic, CLOCK).num_rows == rows.num_rows
    assert conform(INSTRUMENTS, market.instruments(), CLOCK).num_rows >= 300 * 0.95


def test_same_seed_same_market_and_more_companies_change_none(tables: tuple[pa.Table, pa.Table]) -> None:
    again = SyntheticMarket(seed=2024, companies=300, start=START, end=END)
    fewer = SyntheticMarket(seed=2024, companies=20, start=START, end=END)
    other = SyntheticMarket(seed=2025, companies=20, start=START, end=END)

    (whole,), (few,), (changed,) = (list(m.daily_tables()) for m in (again, fewer, other))

    assert whole.equals(tables[0])
    kept = whole.filter(pa.compute.is_in(whole["symbol"], value_set=few["symbol"].unique()))
    assert kept.equals(few)
    assert not changed.equals(few)


def test_a_market_is_the_same_on_every_machine_and_in_every_process() -> None:
    (rows,) = SyntheticMarket(
        seed=1, companies=5, start=date(2024, 1, 2), end=date(2024, 2, 29)
    ).daily_tables()

    text = rows.to_pandas().to_csv(index=False, float_format="%.6f")

    # Frozen on the day the generator was written; a change here changes every published synthetic figure.
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "0fa71e66ec463004"


def test_bars_are_well_formed(daily: pl.DataFrame) -> None:
    cents = daily.select((pl.col("open", "high", "low", "close") * 100).round(6))
    amount_low = daily["low"] * daily["volume"]
    amount_high = daily["high"] * daily["volume"]

    assert (cents == cents.select(pl.all().round(0))).to_numpy().all(), "prices lie on the tick"
    assert (daily["high"] >= daily.select(pl.max_horizontal("open", "close")).to_series()).all()
    assert (daily["low"] <= daily.select(pl.min_horizontal("open", "close")).to_series()).all()
    assert (daily["volume"] % 100 == 0).all() and (daily["volume"] > 0).all()
    assert (daily["amount"] >= amount_low - 0.01).all() and (daily["amount"] <= amount_high + 0.01).all()


def test_no_close_breaks_its_limit_and_some_touch_it(market: SyntheticMarket, daily: pl.DataFrame) -> None:
    main = daily.filter(pl.col("symbol").str.starts_with("60"), pl.col("step").is_not_null())
    special = pl.from_arrow(market.instruments()).filter(pl.col("status") != "normal")["symbol"].unique()
    main = main.filter(~pl.col("symbol").is_in(special.to_list()))
    cents = (main["pre_close"] * 100).round().cast(pl.Int64)
    up = ((2 * cents * 110 + 100) // 200).cast(pl.Float64) / 100
    down = ((2 * cents * 90 + 100) // 200).cast(pl.Float64) / 100
    listing_day = main["close"] / main["pre_close"] > 1.2

    assert (main["close"] <= up + 1e-9).all() and (main["close"] >= down - 1e-9).all()
    assert (main["close"] == up).sum() > 50
    assert (main["close"] == down).sum() > 50
    assert not listing_day.any()


def test_dividends_and_splits_keep_the_adjusted_series_smooth(daily: pl.DataFrame) -> None:
    events = daily.filter((pl.col("step") - 1).abs() > 1e-9)
    adjusted = events["close"] / events["pre_close"] - 1
    raw = events.filter(pl.col("step") > 1.3)

    assert len(events) > 300
    assert adjusted.abs().median() < 0.03, "an ex-date is an ordinary day once adjusted"
    assert len(raw) > 5
    assert (daily["adj_factor"] > 0).all()


def test_the_market_has_the_hard_cases(market: SyntheticMarket, daily: pl.DataFrame) -> None:
    instruments = pl.from_arrow(market.instruments())
    sessions = len(market.sessions)
    days = daily.group_by("symbol").len()

    statuses = set(instruments["status"].unique())
    boards = set(instruments["board"].unique())
    one_price = daily.filter(pl.col("high") == pl.col("low"))

    assert statuses == {"normal", "st", "delisted"}
    assert boards == {"main", "chinext", "star", "bse"}
    assert instruments["list_date"].drop_nulls().is_between(START, END).any()
    assert (days["len"] < sessions).sum() > 100, "suspensions and late listings leave days without a bar"
    assert len(one_price) > 50
    assert instruments.filter(pl.col("status") == "st")["name"].str.starts_with("ST合成").all()
    assert instruments["name"].str.contains("合成").all(), "every name says it is synthetic"


def test_the_planted_alphas_are_there_and_one_fades(daily: pl.DataFrame) -> None:
    log = (pl.col("close") * pl.col("adj_factor")).log()
    frame = daily.with_columns(
        signal=-(log - log.shift(20)).over("symbol"), ahead=(log.shift(-6) - log.shift(-1)).over("symbol")
    ).drop_nulls(["signal", "ahead"])
    by_day = (
        frame.group_by("trade_date").agg(ic=pl.corr("signal", "ahead", method="spearman")).sort("trade_date")
    )
    third = len(by_day) // 3
    early, late = by_day["ic"][:third].mean(), by_day["ic"][-third:].mean()
    fading = next(a for a in PLANTED if a.name == "reversal").strength_at(np.array([0.0, 0.5, 1.0]))

    assert early is not None and late is not None
    assert early > 0.02
    assert late < early
    assert fading.tolist() == pytest.approx([0.15, 0.075, 0.0375])


def test_minutes_add_up_to_the_day_exactly(market: SyntheticMarket, daily: pl.DataFrame) -> None:
    minutes = pa.concat_tables(market.minute_tables(companies=40, days=5))
    assert conform(MINUTE, minutes, CLOCK).num_rows == minutes.num_rows
    frame = (
        pl.from_arrow(minutes)
        .sort("symbol", "bar_time")
        .with_columns(trade_date=pl.col("bar_time").dt.date())
    )
    cents = (pl.col("amount") * 100).round().cast(pl.Int64)

    days = frame.group_by("symbol", "trade_date").agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
        pl.col("volume").sum(), cents=cents.sum(),
    )  # fmt: skip
    both = days.join(daily.with_columns(cents=cents), on=["symbol", "trade_date"], suffix="_day")

    assert len(both) == len(days) > 150
    for name in ("open", "high", "low", "close", "volume", "cents"):
        assert (both[name] == both[f"{name}_day"]).all(), name
    inside = frame.filter(
        (pl.col("amount") > pl.col("high") * pl.col("volume") + 0.01)
        | (pl.col("amount") < pl.col("low") * pl.col("volume") - 0.01)
    )
    assert inside.is_empty()


def test_minute_volume_is_u_shaped(market: SyntheticMarket) -> None:
    frame = pl.from_arrow(pa.concat_tables(market.minute_tables(companies=40, days=5)))
    clock = frame.group_by(pl.col("bar_time").dt.time().alias("at")).agg(pl.col("volume").mean()).sort("at")
    volume = clock["volume"].to_numpy()

    assert len(volume) == 240
    assert volume[:15].mean() > 2 * volume[60:110].mean()
    assert volume[-10:].mean() > 1.3 * volume[150:200].mean()


@pytest.mark.parametrize(("companies", "end"), [(0, END), (100_000, END), (5, START)])
def test_impossible_markets_are_refused(companies: int, end: date) -> None:
    with pytest.raises(InvalidRequest, match="synthetic market"):
        SyntheticMarket(seed=1, companies=companies, start=START, end=end)
