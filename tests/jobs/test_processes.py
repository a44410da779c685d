"""Several processes on one ledger: no job is run twice, and none is lost when one of them is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quantflux.core.clock import SystemClock
from quantflux.database.engine import Database
from quantflux.jobs import Jobs, State

pytestmark = pytest.mark.slow

PROCESSES, THREADS, JOBS = 4, 2, 120
PATIENCE = 90.0


@contextmanager
def processes(url: str, folder: Path, stale_after: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [
        sys.executable,
        "-m",
        "tests.jobs.runner_process",
        url,
        str(folder),
        str(THREADS),
        str(stale_after),
    ]
    with (folder / "errors").open("ab") as errors:
        started = [subprocess.Popen(command, stderr=errors) for _ in range(PROCESSES)]
    try:
        wait(lambda: sum(line.startswith("up") for line in lines(folder)) == PROCESSES)
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait(for_what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not for_what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_every_job_is_done_once_though_a_process_is_killed(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    ledger = Jobs(database, SystemClock(), tmp_path / "results")
    with processes(database_url, tmp_path, stale_after=4.0) as running:
        for n in range(JOBS):
            owner = n % 5
            # Long enough that the killed process surely holds some, short enough for the test.
            ledger.submit("work", {"n": n, "seconds": 0.1}, f"user:{owner}", owner)
        wait(lambda: len(lines(tmp_path)) > JOBS // 2)
        victim = running[0]
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        wait(lambda: ledger.counts()[State.DONE] == JOBS)
        for process in running[1:]:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(PATIENCE) for process in running[1:]]

    begun = Counter(int(line.split()[1]) for line in lines(tmp_path) if line.startswith("begin"))
    of_victim = {
        int(line.split()[1])
        for line in lines(tmp_path)
        if line.startswith("begin") and int(line.split()[2]) == victim.pid
    }
    finished = {
        int(line.split()[1])
        for line in lines(tmp_path)
        if line.startswith("end") and int(line.split()[2]) == victim.pid
    }
    again = {n for n, times in begun.items() if times > 1}
    assert codes == [0, 0, 0]
    assert sorted(begun) == list(range(JOBS))
    assert max(begun.values()) <= 2
    # Begun twice is at most what the victim held: as many as it had threads; one could be killed between the end of
    # its work and the commit that says so.
    assert again <= of_victim
    assert len(again) <= THREADS
    assert of_victim - finished <= again
    for job in ledger.list(limit=JOBS):
        assert job.attempts == begun[ledger.get(job.id).payload["n"]]


@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_a_stop_of_all_processes_loses_nothing(database: Database, database_url: str, tmp_path: Path) -> None:
    ledger = Jobs(database, SystemClock(), tmp_path / "results")
    with processes(database_url, tmp_path, stale_after=30.0) as running:
        for n in range(PROCESSES * THREADS + 3):
            ledger.submit("work", {"n": n, "seconds": 60.0}, f"user:{n}", n)
        wait(lambda: ledger.counts()[State.RUNNING] == PROCESSES * THREADS)
        for process in running:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(PATIENCE) for process in running]

    assert codes == [0] * PROCESSES
    counts = ledger.counts()
    assert (counts[State.QUEUED], counts[State.RUNNING]) == (PROCESSES * THREADS + 3, 0)
