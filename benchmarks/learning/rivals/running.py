"""The main of a driver: options, the conversation with the benchmark, and the clock of a workflow's parts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.learning.rivals.task import SEEDS, Task
from benchmarks.rivals.protocol import Market, claim_output, serve

FEATURES, TRAINING, PREDICTING = (
    "building features and labels",
    "training the folds",
    "predicting and judging",
)


class Parts:
    """Seconds by the part of a workflow that they went to."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, part: str, seconds: float) -> None:
        """Add to a part."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add what a block takes."""
        begun = time.perf_counter()
        yield
        self.add(part, time.perf_counter() - begun)


class Workflow(Protocol):
    """A rival, ready to learn."""

    version: str

    def run(self, seed: int, parts: Parts) -> tuple[pa.Table, np.ndarray]:
        """Do everything from the rival's files of prices to predictions.

        Returns
        -------
        Table
            `trade_date`, `symbol` and `prediction`, out of sample.
        array of int
            Rounds that the model of each fold kept.
        """

    def drop(self) -> None:
        """Forget whatever was computed, in memory and on disk."""


def predictions_of(folder: Path, seed: int) -> Path:
    """Return where a run's predictions are."""
    return folder / f"{seed}.parquet"


class LearningDriver:
    """A workflow that is run with one seed after the other, and whose predictions go to Parquet files.

    Attributes
    ----------
    parts : dict
        Seconds of each part of the last computation.
    """

    def __init__(self, workflow: Workflow, folder: Path) -> None:
        self.expressions: dict[str, str] = {}
        self.about: dict[str, Any] = {"version": workflow.version}
        self.parts: dict[str, float] = {}
        self._workflow, self._folder = workflow, folder
        self._rounds: list[np.ndarray] = []
        folder.mkdir(parents=True, exist_ok=True)

    def compute(self) -> None:
        """Run the workflow with the next seed and write what it predicted."""
        parts, seed = Parts(), SEEDS[len(self._rounds)]
        table, rounds = self._workflow.run(seed, parts)
        with parts.timed(PREDICTING):
            pq.write_table(table, predictions_of(self._folder, seed))
        self._rounds.append(rounds)
        self.parts = parts.seconds

    def drop(self) -> None:
        """Forget the last run but for what was written of it."""
        self._workflow.drop()

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the rounds of each run and fold."""
        yield "rounds", np.array(self._rounds)


def options() -> argparse.ArgumentParser:
    """Return the options that every driver has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--market", type=Path, required=True, help="arrays of prices, and the universe")
    parser.add_argument("--task", type=Path, required=True, help="JSON of a Task")
    parser.add_argument("--files", type=Path, required=True, help="where the rival keeps files of its own")
    parser.add_argument(
        "--predictions", type=Path, required=True, help="folder of the Parquet files to write"
    )
    return parser


def main(prepare: Any) -> None:
    """Serve the workflow that `prepare(market, task, files)` makes."""
    chosen = options().parse_args()
    output = claim_output()
    begun = time.perf_counter()
    workflow = prepare(Market(chosen.market), Task.read(chosen.task), chosen.files)
    serve(LearningDriver(workflow, chosen.predictions), output, time.perf_counter() - begun)
