"""What clients were told, and whether the store kept its word.

A writer appends a line before it sends a batch and one when it has the answer, so a killed writer leaves a batch
whose outcome is unknown. The checker compares with what the store holds at the end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

Cell = tuple[str, str]
"""Symbol and day of a row."""


class HistoryWriter:
    """Appends what one client does to a file; every line is out of the process before the call returns."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, outcome: str, batch: int, cells: Iterable[Cell], value: float) -> None:
        """Record one step of a batch: "sent", "ok" or "failed"."""
        line = {"outcome": outcome, "batch": batch, "cells": list(cells), "value": value}
        os.write(self._handle, (json.dumps(line) + "\n").encode())


@dataclass(frozen=True)
class Verdict:
    """Counts over all batches; `problems` must be empty."""

    acked: int
    lost: int
    torn: int
    phantom: int
    unknown: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return f"acked {self.acked} lost {self.lost} torn {self.torn} phantom {self.phantom} unknown {self.unknown}"


def last_batch(path: Path) -> int:
    """Return the number of the last batch that a writer began; 0 if none."""
    return (
        max((json.loads(line)["batch"] for line in path.read_text().splitlines()), default=0)
        if path.exists()
        else 0
    )


def check(histories: Iterable[Path], stored: Mapping[Cell, float]) -> Verdict:
    """Compare histories of writers that never share a cell with what is stored.

    Each batch of a writer rewrites the same cells with a new value, or writes cells of its own. A cell must hold the
    value of its last acknowledged batch or of a later one of unknown outcome; all cells of a batch alike.
    """
    acked = torn = unknown = 0
    problems: list[str] = []
    allowed: dict[Cell, set[float | None]] = {}
    for path in histories:
        for batch in _batches(path):
            if batch.outcome == "ok":
                acked += 1
                allowed.update({cell: {batch.value} for cell in batch.cells})
            else:
                unknown += 1
                for cell in batch.cells:
                    allowed.setdefault(cell, {None}).add(batch.value)
            held = [stored.get(cell) == batch.value for cell in batch.cells]
            if any(held) and not all(held):
                torn += 1
                problems.append(f"{path.name}: batch {batch.number} is stored in part")
    wrong = [
        f"{cell} holds {stored.get(cell)}, not one of {fit}"
        for cell, fit in allowed.items()
        if stored.get(cell) not in fit
    ]
    strange = [f"{cell} was never sent" for cell in stored.keys() - allowed.keys()]
    return Verdict(acked, len(wrong), torn, len(strange), unknown, (*problems, *wrong, *strange))


@dataclass(frozen=True)
class _Batch:
    number: int
    outcome: str
    cells: list[Cell]
    value: float


def _batches(path: Path) -> list[_Batch]:
    """Return the batches of one writer in order, each with its last known outcome."""
    found: dict[int, _Batch] = {}
    for line in map(json.loads, path.read_text().splitlines()):
        cells = [(symbol, day) for symbol, day in line["cells"]]
        found[line["batch"]] = _Batch(line["batch"], line["outcome"], cells, line["value"])
    return [found[number] for number in sorted(found)]
