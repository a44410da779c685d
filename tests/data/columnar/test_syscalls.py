"""The k-th system call of a write fails, or the process dies in it: readers see the old rows or the new, whole.

strace makes it happen, so the code under test has no hooks for it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.data.adapters.columnar import ColumnarStore
from quantflux.data.contract import Query
from quantflux.data.rows import upsert
from quantflux.data.schema import DAILY
from tests.data.columnar.one_write import batch
from tests.services.process import require

REPOSITORY = Path(__file__).parents[3]
CALLS = ("fsync", "linkat", "mkdir", "flock", "unlink")
"""`write` is left to `test_full_disk`: failing it for whole threads breaks the event loop inside Delta instead."""

Reopen = Callable[[], ColumnarStore]


def sabotage(root: Path, call: str, fault: str, number: int, on: Path | None = None) -> tuple[bool, str]:
    """Run one write whose `number`-th `call` in any thread (on one path) suffers `fault`.

    Returns whether that happened, and the outcome.
    """
    said, trace = root.parent / "said", root.parent / "trace"
    said.unlink(missing_ok=True)
    tracer = [require("strace", "strace"), "-f", "-qq", "-o", trace]
    tracer += ["-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}"]
    tracer += [] if on is None else ["-P", on]
    subprocess.run(
        [*tracer, sys.executable, "-m", "tests.data.columnar.one_write", root, said],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=120,
        check=False,
    )
    outcome = said.read_text() if said.exists() else "died"
    return outcome == "died" or "INJECTED" in trace.read_text(errors="replace"), outcome


def sweep(root: Path, reopen: Reopen, old: pa.Table, call: str, fault: str, most: int) -> Iterator[str]:
    """Yield the outcome of a write for the 1st, 2nd ... failing call, each on a fresh copy of the store."""
    new = upsert(DAILY, old, batch())
    original = root.with_name("original")
    shutil.copytree(root, original)
    for number in range(1, most + 1):
        shutil.rmtree(root)
        shutil.copytree(original, root)
        hit, outcome = sabotage(root, call, fault, number)
        store = reopen()
        found = store.read(Query(DAILY))
        assert found.equals(new) or (outcome != "ok" and found.equals(old)), (
            f"{call} {number} {fault}: {outcome}"
        )
        store.write(DAILY, batch())
        assert store.read(Query(DAILY)).equals(new), f"{call} {number} {fault}: cannot go on"
        store.close()
        if not hit:
            return
        yield outcome


@pytest.mark.parametrize(
    ("call", "fault"), [("fsync", "error=EIO"), ("linkat", "error=ENOSPC"), ("linkat", "signal=KILL")]
)
def test_the_first_calls_fail(root: Path, reopen: Reopen, rows: pa.Table, call: str, fault: str) -> None:
    outcomes = list(sweep(root, reopen, rows, call, fault, most=2))

    assert outcomes
    assert "ok" not in outcomes[:1]


def test_a_commit_that_the_disk_does_not_confirm_is_unknown(
    root: Path, reopen: Reopen, rows: pa.Table
) -> None:
    log = root / DAILY.name / "_delta_log"

    hit, outcome = sabotage(root, "fsync", "error=EIO", 1, on=log)

    assert (hit, outcome) == (True, "OutcomeUnknown")
    reopen().write(DAILY, batch())
    assert reopen().read(Query(DAILY)).equals(upsert(DAILY, rows, batch()))


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", ["error=EIO", "error=ENOSPC", "signal=KILL"])
def test_every_call_fails(root: Path, reopen: Reopen, rows: pa.Table, call: str, fault: str) -> None:
    outcomes = list(sweep(root, reopen, rows, call, fault, most=25))

    assert outcomes or call == "unlink"
