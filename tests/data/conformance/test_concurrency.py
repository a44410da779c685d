"""Several writers, and writers that are killed: nothing acknowledged is lost, nothing is stored in part or twice."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.errors import QuantfluxError
from quantflux.data.contract import MarketStore, Query
from quantflux.data.schema import DAILY
from tests.data.conformance.history import Verdict, check, last_batch
from tests.data.conformance.samples import bars
from tests.data.conformance.stores import StoreUnderTest, in_subprocess


def write_until_acknowledged(store: MarketStore, rows: pa.Table) -> None:
    while True:
        try:
            store.write(DAILY, rows)
        except QuantfluxError as error:
            if not error.retryable:
                raise
        else:
            return


def test_threads_append_days_of_their_own_symbols(store: MarketStore) -> None:
    symbols = ["600000.SH", "600001.SH", "600002.SH", "600003.SH"]
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(10)]

    def append_all(symbol: str) -> None:
        for day in days:
            write_until_acknowledged(store, bars(symbol, [day]))

    with ThreadPoolExecutor(len(symbols)) as pool:
        list(pool.map(append_all, symbols))

    found = store.read(Query(DAILY))
    assert found.num_rows == len(symbols) * len(days)
    assert found.equals(pa.concat_tables([bars(s, days) for s in symbols]).combine_chunks())


def test_threads_rewrite_the_same_rows(store: MarketStore) -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(10)]

    def rewrite(close: int) -> None:
        write_until_acknowledged(store, bars("600000.SH", days, float(close)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(rewrite, range(1, 21)))

    closes = store.read(Query(DAILY)).column("close").to_pylist()
    assert len(closes) == len(days)
    assert set(closes) <= {float(n) for n in range(1, 21)}


def test_readers_beside_a_writer_see_whole_batches(store: MarketStore) -> None:
    days = [date(2023, 12, 25) + timedelta(days=n) for n in range(14)]
    store.write(DAILY, bars("600000.SH", days, 1.0))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            lambda: [store.write(DAILY, bars("600000.SH", days, float(n))) for n in range(2, 21)]
        )
        seen = []
        while not writing.done():
            seen.append(set(store.read(Query(DAILY)).column("close").to_pylist()))
        writing.result()

    assert all(len(closes) == 1 for closes in seen)
    assert set(store.read(Query(DAILY)).column("close").to_pylist()) == {20.0}


class Fleet:
    """Writers in processes of their own, and the histories they leave."""

    def __init__(self, subject: StoreUnderTest) -> None:
        if not subject.survives:
            pytest.skip("lives in one process")
        self.subject = subject
        self.histories: list[Path] = []

    def start(self, mode: str, symbols: list[str], batches: int, first: int = 1) -> subprocess.Popen[str]:
        path = self.subject.tmp_path / f"history-{symbols[0]}.jsonl"
        if path not in self.histories:
            self.histories.append(path)
        task = {
            "store": self.subject.entry_point or self.subject.name,
            "options": dict(self.subject.options()),
            "mode": mode,
            "symbols": symbols,
            "batches": batches,
            "first": first,
            "history": str(path),
        }
        process = in_subprocess("tests.data.conformance.writer", json.dumps(task))
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise AssertionError(process.communicate()[1])
        return process

    def verdict(self) -> Verdict:
        store = self.subject.open()
        found = store.read(Query(DAILY))
        store.close()
        keys = list(
            zip(
                found.column("symbol").to_pylist(),
                map(str, found.column("trade_date").to_pylist()),
                strict=True,
            )
        )
        assert len(set(keys)) == len(keys), "rows are doubled"
        return check(self.histories, dict(zip(keys, found.column("close").to_pylist(), strict=True)))


@pytest.mark.parametrize("mode", ["append", "rewrite"])
def test_processes_lose_nothing(subject: StoreUnderTest, mode: str) -> None:
    fleet, writers, batches = Fleet(subject), 3, 10
    processes = [fleet.start(mode, [f"60000{n}.SH", f"00000{n + 1}.SZ"], batches) for n in range(writers)]

    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors

    verdict = fleet.verdict()
    assert verdict.problems == ()
    assert (verdict.acked, verdict.unknown) == (writers * batches, 0)


def wait_for_lines(path: Path, count: int) -> None:
    """Wait until a history has `count` lines: half of them are acknowledgements."""
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline, f"no {count} lines in {path}"
        time.sleep(0.001)


def kill_writers(subject: StoreUnderTest, rounds: int, seed: int) -> Verdict:
    """Kill writers at random moments, `rounds` times, appenders and rewriters in turn."""
    fleet, rng = Fleet(subject), random.Random(seed)
    tasks = {"append": ["600000.SH", "000001.SZ"], "rewrite": ["600001.SH", "000002.SZ"]}
    first = dict.fromkeys(tasks, 1)
    for number in range(rounds):
        mode = list(tasks)[number % 2]
        process = fleet.start(mode, tasks[mode], 10_000, first[mode])
        history, lines = fleet.histories[number % 2], rng.randrange(12)
        wait_for_lines(history, lines + (len(history.read_text().splitlines()) if history.exists() else 0))
        time.sleep(rng.uniform(0.0, 0.03))
        process.kill()
        process.communicate()
        first[mode] = 1 + last_batch(fleet.histories[number % 2])
        verdict = fleet.verdict()
        assert verdict.problems == (), f"after kill {number}: {verdict}"
    return verdict


def test_killed_writers(subject: StoreUnderTest) -> None:
    verdict = kill_writers(subject, rounds=subject.kill_rounds, seed=1)

    assert verdict.acked > 0
    assert verdict.lost == verdict.torn == verdict.phantom == 0


@pytest.mark.slow
def test_killed_writers_200_times(
    subject: StoreUnderTest, record_property: Callable[[str, object], None]
) -> None:
    verdict = kill_writers(subject, rounds=200, seed=2)

    record_property("verdict", str(verdict))
    assert verdict.acked > 100
    assert verdict.lost == verdict.torn == verdict.phantom == 0
