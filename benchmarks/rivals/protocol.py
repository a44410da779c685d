"""How a driver talks to the benchmark: it answers one line of JSON for each line of JSON it is given.

1. The driver loads the market, gets ready, and says `{"expressions": {...}, "seconds": ...}`.
2. `{"do": "compute"}` makes it do its whole task once. It answers with the seconds that took, the processor's
   seconds, the peak of its resident memory meanwhile, and seconds by part if the driver has `parts`.
3. `{"do": "save", "folder": ...}` makes it write its last answer: an array per name.
4. `{"do": "drop"}` makes it forget its last answer.
5. At the end of its input it ends.

What a rival prints goes to standard error, so that it cannot disturb the conversation.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

ALPHA14 = (
    "MA20", "STD20", "ROC20", "BETA20", "RSQR20", "RESI20", "MAX20", "QTLU20", "RANK20", "IMAX20", "CORR20",
    "CORD60", "CNTP20", "WVMA20",
)  # fmt: skip
"""Members of Alpha158, one for each kind of window that it knows: a quick comparison of kernels."""


class Driver(Protocol):
    """A rival, ready to do one task on one market."""

    expressions: dict[str, str]
    """What is computed, by name: a formula, or nothing where a name says it all; empty where nothing has a name."""
    about: dict[str, Any]
    # Where a task has parts: `parts: dict[str, float]`, the seconds of each in the last computation.

    def compute(self) -> None:
        """Do the whole task, as a user of the library would."""

    def drop(self) -> None:
        """Forget the last answer and whatever the rival has kept of it in memory."""

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each result by name: a factor as a (T, N) array in the market's order of sessions and symbols."""


class Market:
    """The arrays in a folder, mapped, not read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.symbols: list[str] = json.loads((folder / "symbols.json").read_text(encoding="utf-8"))
        self.sessions = np.load(folder / "sessions.npy")

    def field(self, name: str) -> np.ndarray:
        """Return one field, shape (T, N)."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


def claim_output() -> int:
    """Return a descriptor of the real standard output, and send everything else that is printed to standard error."""
    real = os.dup(1)
    os.dup2(2, 1)
    return real


def serve(driver: Driver, output: int, ready_seconds: float) -> None:
    """Answer commands until the input ends."""
    with os.fdopen(output, "w", encoding="utf-8") as out:

        def say(**facts: Any) -> None:
            out.write(json.dumps(facts) + "\n")
            out.flush()

        say(expressions=driver.expressions, seconds=ready_seconds, **driver.about)
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "compute":
                reset_peak()
                start, worked = time.perf_counter(), worked_seconds()
                driver.compute()
                taken = time.perf_counter() - start
                facts = {"cpu": worked_seconds() - worked, "peak": peak_memory()}
                say(seconds=taken, parts=getattr(driver, "parts", {}), **facts)
            elif command["do"] == "save":
                save(driver, Path(command["folder"]))
                say(saved=command["folder"])
            else:
                driver.drop()
                say(dropped=True)


def save(driver: Driver, folder: Path) -> None:
    """Write the last answer, one file per name, in the precision that the rival answers in."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in driver.answer():
        np.save(folder / f"{name}.npy", values)


def worked_seconds() -> float:
    """Return the processor seconds of this process and of the workers that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def reset_peak() -> None:
    """Forget the peak of resident memory so far."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> int:
    """Return the peak of this process's resident memory in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
