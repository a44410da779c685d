"""A rival in a process of its own, so that its memory can be measured and its libraries need not agree with ours."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """One computation of everything.

    Attributes
    ----------
    seconds : float
        By the clock, in the rival's process.
    cpu : float
        Seconds of processors, of workers too. It says more than the clock where others use the machine.
    peak : int
        Most resident memory in bytes, results included; of workers too.
    parts : dict
        Seconds by part of the task, where the driver tells them.
    """

    seconds: float
    cpu: float
    peak: int
    parts: dict[str, float] = field(default_factory=dict)


@dataclass
class Rival:
    """A driver in a child process; see `benchmarks.rivals.protocol` for what is said.

    Parameters
    ----------
    label : str
        As the table calls it.
    command : sequence of str
        A Python, and the module and arguments of a driver.
    threads, workers : int
        Threads and processes that compute. Several processes are watched from outside, as their memory is theirs.
    """

    label: str
    command: Sequence[str]
    threads: int = 1
    workers: int = 1
    about: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._errors = ""
        self._process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.about = self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        if kind is not None:
            self._process.terminate()
        self._process.wait(timeout=60)
        self._listener.join(timeout=5)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def expressions(self) -> dict[str, str]:
        """What it computes, by name."""
        return dict(self.about["expressions"])

    def compute(self) -> Run:
        """Have it compute everything once, and forget the answer before."""
        self._ask(do="drop")
        if self.workers == 1:
            return _run(self._ask(do="compute"))
        with MemoryWatch(self._process.pid) as watch:
            answer = self._ask(do="compute")
        return _run({**answer, "peak": watch.peak})

    def drop(self) -> None:
        """Have it forget its answer."""
        self._ask(do="drop")

    def save(self, folder: Path) -> None:
        """Have it write its last answer."""
        self._ask(do="save", folder=str(folder))

    def _ask(self, **command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(timeout=60)
            self._listener.join(timeout=5)
            raise RuntimeError(
                f"{self.label} ended with {self._process.returncode}: {' '.join(self.command)}\n{self._errors}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _listen(self) -> None:
        """Keep the end of what it complains about, so that it never waits for a reader."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors = (self._errors + line)[-4000:]


def _run(answer: dict[str, Any]) -> Run:
    return Run(answer["seconds"], answer["cpu"], answer["peak"], answer["parts"])


class MemoryWatch:
    """Looks at the memory of a process and its children every quarter second.

    Pages that processes share count once. What is there between two looks only is missed. Counting gigabytes of small
    pages takes long and holds the process up: looks are further apart then, so that they take a part in fifty.
    """

    def __init__(self, process: int) -> None:
        self.process = process
        self.peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = 0.25
        while not self._done.wait(pause):
            begun = time.perf_counter()
            self.peak = max(self.peak, sum(_proportional(p) for p in _family(self.process)))
            pause = max(0.25, 50 * (time.perf_counter() - begun))


def _family(process: int) -> list[int]:
    """Return a process and all below it."""
    children = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children += [int(child) for child in task.read_text(encoding="ascii").split()]
        except OSError:  # the thread has ended since
            continue
    return [process, *(p for child in children for p in _family(child))]


def _proportional(process: int) -> int:
    """Return the resident bytes of a process, shared pages divided among their users; 0 if it has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
