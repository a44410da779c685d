"""The watcher: what it notices, what it waits for, and how it ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quantflux.config import ConfigManager, ConfigRequest, Watcher
from quantflux.config.watcher import PATIENCE
from quantflux.core.errors import InvalidRequest
from tests.config.broken import BROKEN, clear, replace


def scripted(*fingerprints: str) -> tuple[Watcher, list[int]]:
    """A watcher that will see these fingerprints, one per poll, and the polls at which it acted."""
    script: Iterator[str] = iter(fingerprints)
    acted: list[int] = []
    polls = 0

    def look() -> str:
        nonlocal polls
        polls += 1
        return next(script)

    return Watcher(look, "old", lambda: acted.append(polls), 1.0), acted


@pytest.mark.parametrize(
    ("seen", "acts_at"),
    [
        (["old"] * 5, []),
        (["new", "new", "new"], [2]),
        (["half", "new", "new", "new"], [3]),
        (["new", "old", "old", "old"], []),
        (["new", "old", "new", "old", "new", "new"], [6]),
        (["a", "b", "c", "old", "d", "e", "e"], [7]),
        (["new", "new", "newer", "newer"], [2, 4]),
        (["new", "new", "old", "old"], [2, 4]),
        (["a", "b", "c", "d", "e"][: PATIENCE + 1], [PATIENCE]),
    ],
)
def test_a_change_is_acted_on_once_it_rests_or_patience_ends(seen, acts_at):
    watcher, acted = scripted(*seen)

    for _ in seen:
        watcher.poll()

    assert acted == acts_at


def test_an_interval_of_nothing_is_refused():
    for interval in (0, -1, float("nan")):
        with pytest.raises(InvalidRequest, match="more than 0"):
            Watcher(str, "", str, interval)


def test_the_thread_survives_an_unexpected_error(caplog):
    polled = threading.Event()
    calls = []

    def look() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError("on purpose")
        polled.set()
        return "same"

    with Watcher(look, "same", str, 0.001):
        assert polled.wait(30)

    assert "goes on" in caplog.text


def test_stopping_is_final_and_may_be_repeated():
    watcher = Watcher(lambda: "same", "same", str, 0.001).start()
    assert watcher.alive

    watcher.stop()
    watcher.stop()

    assert not watcher.alive


def test_a_watcher_may_be_stopped_by_what_it_calls():
    def stop() -> None:
        watcher.stop()

    watcher = Watcher(lambda: "new", "old", stop, 0.001)
    watcher.start()

    until(lambda: not watcher.alive)


def until(true: Callable[[], bool]) -> None:
    """Wait until something becomes true; a minute without it is a failure, whatever the machine's speed."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.005)


def rows(number: int) -> bytes:
    return f"[queries]\nmax_cells = {number}\n".encode()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[ConfigManager, Path]]:
    path = tmp_path / "user.toml"
    path.write_bytes(rows(1))
    manager = ConfigManager(ConfigRequest(path=path), {})
    with manager.watch(interval=0.005):
        yield manager, path
    assert not [t for t in threading.enumerate() if t.name == "quantflux-config-watcher"]


def test_changes_in_every_way_of_writing_are_noticed(watched, tmp_path):
    manager, path = watched

    def holds(number: int) -> Callable[[], bool]:
        return lambda: manager.current.queries.max_cells == number

    path.write_bytes(rows(2))
    until(holds(2))
    replace(path, rows(3))
    until(holds(3))

    (tmp_path / "a.toml").write_bytes(rows(4))
    (tmp_path / "b.toml").write_bytes(rows(5))
    for name, number in (("a.toml", 4), ("b.toml", 5), ("a.toml", 4)):
        link = tmp_path / "link.new"
        link.symlink_to(name)
        link.replace(path)
        until(holds(number))

    # A mounted configuration map: the link stays, the folder behind it is swapped.
    for number in (6, 7):
        folder = tmp_path / f"v{number}"
        folder.mkdir()
        (folder / "user.toml").write_bytes(rows(number))
        swap = tmp_path / "data.new"
        swap.symlink_to(folder.name)
        swap.replace(tmp_path / "data")
        if path.readlink() != Path("data/user.toml"):
            clear(path)
            path.symlink_to("data/user.toml")
        until(holds(number))


def test_same_size_and_same_time_do_not_hide_a_change(watched):
    manager, path = watched
    stamp = path.stat().st_mtime_ns

    with path.open("r+b") as stream:
        stream.write(rows(9))
    os.utime(path, ns=(stamp, stamp))

    until(lambda: manager.current.queries.max_cells == 9)


def test_every_broken_file_is_survived_and_the_next_good_one_taken(watched):
    manager, path = watched

    for number, broken in enumerate(BROKEN, start=10):
        before = manager.current
        broken.put(path)
        until(lambda: manager.last_error is not None)
        assert manager.current is before, broken.name
        clear(path)
        replace(path, rows(number))
        until(lambda wanted=number: manager.current.queries.max_cells == wanted)
        until(lambda: manager.last_error is None)


def test_a_half_written_file_is_not_taken_while_it_grows(tmp_path):
    path = tmp_path / "user.toml"
    whole = b"[queries]\nmax_cells = 5\nmax_symbols = 6\n"
    path.write_bytes(whole)
    manager = ConfigManager(ConfigRequest(path=path), {})
    seen = []
    manager.subscribe(
        lambda settings, _: seen.append((settings.queries.max_cells, settings.queries.max_symbols))
    )
    watcher = Watcher(manager._look, manager._look(), manager.reload, 1.0)

    with path.open("wb") as stream:
        stream.write(b"[queries]\nmax_cells = 7\n")  # valid so far, but not yet whole
        stream.flush()
        watcher.poll()
        stream.write(b"max_symbols = 8\n")
    watcher.poll()
    watcher.poll()

    assert seen == [(7, 8)]


def test_a_hundred_changes_a_second_end_with_the_last(watched):
    manager, path = watched

    for number in range(100, 400):
        replace(path, rows(number))
        time.sleep(0.002)

    until(lambda: manager.current.queries.max_cells == 399)
    assert manager.last_error is None
