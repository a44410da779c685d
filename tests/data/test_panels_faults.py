"""Whatever happens to the panel tier's files, the answer is right."""

from __future__ import annotations

import contextlib
import errno
import logging
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock, SystemClock
from quantflux.core.errors import StoreUnavailable
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.columnar import open_store as open_columnar
from quantflux.data.adapters.memory import MemoryStore, open_store
from quantflux.data.contract import Query
from quantflux.data.panels import PanelTier
from quantflux.data.panels.manifest import DatasetFolder
from quantflux.data.schema import DAILY, DAILY_BASIC, Dataset
from tests.data.market_tables import daily_bars, table_of

SYMBOLS = ("000001.SZ", "600519.SH")
YEAR_BYTES = 365 * len(SYMBOLS) * 7 * 8


@pytest.fixture
def store(clock: FixedClock) -> MemoryStore:
    store = open_store(clock=clock)
    store.write(DAILY, daily_bars(SYMBOLS, date(2021, 1, 1), 3 * 365))
    return store


@pytest.fixture
def layer(store: MemoryStore, tmp_path: Path, clock: FixedClock) -> DataAccessLayer:
    return fresh(store, tmp_path / "panels", clock)


def fresh(store: MemoryStore, root: Path, clock: FixedClock, max_bytes: int | None = None) -> DataAccessLayer:
    """A layer as a new process would have it."""
    return DataAccessLayer(store, PanelTier(store, root, clock=clock, max_bytes=max_bytes), clock=clock)


def answers_rightly(layer: DataAccessLayer, tier: str) -> bool:
    bars = layer.get_many()
    return bars.provenance.tier == tier and bars.to_arrow().equals(layer.store.read(Query(DAILY)))


def values_of(root: Path) -> list[Path]:
    return sorted(root.glob(f"{DAILY.name}/*/values.bin"))


def test_a_reader_goes_on_after_the_folder_is_deleted(layer: DataAccessLayer, tmp_path: Path) -> None:
    view = layer.panel(["close"], start="2022-01-01", end="2022-12-31")
    before = view["close"].copy()

    shutil.rmtree(tmp_path / "panels")

    assert (view["close"] == before).all()
    assert answers_rightly(layer, "panel")


def test_a_deleted_folder_comes_back(
    layer: DataAccessLayer, store: MemoryStore, tmp_path: Path, clock: FixedClock
) -> None:
    layer.get_many()
    shutil.rmtree(tmp_path / "panels")

    assert answers_rightly(fresh(store, tmp_path / "panels", clock), "panel")
    assert len(values_of(tmp_path / "panels")) == 3


def test_a_write_after_the_folder_was_deleted_is_seen(layer: DataAccessLayer, tmp_path: Path) -> None:
    layer.get_many()
    shutil.rmtree(tmp_path / "panels")

    layer.write(DAILY, daily_bars(SYMBOLS, date(2023, 12, 31), 2, seed=3))

    assert answers_rightly(layer, "panel")


@pytest.mark.parametrize("name", ["values.bin", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "delete", "empty"])
def test_a_damaged_segment_is_built_again(
    layer: DataAccessLayer, store: MemoryStore, tmp_path: Path, clock: FixedClock, name: str, damage: str
) -> None:
    layer.get_many()
    victim = values_of(tmp_path / "panels")[1].with_name(name)
    content = victim.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    victim.unlink()
    if damage != "delete":
        victim.write_bytes({"cut": content[:-9], "flip": flipped, "empty": b""}[damage])

    assert answers_rightly(fresh(store, tmp_path / "panels", clock), "panel")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 99}', b'{"format": 1, "segments": 3}', b"\xff\xfe"]
)
def test_a_damaged_manifest_is_written_again(
    layer: DataAccessLayer, store: MemoryStore, tmp_path: Path, clock: FixedClock, content: bytes
) -> None:
    layer.get_many()
    (tmp_path / "panels" / DAILY.name / "manifest.json").write_bytes(content)

    assert answers_rightly(fresh(store, tmp_path / "panels", clock), "panel")
    assert len(values_of(tmp_path / "panels")) == 3


def test_verify_finds_and_drops_what_was_damaged_under_a_running_process(
    layer: DataAccessLayer, tmp_path: Path
) -> None:
    layer.get_many()
    assert layer.panels is not None
    panels = layer.panels.of(DAILY)
    assert panels is not None
    assert panels.verify() == []
    with values_of(tmp_path / "panels")[0].open("r+b") as file:
        file.seek(800)
        file.write(b"\x01")

    assert panels.verify() == ["2021"]
    assert answers_rightly(layer, "panel")


def test_a_folder_that_cannot_be_made_leaves_the_answer_to_the_store(
    store: MemoryStore, tmp_path: Path, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    layer = fresh(store, tmp_path / "file" / "panels", clock)

    with caplog.at_level(logging.WARNING):
        assert answers_rightly(layer, "store")
    assert "the store answers" in caplog.text


def test_a_read_only_folder_is_used_as_it_is_and_never_an_error(
    layer: DataAccessLayer,
    store: MemoryStore,
    tmp_path: Path,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer.get_many(start="2022-01-01", end="2022-12-31")
    real_open = os.open

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    def open_to_read(path: str, flags: int, *rest: int) -> int:
        return real_open(path, flags, *rest) if flags & os.O_ACCMODE == os.O_RDONLY else refuse()  # type: ignore[return-value]

    monkeypatch.setattr(os, "open", open_to_read)
    for call in ("mkdir", "utime", "rename", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, call, refuse)
    reader = fresh(store, tmp_path / "panels", clock)

    found = [reader.get_many(start=f"{year}-01-01", end=f"{year}-12-31") for year in (2022, 2021)]

    assert [(bars.provenance.tier, len(bars)) for bars in found] == [("panel", 730), ("store", 730)]


@pytest.mark.parametrize("call", ["posix_fallocate", "flock", "rename", "write_bytes"])
def test_a_full_disk_leaves_the_answer_to_the_store_until_there_is_room(
    layer: DataAccessLayer, tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = {"posix_fallocate": os, "flock": __import__("fcntl"), "rename": Path, "write_bytes": Path}[call]
    with monkeypatch.context() as patch:
        patch.setattr(place, call, full)
        assert answers_rightly(layer, "store")
    assert not list((tmp_path / "panels").rglob("values.bin"))

    clock.advance(31)
    assert answers_rightly(layer, "panel")


def test_errors_of_the_store_pass_through(layer: DataAccessLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_: object, dataset: Dataset) -> int:
        raise StoreUnavailable("the server is gone")

    monkeypatch.setattr(MemoryStore, "version", down)

    with pytest.raises(StoreUnavailable, match="the server is gone"):
        layer.get_many()


def test_the_least_recently_used_segments_go_first(
    store: MemoryStore, tmp_path: Path, clock: FixedClock
) -> None:
    root = tmp_path / "panels"
    layer = fresh(store, root, clock, max_bytes=2 * YEAR_BYTES + 100)
    for year in ("2021", "2022", "2021", "2023"):
        clock.advance(100)
        layer.get_many(start=f"{year}-01-01", end=f"{year}-12-31")
        time.sleep(0.02)  # last uses are told apart by file times

    years = [path.parent.name[:4] for path in values_of(root)]

    assert years == ["2021", "2023"]
    assert layer.panels is not None
    assert layer.panels.stored_bytes() <= 2 * YEAR_BYTES + 100


def test_other_datasets_make_room_too(store: MemoryStore, tmp_path: Path, clock: FixedClock) -> None:
    store.write(DAILY_BASIC, table_of(DAILY_BASIC, [(s, date(2022, 1, 4), 0) for s in SYMBOLS], seed=0))
    layer = fresh(store, tmp_path / "panels", clock, max_bytes=YEAR_BYTES)
    layer.get_many(dataset=DAILY_BASIC)
    assert layer.panels is not None
    assert layer.panels.stored_bytes() > 0

    layer.get_many(start="2022-01-01", end="2022-12-31")

    assert layer.panels.stored_bytes() == YEAR_BYTES
    assert layer.get_many(dataset=DAILY_BASIC).to_arrow().equals(store.read(Query(DAILY_BASIC)))


def test_a_query_larger_than_the_tier_is_answered_by_the_store(
    store: MemoryStore, tmp_path: Path, clock: FixedClock
) -> None:
    layer = fresh(store, tmp_path / "panels", clock, max_bytes=2 * YEAR_BYTES)

    assert answers_rightly(layer, "store")
    assert answers_rightly(layer, "store")
    assert layer.get_many(start="2022-01-01", end="2022-12-31").provenance.tier == "panel"
    assert layer.panels is not None
    assert layer.panels.stored_bytes() <= 2 * YEAR_BYTES


def test_threads_share_one_tier(layer: DataAccessLayer) -> None:
    def read_and_write(seed: int) -> list[int]:
        counts = []
        for i in range(5):
            if seed == 0:
                layer.write(DAILY, daily_bars(SYMBOLS, date(2022, 1, 1 + i), 1, seed=i))
            counts.append(len(layer.get_many()))
        return counts

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(read_and_write, range(4)))

    assert counts == [[len(SYMBOLS) * 3 * 365] * 5] * 4
    assert answers_rightly(layer, "panel")


def test_a_lock_on_a_deleted_file_protects_nothing_and_is_taken_again(tmp_path: Path) -> None:
    folder = DatasetFolder(tmp_path / "panels")
    waiting, entered = threading.Event(), threading.Event()

    def wait_for_it() -> None:
        waiting.set()
        with folder.lock():
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with contextlib.ExitStack() as second:
            with folder.lock():
                pool.submit(wait_for_it)
                waiting.wait(10)
                time.sleep(0.1)  # let it block on the file that is about to go
                shutil.rmtree(folder.path)
                second.enter_context(folder.lock())
            assert not entered.wait(0.3)
        assert entered.wait(10)


def read_all(root: Path, barrier: object, results: object) -> None:
    """What each rival process does."""
    clock = SystemClock()
    store = open_columnar(path=root / "lake", clock=clock)
    layer = DataAccessLayer(store, PanelTier(store, root / "panels", clock=clock), clock=clock)
    barrier.wait(60)  # type: ignore[attr-defined]
    bars = layer.get_many()
    right = bars.to_arrow().equals(store.read(Query(DAILY)))
    results.put((right, bars.provenance.tier))  # type: ignore[attr-defined]
    store.close()


def test_processes_that_build_at_once_build_once(tmp_path: Path) -> None:
    store = open_columnar(path=tmp_path / "lake", clock=SystemClock())
    store.write(DAILY, daily_bars(SYMBOLS, date(2021, 1, 1), 3 * 365))
    store.close()
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=read_all, args=(tmp_path, barrier, results)) for _ in range(3)]

    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)

    assert found == [(True, "panel")] * 3
    assert len(values_of(tmp_path / "panels")) == 3


BUILDER = """
    import sys
    from pathlib import Path
    from quantflux.core.clock import SystemClock
    from quantflux.data.adapters.columnar import open_store
    from quantflux.data.panels import PanelTier
    from quantflux.data.schema import DAILY
    root = Path(sys.argv[1])
    store = open_store(path=root / "lake", clock=SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    PanelTier(store, root / "panels", clock=SystemClock()).of(DAILY).snapshot(None, None)
    print("built", flush=True)
"""


def kill_builders(root: Path, times: int, seed: int) -> int:
    """Kill `times` builders at random moments; return how many had not finished."""
    rng = random.Random(seed)
    store = open_columnar(path=root / "lake", clock=SystemClock())
    store.write(DAILY, daily_bars([f"{600000 + i}.SH" for i in range(40)], date(2015, 1, 1), 9 * 365))
    caught = 0
    for i in range(times):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(BUILDER), str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as builder:
            assert builder.stdin is not None
            assert builder.stdout is not None
            builder.stdout.readline()
            builder.stdin.write(b"\n")
            builder.stdin.flush()
            time.sleep(rng.uniform(0.0, 0.25))
            builder.send_signal(signal.SIGKILL)
            caught += builder.stdout.read() == b""
        tier = PanelTier(store, root / "panels", clock=SystemClock())
        layer = DataAccessLayer(store, tier, clock=SystemClock())
        bars = layer.get_many(start="2019-01-01", end="2019-12-31")
        assert bars.provenance.tier == "panel"
        assert bars.to_arrow().equals(store.read(Query(DAILY, None, date(2019, 1, 1), date(2019, 12, 31))))
        if i % 3 == 2:
            shutil.rmtree(root / "panels")
        else:  # touch every year, so that the next builder has work to do
            store.write(DAILY, daily_bars(["600000.SH"], date(2015, 1, 1), 9 * 365, seed=i + 1))
    store.close()
    # Whoever builds next sweeps; a year that was built already says nothing of another one's remains.
    layer.get_many()
    assert not list((root / "panels").rglob("*.new")), "what the killed ones left was not swept"
    return caught


def test_a_builder_killed_at_any_moment_leaves_a_usable_tier(tmp_path: Path) -> None:
    assert kill_builders(tmp_path, times=3, seed=1) >= 1


@pytest.mark.slow
def test_many_killed_builders_leave_a_usable_tier(tmp_path: Path) -> None:
    assert kill_builders(tmp_path, times=60, seed=2) >= 20
