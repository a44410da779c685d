"""Processes share the folder of values, and keep it within its size."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from quantflux.core.folder_lock import folder_lock
from quantflux.data.schema import DAILY
from quantflux.factors.stored import Hooks, ValueKeeper
from quantflux.factors.stored.folder import META
from tests.factors.children import forked, status_of
from tests.factors.stored.markets import EVERY_FAMILY, NAMES, Market, assert_same, bars, expressions

WANTED = expressions({name: EVERY_FAMILY[name] for name in ("rolling", "endless", "past_of_across")})
SETS = [expressions({name: EVERY_FAMILY[name]}) for name in ("rolling", "endless", "past_of_across")]


@pytest.mark.parametrize("rows", [0, 60], ids=["nothing stored", "a day more"])
def test_two_processes_update_at_once_and_one_computes(market: Market, rows: int) -> None:
    market.start()
    if rows:
        market.values(WANTED)
        market.data.write(DAILY, bars(NAMES, [rows]))
    forking = multiprocessing.get_context("fork")
    computed = forking.Array("i", 4)
    start = forking.Barrier(4)

    def update(number: int) -> None:
        start.wait(30)
        computed[number] = market.keeper.update(WANTED).rows_computed

    children = [forked(partial(update, number)) for number in range(4)]

    assert [status_of(child) for child in children] == [0, 0, 0, 0]
    assert sorted(computed) == [0, 0, 0, 1 if rows else 60]
    assert_same(market.values(WANTED), market.computed_anew(WANTED))


def test_who_waits_says_so(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    market.start()
    market.values(WANTED)
    (folder,) = (market.folder / "values").iterdir()

    with ThreadPoolExecutor(1) as pool:
        with folder_lock(folder):
            waiting = pool.submit(market.keeper.update, WANTED)
            while "are being computed already" not in caplog.text:
                assert not waiting.done()
        assert waiting.result(timeout=60).rows_computed == 0


def test_a_lock_on_a_folder_that_is_gone_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, order, about_to_wait = tmp_path / "shared", [], threading.Event()
    flock = fcntl.flock

    def announced(handle: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            about_to_wait.set()
        flock(handle, operation)

    def hold() -> None:
        with folder_lock(folder):
            order.append("second")
            with folder_lock(folder, wait=False) as theirs:
                order.append(theirs)

    with ThreadPoolExecutor(1) as pool:
        with folder_lock(folder):
            monkeypatch.setattr(fcntl, "flock", announced)
            waiting = pool.submit(hold)
            assert about_to_wait.wait(60)
            folder.rename(tmp_path / "gone")
            order.append("first")
        waiting.result(timeout=60)

    assert order == ["first", "second", False]


def test_writers_and_readers_in_threads(market: Market) -> None:
    market.start(30)
    market.values(WANTED)
    anew = {}

    def follow(_: int) -> None:
        found = market.values(WANTED)
        assert_same(found, anew[len(found)])

    with ThreadPoolExecutor(4) as pool:
        for number in range(30, 38):
            market.data.write(DAILY, bars(NAMES, [number]))
            expected = market.computed_anew(WANTED)
            anew[len(expected)] = expected
            list(pool.map(follow, range(8)))


def sized(market: Market, bytes_: int | None) -> ValueKeeper:
    return ValueKeeper(market.data, market.folder / "values", threads=1, max_bytes=bytes_)


def names_in(keeper: ValueKeeper) -> set[str]:
    return {meta.names[0] for meta, _ in keeper.stored_sets()}


def test_sets_used_longest_ago_go_first(market: Market) -> None:
    market.start()
    free = sized(market, None)
    for age, wanted in zip((300, 200, 100), SETS, strict=True):
        free.values(wanted)
        newest = max(market.folder.glob(f"values/*/{META}"), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (newest.stat().st_atime, newest.stat().st_mtime - age))
    assert names_in(free) == {"rolling", "endless", "past_of_across"}
    total = sum(size for _, size in free.stored_sets())
    free.values(SETS[0])  # the oldest is in use again
    market.data.write(DAILY, bars(NAMES, [60]))

    sized(market, total).update(SETS[2])

    assert names_in(free) == {"rolling", "past_of_across"}
    assert_same(free.values(SETS[1]).panel(slice(0, 61)), market.computed_anew(SETS[1]))


def test_a_set_that_is_too_large_alone_is_kept_and_told(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    market.start()
    keeper = sized(market, 100)
    keeper.update(SETS[0])
    keeper.update(SETS[1])

    assert names_in(keeper) == {"endless"}
    assert "bytes more than the 100 they may" in caplog.text
    stored = keeper.values(SETS[1])
    assert_same(stored.panel(stored.rows()), market.computed_anew(SETS[1]))


def test_a_set_that_is_being_computed_is_left_alone(market: Market) -> None:
    market.start()
    keeper = sized(market, 100)
    keeper.update(SETS[0])
    (folder,) = (market.folder / "values").iterdir()

    with folder_lock(folder):
        keeper.update(SETS[1])
        assert names_in(keeper) == {"rolling", "endless"}

    keeper.update(SETS[2])
    assert names_in(keeper) == {"past_of_across"}


def test_eviction_between_computing_and_reading(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    market.start()
    keeper = sized(market, 100)
    update, rivals = keeper.update, [SETS[1]]

    def update_then_rival(wanted: object, **options: object) -> object:
        done = update(wanted, **options)  # type: ignore[arg-type]
        if rivals:
            update(rivals.pop())
        return done

    monkeypatch.setattr(keeper, "update", update_then_rival)

    stored = keeper.values(SETS[0])

    assert_same(stored.panel(stored.rows()), market.computed_anew(SETS[0]))


def test_hooks_hear_of_the_run(market: Market) -> None:
    market.start(20)
    heard: list[object] = []

    market.keeper.update(
        WANTED,
        hooks=Hooks(
            quoted=lambda quote: heard.append((quote.rows, quote.symbols, quote.expressions)),
            compiled=lambda done, total: heard.append("compiled") if done == total else None,
            progress=lambda done, total: heard.append((done, total)),
        ),
    )

    assert heard[:2] == [(20, 8, 3), "compiled"]
    assert heard[-1] == (20, 20)
