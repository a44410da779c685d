"""Damaged, missing and unwritable files: a fresh computation with a warning, or a clear error; never wrong values."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import Cancelled, InvalidRequest, NotFound, StoreFull, StoreUnavailable
from quantflux.core.panel import Panel
from quantflux.data.schema import DAILY, DAILY_BASIC
from quantflux.factors.stored import Course, Hooks, ValueKeeper
from quantflux.factors.stored.folder import META, SetFolder
from quantflux.factors.stored.segments import SegmentWriter
from tests.factors.fields.reports import filled
from tests.factors.stored.markets import (
    EVERY_FAMILY,
    FIRST,
    NAMES,
    VALUED,
    Market,
    assert_same,
    bars,
    expressions,
)

WANTED = expressions({name: EVERY_FAMILY[name] for name in ("rolling", "endless", "past_of_across")})


def only(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(f"values/*/{pattern}"))[-1]


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "meta torn": lambda folder: os.truncate(only(folder, META), 100),
    "meta empty": lambda folder: os.truncate(only(folder, META), 0),
    "meta flipped": lambda folder: flip(only(folder, META), 200),
    "meta of another kind": lambda folder: only(folder, META).write_bytes(b"{}"),
    "segment cut short": lambda folder: os.truncate(only(folder, "values-*"), 5000),
    "segment missing": lambda folder: only(folder, "values-*").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_values_are_computed_anew(
    market: Market, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    market.start()
    expected = market.values(WANTED)
    damage(market.folder)

    assert "what is stored is damaged" in market.keeper.decide(WANTED).reason
    caplog.clear()
    done = market.keeper.update(WANTED)

    assert (done.decision.course, done.rows_computed) == (Course.COMPUTED, 60)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert_same(market.values(WANTED), expected)
    assert market.keeper.update(WANTED).decision.course is Course.CURRENT


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: flip(path, 0),
        lambda path: flip(path, 60),
        lambda path: flip(path, path.stat().st_size - 3),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, 3),
        lambda path: path.unlink(),
    ],
    ids=["seal flipped", "head flipped", "body flipped", "cut short", "nearly empty", "missing"],
)
def test_a_damaged_state_is_not_gone_on_from(
    market: Market, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    market.start()
    market.values(WANTED)
    for path in market.folder.glob("values/*/state-*"):
        damage(path)
    market.data.write(DAILY, bars(NAMES, [60]))
    assert market.keeper.decide(WANTED).course is Course.APPENDED

    done = market.keeper.update(WANTED)

    assert done.decision.course is Course.COMPUTED
    assert "what is stored is damaged" in done.decision.reason
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_damaged_sets_are_not_listed(market: Market) -> None:
    market.start()
    market.values(WANTED)
    market.values(expressions({"plain": "close"}))
    assert [meta.names for meta, _ in market.keeper.stored_sets()] != []

    for path in market.folder.glob(f"values/*/{META}"):
        if b"rolling" in path.read_bytes():
            flip(path, 50)

    assert [meta.names for meta, _ in market.keeper.stored_sets()] == [("plain",)]


@pytest.mark.parametrize("name", ["values", "values/*"])
def test_folders_may_be_deleted_at_any_time(market: Market, name: str) -> None:
    market.start()
    expected = market.values(WANTED)

    for path in market.folder.glob(name):
        shutil.rmtree(path)

    assert market.keeper.stored_sets() == []
    assert_same(market.values(WANTED), expected)


def test_values_of_an_older_format_are_computed_anew_without_alarm(
    market: Market, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.start()
    with monkeypatch.context() as older:
        older.setattr("quantflux.factors.stored.folder.FORMAT", 1)
        market.values(WANTED)

    assert market.keeper.decide(WANTED).reason == "nothing was stored yet"
    assert_same(market.values(WANTED), market.computed_anew(WANTED))
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def failing(act: Callable[..., Any], code: int, after: int) -> Callable[..., Any]:
    """Return what an act does `after` times before the disk refuses."""
    left = [after]

    def maybe(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        return act(*arguments, **options)

    return maybe


@pytest.mark.parametrize("change", ["append", "restart"])
@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (SegmentWriter, "written", 0),
        (os, "fdatasync", 0),
        (SetFolder, "write_state", 0),
        (Path, "write_bytes", 0),
        (Path, "replace", 0),
    ],
)
def test_a_disk_that_refuses_leaves_the_old_values(
    market: Market, monkeypatch: pytest.MonkeyPatch, change: str, owner: Any, name: str, after: int
) -> None:
    market.start()
    old = market.values(WANTED)
    files = {path.name for path in market.folder.glob("values/*/*")}
    sizes = {path.name: path.stat().st_size for path in market.folder.glob("values/*/values-*")}
    rows = bars(NAMES, [60]) if change == "append" else bars(NAMES[:2], [40], seed=4)
    market.data.write(DAILY, rows)

    with monkeypatch.context() as full:
        full.setattr(owner, name, failing(getattr(owner, name), errno.ENOSPC, after))
        with pytest.raises(StoreFull, match=r"factor values cannot be kept in .*No space left"):
            market.keeper.update(WANTED)

    left = {path.name for path in market.folder.glob("values/*/*")}
    if name != "replace":
        assert left == files
        assert {p.name: p.stat().st_size for p in market.folder.glob("values/*/values-*")} == sizes
    (folder,) = (market.folder / "values").iterdir()
    assert len(SetFolder(folder).load().days) == len(old)  # type: ignore[union-attr]
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EROFS, StoreUnavailable),
        (errno.EIO, StoreUnavailable),
    ],
)
def test_what_the_disk_says_is_told_in_our_terms(
    market: Market, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    market.start()
    monkeypatch.setattr(os, "fdatasync", failing(os.fdatasync, code, 0))

    with pytest.raises(kind, match=os.strerror(code)) as caught:
        market.keeper.update(WANTED)

    assert type(caught.value) is kind
    assert list(market.folder.glob("values/*/values-*")) == []


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    market = Market(tmp_path).start()
    (tmp_path / "values").touch()

    assert market.keeper.stored_sets() == []
    with pytest.raises(StoreUnavailable, match="cannot be kept"):
        market.keeper.update(WANTED)


def test_a_cancelled_run_leaves_the_old_values_and_no_litter(market: Market) -> None:
    market.start()
    old = market.values(WANTED)
    before = {path.name: path.stat().st_size for path in market.folder.glob("values/*/*")}
    market.data.write(DAILY, bars(NAMES, range(60, 120)))
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 12

    with pytest.raises(Cancelled):
        market.keeper.update(WANTED, hooks=Hooks(cancelled=cancelled))

    assert {path.name: path.stat().st_size for path in market.folder.glob("values/*/*")} == before
    assert len(old) == 60
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_memory_that_does_not_suffice(market: Market) -> None:
    market.start()

    with pytest.raises(InvalidRequest, match=r"3 expressions over 8 symbols need at least .* MB of memory"):
        market.keeper.update(WANTED, max_memory=1000)

    assert list(market.folder.glob("values/*/values-*")) == []
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_without_bars_there_is_nothing_to_compute(market: Market) -> None:
    with pytest.raises(NotFound, match="holds no rows here"):
        market.values(WANTED)

    index = bars(["000001.SZ"], range(10)).to_pydict() | {"symbol": ["000300.SH"] * 10}
    market.data.write(DAILY, filled(DAILY, **index))
    with pytest.raises(NotFound, match="no bar of a share"):
        market.values(WANTED)


def test_a_field_without_data(market: Market) -> None:
    market.start()

    with pytest.raises(NotFound, match=DAILY_BASIC.name):
        market.values(expressions(VALUED))


def test_an_error_of_the_data_is_not_taken_for_damage_of_the_values(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantflux.core.errors import StoreCorrupt

    market.start()
    old = market.values(WANTED)
    market.data.write(DAILY, bars(NAMES, [60]))

    def torn(*_: Any, **__: Any) -> Panel:
        raise StoreCorrupt("part-7.parquet fails its checksum", "part-7.parquet")

    with monkeypatch.context() as broken:
        broken.setattr(market.data, "panel", torn)
        with pytest.raises(StoreCorrupt, match="part-7"):
            market.keeper.update(WANTED)

    (folder,) = (market.folder / "values").iterdir()
    assert len(SetFolder(folder).load().days) == len(old)  # type: ignore[union-attr]


# Readers


def test_a_reader_keeps_the_values_it_opened(market: Market) -> None:
    market.start()
    opened = market.keeper.values(WANTED)
    old = opened.panel(opened.rows())

    market.data.write(DAILY, bars(NAMES, [60]))
    market.keeper.update(WANTED)
    market.data.write(DAILY, bars(NAMES, range(0, 60, 3), seed=8))
    market.keeper.update(WANTED)
    market.data.write(DAILY, bars(NAMES, [50], seed=9))
    market.keeper.update(WANTED)
    shutil.rmtree(market.folder / "values")

    assert_same(opened.panel(opened.rows()), old)
    assert not np.array_equal(market.values(WANTED)["endless"][:60], old["endless"], equal_nan=True)


def test_values_that_are_swept_between_two_lines_are_read_again(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.start()
    market.values(WANTED)
    load, moved = SetFolder.load, []

    def load_late(folder: SetFolder) -> Any:
        meta = load(folder)
        if len(moved) == 0 and meta is not None:
            moved.append(1)
            market.data.write(DAILY, bars(NAMES, range(60), seed=3))
            ValueKeeper(market.data, market.folder / "values", threads=1).update(WANTED)
        return meta

    market.keeper.update(WANTED)
    monkeypatch.setattr(market.keeper, "update", lambda *_, **__: None)
    monkeypatch.setattr(SetFolder, "load", load_late)

    found = market.values(WANTED)

    monkeypatch.undo()
    assert_same(found, market.computed_anew(WANTED))


def test_symbols_and_days_of_a_part(market: Market) -> None:
    market.start()
    stored = market.keeper.values(WANTED)
    whole = stored.panel(stored.rows())

    part = stored.panel(stored.rows(whole.times[7].item(), whole.times[20].item()), [NAMES[5], NAMES[6]])

    assert_same(part, whole.select([NAMES[5], NAMES[6]], whole.times[7].item(), whole.times[20].item()))
    assert stored.rows(FIRST.replace(year=2000)) == slice(0, 60)
    assert stored.rows(None, FIRST.replace(year=2000)) == slice(0, 0)
    assert stored.rows(FIRST.replace(year=2100)) == slice(60, 60)
    assert stored.panel(slice(60, 60)).shape == (0, 8)
