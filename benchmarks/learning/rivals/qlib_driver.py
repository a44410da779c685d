"""Qlib's workflow: one Alpha158 handler, `RollingGen` over it, `TrainerR` with `LGBModel`, signal records.

It is put together as `qlib.contrib.rolling` does it, with one difference in Qlib's favour: the handler stays in memory
instead of being read from a pickle for every fold. Records go to mlflow's files, as Qlib has it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import qlib
from qlib.contrib.data.handler import Alpha158
from qlib.data.cache import H
from qlib.model.ens.ensemble import RollingEnsemble
from qlib.model.trainer import TrainerR
from qlib.workflow import R
from qlib.workflow.record_temp import SigAnaRecord
from qlib.workflow.task.collect import RecorderCollector
from qlib.workflow.task.gen import RollingGen, task_generator

from benchmarks.factors.rivals.qlib_driver import code_of, dump
from benchmarks.learning.rivals.running import FEATURES, PREDICTING, TRAINING, Parts, main
from benchmarks.learning.rivals.task import PARAMETERS, PATIENCE, ROUNDS, THREADS, Fold, Span, Task
from benchmarks.rivals.protocol import Market

with redirect_stdout(sys.stderr):  # it prints which models of other libraries cannot be had
    from qlib.contrib.model.gbdt import LGBModel

UNIVERSE = "seasoned"


def write_universe(market: Market, folder: Path) -> None:
    """Write from when to when each instrument is looked at: from its first day in the universe to its last.

    Its days without trade in between stay, as in every list of instruments that Qlib's users have.
    """
    chosen = np.load(market.folder / "chosen.npy")
    lines = []
    for column, symbol in enumerate(market.symbols):
        rows = np.flatnonzero(chosen[:, column])
        if len(rows):
            first, last = market.sessions[rows[0]], market.sessions[rows[-1]]
            lines.append(f"{code_of(symbol)}\t{first}\t{last}")
    (folder / "instruments" / f"{UNIVERSE}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_future(market: Market, days: int, folder: Path) -> None:
    """Write the calendar that goes on behind the last day: `RollingGen` looks for a segment that it then leaves out."""
    ahead = np.busday_offset(market.sessions[-1], np.arange(1, days + 1))
    lines = [str(day) for day in (*market.sessions, *ahead)]
    (folder / "calendars" / "day_future.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class QlibWorkflow:
    """The workflow over Qlib's own files."""

    def __init__(self, market: Market, task: Task, files: Path) -> None:
        self.version = f"Qlib {qlib.__version__} with LightGBM {lightgbm.__version__}"
        self.market, self.task = market, task
        self._runs = 0
        self._records = files.resolve() / "records"
        self._records.mkdir(parents=True, exist_ok=True)
        data = files.resolve() / "data"
        if not data.exists():
            dump(market, data)
            write_universe(market, data)
            write_future(market, 2 * task.test, data)
        os.chdir(self._records)  # Qlib looks for a git repository to record
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = (
            "true"  # Qlib's default, which mlflow otherwise refuses by now
        )
        manager = {
            "class": "MLflowExpManager",
            "module_path": "qlib.workflow.expm",
            "kwargs": {"uri": f"file:{self._records}/mlruns", "default_exp_name": "unnamed"},
        }
        qlib.init(
            provider_uri=str(data),
            region="cn",
            kernels=THREADS,
            logging_level=logging.WARNING,
            exp_manager=manager,
        )

    def run(self, seed: int, parts: Parts) -> tuple[pa.Table, np.ndarray]:
        """Build the handler, train and predict every fold, put the folds together, and judge them."""
        self._runs += 1
        name = f"rolling {self._runs}"
        with parts.timed(FEATURES):
            first, last = str(self.market.sessions[0]), str(self.market.sessions[-1])
            handler = Alpha158(instruments=UNIVERSE, start_time=first, end_time=last)
            tasks = self._tasks(handler, seed)
        begun = time.perf_counter()
        with _fits_timed(parts) as rounds:
            TrainerR(experiment_name=name)(tasks)
        found = RecorderCollector(
            experiment=name,
            artifacts_key=["pred", "label"],
            process_list=[RollingEnsemble()],
            artifacts_path={"pred": "pred.pkl", "label": "label.pkl"},
        )()
        with R.start(experiment_name=f"{name} together"):
            R.save_objects(**{"pred.pkl": found["pred"], "label.pkl": found["label"]})
            SigAnaRecord(recorder=R.get_recorder()).generate()
        parts.add(PREDICTING, time.perf_counter() - begun - parts.seconds[TRAINING])
        return self._table(found["pred"]), np.array(rounds)

    def drop(self) -> None:
        """Forget what Qlib keeps in memory; its records of past runs stay."""
        H.clear()

    def _tasks(self, handler: Alpha158, seed: int) -> list[dict[str, Any]]:
        """Return a task for each fold, as Qlib's generator makes them; raise if they are not everybody's folds."""
        folds = list(self.task.folds())
        segments = self._segments(folds[0])
        segments["test"] = (segments["test"][0], self._day(folds[-1].test.last))
        settings = {"num_threads": THREADS, "seed": seed, **PARAMETERS}
        task = {
            "model": {
                "class": "LGBModel",
                "module_path": "qlib.contrib.model.gbdt",
                "kwargs": {"num_boost_round": ROUNDS, "early_stopping_rounds": PATIENCE, **settings},
            },
            "dataset": {
                "class": "DatasetH",
                "module_path": "qlib.data.dataset",
                "kwargs": {"handler": handler, "segments": segments},
            },
            "record": ["qlib.workflow.record_temp.SignalRecord"],
        }
        rolling = RollingGen(self.task.test, RollingGen.ROLL_SD, None, task_copy_func=_copied)
        tasks = task_generator(task, rolling)
        found = [each["dataset"]["kwargs"]["segments"] for each in tasks]
        wanted = [self._segments(fold) for fold in folds]
        if found != wanted:
            raise RuntimeError(f"RollingGen made the folds {found}, wanted {wanted}")
        return tasks

    def _segments(self, fold: Fold) -> dict[str, tuple[pd.Timestamp, pd.Timestamp]]:
        def days(span: Span) -> tuple[pd.Timestamp, pd.Timestamp]:
            return self._day(span.first), self._day(span.last)

        return {"train": days(fold.train), "valid": days(fold.valid), "test": days(fold.test)}

    def _day(self, row: int) -> pd.Timestamp:
        return pd.Timestamp(self.market.sessions[row])

    def _table(self, predictions: pd.DataFrame) -> pa.Table:
        symbols = {code_of(symbol): symbol for symbol in self.market.symbols}
        index = predictions.index
        return pa.table(
            {
                "trade_date": pa.array(index.get_level_values("datetime").values.astype("datetime64[D]")),
                "symbol": pa.array(index.get_level_values("instrument").map(symbols)),
                "prediction": pa.array(predictions["score"].to_numpy()),
            }
        )


def _copied(value: Any) -> Any:
    """Copy a task, but not the handler in it."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return list(value) if isinstance(value, list) else value


@contextmanager
def _fits_timed(parts: Parts) -> Iterator[list[int]]:
    """Time each fit of `LGBModel`, its part of the handler's table taken out included, and note its rounds."""
    rounds: list[int] = []
    fit = LGBModel.fit

    def timed(model: LGBModel, *arguments: Any, **more: Any) -> None:
        with parts.timed(TRAINING):
            fit(model, *arguments, **more)
        rounds.append(model.model.best_iteration)

    with patch.object(LGBModel, "fit", timed):
        yield rounds


if __name__ == "__main__":
    main(QlibWorkflow)
