"""A process that runs jobs until it is told to stop: `python -m tests.jobs.runner_process URL FOLDER THREADS STALE`.

Each run appends lines to the file `log` in FOLDER; appends of one short line do not tear.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from quantflux.core.clock import SystemClock
from quantflux.database.engine import Database
from quantflux.jobs import Jobs, Runner, Told


def main(url: str, folder: Path, threads: int, stale_after: float) -> None:
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def work(_: object, payload: Mapping[str, Any], told: Told) -> Mapping[str, Any]:
        number = payload["n"]
        os.write(log, f"begin {number} {os.getpid()}\n".encode())
        until = time.monotonic() + payload["seconds"]
        while time.monotonic() < until:
            told.check()
            time.sleep(0.005)
        os.write(log, f"end {number} {os.getpid()}\n".encode())
        return {"n": number, "by": os.getpid()}

    database = Database.open(url, wait_seconds=30)
    jobs = Jobs(database, SystemClock(), folder / "results")
    kinds = {"work": SimpleNamespace(permission="p", run=work)}
    runner = Runner(jobs, kinds, None, lambda *_: True, threads=threads, stale_after=stale_after)
    # The bound counts a host's runs, of all processes together: here each process is a host.
    runner._host = f"{os.getpid()}:"
    runner.name = f"{os.getpid()}:"
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    runner.start()
    os.write(log, f"up {os.getpid()}\n".encode())
    told.wait()
    runner.stop()
    database.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
