"""What the server loses is named to the symbol-day, and nothing else ever is."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.clock import SystemClock
from quantflux.core.errors import OutcomeUnknown, PartialWrite, StoreCorrupt, StoreUnavailable, Unsupported
from quantflux.data.adapters.influxdb import InfluxDBAdapter, open_store
from quantflux.data.adapters.influxdb.fingerprints import row_hashes
from quantflux.data.contract import CanScrub, Discrepancy, DiscrepancyKind, Query
from quantflux.data.schema import DAILY, FACTOR_VALUES, MINUTE, Dataset, TimeKind, datasets
from tests.data.adapters.influxdb.conftest import QUICK, OpenStore
from tests.data.conformance.samples import bars, changed, sample
from tests.data.conformance.stores import in_subprocess
from tests.data.market_tables import table_of
from tests.services.fault_proxy import Fault, FaultProxy
from tests.services.influxdb import InfluxServer

pytestmark = pytest.mark.influxdb

FIRST = date(2024, 1, 2)
SYMBOLS = tuple(f"{number:06d}.SH" for number in range(600000, 600012))


def days(count: int, first: date = FIRST) -> list[date]:
    return [first + timedelta(days=i) for i in range(count)]


@pytest.fixture
def recorded(
    open_influxdb: OpenStore, influxdb_server: InfluxServer, influxdb_database: str, tmp_path: Path
) -> InfluxDBAdapter:
    """A store with a manifest, in a fresh database of the session's server."""
    return open_influxdb(influxdb_server.url, database=influxdb_database, manifest=tmp_path / "manifest")


def symbol_days(data: Dataset, rows: pl.DataFrame) -> set[tuple[str, date]]:
    day = pl.col(data.time)
    if data.kind is TimeKind.MINUTE:
        day = day.dt.convert_time_zone("Asia/Shanghai").dt.date()
    return set(rows.select("symbol", day).iter_rows())


def damaged_days(data: Dataset, wanted: pa.Table, found: pa.Table) -> set[tuple[str, date]]:
    """Compare whole rows, the slow way: the symbol-days in which a row is gone, changed or new."""
    before, after = pl.DataFrame(wanted), pl.DataFrame(found)
    columns = before.columns
    gone = before.join(after, on=columns, how="anti", nulls_equal=True)
    new = after.join(before, on=columns, how="anti", nulls_equal=True)
    return symbol_days(data, gone) | symbol_days(data, new)


def doubled_days(data: Dataset, found: pa.Table) -> set[tuple[str, date]]:
    """Symbol-days with two points of one row: damage moved one to another hour, where nothing is written over it."""
    rows = pl.DataFrame(found)
    return symbol_days(data, rows.filter(pl.len().over("symbol", data.time) > 1))


def named(found: list[Discrepancy]) -> set[tuple[str, date]]:
    return {(item.symbol, item.day) for item in found}


def log_file(server: InfluxServer, database: str, data: Dataset) -> Path:
    """Return the largest file of a dataset's write-ahead log."""
    folder = server.storage / "wal" / database / data.name
    return max(folder.rglob("*.wal"), key=lambda path: path.stat().st_size)


def truncate(path: Path, _: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 7)


def flip(path: Path, chance: random.Random, count: int = 64) -> None:
    """Flip every bit of so many bytes in a row, somewhere."""
    with path.open("r+b") as file:
        place = chance.randrange(path.stat().st_size - count)
        file.seek(place)
        old = file.read(count)
        file.seek(place)
        file.write(bytes(byte ^ 0xFF for byte in old))


def flip_one(path: Path, chance: random.Random) -> None:
    """Flip one byte: the server often takes the changed value for good."""
    flip(path, chance, 1)


def damage_and_compare(
    server: InfluxServer,
    open_influxdb: OpenStore,
    manifest: Path,
    harm: Callable[[Path, random.Random], None],
    seed: int,
    data: Dataset,
) -> tuple[int, InfluxDBAdapter, pa.Table]:
    """Write, harm the log, start again, and assert that exactly what is lost is named; return how much that was."""
    database = f"harm_{data.name}_{harm.__name__}_{seed}"
    store = open_influxdb(server.url, database=database, manifest=manifest, batch_lines=100)
    rows = sample(data, SYMBOLS, days(60 if data is DAILY else 15), seed=seed)
    store.write(data, rows)
    assert store.scrub(data) == []

    server.kill()
    harm(log_file(server, database, data), random.Random(seed))
    server.start()
    found = store.scrub(data)

    lost = damaged_days(data, rows, store.read(Query(data)))
    assert named(found) == lost
    return len(lost), store, rows


@pytest.mark.parametrize("data", [DAILY, MINUTE], ids=lambda d: d.name)
def test_a5_a_damaged_log_is_named_to_the_day_and_writing_again_heals(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer], tmp_path: Path, data: Dataset
) -> None:
    server = start_influxdb()
    for harm, seed in ((truncate, 1), (flip, 2), (flip, 3)):
        lost, store, rows = damage_and_compare(server, open_influxdb, tmp_path, harm, seed, data)
        assert lost > 0
        assert {item.kind for item in store.scrub(data)} >= {DiscrepancyKind.MISSING}

        store.write(data, rows)

        left, found = store.scrub(data), store.read(Query(data))
        assert named(left) == damaged_days(data, rows, found) | doubled_days(data, found)
        assert DiscrepancyKind.MISSING not in {item.kind for item in left}
        assert left or found.equals(rows)


@pytest.mark.slow
def test_a5_a_hundred_random_damages(
    open_influxdb: OpenStore,
    start_influxdb: Callable[..., InfluxServer],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = start_influxdb()
    for harm in (flip, flip_one):
        losses = [
            damage_and_compare(server, open_influxdb, tmp_path, harm, seed, data)[0]
            for seed in range(100, 125)
            for data in (DAILY, MINUTE)
        ]

        harmful = sum(lost > 0 for lost in losses)
        with capsys.disabled():
            print(f"\n50 x {harm.__name__}: {harmful} did harm, {sum(losses)} symbol-days, all named")  # noqa: T201 - the figure
        assert harmful


@pytest.mark.parametrize("data", datasets().values(), ids=lambda d: d.name)
def test_rows_of_every_dataset_are_as_recorded_after_writes_and_rewrites(
    recorded: InfluxDBAdapter, data: Dataset
) -> None:
    recorded.write(data, sample(data, seed=1))
    recorded.write(data, sample(data, seed=2).slice(1, 5))
    recorded.write(data, sample(data, days=[date(2023, 5, 8)], seed=3))

    assert isinstance(recorded, CanScrub)
    assert recorded.scrub(data) == []
    assert recorded.scrub(data, date(2024, 1, 2), date(2024, 1, 3)) == []


@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_partial_upserts_never_raise_a_false_alarm_and_every_loss_is_found(
    influxdb_server: InfluxServer,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    """Any order of overlapping writes of minutes and days; then one point is deleted behind the store's back."""
    dataset = data.draw(st.sampled_from([DAILY, MINUTE]))
    slots = st.integers(0, 239) if dataset is MINUTE else st.just(0)
    key = st.tuples(st.sampled_from(SYMBOLS[:3]), st.sampled_from(days(3)), slots)
    tables = data.draw(st.lists(st.lists(key, min_size=1, max_size=30, unique=True), min_size=1, max_size=4))
    folder = tmp_path_factory.mktemp("manifest")
    store = open_store(clock=SystemClock(), url=influxdb_server.url, database=folder.name, manifest=folder)
    try:
        for seed, keys in enumerate(tables):
            store.write(dataset, table_of(dataset, keys, seed))
        rows = store.read(Query(dataset))
        assert store.scrub(dataset) == []

        victim = data.draw(st.integers(0, rows.num_rows - 1))
        symbol, stamp = rows["symbol"][victim].as_py(), rows[dataset.time][victim]
        at = stamp.value * (86_400_000_000_000 if dataset is DAILY else 1_000)
        influxdb_server.query(
            f'DELETE FROM "{dataset.name}" WHERE "symbol" = \'{symbol}\' AND time = {at}', folder.name
        )

        (lost,) = symbol_days(dataset, pl.DataFrame(rows.slice(victim, 1)))
        assert store.scrub(dataset) == [Discrepancy(*lost, DiscrepancyKind.MISSING)]
    finally:
        store.close()
        influxdb_server.query(f'DROP DATABASE "{folder.name}"')


def test_a_value_that_somebody_else_changed_and_a_row_that_he_added_are_told_apart(
    recorded: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    recorded.write(DAILY, bars(SYMBOLS[0], days(3)))
    stranger = "exchange=SH,symbol={} open=1,high=1,low=1,close=1,volume=1i,amount=1,adj_factor=1,nulls=0i {}"
    for symbol, stamp in ((SYMBOLS[0], 1704240000000000000), (SYMBOLS[1], 1704153600000000000)):
        line = f"{DAILY.name},{stranger.format(symbol, stamp)}"
        influxdb_server.write_lines(line, influxdb_database, DAILY.name)

    found = recorded.scrub(DAILY)

    assert found == [
        Discrepancy(SYMBOLS[0], date(2024, 1, 3), DiscrepancyKind.DIFFERS),
        Discrepancy(SYMBOLS[1], date(2024, 1, 2), DiscrepancyKind.UNKNOWN),
    ]
    assert recorded.scrub(DAILY, start=date(2024, 1, 3)) == found[:1]
    assert recorded.scrub(DAILY, adopt=True) == found[:1]
    assert recorded.scrub(DAILY) == found[:1]


def test_a_bar_moved_within_its_minute_and_a_day_stored_twice_are_seen(
    recorded: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    recorded.write(MINUTE, bars(SYMBOLS[0], [FIRST], data=MINUTE))
    recorded.write(DAILY, bars(SYMBOLS[0], [FIRST]))
    late = 1704159060000000000 + 17_000_000_000  # 09:31 and 17 seconds
    noon = 1704153600000000000 + 43_200_000_000_000
    fields = "open=10,high=10,low=10,close=10,volume=100i,amount=1000"
    moved = f"{MINUTE.name},exchange=SH,symbol={SYMBOLS[0]} {fields},nulls=0i {late}"
    twice = f"{DAILY.name},exchange=SH,symbol={SYMBOLS[0]} {fields},adj_factor=1,nulls=0i {noon}"
    influxdb_server.query(f'DELETE FROM "{MINUTE.name}" WHERE time = 1704159060000000000', influxdb_database)
    influxdb_server.write_lines(moved, influxdb_database, MINUTE.name)
    influxdb_server.write_lines(twice, influxdb_database, DAILY.name)

    for data in (MINUTE, DAILY):
        assert recorded.scrub(data) == [Discrepancy(SYMBOLS[0], FIRST, DiscrepancyKind.DIFFERS)]


def test_a_database_older_than_its_manifest_is_adopted(
    store: InfluxDBAdapter, recorded: InfluxDBAdapter
) -> None:
    store.write(FACTOR_VALUES, sample(FACTOR_VALUES))

    before = recorded.scrub(FACTOR_VALUES)
    adopted = recorded.scrub(FACTOR_VALUES, adopt=True)

    assert {item.kind for item in before} == {DiscrepancyKind.UNKNOWN}
    assert adopted == recorded.scrub(FACTOR_VALUES) == []


def test_an_unknown_outcome_is_no_loss_and_settled_by_sending_again_or_by_a_scrub(
    open_influxdb: OpenStore,
    proxy: FaultProxy,
    influxdb_server: InfluxServer,
    influxdb_database: str,
    tmp_path: Path,
) -> None:
    options = {"database": influxdb_database, "manifest": tmp_path}
    broken = open_influxdb(proxy.url, timeouts=QUICK, attempts=1, breaker_rest=0.0, **options)
    store = open_influxdb(influxdb_server.url, **options)
    old, new = bars(SYMBOLS[0], days(4), 10.0), bars(SYMBOLS[0], days(6), 11.0)
    store.write(DAILY, old)

    for fault in (Fault(drop_reply=True, when=b"POST /write"), Fault(refuse=True)):
        proxy.fault = fault
        with pytest.raises((OutcomeUnknown, StoreUnavailable)):
            broken.write(DAILY, new)
        assert store.scrub(DAILY) == []
    influxdb_server.query(f'DELETE FROM "{DAILY.name}" WHERE time >= 1704499200000000000', influxdb_database)
    lost = [Discrepancy(SYMBOLS[0], day, DiscrepancyKind.MISSING) for day in days(2, date(2024, 1, 6))]
    assert store.scrub(DAILY) == lost, "what a scrub has seen once is on record"
    store.write(DAILY, new)
    assert store.scrub(DAILY) == []


def test_refused_rows_are_not_on_record_and_accepted_ones_are(
    recorded: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    recorded.write(DAILY, bars(SYMBOLS[0], days(1)))
    line = f"{DAILY.name},exchange=SH,symbol={SYMBOLS[1]} volume=1.5 1609459200000000000"
    influxdb_server.write_lines(line, influxdb_database, DAILY.name)
    table = pa.concat_tables([bars(SYMBOLS[2], days(3, date(2021, 1, 1))), bars(SYMBOLS[2], days(2))])

    with pytest.raises(PartialWrite):
        recorded.write(DAILY, table)

    assert recorded.scrub(DAILY, FIRST) == []
    influxdb_server.query(f'DELETE FROM "{DAILY.name}" WHERE "symbol" = \'{SYMBOLS[2]}\'', influxdb_database)
    lost = [Discrepancy(SYMBOLS[2], day, DiscrepancyKind.MISSING) for day in days(2)]
    assert recorded.scrub(DAILY, FIRST) == lost


def test_kills_of_the_server_under_rival_writers_raise_no_alarm(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer], tmp_path: Path
) -> None:
    """Three writers write the same rows with other prices, each sending again what failed, while influxd is killed."""
    server = start_influxdb()
    options = {"attempts": 1, "breaker_rest": 0.05, "manifest": tmp_path}
    failures: list[BaseException] = []

    def keep_writing(number: int) -> None:
        store = open_influxdb(server.url, **options)
        for price in range(1, 26):
            rows = bars(SYMBOLS[0], days(300), float(price * 10 + number))
            for _ in range(2_000):
                try:
                    store.write(DAILY, rows)
                    break
                except (OutcomeUnknown, StoreUnavailable):
                    time.sleep(0.02)
            else:
                failures.append(AssertionError("never acknowledged"))

    threads = [threading.Thread(target=keep_writing, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        threads[0].join(0.5)
        server.kill()
        server.start()
    for thread in threads:
        thread.join(120)
    server.kill()
    server.start()

    assert failures == []
    assert not any(thread.is_alive() for thread in threads)
    assert open_influxdb(server.url, **options).scrub(DAILY) == []


def test_a_killed_writer_leaves_doubts_but_no_alarm(
    recorded: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str, tmp_path: Path
) -> None:
    chance = random.Random(5)
    options = {
        "url": influxdb_server.url,
        "database": influxdb_database,
        "manifest": str(tmp_path / "manifest"),
    }
    for number in range(6):
        task = {"store": "influxdb", "options": options, "history": str(tmp_path / f"{number}.jsonl")}
        task |= {
            "mode": "rewrite",
            "symbols": [*SYMBOLS[:4]],
            "batches": 100_000,
            "first": number * 1_000 + 1,
        }
        writer = in_subprocess("tests.data.conformance.writer", json.dumps(task))
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.05, 0.3))
        writer.kill()
        writer.communicate()

        assert recorded.scrub(DAILY) == []
    assert recorded.read(Query(DAILY)).num_rows > 0


def test_a_manifest_that_cannot_be_written_makes_the_outcome_unknown(
    recorded: InfluxDBAdapter, influxdb_database: str, tmp_path: Path
) -> None:
    recorded.write(DAILY, bars(SYMBOLS[0], days(1)))
    version = recorded.version(DAILY)
    path = tmp_path / "manifest" / f"{influxdb_database}.{DAILY.name}.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE blocks RENAME TO hidden")

    with pytest.raises(OutcomeUnknown, match="not noted in the manifest"):
        recorded.write(DAILY, bars(SYMBOLS[0], days(3)))

    assert recorded.version(DAILY) == version + 1, "caches look again: the rows are there"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE hidden RENAME TO blocks")
    assert recorded.scrub(DAILY) == []


def test_a_damaged_manifest_stops_writes_before_anything_is_sent(
    open_influxdb: OpenStore, influxdb_server: InfluxServer, influxdb_database: str, tmp_path: Path
) -> None:
    (tmp_path / f"{influxdb_database}.{DAILY.name}.sqlite").write_bytes(b"no database" * 1_000)
    store = open_influxdb(influxdb_server.url, database=influxdb_database, manifest=tmp_path)

    with pytest.raises(StoreCorrupt, match="--adopt"):
        store.write(DAILY, bars(SYMBOLS[0], days(1)))

    assert store.read(Query(DAILY)).num_rows == 0


def test_without_a_manifest_there_is_nothing_to_compare_with(store: InfluxDBAdapter) -> None:
    store.write(DAILY, bars(SYMBOLS[0], days(1)))

    with pytest.raises(Unsupported, match="manifest"):
        store.scrub(DAILY)


def test_hashes_see_every_value_and_outlive_a_new_field() -> None:
    rows = sample(DAILY, seed=4)
    hashes = row_hashes(DAILY, rows)

    assert len(set(hashes.tolist())) == rows.num_rows
    for name in DAILY.value_names:
        column = pl.Series(rows[name])
        moved = changed(rows, **{name: (column.fill_null(1) + 1).to_list()})
        assert (row_hashes(DAILY, moved) != hashes).all()
    longer = Dataset("x", "trade_date", TimeKind.DAY, (*DAILY.fields, DAILY.fields[-1].__class__("later")))
    more = rows.append_column("later", pa.nulls(rows.num_rows, pa.float64()))
    assert np.array_equal(row_hashes(longer, more), hashes)


def test_hashes_never_change_between_releases() -> None:
    """Frozen: computed by the first release that had them. Records kept for years depend on them."""
    table = bars(SYMBOLS[0], [FIRST])

    assert hex(row_hashes(DAILY, table)[0]) == "0x1ccc920fc1fac87f"
