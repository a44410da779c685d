"""Files of adjustment factors, for every day or for the days of change, joined to stored bars."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import MarketStore, Query
from quantflux.data.quality import Ledger
from quantflux.data.schema import DAILY
from quantflux.data.sources.files import import_factors
from tests.data.sources.files.vendors import market

EX_DAY = date(2024, 3, 1)


@pytest.fixture
def store(clock: FixedClock) -> MarketStore:
    store = open_store(clock=clock)
    store.write(DAILY, market().drop("adj_factor").with_columns(pl.col("volume").cast(pl.Int64)).to_arrow())
    return store


def factors(store: MarketStore) -> pl.DataFrame:
    return pl.DataFrame(store.read(Query(DAILY, columns=("adj_factor",))))


def daily_file(path: Path) -> Path:
    factor = pl.when(pl.col("trade_date") < EX_DAY).then(4.0).otherwise(5.0)
    rows = market().select(
        pl.col("symbol").alias("ts_code"),
        pl.col("trade_date").dt.strftime("%Y%m%d"),
        factor.alias("adj_factor"),
    )
    rows.reverse().write_csv(path)
    return path


def changes_file(path: Path) -> Path:
    path.write_text(
        "code,dividOperateDate,foreAdjustFactor,backAdjustFactor,adjustFactor\n"
        f"sh.600519,{EX_DAY},1.0,5.0,5.0\nsh.600519,2001-08-27,0.8,4.0,4.0\nsz.000001,{EX_DAY},1.0,2.0,2.0\n"
        "sh.601398,2010-01-04,1.0,3.0,3.0\n"
    )
    return path


def test_a_factor_for_every_day(store: MarketStore, tmp_path: Path) -> None:
    report = import_factors(daily_file(tmp_path / "adj.csv"), store)

    assert (report.form, report.bars_changed, report.bars_without) == ("daily", market().height, 0)
    by_side = factors(store).group_by(pl.col("trade_date") < EX_DAY).agg(pl.col("adj_factor").unique())
    assert sorted(by_side["adj_factor"].explode()) == [4.0, 5.0]


def test_days_of_change_spread_over_the_bars(store: MarketStore, tmp_path: Path) -> None:
    report = import_factors(changes_file(tmp_path / "adj.csv"), store)

    assert report.form == "changes"
    rows = factors(store)
    for symbol, before, after in (("600519.SH", 4.0, 5.0), ("000001.SZ", 1.0, 2.0)):
        mine = rows.filter(pl.col("symbol") == symbol)
        assert set(mine.filter(pl.col("trade_date") < EX_DAY)["adj_factor"]) == {before}
        assert set(mine.filter(pl.col("trade_date") >= EX_DAY)["adj_factor"]) == {after}
    untouched = rows.filter(pl.col("symbol") == "300750.SZ")["adj_factor"]
    assert untouched.null_count() == len(untouched)


@pytest.mark.parametrize("make", [daily_file, changes_file])
def test_joining_twice_changes_nothing(make, store: MarketStore, tmp_path: Path) -> None:
    path = make(tmp_path / "adj.csv")
    first = import_factors(path, store)

    second = import_factors(path, store)

    assert (second.bars_changed, second.bars_unchanged) == (0, first.bars_changed)
    assert second.version == first.version


def test_a_dry_run_only_counts(store: MarketStore, tmp_path: Path) -> None:
    report = import_factors(daily_file(tmp_path / "adj.csv"), store, dry_run=True)

    assert report.bars_changed == market().height
    assert factors(store)["adj_factor"].null_count() == market().height


def test_bad_factors_are_left_out_and_bars_without_one_left_alone(store: MarketStore, tmp_path: Path) -> None:
    (tmp_path / "adj.csv").write_text(
        "ts_code,trade_date,adj_factor\n600519.SH,20230103,0\n600519.SH,20230104,-1\n600519.SH,20230105,x\n"
        "nobody,20230105,2\n600519.SH,20230106,2.5\n600519.SH,20230110,2.5\n"
    )

    report = import_factors(tmp_path / "adj.csv", store)

    assert (report.rows_read, report.rows_refused) == (6, 4)
    assert (report.bars_changed, report.bars_without) == (2, 1)


def test_files_without_factors_are_refused(store: MarketStore, tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("ts_code,trade_date,close\n600519.SH,20230103,1\n")
    with pytest.raises(InvalidRequest, match="adj_factor, backAdjustFactor"):
        import_factors(tmp_path / "bars.csv", store)
    (tmp_path / "none.csv").write_text("ts_code,trade_date,adj_factor\n600519.SH,20230103,0\n")
    with pytest.raises(InvalidData, match="no readable factor"):
        import_factors(tmp_path / "none.csv", store)


def test_factors_over_adjusted_prices_are_warned_of(
    store: MarketStore, tmp_path: Path, clock: FixedClock
) -> None:
    ledger = Ledger(tmp_path / "quality", clock)
    ledger.begin(DAILY.name, "import", "abc", {"adjustment": "multiplicative"})

    report = import_factors(daily_file(tmp_path / "adj.csv"), store, ledger=ledger)

    assert "twice" in report.warnings[0]
