"""The checker itself notices what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.conformance.history import Cell, HistoryWriter, check

A, B = ("600000.SH", "2024-01-02"), ("000001.SZ", "2024-01-02")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history"
    writer = HistoryWriter(path)
    for number, outcome in ((1, "ok"), (2, "ok"), (3, "sent")):
        writer.note("sent", number, [A, B], float(number))
        writer.note(outcome, number, [A, B], float(number))
    return path


@pytest.mark.parametrize("value", [2.0, 3.0])
def test_the_last_acknowledged_or_a_later_unknown_value_is_right(history: Path, value: float) -> None:
    verdict = check([history], {A: value, B: value})

    assert verdict.problems == ()
    assert str(verdict) == "acked 2 lost 0 torn 0 phantom 0 unknown 1"


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        ({}, "lost"),
        ({A: 1.0, B: 1.0}, "lost"),
        ({A: 2.0}, "lost"),
        ({A: 2.0, B: 3.0}, "torn"),
        ({A: 2.0, B: 2.0, ("600001.SH", "2024-01-02"): 2.0}, "phantom"),
    ],
)
def test_faults_are_counted(history: Path, stored: dict[Cell, float], fault: str) -> None:
    verdict = check([history], stored)

    assert getattr(verdict, fault) > 0
    assert verdict.problems
