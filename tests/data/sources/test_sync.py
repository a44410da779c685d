"""A sync fetches what is missing, goes on where it stopped, and says what it did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest, RateLimited, SourceChanged, SourceUnavailable, Unsupported
from quantflux.data.adapters.columnar import open_store as open_columnar
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import MarketStore, Query
from quantflux.data.quality import Ledger
from quantflux.data.schema import DAILY, DAILY_BASIC, MINUTE
from quantflux.data.sources import sync as sync_module
from quantflux.data.sources.akshare import AkshareSource
from quantflux.data.sources.baostock import BaostockSource
from quantflux.data.sources.sync import SyncReport, sync
from tests.data.quality.market import clean_daily, sessions
from tests.data.sources.fakes import END, START, SYMBOLS, FakeAkshare, FakeBaostock, market


@pytest.fixture
def now() -> FixedClock:
    return FixedClock(datetime(2024, 7, 1, tzinfo=UTC))


@pytest.fixture
def store(now: FixedClock) -> MarketStore:
    return open_store(clock=now)


@pytest.fixture
def ledger(tmp_path: Path, now: FixedClock) -> Ledger:
    return Ledger(tmp_path / "quality", now)


def run(
    fake: FakeAkshare,
    store: MarketStore,
    now: FixedClock,
    ledger: Ledger | None = None,
    *,
    symbols: tuple[str, ...] = SYMBOLS,
    end: date = END,
    full: bool = False,
) -> SyncReport:
    source = AkshareSource(clock=now, calls_per_minute=10_000, module=fake, sleep=now.advance)
    return sync(source, store, symbols, START, end, sessions=sessions(), clock=now, ledger=ledger, full=full)


def stored(store: MarketStore) -> pl.DataFrame:
    return pl.DataFrame(store.read(Query(DAILY)))


def test_a_first_sync_stores_everything_with_factors(
    store: MarketStore, now: FixedClock, ledger: Ledger
) -> None:
    report = run(FakeAkshare(), store, now, ledger)

    assert (report.fetched, report.rows_stored, report.rows_quarantined) == (3, market().height, 0)
    assert stored(store)["adj_factor"].to_list() == market()["adj_factor"].to_list()
    assert report.version == store.version(DAILY)


def test_a_second_sync_asks_for_the_new_days_only(store: MarketStore, now: FixedClock) -> None:
    half = date(2024, 4, 1)
    run(FakeAkshare(), store, now, end=half)
    fake = FakeAkshare()

    report = run(fake, store, now)

    starts = {arguments["start_date"] for name, arguments in fake.faults.calls if name == "stock_zh_a_hist"}
    assert starts == {"20240401"}
    assert report.rows_stored == market().filter(pl.col("trade_date") > half).height
    assert stored(store).height == market().height


def test_nothing_new_writes_nothing(store: MarketStore, now: FixedClock) -> None:
    run(FakeAkshare(), store, now)
    version = store.version(DAILY)

    report = run(FakeAkshare(), store, now)

    assert (report.rows_stored, report.version) == (0, version)


def test_restated_history_is_fetched_whole(store: MarketStore, now: FixedClock) -> None:
    run(FakeAkshare(), store, now, end=date(2024, 4, 1))
    moved = (pl.col("symbol") == "600519.SH") & (pl.col("trade_date") <= date(2024, 4, 1))
    prices = ("open", "high", "low", "close")
    table = market().with_columns(
        pl.when(moved).then(pl.col(c) + 0.5).otherwise(pl.col(c)).alias(c) for c in prices
    )

    report = run(FakeAkshare(table), store, now)

    assert report.restated == ["600519.SH"]
    assert stored(store)["close"].to_list() == table["close"].to_list()


def test_full_asks_for_the_whole_span(store: MarketStore, now: FixedClock) -> None:
    run(FakeAkshare(), store, now)
    fake = FakeAkshare()

    report = run(fake, store, now, full=True)

    assert {a["start_date"] for n, a in fake.faults.calls if n == "stock_zh_a_hist"} == {"20240102"}
    assert report.rows_stored == 0


def test_an_unknown_symbol_is_empty_not_an_error(store: MarketStore, now: FixedClock) -> None:
    report = run(FakeAkshare(), store, now, symbols=("600000.SH", "600519.SH"))

    assert report.empty == ["600000.SH"]
    assert store.symbols(DAILY) == ["600519.SH"]


def test_a_symbol_that_fails_does_not_stop_the_others(
    store: MarketStore, now: FixedClock, ledger: Ledger
) -> None:
    fake = FakeAkshare()
    fake.faults.always = lambda _n, a: TimeoutError("slow") if a.get("symbol") == "300750" else None

    report = run(fake, store, now, ledger)

    assert list(report.failed) == ["300750.SZ"]
    assert store.symbols(DAILY) == ["000001.SZ", "600519.SH"]


def test_a_vendor_that_is_gone_stops_the_sync(store: MarketStore, now: FixedClock, ledger: Ledger) -> None:
    fake = FakeAkshare()
    fake.faults.always = lambda _n, _a: TimeoutError("down")
    symbols = tuple(f"6000{n:02d}.SH" for n in range(20))

    with pytest.raises(SourceUnavailable, match="5 symbols in a row"):
        run(fake, store, now, ledger, symbols=symbols)

    assert len({a["symbol"] for _, a in fake.faults.calls}) == 5


def test_a_ban_stops_the_sync_and_the_next_one_goes_on(
    store: MarketStore, now: FixedClock, ledger: Ledger
) -> None:
    banned = FakeAkshare()
    banned.faults.always = lambda _n, a: ConnectionError("RemoteDisconnected") if "600519" in str(a) else None
    with pytest.raises(RateLimited) as caught:
        run(banned, store, now, ledger)
    assert any("600519.SH" in note for note in caught.value.__notes__)
    assert store.symbols(DAILY) == ["000001.SZ", "300750.SZ"]
    fake = FakeAkshare()

    report = run(fake, store, now, ledger)

    assert (report.resumed, report.fetched) == (2, 1)
    assert {a["symbol"] for n, a in fake.faults.calls if n == "stock_zh_a_hist"} == {"600519"}
    assert stored(store).height == market().height
    assert run(FakeAkshare(), store, now, ledger).resumed == 0  # the finished run is not gone on with


def test_a_changed_vendor_stops_at_once(store: MarketStore, now: FixedClock) -> None:
    fake = FakeAkshare()
    fake.rename = {"成交量": "量"}

    with pytest.raises(SourceChanged, match="成交量"):
        run(fake, store, now)


def test_provenance_of_every_symbol_is_kept(store: MarketStore, now: FixedClock, ledger: Ledger) -> None:
    report = run(FakeAkshare(), store, now, ledger)

    assert report.run is not None
    batches = ledger.batches(report.run)
    assert [b.symbol for b in batches] == list(SYMBOLS)
    assert {b.endpoint for b in batches} == {"akshare.stock_zh_a_hist + stock_zh_a_daily(hfq-factor)"}
    assert {(b.first, b.last) for b in batches} == {(START.isoformat(), END.isoformat())}
    assert len({b.digest for b in batches}) == 3
    assert ledger.runs()[0].facts["rows_stored"] == market().height


def test_bad_rows_of_a_vendor_are_quarantined(store: MarketStore, now: FixedClock, ledger: Ledger) -> None:
    here = (pl.col("symbol") == "600519.SH") & (pl.col("trade_date") == START)
    table = market().with_columns(pl.when(here).then(0.0).otherwise(pl.col("low")).alias("low"))

    report = run(FakeAkshare(table), store, now, ledger)

    assert report.rows_quarantined == 1
    assert ledger.findings(rule="non_positive_price")["symbol"].to_list() == ["600519.SH"]
    assert stored(store).height == market().height - 1


def test_minutes_are_appended_from_the_last_stored_day(store: MarketStore, now: FixedClock) -> None:
    source = AkshareSource(clock=now, module=FakeAkshare(), sleep=now.advance)

    reports = [
        sync(
            source,
            store,
            ["600519.SH"],
            date(2024, 6, 3),
            END,
            dataset=MINUTE,
            sessions=sessions(),
            clock=now,
        )
        for _ in range(2)
    ]

    assert [r.rows_stored for r in reports] == [2, 0]


def test_what_cannot_be_is_refused(store: MarketStore, now: FixedClock) -> None:
    source = BaostockSource(clock=now, module=FakeBaostock(), sleep=now.advance)
    common = {"sessions": sessions(), "clock": now}
    with pytest.raises(Unsupported, match="5 minutes"):
        sync(source, store, ["600519.SH"], START, END, dataset=MINUTE, **common)
    with pytest.raises(InvalidRequest, match="start must not be after end"):
        sync(source, store, ["600519.SH"], END, START, **common)
    with pytest.raises(InvalidRequest, match="stock_daily_basic"):
        sync(source, store, ["600519.SH"], START, END, dataset=DAILY_BASIC, **common)
    report = sync(source, store, ["920047.BJ", "600519.SH"], START, END, **common)
    assert list(report.failed) == ["920047.BJ"]
    assert store.symbols(DAILY) == ["600519.SH"]


CHILD = """
import sys, time
from datetime import date
from pathlib import Path
from quantflux.core.clock import SystemClock
from quantflux.data.adapters.columnar import open_store
from quantflux.data.quality import Ledger
from quantflux.data.sources import sync as module
from quantflux.data.sources.akshare import AkshareSource
from tests.data.quality.market import clean_daily, sessions
from tests.data.sources.fakes import FakeAkshare
module.FLUSH_SYMBOLS = 2
symbols = [f"6000{n:02d}.SH" for n in range(12)]
fake = FakeAkshare(clean_daily(tuple(symbols), date(2024, 1, 2), date(2024, 2, 28)))
clock = SystemClock()
source = AkshareSource(clock=clock, calls_per_minute=10_000, module=fake)
folder = Path(sys.argv[1])
def progress(symbol, done, total):
    print(done, flush=True)
    time.sleep(0.05)
module.sync(source, open_store(clock=clock, path=folder / "store"), symbols, date(2024, 1, 2), date(2024, 2, 28),
            sessions=sessions(), clock=clock, ledger=Ledger(folder / "quality", clock), progress=progress)
"""


def test_a_killed_sync_goes_on_and_ends_with_the_same_rows(
    tmp_path: Path, now: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(7):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    monkeypatch.setattr(sync_module, "FLUSH_SYMBOLS", 2)
    symbols = tuple(f"6000{n:02d}.SH" for n in range(12))
    table = clean_daily(symbols, START, date(2024, 2, 28))
    store = open_columnar(clock=now, path=tmp_path / "store")
    ledger = Ledger(tmp_path / "quality", now)
    fake = FakeAkshare(table)

    report = run(fake, store, now, ledger, symbols=symbols, end=date(2024, 2, 28))

    assert report.resumed >= 6
    assert report.resumed + report.fetched == 12
    rows = stored(store)
    assert rows.select("symbol", "trade_date", "close").equals(table.select("symbol", "trade_date", "close"))
    store.close()
