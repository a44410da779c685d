"""What only the columnar store does: files, names, compaction, forgetting, locks."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from quantflux.core.clock import FixedClock, SystemClock
from quantflux.core.errors import AccessDenied, InvalidRequest, StoreUnavailable, VersionConflict
from quantflux.data.adapters.columnar import ColumnarStore, datafile, open_store, upsert
from quantflux.data.adapters.columnar.lock import writing
from quantflux.data.contract import Query, Span
from quantflux.data.schema import DAILY, FACTOR_VALUES, MINUTE
from quantflux.data.sources.synthetic import SyntheticMarket
from tests.data.columnar.conftest import DAYS, SYMBOLS
from tests.data.conformance.samples import bars, changed, sample

Reopen = Callable[[], ColumnarStore]


def files(root: Path) -> list[Path]:
    return sorted(root.rglob("period=*/*"))


def test_opening_and_reading_make_no_files(store: ColumnarStore, root: Path) -> None:
    store.read(Query(DAILY))
    store.version(DAILY)
    store.ping()
    assert store.stored_bytes(DAILY) == 0
    assert store.compact(DAILY, keep_history=timedelta(0)).files_after == 0

    assert not root.exists()


def test_other_delta_readers_see_the_same_rows(store: ColumnarStore, root: Path, rows: pa.Table) -> None:
    found = DeltaTable(root / DAILY.name).to_pyarrow_table()

    assert set(found.column("period").to_pylist()) == {"2023", "2024"}
    together = found.select(DAILY.schema.names).sort_by([(name, "ascending") for name in DAILY.key])
    assert together.cast(DAILY.schema).equals(rows)


def test_files_are_plain_parquet_without_the_partition_column(root: Path, rows: pa.Table) -> None:
    for path in files(root):
        assert pq.read_table(path, partitioning=None).column_names == DAILY.schema.names


def test_a_new_day_is_appended_and_old_files_stay(store: ColumnarStore, root: Path, rows: pa.Table) -> None:
    before = files(root)

    store.write(DAILY, sample(DAILY, SYMBOLS, [date(2024, 6, 3)]))

    assert len(files(root)) == len(before) + 1
    assert set(before) < set(files(root))


def test_new_symbols_between_old_ones_are_appended(store: ColumnarStore, root: Path) -> None:
    store.write(DAILY, pa.concat_tables([bars("600000.SH", DAYS), bars("600002.SH", DAYS)]))
    before = files(root)

    store.write(DAILY, bars("600001.SH", DAYS, 5.0))

    assert set(before) < set(files(root))
    assert store.read(Query(DAILY, ("600001.SH",))).column("close").to_pylist() == [5.0] * len(DAYS)


def test_a_correction_rewrites_only_the_file_that_has_the_row(
    store: ColumnarStore, root: Path, rows: pa.Table
) -> None:
    live = set(store.read_as_of(Query(DAILY), store.version(DAILY)).column("close").to_pylist())
    before = {path: path.stat().st_mtime_ns for path in files(root)}

    store.write(DAILY, changed(rows.slice(0, 1), close=12345.0))

    new = [path for path in files(root) if path not in before]
    assert len(new) == 1
    assert pq.read_metadata(new[0]).num_rows < rows.num_rows / 2
    assert 12345.0 not in live


def test_writing_the_same_rows_again_makes_no_version(
    store: ColumnarStore, root: Path, rows: pa.Table
) -> None:
    version, before = store.version(DAILY), files(root)

    receipt = store.write(DAILY, rows.slice(5, 40))

    assert (receipt.version, receipt.rows) == (version, 40)
    assert files(root) == before


def test_small_files_are_merged_along_the_way(store: ColumnarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsert, "MAX_SMALL_FILES", 4)
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(40)]
    for day in days:
        store.write(DAILY, bars("600000.SH", [day]))

    live = DeltaTable(store.root / DAILY.name).file_uris()

    assert len(live) <= 8
    assert store.read(Query(DAILY)).equals(bars("600000.SH", days))


def test_large_tables_are_cut_into_files_by_symbol(
    store: ColumnarStore, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setattr(upsert, "MAX_FILE_ROWS", 100)
    table = sample(DAILY, SYMBOLS, [date(2024, 1, 1) + timedelta(days=n) for n in range(30)])

    store.write(DAILY, table)

    parts = [pq.read_table(path, columns=["symbol"], partitioning=None) for path in files(root)]
    assert sorted(part.num_rows for part in parts) == [90, 90, 90, 90]
    assert store.read(Query(DAILY)).equals(table)


def test_many_row_groups(store: ColumnarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafile, "ROW_GROUP_ROWS", 7)
    table = sample(MINUTE, SYMBOLS, DAYS[:6])
    store.write(MINUTE, table)

    for symbols, start, end in (
        (None, None, None),
        (SYMBOLS[3:5], DAYS[1], DAYS[2]),
        (SYMBOLS[2:9:2], None, None),
        (SYMBOLS, None, None),
        (None, DAYS[2], DAYS[2]),
        (SYMBOLS[:1], None, DAYS[0]),
    ):
        query = Query(MINUTE, symbols, start, end)
        wanted = [
            (symbols is None or s in symbols) and (start or DAYS[0]) <= t.date() <= (end or DAYS[-1])
            for s, t in zip(
                table.column("symbol").to_pylist(), table.column("bar_time").to_pylist(), strict=True
            )
        ]
        expected = table.filter(pa.array(wanted))
        assert store.read(query).equals(expected)
        batches = list(store.iter_batches(query, 5))
        assert sum(batch.num_rows for batch in batches) == expected.num_rows
        keyed = pa.Table.from_batches(batches).sort_by([("symbol", "ascending"), ("bar_time", "ascending")])
        assert keyed.equals(expected)


def test_extra_keys_are_in_order_across_files(store: ColumnarStore) -> None:
    table = sample(FACTOR_VALUES, SYMBOLS[:2], DAYS[:3])
    parts = [changed(table, factor_id=name) for name in ("b", "a", "c")]
    for part in parts:
        store.write(FACTOR_VALUES, part)

    expected = pa.concat_tables(parts).sort_by([(name, "ascending") for name in FACTOR_VALUES.key])
    assert store.read(Query(FACTOR_VALUES)).equals(expected)


def test_compaction_changes_no_row_and_names_no_day(store: ColumnarStore, rows: pa.Table) -> None:
    before = store.version(DAILY)

    receipt = store.compact(DAILY, keep_history=timedelta(days=1))

    assert receipt.files_before == 8
    assert receipt.files_after == 2
    assert store.read(Query(DAILY)).equals(rows)
    assert store.version(DAILY) > before
    assert not store.changes(DAILY, before)
    again = store.compact(DAILY, keep_history=timedelta(days=1))
    assert (again.files_before, again.files_after) == (2, 2)


def test_compaction_keeps_history_and_then_forgets(
    store: ColumnarStore, reopen: Reopen, rows: pa.Table, clock: FixedClock, root: Path
) -> None:
    first = store.version(DAILY)
    clock.advance(86_400)
    store.write(DAILY, changed(rows, close=1.0))
    second, written = store.version(DAILY), clock.now()
    clock.advance(86_400)

    store.compact(DAILY, keep_history=timedelta(days=3))
    assert store.read_as_of(Query(DAILY), first).equals(rows)

    store.compact(DAILY, keep_history=timedelta(hours=1))
    with pytest.raises(InvalidRequest, match="no longer kept"):
        store.read_as_of(Query(DAILY), first)
    assert store.read_as_of(Query(DAILY), second).column("close").to_pylist() == [1.0] * rows.num_rows

    clock.advance(86_400)
    receipt = store.compact(DAILY, keep_history=timedelta(0))
    assert len(files(root)) == receipt.files_after
    with pytest.raises(InvalidRequest, match="no longer"):
        store.read_as_of(Query(DAILY), second)
    with pytest.raises(InvalidRequest, match="no longer"):
        store.read_as_of(Query(DAILY), written - timedelta(hours=1))
    assert reopen().changes(DAILY, 1).spans == (Span(DAYS[0], DAYS[-1]),)
    assert reopen().read(Query(DAILY)).equals(store.read(Query(DAILY)))


def test_compaction_sweeps_up_after_killed_writers(store: ColumnarStore, rows: pa.Table, root: Path) -> None:
    orphan = root / DAILY.name / "period=2023" / f"{'0' * 32}-01234567.parquet"
    orphan.write_bytes(b"half a file")
    bystander = orphan.with_name("notes.txt")
    bystander.write_text("not ours")

    store.compact(DAILY, keep_history=timedelta(days=1))

    assert not orphan.exists()
    assert bystander.exists()
    assert store.read(Query(DAILY)).equals(rows)


def test_a_sleeper_catches_up_when_the_log_is_forgotten(
    store: ColumnarStore, reopen: Reopen, rows: pa.Table
) -> None:
    sleeper = reopen()
    assert sleeper.version(DAILY) == store.version(DAILY)
    for close in (1.0, 2.0, 3.0):
        store.write(DAILY, changed(rows, close=close))
    store.compact(DAILY, keep_history=timedelta(0))

    assert sleeper.version(DAILY) == store.version(DAILY)
    assert sleeper.read(Query(DAILY)).equals(store.read(Query(DAILY)))
    assert sleeper.changes(DAILY, 4).spans == (Span(DAYS[0], DAYS[-1]),)


def compacting(reopen: Reopen, stop: threading.Event, rounds: int) -> int:
    store, done = reopen(), 0
    while not stop.is_set() and done < rounds:
        store.write(DAILY, bars("000001.SZ", [DAYS[done % len(DAYS)]], 1.0 + done))
        store.compact(DAILY, keep_history=timedelta(0))
        done += 1
    store.close()
    return done


def read_beside_compaction(reopen: Reopen, rows: pa.Table, rounds: int) -> int:
    """Read all old rows again and again while another client writes, compacts and deletes what it replaced."""
    stop, reads = threading.Event(), 0
    readers = [reopen() for _ in range(4)]
    with ThreadPoolExecutor(5) as pool:
        work = pool.submit(compacting, reopen, stop, rounds)
        try:
            while not work.done():
                for found in pool.map(lambda reader: reader.read(Query(DAILY, SYMBOLS)), readers):
                    assert found.equals(rows)
                    reads += 1
        finally:
            stop.set()
        assert work.result() > 0
    return reads


def test_readers_beside_compaction(reopen: Reopen, rows: pa.Table) -> None:
    assert read_beside_compaction(reopen, rows, rounds=10) > 0


@pytest.mark.slow
def test_readers_beside_long_compaction(reopen: Reopen, rows: pa.Table) -> None:
    assert read_beside_compaction(reopen, rows, rounds=300) > 100


def test_a_stream_survives_the_deletion_of_its_files(
    store: ColumnarStore, reopen: Reopen, rows: pa.Table
) -> None:
    stream = store.iter_batches(Query(DAILY), 10)
    first = next(stream)
    other = reopen()
    other.write(DAILY, changed(rows, close=1.0))
    other.compact(DAILY, keep_history=timedelta(0))

    together = pa.Table.from_batches([first, *stream]).sort_by([(name, "ascending") for name in DAILY.key])

    assert together.equals(rows)


def test_a_writer_gives_up_on_a_lock_that_is_held(root: Path, clock: FixedClock, rows: pa.Table) -> None:
    hasty = open_store(clock=clock, path=root, lock_timeout=0.05)

    with writing(root / DAILY.name / ".lock", 1.0), pytest.raises(VersionConflict, match="another writer"):
        hasty.write(DAILY, changed(rows, close=1.0))

    assert hasty.read(Query(DAILY)).equals(rows)
    hasty.write(DAILY, changed(rows, close=1.0))


def test_a_commit_of_a_writer_without_the_lock_is_not_lost(
    store: ColumnarStore, reopen: Reopen, rows: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer on another machine shares the files, not the lock: the commit itself must notice it."""
    rival = reopen()
    plan = upsert.plan_upsert
    meddled: list[int] = []

    def meddle_first(*arguments: object) -> object:
        planned = plan(*arguments)  # type: ignore[arg-type]
        if not meddled:
            meddled.append(0)
            rival._writer(DAILY).upsert(bars("000001.SZ", [DAYS[0]], 2.0))
        return planned

    monkeypatch.setattr("quantflux.data.adapters.columnar.writer.plan_upsert", meddle_first)
    store.write(DAILY, bars("000002.SZ", [DAYS[0]], 3.0))

    assert meddled
    found = reopen().read(Query(DAILY, ("000001.SZ", "000002.SZ")))
    assert found.column("close").to_pylist() == [2.0, 3.0]


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../x",
        "/etc/x",
        "a/../../b",
        "a\0b",
        "a/b",
        "",
        "A",
        "１",
        "a" * 64,
        "a\n",
        "%2e%2e",
        "‥／",
        "_delta_log",
        "a.b",
    ],
)
def test_names_that_climb_are_refused(store: ColumnarStore, root: Path, name: str, tmp_path: Path) -> None:
    odd = replace(DAILY, name=name)

    for attempt in (lambda: store.write(odd, bars("600519.SH", DAYS)), lambda: store.read(Query(odd))):
        with pytest.raises(InvalidRequest, match="named"):
            attempt()

    assert not root.exists()


def test_a_file_where_the_folder_should_be(tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "store").write_text("in the way")
    store = open_store(clock=clock, path=tmp_path / "store")

    with pytest.raises(StoreUnavailable):
        store.ping()
    with pytest.raises(StoreUnavailable):
        store.write(DAILY, bars("600519.SH", DAYS))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights(tmp_path: Path, clock: FixedClock) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(AccessDenied):
        open_store(clock=clock, path=tmp_path / "store").write(DAILY, bars("600519.SH", DAYS))


def test_an_instant_before_the_first_write_is_empty(store: ColumnarStore, rows: pa.Table) -> None:
    assert store.read_as_of(Query(DAILY), datetime(2020, 1, 1, tzinfo=UTC)).num_rows == 0


def test_stored_bytes_count_files_and_log(store: ColumnarStore, root: Path, rows: pa.Table) -> None:
    total = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())

    assert store.stored_bytes(DAILY) == total > sum(path.stat().st_size for path in files(root))


def test_a_dataset_made_anew_in_the_same_place(
    store: ColumnarStore, reopen: Reopen, root: Path, rows: pa.Table
) -> None:
    before = store.identity(DAILY)
    shutil.rmtree(root / DAILY.name)
    assert (store.version(DAILY), store.read(Query(DAILY)).num_rows) == (0, 0)

    for close in range(1, 9):
        reopen().write(DAILY, bars("600000.SH", DAYS, float(close)))

    assert store.read(Query(DAILY)).column("close").to_pylist() == [8.0] * len(DAYS)
    assert store.identity(DAILY) not in ("", before)


def test_a_dataset_that_gains_a_column(store: ColumnarStore, reopen: Reopen, root: Path) -> None:
    younger = replace(DAILY, fields=DAILY.fields[:-1])
    old, new = bars("600000.SH", DAYS[:2], data=younger), bars("600000.SH", DAYS[2:4])
    store.write(younger, old)
    grown = reopen()
    assert grown.read(Query(DAILY)).column("adj_factor").to_pylist() == [None, None]
    before = grown.version(DAILY)

    grown.write(DAILY, new)

    assert grown.read(Query(DAILY)).column("adj_factor").to_pylist() == [None, None, 1.0, 1.0]
    assert grown.changes(DAILY, before).spans == (Span(DAYS[2], DAYS[3]),)
    assert DeltaTable(root / DAILY.name).to_pyarrow_table().column("adj_factor").null_count == 2
    assert store.read(Query(younger)).column("close").to_pylist() == [10.0] * 4


def test_keeping_no_history_leaves_only_what_is_live(tmp_path: Path) -> None:
    store = open_store(path=tmp_path, clock=SystemClock())
    rows = next(
        SyntheticMarket(seed=1, companies=20, start=date(2024, 1, 2), end=date(2024, 6, 28)).daily_tables()
    )
    for part in (rows.slice(0, 1000), rows.slice(1000)):
        store.write(DAILY, part)

    store.compact(DAILY, keep_history=timedelta(0))

    files = list((tmp_path / DAILY.name).glob("period=*/*.parquet"))
    assert len(files) == 1
    assert store.read(Query(DAILY)).num_rows == rows.num_rows
