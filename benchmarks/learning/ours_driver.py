"""quantflux's workflow: features and labels assembled from an installation's store, the model trained fold by fold."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import lightgbm
import numpy as np
import pyarrow as pa

import quantflux
from benchmarks.learning.rivals.running import FEATURES, PREDICTING, TRAINING, Parts, main
from benchmarks.learning.rivals.task import PARAMETERS, PATIENCE, REACH, ROUNDS, THREADS, Task
from benchmarks.rivals.protocol import Market
from quantflux.config import Settings
from quantflux.learning.assembly import assemble
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.learning.training import Hooks, validate
from quantflux.platform import Platform


def specification(task: Task, seed: int, more: Mapping[str, Any]) -> ModelSpec:
    """Return the task as a model of ours, whose spans do not count the rows that are left out between them.

    Parameters
    ----------
    task : Task
    seed : int
    more : mapping
        Parameters of the model besides the task's.
    """
    return specification_of(
        {
            "id": "walk_forward",
            "kind": "lightgbm",
            "seed": seed,
            "parameters": {"n_estimators": ROUNDS, "early_stopping_rounds": PATIENCE, **PARAMETERS, **more},
            "features": ["alpha158"],
            "label": {
                "kind": "expression",
                "expression": "lead(close, 2) / lead(close, 1) - 1",
                "transform": "zscore",
            },
            "split": {"train": task.train - REACH, "valid": task.valid - REACH, "test": task.test},
        }
    )


class OurWorkflow:
    """The workflow over a store that has its panels, as it has after data were loaded."""

    parameters: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, market: Market, task: Task, files: Path) -> None:
        del market  # the installation has it
        self.version = f"quantflux {quantflux.__version__} with LightGBM {lightgbm.__version__}"
        self._task = task
        self._settings = Settings(data_dir=files, factors={"threads": THREADS})

    def run(self, seed: int, parts: Parts) -> tuple[pa.Table, np.ndarray]:
        """Open the installation, assemble, train, and put the predictions into a table."""
        with Platform.open(self._settings) as platform:
            return self._run(platform, specification(self._task, seed, self.parameters), parts)

    def _run(self, platform: Platform, spec: ModelSpec, parts: Parts) -> tuple[pa.Table, np.ndarray]:
        with parts.timed(FEATURES):
            assembled = assemble(platform.data, platform.factors, spec)
        clock = _Clock(parts)
        hooks = Hooks(folds=clock.folds, rounds=clock.rounds)
        predictions, folds = validate(assembled, spec, threads=THREADS, hooks=hooks)
        with parts.timed(PREDICTING):
            row, column = np.nonzero(~np.isnan(predictions))
            table = pa.table(
                {
                    "trade_date": pa.array(assembled.dataset.days[row]),
                    "symbol": pa.array(assembled.dataset.symbols[column].tolist()),
                    "prediction": pa.array(predictions[row, column]),
                }
            )
        days = assembled.dataset.days
        tested = [(days[fold.test.first], days[fold.test.last]) for fold in self._task.folds()]
        found = [fold.test for fold in folds]
        if found != tested:
            raise RuntimeError(f"quantflux tested the folds {found}, wanted {tested}")
        return table, np.array([fold.rounds for fold in folds])

    def drop(self) -> None:
        """Delete the stored values of factors, so that they are built anew."""
        shutil.rmtree(self._settings.factor_directory / "values", ignore_errors=True)


class _Clock:
    """Divides a training by what its hooks hear: rounds until the last one of a fold, and what follows them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._begun = self._learnt = time.perf_counter()

    def rounds(self, done: int, total: int) -> None:
        """Hear of a round."""
        self._learnt = time.perf_counter()

    def folds(self, done: int, total: int) -> None:
        """Hear of a fold that is done."""
        now = time.perf_counter()
        if done:
            self._parts.add(TRAINING, self._learnt - self._begun)
            self._parts.add(PREDICTING, now - self._learnt)
        self._begun = now


if __name__ == "__main__":
    main(OurWorkflow)
