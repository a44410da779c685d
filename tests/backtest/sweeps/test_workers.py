"""Tasks in processes: their order, their failures, and the end of it all."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from quantflux.backtest.sweeps.sharing import ArrayFolder, unpack
from quantflux.backtest.sweeps.workers import Outcome, run_tasks
from tests.backtest.jobs import open_adder, open_nothing, open_sum, open_trouble


def test_outcomes_stand_in_the_order_of_their_tasks() -> None:
    told: list[tuple[int, int]] = []

    found = run_tasks(list(range(5)), open_adder, 10, processes=1, progress=lambda *step: told.append(step))

    assert found == [Outcome(number) for number in range(10, 15)]
    assert told == [(done, 5) for done in range(6)]


def test_a_task_that_fails_or_dies_harms_no_other() -> None:
    tasks = ["a", "refuse", "kill", "b", "raise", "exit", "c"]

    found = [outcome for outcome in run_tasks(tasks, open_trouble, None, processes=2) if outcome is not None]

    assert [outcome.value for outcome in found] == ["a done", None, None, "b done", None, None, "c done"]
    assert [outcome.problem for outcome in found] == [
        "",
        "top is 0; valid is at least 1",
        "its process was ended by SIGKILL; that is what the system does when memory runs out",
        "",
        "KeyError: 'x'",
        "its process ended with code 3",
        "",
    ]


def test_cancelling_ends_what_is_running_and_keeps_what_is_done() -> None:
    told: list[int] = []
    begun = time.monotonic()

    found = run_tasks(
        ["a", "sleep", "sleep"],
        open_trouble,
        None,
        processes=2,
        progress=lambda done, total: told.append(done),
        cancelled=lambda: told[-1] == 1,
    )

    assert found == [Outcome("a done"), None, None]
    assert time.monotonic() - begun < 50  # the tasks would have slept for a minute


def test_an_alone_run_is_cancelled_between_tasks() -> None:
    found = run_tasks([1, 2, 3], open_adder, 0, processes=1, cancelled=lambda: True)

    assert found == [Outcome(1), None, None]


def test_work_that_cannot_be_opened_fails_each_task() -> None:
    found = run_tasks([1, 2], open_nothing, None, processes=2)

    assert [outcome.problem for outcome in found if outcome] == ["RuntimeError: the data are gone"] * 2


def test_large_arrays_are_written_once_and_mapped(tmp_path: Path) -> None:
    large, small = np.arange(2_000.0), np.arange(3.0)
    folder = ArrayFolder(tmp_path)

    packed = folder.pack({"values": large, "again": [large], "small": small})
    again = folder.pack(large)

    assert folder.bytes == large.nbytes
    assert len(list(tmp_path.iterdir())) == 1
    assert len(packed) < 1_000
    found = unpack(packed, tmp_path)
    assert found["values"] is found["again"][0]
    assert type(found["values"]) is np.ndarray and not found["values"].flags.writeable
    np.testing.assert_array_equal(unpack(again, tmp_path), large)
    np.testing.assert_array_equal(found["small"], small)

    done = run_tasks([1.0, 2.0], open_sum, (packed, tmp_path), processes=2)

    assert done == [Outcome((large.sum() + task, False)) for task in (1.0, 2.0)]
