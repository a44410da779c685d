"""Nothing acknowledged is lost and nothing is doubled, whatever happens to a real server."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.errors import OutcomeUnknown, StoreFull, StoreUnavailable
from quantflux.data.adapters.influxdb import InfluxDBAdapter
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY
from tests.data.adapters.influxdb.conftest import OpenStore
from tests.data.conformance.samples import bars, sample
from tests.services.influxdb import InfluxServer

pytestmark = pytest.mark.influxdb

START = date(1991, 1, 1)
BATCH = 200


@dataclass
class History:
    """What became of each batch of one writer, by its number: every batch is sent until it is acknowledged."""

    symbol: str
    acknowledged: list[int] = field(default_factory=list)
    doubts: int = 0
    refusals: int = 0
    broken: list[BaseException] = field(default_factory=list)


def batch(symbol: str, number: int) -> pa.Table:
    """Return the batch of that number: other numbers have other symbols or days, and other prices."""
    days = [START + timedelta(days=(number % 60) * BATCH + i) for i in range(BATCH)]
    return bars(symbol, days, [number + i / BATCH + 1 for i in range(BATCH)])


def keep_writing(store: InfluxDBAdapter, history: History, stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        try:
            store.write(DAILY, batch(history.symbol, number))
        except OutcomeUnknown:
            history.doubts += 1
        except StoreUnavailable:
            history.refusals += 1
            time.sleep(0.02)
        except BaseException as exc:
            history.broken.append(exc)
            raise
        else:
            history.acknowledged.append(number)
            number += 1


def expected(history: History) -> pa.Table:
    """Return the rows that must be there: the last acknowledged batch of each stretch of days."""
    newest = {number % 60: number for number in history.acknowledged}
    tables = [batch(history.symbol, number) for _, number in sorted(newest.items())]
    return (
        pa.concat_tables(tables).sort_by([("trade_date", "ascending")])
        if tables
        else DAILY.schema.empty_table()
    )


def run_kill_cycles(server: InfluxServer, open_influxdb: OpenStore, cycles: int, seed: int) -> str:
    """Kill and restart the server under three writers, then compare, and return one line that says how it went."""
    chance = random.Random(seed)
    histories = [History(f"60000{i}.SH") for i in range(3)]
    stop = threading.Event()
    threads = []
    for history in histories:
        store = open_influxdb(server.url, attempts=1, breaker_rest=0.05, timeouts={"read": 5.0, "write": 5.0})
        threads.append(threading.Thread(target=keep_writing, args=(store, history, stop)))
    for thread in threads:
        thread.start()
    for _ in range(cycles):
        time.sleep(chance.uniform(0.3, 1.2))
        server.kill()
        server.start()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    server.kill()
    server.start()

    reader = open_influxdb(server.url)
    lost = doubled = phantom = 0
    for history in histories:
        assert history.broken == []
        found, wanted = reader.read(Query(DAILY, (history.symbol,))), expected(history)
        keys = found.column("trade_date").to_pylist()
        doubled += len(keys) - len(set(keys))
        rows = dict(zip(keys, found.column("close").to_pylist(), strict=True))
        undecided = batch(history.symbol, len(history.acknowledged))
        maybe = dict(zip(undecided["trade_date"].to_pylist(), undecided["close"].to_pylist(), strict=True))
        for day, close in zip(wanted["trade_date"].to_pylist(), wanted["close"].to_pylist(), strict=True):
            lost += rows.get(day) not in (close, maybe.get(day))
        phantom += len(set(rows) - set(wanted["trade_date"].to_pylist()) - set(maybe))
    acknowledged = sum(len(h.acknowledged) for h in histories) * BATCH
    assert reader.version(DAILY) >= sum(len(h.acknowledged) for h in histories)
    doubts = sum(h.doubts for h in histories)
    refusals = sum(h.refusals for h in histories)
    return f"acked {acknowledged} lost {lost} doubled {doubled} phantom {phantom} unknown {doubts} refused {refusals}"


def test_a1_kill_9_during_writes(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    line = run_kill_cycles(start_influxdb(), open_influxdb, cycles=4, seed=1)

    assert " lost 0 doubled 0 phantom 0 " in line
    assert not line.startswith("acked 0 ")


@pytest.mark.slow
def test_a1_a_hundred_kills(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer], capsys: pytest.CaptureFixture[str]
) -> None:
    line = run_kill_cycles(start_influxdb(), open_influxdb, cycles=100, seed=2)

    with capsys.disabled():
        print(f"\n100 kills of influxd: {line}")  # noqa: T201 - the figure of the run
    assert " lost 0 doubled 0 phantom 0 " in line


def may_mount() -> bool:
    """Whether this user may mount in a namespace of its own, as root may."""
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A disk of 10 MB that only a namespace sees, and the command that puts others into that namespace."""
    if not may_mount():
        pytest.skip("only root may mount the small disk")
    disk = tmp_path / "small"
    disk.mkdir()
    script = f"mount -t tmpfs -o size=10m none {disk} && echo ready && exec sleep 600"
    keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    assert keeper.stdout.readline() == "ready\n"
    yield disk, ["nsenter", "-t", str(keeper.pid), "-m"]
    keeper.kill()
    keeper.communicate()


def fill(store: InfluxDBAdapter, acknowledged: list[pa.Table]) -> None:
    """Write random rows of ever new symbols until that fails."""
    for number in range(1_000):
        days = [START + timedelta(days=i) for i in range(4_000)]
        rows = sample(DAILY, [f"{600000 + number:06d}.SH"], days, seed=number)
        store.write(DAILY, rows)
        acknowledged.append(rows)


def test_a4_a_full_disk_is_told_and_nothing_acknowledged_is_lost(
    open_influxdb: OpenStore,
    start_influxdb: Callable[..., InfluxServer],
    small_disk: tuple[Path, list[str]],
) -> None:
    disk, inside = small_disk
    server = start_influxdb(prefix=inside, storage=disk)
    store = open_influxdb(server.url, attempts=1, breaker_rest=0.0)
    acknowledged: list[pa.Table] = []

    with pytest.raises((StoreFull, OutcomeUnknown), match="no space"):
        fill(store, acknowledged)
    late = sample(DAILY, ["000001.SZ"], [START])
    assert len(acknowledged) > 2
    assert store.read(Query(DAILY, ("600000.SH",))).equals(acknowledged[0]), "reads go on"

    # A 1.x server stays in this state until it is started again, also when there is room.
    server.kill()
    subprocess.run([*inside, "mount", "-o", "remount,size=200m", str(disk)], check=True)
    server.start()

    store.write(DAILY, late)
    for table in (*acknowledged, late):
        assert store.read(Query(DAILY, (table["symbol"][0].as_py(),))).equals(table)
