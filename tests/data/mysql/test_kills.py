"""kill -9 and full disks: nothing acknowledged is lost, nothing is doubled, nothing appears that nobody sent."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import OutcomeUnknown, StoreError, StoreFull
from quantflux.data.adapters.mysql.connection import Server, Timeouts
from quantflux.data.adapters.mysql.store import MySQLAdapter
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY_BASIC
from tests.data.mysql.conftest import valuations
from tests.services.mariadb import MariaDBServer
from tests.services.process import require

pytestmark = pytest.mark.mysql

FIRST_DAY = date(1991, 1, 1)
BATCH = 200
WAITS = Timeouts(connect=2, read=5, write=5)


class Writer(threading.Thread):
    """Appends batches of one symbol's days, and writes down what it was told about each."""

    def __init__(self, store: MySQLAdapter, symbol: str, stop: threading.Event) -> None:
        super().__init__()
        self.store, self.symbol, self.stopping = store, symbol, stop
        self.acked: set[int] = set()
        self.unknown: set[int] = set()

    def run(self) -> None:
        batch = 0
        while not self.stopping.is_set() and batch < 85:
            try:
                self.store.write(DAILY_BASIC, valuations(self.symbol, batch_days(batch), float(batch)))
                self.acked.add(batch)
            except OutcomeUnknown:
                self.unknown.add(batch)
            except StoreError:
                self.stopping.wait(0.02)  # certainly not stored
            batch += 1


def batch_days(batch: int) -> list[date]:
    return [FIRST_DAY + timedelta(days=batch * BATCH + n) for n in range(BATCH)]


def check(store: MySQLAdapter, writers: list[Writer]) -> dict[str, int]:
    """Compare what is stored with what the writers were told."""
    table = store.read(Query(DAILY_BASIC, columns=("pe",)))
    stored: dict[str, dict[int, int]] = {}
    for symbol, pe in zip(table.column("symbol").to_pylist(), table.column("pe").to_pylist(), strict=True):
        counts = stored.setdefault(symbol, {})
        counts[int(pe)] = counts.get(int(pe), 0) + 1
    result = {"acked": 0, "lost": 0, "torn": 0, "phantom": 0, "unknown": 0, "unknown present": 0}
    for writer in writers:
        found = stored.get(writer.symbol, {})
        result["acked"] += len(writer.acked)
        result["lost"] += len(writer.acked - set(found))
        result["torn"] += sum(count != BATCH for count in found.values())
        result["phantom"] += len(set(found) - writer.acked - writer.unknown)
        result["unknown"] += len(writer.unknown)
        result["unknown present"] += len(writer.unknown & set(found))
    return result


def kill_cycles(server: MariaDBServer, clock: FixedClock, cycles: int) -> dict[str, int]:
    """Kill the server `cycles` times under three writers; return the sums of what was found."""
    rng = random.Random(7)
    total: dict[str, int] = {}
    for _ in range(cycles):
        database = server.create_database()
        store = MySQLAdapter(Server("127.0.0.1", server.port, "root", "", database, WAITS), clock)
        store.write(DAILY_BASIC, valuations("600000.SH", [date(1990, 12, 20)], 99.0))
        stop = threading.Event()
        writers = [Writer(store, f"60051{n}.SH", stop) for n in range(3)]
        for writer in writers:
            writer.start()
        threading.Event().wait(rng.uniform(0.3, 1.2))
        server.kill()
        stop.set()
        for writer in writers:
            writer.join(60)
        server.start()
        for name, count in check(store, writers).items():
            total[name] = total.get(name, 0) + count
        store.close()
        server.drop_database(database)
    return total


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    own_server: MariaDBServer, clock: FixedClock
) -> None:
    found = kill_cycles(own_server, clock, 2)

    assert found["acked"] > 0
    assert (found["lost"], found["torn"], found["phantom"]) == (0, 0, 0)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_fifty_kills(own_server: MariaDBServer, clock: FixedClock) -> None:
    found = kill_cycles(own_server, clock, 50)

    print(found)  # noqa: T201 (the figure that the run is for)
    assert found["acked"] > 100
    assert (found["lost"], found["torn"], found["phantom"]) == (0, 0, 0)


class SmallDisk(MariaDBServer):
    """A server whose data lie on a small file system, mounted in a namespace of its own."""

    def __init__(self, folder: Path, spare_megabytes: int) -> None:
        super().__init__(folder)
        disk = folder / "disk"
        disk.mkdir()
        used = sum(f.stat().st_size for f in self.data.rglob("*") if f.is_file()) >> 20
        size = f"{used + spare_megabytes}m"
        script = f'mount -t tmpfs -o size={size} tmpfs "$0" && cp -r "$1" "$0/data" && shift && exec "$@"'
        command = [a.replace(str(self.data), str(disk / "data")) for a in self.command]
        self.command = ["unshare", "-m", "sh", "-c", script, str(disk), str(self.data), *command]
        self.disk = disk

    def grow(self, megabytes: int) -> None:
        """Make room while the server runs."""
        remount = ["mount", "-o", f"remount,size={megabytes}m", str(self.disk)]
        subprocess.run(["nsenter", f"--target={self.pid}", "--mount", *remount], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    require("mariadbd", "mariadb-server")
    may = os.geteuid() == 0 and shutil.which("unshare") and shutil.which("nsenter")
    if not may or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs root and mount namespaces")
    server = SmallDisk(
        tmp_path / "server", spare_megabytes=22
    )  # the server itself makes 12 of temporary space
    server.start()
    yield server
    server.close()


def fill(store: MySQLAdapter) -> Iterator[int]:
    """Write one stock after another; yield how many are acknowledged."""
    days = [FIRST_DAY + timedelta(days=n) for n in range(5000)]
    for number in range(4000):
        store.write(DAILY_BASIC, valuations(f"{600000 + number}.SH", days))
        yield number + 1


def test_a_full_disk_loses_nothing_and_serves_again_with_room(
    small_disk: SmallDisk, clock: FixedClock
) -> None:
    database = small_disk.create_database()
    store = MySQLAdapter(Server("127.0.0.1", small_disk.port, "root", "", database, WAITS), clock)
    counts = [0]

    with pytest.raises(StoreFull):
        counts.extend(fill(store))

    acked = counts[-1]
    assert acked > 0
    assert store.read(Query(DAILY_BASIC, columns=())).num_rows == acked * 5000
    small_disk.grow(400)
    store.write(DAILY_BASIC, valuations("000001.SZ", [FIRST_DAY]))
    assert store.read(Query(DAILY_BASIC, columns=())).num_rows == acked * 5000 + 1
    store.close()
