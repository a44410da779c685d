"""The ledger keeps findings through kills, once each, and says what was released and why."""

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
from quantflux.core.errors import InvalidData, InvalidRequest, StoreCorrupt
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import Query
from quantflux.data.quality import Checker, Context, Ledger, Provenance, release_rows
from quantflux.data.schema import DAILY
from tests.data.quality.market import clean_daily, sessions


@pytest.fixture
def ledger(tmp_path: Path, clock: FixedClock) -> Ledger:
    return Ledger(tmp_path / "quality", clock)


def _findings(**planted: object) -> pl.DataFrame:
    frame = clean_daily(("600519.SH",))
    here = pl.int_range(pl.len()) == 10
    frame = frame.with_columns(
        pl.when(here).then(pl.lit(v, frame.schema[n])).otherwise(pl.col(n)).alias(n)
        for n, v in planted.items()
    )
    return Checker(Context(DAILY, sessions())).check(frame).findings


def test_the_same_finding_of_the_same_source_is_kept_once(ledger: Ledger) -> None:
    found = _findings(low=-1.0)
    first, second = (ledger.begin(DAILY.name, "import", "abc", {}) for _ in range(2))

    ledger.record(first, DAILY.name, "abc", found)
    ledger.record(second, DAILY.name, "abc", found)

    kept = ledger.findings(DAILY.name)
    assert kept.height == found.height
    assert kept["first_run"].unique().to_list() == [first]
    assert kept["last_run"].unique().to_list() == [second]


def test_findings_are_found_by_symbol_day_rule_and_run(ledger: Ledger) -> None:
    run = ledger.begin(DAILY.name, "import", "abc", {})
    found = _findings(low=-1.0)
    ledger.record(run, DAILY.name, "abc", found)
    row = found.filter(pl.col("rule") == "non_positive_price")
    day = row["day"][0]

    by_day = ledger.findings(
        DAILY.name, symbols=["600519.SH"], start=day, end=day, rule="non_positive_price", run=run
    )

    assert by_day["detail"].to_list() == row["detail"].to_list()
    assert ledger.findings(DAILY.name, symbols=["000001.SZ"]).height == 0
    assert ledger.findings(DAILY.name, end=date(2000, 1, 1)).height == 0
    assert ledger.findings(DAILY.name, run=run + 1).height == 0
    assert ledger.counts(DAILY.name).filter(pl.col("rule") == "non_positive_price")["findings"].item() == 1


def test_a_killed_writer_loses_nothing_recorded(tmp_path: Path, clock: FixedClock) -> None:
    code = (
        "import sys, os, signal\nfrom pathlib import Path\n"
        "from quantflux.core.clock import SystemClock\nfrom quantflux.data.quality import Ledger, Provenance\n"
        "ledger = Ledger(Path(sys.argv[1]), SystemClock())\n"
        "run = ledger.begin('stock_daily_data', 'sync', 'x', {'a': 1})\n"
        "for n in range(1000):\n"
        "    ledger.record_batches(run, [Provenance(f'{n:06d}.SZ', 'e', 't', 1, None, None, 'd')])\n"
        "    print(n, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(20)]
    os.kill(child.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in child.stdout]
    child.wait()
    child.stdout.close()

    ledger = Ledger(tmp_path, clock)
    run = ledger.unfinished("stock_daily_data", "sync", "x", {"a": 1})

    assert run is not None
    assert len(ledger.batches(run)) >= len(acknowledged)
    assert ledger.unfinished("stock_daily_data", "sync", "x", {"a": 2}) is None


def test_a_released_row_goes_to_the_store_and_stays_in_the_ledger(ledger: Ledger, clock: FixedClock) -> None:
    frame = clean_daily(("600519.SH",))
    copies = pl.concat([frame, frame.slice(10, 1).with_columns(pl.col("volume") + 100)])
    copies = copies.with_row_index("source_row").with_columns(pl.col("source_row").cast(pl.Int64))
    checked = Checker(Context(DAILY, sessions())).check(copies)
    store = open_store(clock=clock)
    run = ledger.begin(DAILY.name, "import", "abc", {})
    ledger.record(run, DAILY.name, "abc", checked.findings)
    held = ledger.findings(DAILY.name, severity="quarantine")

    receipt = release_rows(ledger, store, DAILY, [held["finding"][0]], "checked against the exchange's file")

    stored = pl.DataFrame(store.read(Query(DAILY)))
    assert receipt.rows == 1
    assert stored["trade_date"].to_list() == [frame["trade_date"][10]]
    assert stored["close"].to_list() == [frame["close"][10]]
    assert ledger.findings(DAILY.name, severity="quarantine")["released"].to_list() == [True, False]


def test_what_the_schema_refuses_cannot_be_released(ledger: Ledger, clock: FixedClock) -> None:
    run = ledger.begin(DAILY.name, "import", "abc", {})
    ledger.record(run, DAILY.name, "abc", _findings(low=-1.0))
    finding = ledger.findings(DAILY.name, severity="quarantine")["finding"][0]

    with pytest.raises(InvalidData, match="low"):
        release_rows(ledger, open_store(clock=clock), DAILY, [finding], "hope")

    assert not ledger.findings(DAILY.name, severity="quarantine")["released"].any()


def test_releases_need_a_reason_and_a_quarantined_row(ledger: Ledger, clock: FixedClock) -> None:
    with pytest.raises(InvalidRequest, match="reason"):
        ledger.release([1], " ")
    with pytest.raises(InvalidRequest, match="no quarantined row numbered 7"):
        release_rows(ledger, open_store(clock=clock), DAILY, [7], "because")
    with pytest.raises(InvalidRequest, match="unknown"):
        ledger.release([7], "because")


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 200)

    with pytest.raises(StoreCorrupt, match=r"ledger\.sqlite"):
        Ledger(tmp_path, FixedClock(datetime(2024, 1, 2, tzinfo=UTC))).runs()


def test_provenance_is_kept_by_symbol(ledger: Ledger) -> None:
    run = ledger.begin(DAILY.name, "sync", "akshare", {"start": date(2024, 1, 1)})
    batch = Provenance(
        "600519.SH", "akshare.x", "2024-01-02T00:00:00+00:00", 3, "2024-01-02", "2024-01-04", "ff"
    )

    ledger.record_batches(run, [batch])
    ledger.finish(run, {"rows": 3})
    ledger.close()

    assert ledger.batches(run) == [batch]
    assert ledger.runs(DAILY.name)[0].facts == {"start": "2024-01-01", "rows": 3}
