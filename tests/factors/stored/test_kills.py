"""A process that dies at any moment leaves the old values or the new ones, and the next update is right."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantflux.core.panel import Panel
from quantflux.data.schema import DAILY
from quantflux.factors.stored import Course
from quantflux.factors.stored.folder import META, SetFolder
from quantflux.factors.stored.segments import SegmentWriter, StoredValues
from tests.factors.children import forked, status_of
from tests.factors.stored.markets import EVERY_FAMILY, LATER, NAMES, Market, assert_same, bars, expressions

WANTED = expressions({name: EVERY_FAMILY[name] for name in ("rolling", "endless", "past_of_across")})


class Death:
    """Kills this process at the n-th step of its work on the disk."""

    def __init__(self, step: int) -> None:
        self.left = step

    def near(self) -> bool:
        self.left -= 1
        return self.left == 0

    def come(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner: Any, name: str) -> None:
        act = getattr(owner, name)

        def doomed(*arguments: Any, **options: Any) -> Any:
            if self.near():
                self.come()
            return act(*arguments, **options)

        setattr(owner, name, doomed)

    def within_writes(self) -> None:
        """Come when all but the last bytes of a chunk, of a state or of the list of files are written."""
        written, write_bytes, write_state = SegmentWriter.written, Path.write_bytes, SetFolder.write_state

        def torn_chunk(sink: Any, first: int, rows: int) -> None:
            written(sink, first, rows)
            if self.near():
                os.truncate(sink._path, sink._path.stat().st_size - 7)
                self.come()

        def torn_file(path: Path, content: bytes) -> int:
            if self.near():
                write_bytes(path, content[:-7])
                self.come()
            return write_bytes(path, content)

        def torn_state(folder: Any, state: Any, symbols: int) -> Any:
            entry = write_state(folder, state, symbols)
            if self.near():
                os.truncate(folder.path / entry.name, 100)
                self.come()
            return entry

        SegmentWriter.written, Path.write_bytes = torn_chunk, torn_file  # type: ignore[method-assign, assignment]
        SetFolder.write_state = torn_state  # type: ignore[method-assign]


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a child that dies at a step of it; say whether it got that far."""

    def doomed() -> None:
        death = Death(step)
        for owner, name in (
            (SegmentWriter, "written"),
            (os, "fdatasync"),
            (SetFolder, "write_state"),
            (Path, "replace"),
            (SetFolder, "sweep"),
            (Path, "unlink"),
        ):
            death.before(owner, name)
        death.within_writes()
        work()

    status = status_of(forked(doomed))
    assert status in (0, -signal.SIGKILL)
    return status != 0


def stored_in(folder: Path) -> Panel | None:
    """Return what a reader finds who only looks."""
    (path,) = folder.iterdir()
    meta = SetFolder(path).load()
    if meta is None:
        return None
    stored = StoredValues(SetFolder(path), meta)
    return stored.panel(stored.rows())


def append(market: Market) -> None:
    market.data.write(DAILY, bars((*NAMES, LATER[0]), [60]))


def correct(market: Market) -> None:
    market.data.write(DAILY, bars(NAMES[:2], [35], seed=5))


def replace(market: Market) -> None:
    market.data.write(DAILY, bars(NAMES[:2], [1], seed=5))


@pytest.mark.parametrize(
    ("change", "course"),
    [
        (append, Course.APPENDED),
        (correct, Course.RESTARTED),
        (replace, Course.COMPUTED),
        (None, Course.COMPUTED),
    ],
    ids=["append", "restart", "compute anew", "compute first"],
)
def test_killed_at_every_step(
    tmp_path: Path, change: Callable[[Market], None] | None, course: Course
) -> None:
    market = Market(tmp_path).start()
    values = tmp_path / "values"
    old = market.values(WANTED)
    if change is None:
        shutil.rmtree(values)
        values.mkdir()
    else:
        change(market)
    before = tmp_path / "before"
    shutil.copytree(values, before)
    new = market.computed_anew(WANTED)
    seen = set()

    step = 1
    while killed_at(step, lambda: market.keeper.update(WANTED)):
        found = stored_in(values)
        if found is None:
            assert change is None
        else:
            age = "new" if found.equals(new) else "old"
            seen.add(age)
            assert_same(found, new if age == "new" else old)
        assert market.keeper.decide(WANTED).course in (course, Course.CURRENT)
        assert_same(market.values(WANTED), new)
        shutil.rmtree(values)
        shutil.copytree(before, values)
        step += 1

    assert step > 7
    assert seen == ({"old", "new"} if change else {"new"})
    assert_same(market.values(WANTED), new)


def test_what_the_dead_leave_is_swept(tmp_path: Path) -> None:
    market = Market(tmp_path).start()
    market.values(WANTED)
    append(market)
    for step in (2, 4, 5):
        assert killed_at(step, lambda: market.keeper.update(WANTED))

    market.values(WANTED)

    (folder,) = (tmp_path / "values").iterdir()
    meta = SetFolder(folder).load()
    assert meta is not None
    named = {entry.name for entry in (*meta.segments, *meta.states)}
    assert {path.name for path in folder.iterdir()} == named | {META, ".lock"}
