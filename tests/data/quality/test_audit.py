"""Auditing a store runs the same rules over what it holds, and sets minutes beside days."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import Unsupported
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import MarketStore
from quantflux.data.quality import Ledger, audit_dataset
from quantflux.data.schema import DAILY, DAILY_BASIC, MINUTE, Dataset
from tests.data.quality.market import clean_daily, clean_minutes, sessions


def _write(store: MarketStore, dataset: Dataset, frame: pl.DataFrame) -> None:
    store.write(dataset, frame.with_columns(pl.col("volume").cast(pl.Int64)).to_arrow())


def _day_of(minutes: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("bar_time").dt.date().alias("trade_date")
    return minutes.group_by("symbol", day, maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
        pl.col("amount").sum(),
    )


def test_a_clean_store_is_clean_over_several_years(clock: FixedClock) -> None:
    store = open_store(clock=clock)
    _write(store, DAILY, clean_daily())

    report = audit_dataset(store, DAILY, sessions=sessions(), clock=clock)

    assert report.clean
    assert report.by_rule == []
    assert report.rows == clean_daily().height


def test_an_audit_finds_what_is_stored_and_writes_it_down_once(clock: FixedClock, tmp_path: Path) -> None:
    store = open_store(clock=clock)
    frame = clean_daily()
    bad = pl.int_range(pl.len()) == 300
    _write(
        store,
        DAILY,
        frame.with_columns(pl.when(bad).then(pl.col("low") * 0.5).otherwise(pl.col("high")).alias("high")),
    )
    ledger = Ledger(tmp_path, clock)

    reports = [audit_dataset(store, DAILY, sessions=sessions(), clock=clock, ledger=ledger) for _ in range(2)]

    assert [r.count("ohlc_order") for r in reports] == [1, 1]
    assert not reports[0].clean
    assert ledger.findings(DAILY.name, rule="ohlc_order").height == 1
    assert [run.kind for run in ledger.runs()] == ["audit", "audit"]


def test_an_audit_can_be_narrowed(clock: FixedClock) -> None:
    store = open_store(clock=clock)
    frame = clean_daily()
    _write(store, DAILY, frame)
    day = frame["trade_date"][100]

    one = audit_dataset(
        store, DAILY, sessions=sessions(), clock=clock, symbols=("600519.SH",), start=day, end=day
    )
    none = audit_dataset(open_store(clock=clock), DAILY, sessions=sessions(), clock=clock)

    assert (one.rows, none.rows) == (1, 0)


def test_minutes_that_add_up_to_the_day_are_clean(clock: FixedClock) -> None:
    store = open_store(clock=clock)
    minutes = clean_minutes()
    _write(store, MINUTE, minutes)
    _write(store, DAILY, _day_of(minutes))

    report = audit_dataset(store, MINUTE, sessions=sessions(), clock=clock)

    assert report.by_rule == []


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("minutes_volume", pl.col("volume") * 2),
        ("minutes_prices", (pl.col("high") - 0.5).alias("high")),
        ("minutes_prices", (pl.col("close") + 0.05).alias("close")),
    ],
)
def test_a_day_that_disagrees_with_its_minutes_is_flagged(
    clock: FixedClock, rule: str, change: pl.Expr
) -> None:
    store = open_store(clock=clock)
    minutes = clean_minutes()
    _write(store, MINUTE, minutes)
    _write(store, DAILY, _day_of(minutes).with_columns(change))

    report = audit_dataset(store, MINUTE, sessions=sessions(), clock=clock)

    assert [(c.rule, c.count) for c in report.by_rule] == [(rule, 2)]


def test_missing_minutes_and_missing_days_are_flagged(clock: FixedClock) -> None:
    store = open_store(clock=clock)
    minutes = clean_minutes(days=2)
    _write(store, MINUTE, minutes.filter(pl.int_range(pl.len()) != 17))
    _write(store, DAILY, _day_of(minutes).head(1))

    report = audit_dataset(store, MINUTE, sessions=sessions(), clock=clock)

    assert {c.rule: c.count for c in report.by_rule} == {"minutes_missing": 1, "minutes_without_day": 1}


def test_only_bars_are_judged(clock: FixedClock) -> None:
    with pytest.raises(Unsupported, match="stock_daily_basic"):
        audit_dataset(open_store(clock=clock), DAILY_BASIC, sessions=sessions(), clock=clock)
