"""Every vendor's layout of the same market becomes the same rows."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidData, InvalidRequest, StoreUnavailable
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import MarketStore, Query, Span, WriteReceipt
from quantflux.data.quality import Adjustment, Ledger
from quantflux.data.schema import DAILY, Dataset
from quantflux.data.sources.files import ImportOptions, ImportReport, inspect_file, run_import
from tests.data.quality.market import sessions
from tests.data.sources.files import vendors
from tests.data.sources.files.vendors import WRITERS, market, write


def import_file(
    path: Path, store: MarketStore, clock: FixedClock, ledger: Ledger | None = None, **options: str
) -> ImportReport:
    plan = inspect_file(path, ImportOptions(**options))
    return run_import(plan, store, sessions=sessions(), clock=clock, ledger=ledger)


def stored(store: MarketStore) -> pl.DataFrame:
    return pl.DataFrame(store.read(Query(DAILY)))


BARS = ["symbol", "trade_date", "open", "high", "low", "close", "volume"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("layout", WRITERS)
def test_each_layout_is_recognised_and_gives_the_same_bars(
    layout: str, suffix: str, tmp_path: Path, clock: FixedClock
) -> None:
    path = write(WRITERS[layout](market()), tmp_path / f"bars{suffix}")
    store = open_store(clock=clock)

    report = import_file(path, store, clock)

    rows = stored(store)
    assert report.layout == layout
    assert report.adjustment is Adjustment.RAW
    assert (report.rows_read, report.rows_stored, report.rows_quarantined) == (
        market().height,
        market().height,
        0,
    )
    assert report.quality.by_rule == []
    assert rows.select(BARS).equals(market().select(BARS).with_columns(pl.col("volume").cast(pl.Int64)))
    if layout != "yahoo":
        assert (rows["amount"] - market()["amount"]).abs().max() < 1e-3  # a thousandth of a yuan


@pytest.mark.parametrize("layout", ["akshare", "tushare", "baostock", "generic"])
def test_units_are_confirmed_by_the_rows(layout: str, tmp_path: Path) -> None:
    plan = inspect_file(write(WRITERS[layout](market()), tmp_path / "bars.csv"))

    assert plan.units.confirmed
    assert "between low and high" in plan.units.reason


@pytest.mark.parametrize(("volume", "amount"), [(100.0, 1.0), (1.0, 1000.0), (0.01, 1.0), (1.0, 0.001)])
def test_units_other_than_declared_stop_the_import(volume: float, amount: float, tmp_path: Path) -> None:
    frame = WRITERS["tushare"](market()).with_columns(pl.col("vol") * volume, pl.col("amount") * amount)
    path = write(frame, tmp_path / "bars.csv")

    with pytest.raises(InvalidData, match="--volume-unit") as caught:
        inspect_file(path)

    assert caught.value.rule == "units"


def test_given_units_override_the_layout(tmp_path: Path, clock: FixedClock) -> None:
    frame = WRITERS["tushare"](market()).with_columns(pl.col("vol") * 100, pl.col("amount") * 1000)
    path = write(frame, tmp_path / "bars.csv")
    store = open_store(clock=clock)

    report = import_file(path, store, clock, volume_unit="shares", amount_unit="yuan")

    assert (report.volume_unit, report.amount_unit) == ("shares", "yuan")
    assert stored(store)["volume"].to_list() == market()["volume"].cast(pl.Int64).to_list()


def test_without_an_amount_a_generic_file_needs_its_volume_unit(tmp_path: Path, clock: FixedClock) -> None:
    path = write(WRITERS["generic"](market()).drop("成交金额"), tmp_path / "bars.csv")

    with pytest.raises(InvalidRequest, match="--volume-unit"):
        inspect_file(path)

    store = open_store(clock=clock)
    assert import_file(path, store, clock, volume_unit="shares").rows_stored == market().height


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators(encoding: str, separator: str, tmp_path: Path, clock: FixedClock) -> None:
    path = write(WRITERS["eastmoney"](market().head(50)), tmp_path / "bars.csv", encoding, separator)
    store = open_store(clock=clock)

    assert import_file(path, store, clock).rows_stored == 50


def test_packed_files_are_read(tmp_path: Path, clock: FixedClock) -> None:
    plain = write(WRITERS["tushare"](market()), tmp_path / "bars.csv")
    (tmp_path / "bars.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(tmp_path / "bars.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "bars.csv")

    for packed in (tmp_path / "bars.csv.gz", tmp_path / "bars.zip"):
        assert import_file(packed, open_store(clock=clock), clock).rows_stored == market().height


def test_importing_twice_changes_nothing(tmp_path: Path, clock: FixedClock) -> None:
    path = write(WRITERS["akshare"](market()), tmp_path / "bars.csv")
    store, ledger = open_store(clock=clock), Ledger(tmp_path / "quality", clock)
    first = import_file(path, store, clock, ledger)
    before = stored(store)

    second = import_file(path, store, clock, ledger)

    assert (second.rows_stored, second.rows_unchanged) == (0, market().height)
    assert second.version == first.version
    assert stored(store).equals(before)


def test_a_dry_run_writes_nothing_and_reports_the_same(tmp_path: Path, clock: FixedClock) -> None:
    bad = market().with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(0.0).otherwise(pl.col("low")).alias("low")
    )
    path = write(WRITERS["akshare"](bad), tmp_path / "bars.csv")
    store, ledger = open_store(clock=clock), Ledger(tmp_path / "quality", clock)
    plan = inspect_file(path)

    dry = run_import(plan, store, sessions=sessions(), clock=clock, ledger=ledger, dry_run=True)

    assert store.span(DAILY) is None
    assert ledger.runs() == []
    assert ledger.findings().height == 0
    wet = run_import(plan, store, sessions=sessions(), clock=clock, ledger=ledger)
    assert (
        (dry.rows_stored, dry.rows_quarantined)
        == (wet.rows_stored, wet.rows_quarantined)
        == (market().height - 1, 1)
    )
    assert dry.version is None


def test_provenance_is_written_down(tmp_path: Path, clock: FixedClock) -> None:
    path = write(WRITERS["akshare"](market()), tmp_path / "bars.csv")
    ledger = Ledger(tmp_path / "quality", clock)

    report = import_file(path, open_store(clock=clock), clock, ledger)

    run = ledger.runs()[0]
    assert (run.run, run.source, run.kind) == (report.run, report.sha256, "import")
    assert run.facts["layout"] == "akshare"
    assert run.facts["rows_stored"] == market().height
    assert run.finished is not None


@pytest.mark.parametrize("order", ["symbol", "date", "shuffled"])
def test_the_order_of_rows_does_not_matter(order: str, tmp_path: Path, clock: FixedClock) -> None:
    rows = WRITERS["tushare"](market())
    frame = {
        "symbol": rows,
        "date": rows.sort("trade_date", "ts_code"),
        "shuffled": rows.sample(fraction=1.0, shuffle=True, seed=1),
    }[order]
    store = open_store(clock=clock)

    report = import_file(write(frame, tmp_path / "bars.csv"), store, clock)

    assert report.quality.by_rule == []
    assert (
        stored(store).select(BARS).equals(market().select(BARS).with_columns(pl.col("volume").cast(pl.Int64)))
    )


def test_unreadable_cells_are_quarantined_with_their_text(tmp_path: Path, clock: FixedClock) -> None:
    text = write(WRITERS["tushare"](market()), tmp_path / "bars.csv").read_text().splitlines()
    cells = text[10].split(",")
    cells[5] = "停牌"
    text[10] = ",".join(cells)
    (tmp_path / "bars.csv").write_text("\n".join(text))
    ledger = Ledger(tmp_path / "quality", clock)

    report = import_file(tmp_path / "bars.csv", open_store(clock=clock), clock, ledger)

    found = ledger.findings(rule="unreadable_cell")
    assert report.rows_quarantined == 1
    assert found["detail"].to_list() == ["bad_cells=close='停牌'"]
    assert found["source_row"].to_list() == [10]


def test_a_file_of_one_symbol_takes_it_from_its_name(tmp_path: Path, clock: FixedClock) -> None:
    one = market().filter(pl.col("symbol") == "600519.SH")
    frame = vendors.yahoo(one).drop("Symbol")
    store = open_store(clock=clock)

    for name in ("600519.SS.csv", "sh600519_daily.csv"):
        report = import_file(write(frame, tmp_path / name), store, clock)
        assert report.layout == "yahoo"

    assert store.symbols(DAILY) == ["600519.SH"]
    with pytest.raises(InvalidRequest, match="symbol"):
        inspect_file(write(frame, tmp_path / "bars.csv"))
    assert import_file(tmp_path / "bars.csv", store, clock, symbol="sh600519").rows_unchanged == one.height


def test_yahoos_adjusted_close_becomes_a_factor(tmp_path: Path, clock: FixedClock) -> None:
    frame = WRITERS["yahoo"](market()).with_columns((pl.col("Close") * 0.5).alias("Adj Close"))
    store = open_store(clock=clock)

    import_file(write(frame, tmp_path / "bars.csv"), store, clock)

    assert set(stored(store)["adj_factor"].round(9)) == {0.5}


def test_suspended_days_of_baostock_are_days_without_volume(tmp_path: Path, clock: FixedClock) -> None:
    idle = pl.int_range(pl.len()) == 7
    frame = WRITERS["baostock"](market()).with_columns(
        pl.when(idle).then(None).otherwise(pl.col("volume")).alias("volume"),
        pl.when(idle).then(None).otherwise(pl.col("amount")).alias("amount"),
        pl.when(idle).then(pl.lit("0")).otherwise(pl.col("tradestatus")).alias("tradestatus"),
    )
    store = open_store(clock=clock)

    report = import_file(write(frame, tmp_path / "bars.csv"), store, clock)

    assert [(c.rule, c.count) for c in report.quality.by_rule] == [("suspended", 1)]
    assert stored(store)["volume"][7] == 0


def test_prices_of_two_adjustments_in_one_file_are_refused(tmp_path: Path) -> None:
    mixed = pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("2")).otherwise(pl.col("adjustflag"))
    frame = WRITERS["baostock"](market()).with_columns(mixed.alias("adjustflag"))

    with pytest.raises(InvalidData, match="forward, raw"):
        inspect_file(write(frame, tmp_path / "bars.csv"))


def test_a_raw_reimport_keeps_the_factor_of_unchanged_rows(tmp_path: Path, clock: FixedClock) -> None:
    store = open_store(clock=clock)
    with_factor = WRITERS["canonical"](market()).with_columns(pl.lit(3.0).alias("adj_factor"))
    import_file(write(with_factor, tmp_path / "with.csv"), store, clock)

    again = import_file(write(WRITERS["akshare"](market()), tmp_path / "without.csv"), store, clock)

    assert again.rows_stored == 0
    assert set(stored(store)["adj_factor"]) == {3.0}


def test_span_symbols_and_sample_of_the_plan(tmp_path: Path) -> None:
    plan = inspect_file(write(WRITERS["tushare"](market()), tmp_path / "bars.parquet"))

    assert plan.rows == market().height
    assert plan.symbols == vendors.SHANGHAI_AND_SHENZHEN
    assert plan.span == Span(market()["trade_date"].min(), market()["trade_date"].max())
    assert set(plan.ignored) == {"change", "pct_chg"}
    assert plan.sample["volume"][0] == market()["volume"][0]


def test_a_file_that_changes_between_plan_and_import_is_settled_anew(
    tmp_path: Path, clock: FixedClock
) -> None:
    path = write(WRITERS["tushare"](market()), tmp_path / "bars.csv")
    plan = inspect_file(path)
    write(WRITERS["tushare"](market()).with_columns(pl.col("vol") * 100), path)
    store = open_store(clock=clock)

    with pytest.raises(InvalidData, match="units"):
        run_import(plan, store, sessions=sessions(), clock=clock)

    assert store.span(DAILY) is None


class Dying:
    """A store that dies at its second write."""

    def __init__(self, store: MarketStore) -> None:
        self._store = store
        self._writes = 0

    def write(self, dataset: Dataset, table: pa.Table) -> WriteReceipt:
        self._writes += 1
        if self._writes == 2:
            raise StoreUnavailable("gone")
        return self._store.write(dataset, table)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_an_import_cut_short_is_finished_by_running_it_again(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.data.sources.files.run.WRITE_ROWS", 100)
    bad = market().with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(0.0).otherwise(pl.col("low")).alias("low")
    )
    path = write(WRITERS["akshare"](bad), tmp_path / "bars.csv")
    store, ledger = open_store(clock=clock), Ledger(tmp_path / "quality", clock)
    with pytest.raises(StoreUnavailable):
        import_file(path, Dying(store), clock, ledger)  # type: ignore[arg-type]
    held = stored(store).height

    report = import_file(path, store, clock, ledger)

    assert 0 < held < market().height - 1
    assert report.rows_unchanged == held
    assert stored(store).height == market().height - 1
    assert ledger.findings(rule="non_positive_price").height == 1
    assert [r.finished is None for r in ledger.runs()] == [False, True]


def test_large_periods_are_judged_in_groups_with_the_same_result(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = market().with_columns(
        pl.when(pl.int_range(pl.len()) % 97 == 3).then(0.0).otherwise(pl.col("low")).alias("low")
    )
    path = write(WRITERS["akshare"](bad), tmp_path / "bars.csv")
    whole, grouped = open_store(clock=clock), open_store(clock=clock)
    first = import_file(path, whole, clock)
    monkeypatch.setattr("quantflux.data.sources.files.spill.PART_ROWS", 50)
    monkeypatch.setattr("quantflux.data.sources.files.spill.FLUSH_ROWS", 90)
    monkeypatch.setattr("quantflux.data.sources.files.reading.BLOCK_BYTES", 4096)

    second = import_file(path, grouped, clock)

    assert stored(grouped).equals(stored(whole))
    assert {c.rule: c.count for c in second.quality.by_rule} == {
        c.rule: c.count for c in first.quality.by_rule
    }
