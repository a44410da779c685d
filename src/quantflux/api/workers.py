"""Several processes that answer on one socket.

The parent answers nothing. It starts the workers, starts another where one died, and passes a stop on. It lets nobody
else into the socket's queue first, so that the first worker to stop takes all who wait in it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess

from quantflux.api.listener import turn_away_newcomers

logger = logging.getLogger(__name__)

Work = Callable[[socket.socket], None]

STARTUP_FAILURE = 3
"""What a worker ends with that could not even start; another one would fail the same way."""

_LOOK_SECONDS = 0.2
_REST_SECONDS = 1.0


def end_with_parent() -> None:
    """Make this worker stop, as if told to, when the process that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


class Workers:
    """Keeps a number of worker processes alive.

    Parameters
    ----------
    work : callable
        What each does with the socket, until SIGTERM; a function that can be pickled.
    listener : socket
        Bound and listening; belongs to the workers from here on.
    count : int
    stop_seconds : float
        How long they get to end; those that do not are killed.
    """

    def __init__(self, work: Work, listener: socket.socket, count: int, stop_seconds: float) -> None:
        self._work = work
        self._listener = listener
        self._count = count
        self._stop_seconds = stop_seconds
        self._context = multiprocessing.get_context(
            "spawn"
        )  # threads and compiled code do not survive a fork
        self._told = threading.Event()
        self._processes: list[SpawnProcess] = []

    def run(self) -> int:
        """Run until told to stop, or until a worker cannot start; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._told.set())
        self._processes = [self._started() for _ in range(self._count)]
        code = 0
        while not self._told.wait(_LOOK_SECONDS):
            code = self._replace_dead()
            if code:
                break
        turn_away_newcomers(self._listener)
        self._listener.close()
        self._stop()
        return code

    def _started(self) -> SpawnProcess:
        process = self._context.Process(target=self._work, args=(self._listener,), name="quantflux-worker")
        process.start()
        return process

    def _replace_dead(self) -> int:
        for place, process in enumerate(self._processes):
            if process.exitcode is None:
                continue
            if process.exitcode == STARTUP_FAILURE:
                logger.error("worker %s could not start; stopping", process.pid)
                return STARTUP_FAILURE
            logger.error("worker %s ended with %s; starting another", process.pid, process.exitcode)
            self._told.wait(_REST_SECONDS)  # one that dies at once must not take the machine with it
            if not self._told.is_set():
                self._processes[place] = self._started()
        return 0

    def _stop(self) -> None:
        for process in self._processes:
            process.terminate()
        # A little longer than the workers give their requests, which they end by themselves.
        until = time.monotonic() + self._stop_seconds + 15.0
        for process in self._processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.exitcode is None:
                logger.error("worker %s did not stop; killing it", process.pid)
                process.kill()
                process.join()
