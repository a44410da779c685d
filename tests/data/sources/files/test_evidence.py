"""What the rows say about adjustment and labels; the traps of real files, in small."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import Query
from quantflux.data.quality import Adjustment
from quantflux.data.schema import DAILY, MINUTE
from quantflux.data.sources.files import ImportOptions, inspect_file, run_import
from tests.data.quality.market import clean_minutes, sessions
from tests.data.sources.files.vendors import WRITERS, market, write

PRICES = ("open", "high", "low", "close")


def subtracted(frame: pl.DataFrame) -> pl.DataFrame:
    """Forward adjustment by subtraction of two large dividends, as Eastmoney does it."""
    shift = (
        pl.when(pl.col("trade_date") < date(2023, 8, 1))
        .then(25.0)
        .when(pl.col("trade_date") < date(2024, 3, 1))
        .then(4.0)
        .otherwise(0.0)
    )
    return frame.with_columns((pl.col(p) - shift).round(2) for p in PRICES)


def scaled(frame: pl.DataFrame) -> pl.DataFrame:
    """Forward adjustment by scaling, kept in single precision, as Yahoo does it."""
    factor = pl.when(pl.col("trade_date") < date(2024, 3, 1)).then(0.96437).otherwise(1.0)
    return frame.with_columns((pl.col(p) * factor).cast(pl.Float32).cast(pl.Float64).round(6) for p in PRICES)


def test_subtractive_adjustment_is_recognised_and_its_negative_prices_kept_out(
    tmp_path: Path, clock: FixedClock
) -> None:
    frame = subtracted(market())
    bad = frame.filter(pl.min_horizontal(*PRICES) <= 0).height
    plan = inspect_file(write(WRITERS["eastmoney"](frame), tmp_path / "bars.parquet"))
    store = open_store(clock=clock)

    report = run_import(plan, store, sessions=sessions(), clock=clock)

    assert plan.adjustment is Adjustment.SUBTRACTIVE
    assert any("subtraction" in w for w in plan.warnings)
    assert (plan.units.volume, plan.units.confirmed) == ("lots", True)
    assert bad > 100
    assert report.quality.count("non_positive_price") == report.rows_quarantined == bad
    assert report.rows_stored == frame.height - bad


def test_multiplicative_adjustment_imports_clean_with_a_factor_of_one(
    tmp_path: Path, clock: FixedClock
) -> None:
    path = write(
        WRITERS["canonical"](scaled(market())).drop("adj_factor", "amount"), tmp_path / "bars.parquet"
    )
    plan = inspect_file(path)
    store = open_store(clock=clock)

    report = run_import(plan, store, sessions=sessions(), clock=clock)

    assert plan.adjustment is Adjustment.MULTIPLICATIVE
    assert report.quality.by_rule == []
    factors = pl.DataFrame(store.read(Query(DAILY)))["adj_factor"]
    assert factors.null_count() == 0
    assert set(factors) == {1.0}


def test_adjustment_rounded_to_the_tick_shows_in_average_prices(tmp_path: Path) -> None:
    factor = pl.when(pl.col("trade_date") < date(2024, 3, 1)).then(0.8).otherwise(1.0)
    frame = market().with_columns((pl.col(p) * factor).round(2) for p in PRICES)

    plan = inspect_file(write(WRITERS["akshare"](frame), tmp_path / "bars.csv"))

    assert plan.adjustment is Adjustment.ROUNDED


def test_raw_prices_with_a_split_stay_raw(tmp_path: Path, clock: FixedClock) -> None:
    after = pl.col("trade_date") >= date(2024, 3, 1)
    frame = market().with_columns(
        *(pl.when(after).then((pl.col(p) / 2).round(2)).otherwise(pl.col(p)).alias(p) for p in PRICES),
        pl.when(after).then(pl.col("volume") * 2).otherwise(pl.col("volume")).alias("volume"),
    )
    plan = inspect_file(write(WRITERS["akshare"](frame), tmp_path / "bars.csv"))
    store = open_store(clock=clock)

    report = run_import(plan, store, sessions=sessions(), clock=clock)

    assert plan.adjustment is Adjustment.RAW
    assert [(c.rule, c.symbols) for c in report.quality.by_rule] == [("unexplained_jump", 3)]
    assert pl.DataFrame(store.read(Query(DAILY)))["adj_factor"].null_count() == frame.height


def test_one_bad_price_does_not_make_a_file_adjusted(tmp_path: Path) -> None:
    here = pl.int_range(pl.len()) == 3
    frame = market().with_columns(pl.when(here).then(-1.0).otherwise(pl.col("low")).alias("low"))

    assert inspect_file(write(WRITERS["akshare"](frame), tmp_path / "bars.csv")).adjustment is Adjustment.RAW


def test_the_user_may_say_how_prices_are_adjusted(tmp_path: Path) -> None:
    path = write(WRITERS["akshare"](market()), tmp_path / "bars.csv")

    plan = inspect_file(path, ImportOptions(adjustment="multiplicative"))

    assert plan.adjustment is Adjustment.MULTIPLICATIVE
    assert "the rows say: raw" in plan.adjustment_reason
    with pytest.raises(InvalidRequest, match="raw, multiplicative, subtractive, rounded"):
        inspect_file(path, ImportOptions(adjustment="qfq"))


def minute_file(frame: pl.DataFrame, path: Path, shift: str = "0s") -> Path:
    local = pl.col("bar_time").dt.offset_by(shift).dt.strftime("%Y-%m-%d %H:%M:%S")
    return write(
        frame.select(
            pl.lit("sh.600519").alias("ts_code"),
            local.alias("datetime"),
            pl.lit("1min").alias("period_type"),
            *(pl.col(p) for p in PRICES),
            pl.col("volume").cast(pl.Int64),
            "amount",
        ),
        path,
    )


def imported_minutes(path: Path, clock: FixedClock, **options: str) -> pl.DataFrame:
    store = open_store(clock=clock)
    run_import(inspect_file(path, ImportOptions(**options)), store, sessions=sessions(), clock=clock)
    return pl.DataFrame(store.read(Query(MINUTE)))


@pytest.mark.parametrize(("shift", "label"), [("0s", "close"), ("-1m", "open")])
def test_minute_labels_are_told_and_brought_to_the_close(
    shift: str, label: str, tmp_path: Path, clock: FixedClock
) -> None:
    path = minute_file(clean_minutes(), tmp_path / "m.csv", shift)

    plan = inspect_file(path)

    assert (plan.layout.name, plan.label) == ("v1-minute", label)
    assert imported_minutes(path, clock)["bar_time"].equals(clean_minutes()["bar_time"])


def test_the_opening_auction_joins_the_first_bar(tmp_path: Path, clock: FixedClock) -> None:
    bars = clean_minutes(days=1)
    auction = bars.head(1).with_columns(
        pl.col("bar_time").dt.offset_by("-1m"), pl.lit(1690.0).alias("open"), pl.lit(1690.0).alias("low")
    )

    rows = imported_minutes(minute_file(pl.concat([auction, bars]), tmp_path / "m.csv"), clock)

    assert rows.height == 240
    first = rows.row(0, named=True)
    assert (first["open"], first["low"], first["close"]) == (1690.0, 1690.0, bars["close"][0])
    assert first["volume"] == 2 * bars["volume"][0]
    assert rows["volume"].sum() == bars["volume"].sum() + bars["volume"][0]


def test_longer_periods_in_a_dump_are_left_out(tmp_path: Path, clock: FixedClock) -> None:
    path = minute_file(clean_minutes(days=1), tmp_path / "m.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines + [line.replace("1min", "5min") for line in lines[1:6]]))

    assert imported_minutes(path, clock).height == 240


def test_five_minute_bars_utc_times_and_half_a_day_are_refused_with_the_option_that_helps(
    tmp_path: Path, clock: FixedClock
) -> None:
    bars = clean_minutes()
    five = bars.filter(pl.col("bar_time").dt.minute() % 5 == 0)
    with pytest.raises(InvalidData, match="multiples of 5"):
        inspect_file(minute_file(five, tmp_path / "five.csv"))
    utc = minute_file(bars, tmp_path / "utc.csv", "-8h")
    with pytest.raises(InvalidData, match="--timezone UTC"):
        inspect_file(utc)
    assert imported_minutes(utc, clock, timezone="UTC")["bar_time"].equals(bars["bar_time"])
    morning = minute_file(bars.head(50), tmp_path / "morning.csv")
    with pytest.raises(InvalidData, match="--label"):
        inspect_file(morning)
    assert imported_minutes(morning, clock, label="close").height == 50


def test_summer_time_of_1991_is_known(tmp_path: Path, clock: FixedClock) -> None:
    stamps = ["1991-04-12 09:35:00", "1991-04-15 09:35:00", "1991-04-15 11:30:00", "1991-04-14 02:30:00"]
    frame = pl.DataFrame(
        {"ts_code": "600601", "datetime": stamps, "period_type": "1min"}
        | {p: [100.0] * 4 for p in PRICES}
        | {"volume": 100, "amount": 10_000.0}
    )

    rows = imported_minutes(write(frame, tmp_path / "m.csv"), clock, label="close")

    utc = rows["bar_time"].dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M")
    assert utc.to_list() == ["1991-04-12 01:35", "1991-04-15 00:35", "1991-04-15 02:30"]


def real(name: str) -> Path:
    folder = os.environ.get("QUANTFLUX_MARKET_DATA")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip(f"set QUANTFLUX_MARKET_DATA to the folder that holds {name}")
    return Path(folder) / name


def test_a_real_eastmoney_file_is_subtractive(clock: FixedClock) -> None:
    plan = inspect_file(real("sse50_2001_2022_eastmoney.parquet"))

    report = run_import(plan, open_store(clock=clock), sessions=sessions(), clock=clock)

    assert (plan.layout.name, plan.adjustment) == ("eastmoney", Adjustment.SUBTRACTIVE)
    assert report.rows_read == 190_635
    assert report.quality.count("non_positive_price") == report.rows_quarantined == 35_983
    closes = pl.read_parquet(plan.path)["收盘"]
    assert (closes <= 0).sum() == 35_465


def test_a_real_adjusted_file_imports_clean(clock: FixedClock) -> None:
    plan = inspect_file(real("csi300_2025_daily.parquet"))

    report = run_import(plan, open_store(clock=clock), sessions=sessions(), clock=clock)

    assert plan.adjustment is Adjustment.MULTIPLICATIVE
    assert (report.rows_stored, report.rows_quarantined) == (67_387, 0)
    assert report.quality.clean
