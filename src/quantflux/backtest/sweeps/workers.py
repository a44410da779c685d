"""Runs tasks in processes of its own, in which a task may fail, or take its process with it, without harm to others.

Processes are spawned and not forked: a fork copies the locks of threads that it does not copy (of Arrow, Polars,
Delta Lake, the compiler's pool), and hangs on the first that was held. What all tasks read is therefore not inherited
but mapped, see `sharing.py`. `concurrent.futures` would give up all tasks when one process dies.
"""

from __future__ import annotations

import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from typing import Any

from quantflux.core.errors import QuantfluxError

OpenWork = Callable[[Any], Callable[[Any], Any]]
Steps = Generator[tuple[int, "Outcome"] | None, None, None]

_POLL = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    value : object
        What it returned; None if it failed.
    problem : str
        Why it failed; empty if it did not.
    """

    value: Any = None
    problem: str = ""


def run_tasks(
    tasks: Sequence[Any],
    open_work: OpenWork,
    shared: Any,
    *,
    processes: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Outcome | None]:
    """Run tasks, and return their outcomes in their order; None for those left when it was cancelled.

    Parameters
    ----------
    tasks : sequence
        Each is pickled, and should be small.
    open_work : callable
        A function of a module, called once in each process with `shared`; what it returns is called with each task.
    shared : object
        Pickled once for each process.
    processes : int
        How many at most; with 1 everything runs in this process.
    progress : callable
        Told how many tasks are done, and of how many.
    cancelled : callable
        Asked after each task, and with several processes every 0.2 s; tasks that are running then are ended.
    """
    outcomes: list[Outcome | None] = [None] * len(tasks)
    count = min(processes, len(tasks))
    steps = _alone(tasks, open_work, shared) if count <= 1 else _together(tasks, open_work, shared, count)
    done = 0
    progress(0, len(tasks))
    with closing(steps):
        for step in steps:
            if step is not None:
                number, outcomes[number] = step
                done += 1
                progress(done, len(tasks))
            if cancelled():
                break
    return outcomes


def _alone(tasks: Sequence[Any], open_work: OpenWork, shared: Any) -> Steps:
    work = open_work(shared)
    for number, task in enumerate(tasks):
        yield number, outcome_of(work, task)


def _together(tasks: Sequence[Any], open_work: OpenWork, shared: Any, count: int) -> Steps:
    """Yield outcomes as they come, and None when there was none for a while; ends the processes when it is closed."""
    context = get_context("spawn")
    packed = pickle.dumps((open_work, shared))
    waiting = deque(enumerate(tasks))
    crew = [_Worker(context, packed) for _ in range(count)]
    try:
        while True:
            for worker in crew:
                if worker.task is None and waiting:
                    worker.give(*waiting.popleft())
            busy = {worker.connection: worker for worker in crew if worker.task is not None}
            if not busy:
                return
            ready = wait(list(busy), timeout=_POLL)
            if not ready:
                yield None
            for connection in ready:
                worker = busy[connection]  # type: ignore[index]
                number, outcome = worker.take()
                if not worker.is_alive:
                    crew[crew.index(worker)] = _Worker(context, packed)
                yield number, outcome
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """A process and the task that it is at."""

    def __init__(self, context: SpawnContext, packed: bytes) -> None:
        self.connection, theirs = context.Pipe()
        self.task: int | None = None
        self.is_alive = True
        self._process = context.Process(target=_serve, args=(theirs, packed), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the pipe

    def give(self, number: int, task: Any) -> None:
        self.task = number
        with suppress(BrokenPipeError):  # it has died; `take` will find out how
            self.connection.send(task)

    def take(self) -> tuple[int, Outcome]:
        number, self.task = self.task, None
        assert number is not None  # noqa: S101 - only busy workers are waited for
        try:
            return number, self.connection.recv()
        except (EOFError, ConnectionError):
            self.is_alive = False
            self.end()
            return number, Outcome(problem=_death(self._process.exitcode))

    def end(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.join()


def _serve(connection: Connection, packed: bytes) -> None:
    """Run in a process of its own until the pipe ends."""
    # Ctrl-C reaches all processes of a terminal; it is the first one's business to end the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    open_work, shared = pickle.loads(packed)  # noqa: S301 - from the process that started this one
    try:
        work = open_work(shared)
    except Exception as error:  # noqa: BLE001 - whatever it is, each task has to be told
        problem = _told(error)

        def work(_: Any) -> Any:
            raise RuntimeError(problem)

    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(outcome_of(work, task))


def outcome_of(work: Callable[[Any], Any], task: Any) -> Outcome:
    """Do a task, and return what became of it, whatever it raised."""
    try:
        return Outcome(work(task))
    except Exception as error:  # noqa: BLE001 - a policy of somebody's own may raise anything
        return Outcome(problem=_told(error))


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, QuantfluxError) else f"{type(error).__name__}: {error}"


def _death(code: int | None) -> str:
    """Say how a process ended.

    Examples
    --------
    >>> _death(-9)
    'its process was ended by SIGKILL; that is what the system does when memory runs out'
    >>> _death(3)
    'its process ended with code 3'
    """
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        memory = "; that is what the system does when memory runs out" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}"
    return f"its process ended with code {code}"
