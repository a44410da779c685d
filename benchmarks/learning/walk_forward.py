"""The walk-forward, ours and Qlib's: time and memory, where the time went, and what the predictions are worth.

We run twice: as we come, and with as much patience as Qlib has. The predictions are to be the same.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.factors.market import MarketSize
from benchmarks.learning.judging import Judgement, judge
from benchmarks.learning.market import write_scene
from benchmarks.learning.rivals.running import predictions_of
from benchmarks.learning.rivals.task import PATIENCE, SEEDS, THREADS, Task
from benchmarks.rivals.measuring import Measured, Say, measure_each_run
from benchmarks.rivals.protocol import Market
from benchmarks.rivals.report import OURS, Grid, RivalReport, Table
from benchmarks.rivals.rival import Rival

PATIENT = f"{OURS}, patience waited out"
QLIB = "Qlib"
FIRST = (MarketSize(16, 240), Task(sessions=240, train=100, valid=40, test=50))
"""What we learn before anything is timed, in a process of its own: it leaves compiled code behind."""


def measure_walk_forward(
    companies: int, task: Task, work: Path, python: Path, report: RivalReport, say: Say
) -> None:
    """Add the tables of one walk-forward; raise if somebody's folds or cells are others."""
    say("letting code be compiled")
    _scene(*FIRST, work / "first")
    with _ours(work / "first") as ours:
        ours.compute()
    say(f"making {companies} names x {task.sessions:,} days")
    _scene(MarketSize(companies, task.sessions), task, work)
    market = work / "market"
    with ExitStack() as stack:
        rivals = [_ours(work), _ours(work, PATIENT, "patient_driver"), _qlib(work, python)]
        for rival in rivals:
            stack.enter_context(rival)
            if rival.label != PATIENT:
                report.versions.append(rival.about["version"])
        rows = measure_each_run(rivals, say, len(SEEDS))
        for rival in rivals:
            rival.save(work / rival.label)
    rounds = {label: np.load(work / label / "rounds.npy").mean(axis=0) for label in (OURS, QLIB)}
    files = {
        _run(label, seed): predictions_of(_predictions(label, work), seed)
        for label in (OURS, QLIB)
        for seed in SEEDS
    }
    judgement = judge(files, Market(market), task)
    words = judgement.difference(_runs(OURS), _runs(QLIB)).words
    say(words)
    names = Market(market).symbols
    shape = {"symbols": len(names), "days": task.sessions, "folds": len(list(task.folds()))}
    note = (
        "From each one's files of daily prices to predictions out of sample, written to Parquet. The same folds, "
        f"label, LightGBM parameters, seeds and {THREADS} threads; no model beyond the folds' is kept. A fold ends "
        f"{PATIENCE} rounds after its best one; ours does after {PATIENCE // 2} if it is then worse on the valid days "
        f"than the mean label of the train days. Medians of {len(SEEDS)} runs, each with a seed of its own; peak "
        "memory is the first run's, of the process and its children."
    )
    agreement = {label: _worth(judgement, label) for label in (OURS, QLIB)}
    agreement[PATIENT] = _same_predictions(work)
    report.tables.append(Table("Alpha158 and LightGBM, walk-forward", shape, rows, agreement, note))
    report.tables.append(_parts(rows))
    report.tables.append(_worth_by_fold(judgement, rounds, words))


def _scene(size: MarketSize, task: Task, work: Path) -> None:
    write_scene(size, work / "market", work / "installation")
    task.write(work / "task.json")


def _ours(work: Path, label: str = OURS, driver: str = "ours_driver") -> Rival:
    command = [sys.executable, "-m", f"benchmarks.learning.{driver}"]
    return _rival(label, command, work, work / "installation")


def _qlib(work: Path, python: Path) -> Rival:
    command = [str(python), "-W", "ignore", "-m", "benchmarks.learning.rivals.qlib_driver"]
    return _rival(QLIB, command, work, work / "qlib")


def _rival(label: str, command: list[str], work: Path, files: Path) -> Rival:
    options = {
        "market": work / "market",
        "task": work / "task.json",
        "files": files,
        "predictions": _predictions(label, work),
    }
    words = [word for name, path in options.items() for word in (f"--{name}", str(path))]
    return Rival(label, [*command, *words], threads=THREADS, workers=THREADS)


def _predictions(label: str, work: Path) -> Path:
    return work / f"predictions of {label}"


def _run(label: str, seed: int) -> str:
    return f"{label} {seed}"


def _runs(label: str) -> list[str]:
    return [_run(label, seed) for seed in SEEDS]


def _means(judgement: Judgement, label: str) -> pd.DataFrame:
    """Return `ic` and `rank_ic` by fold and of all days, the means over a rival's runs."""
    tables = [judgement.means(run) for run in _runs(label)]
    return sum(tables[1:], start=tables[0]) / len(tables)


def _worth(judgement: Judgement, label: str) -> str:
    means = _means(judgement, label).loc["all"]
    return f"IC {means['ic']:.4f}, RankIC {means['rank_ic']:.4f}"


def _same_predictions(work: Path) -> str:
    """Say in how many runs we predicted the same numbers with and without the whole patience."""
    same = [
        pq.read_table(predictions_of(_predictions(OURS, work), seed)).equals(
            pq.read_table(predictions_of(_predictions(PATIENT, work), seed))
        )
        for seed in SEEDS
    ]
    return f"the same predictions, bit for bit, in {sum(same)} of {len(same)} runs"


def _parts(rows: list[Measured]) -> Grid:
    names = list(dict.fromkeys(part for row in rows for part in row.parts))
    lines: list[list[str | float]] = []
    for name in names:
        taken = [row.parts[name] for row in rows]
        lines.append([name, *taken, f"{taken[-1] / taken[0]:.1f}"])
    note = (
        "Seconds. Training includes gathering each fold's cells and laying them into bins; we lay all cells into the "
        "bins of the first fold's train cells, once."
    )
    return Grid(
        "Where the time goes", ["part", *(row.label for row in rows), f"{QLIB}, times ours"], lines, note
    )


def _worth_by_fold(judgement: Judgement, rounds: dict[str, np.ndarray], words: str) -> Grid:
    columns = ["fold"]
    lines: list[list[str | float]] = [[str(name)] for name in _means(judgement, OURS).index]
    for label, by_fold in rounds.items():
        columns += [f"{label}: rounds", "IC", "RankIC"]
        kept = [*(f"{number:.1f}" for number in by_fold), ""]
        for line, number, means in zip(lines, kept, _means(judgement, label).itertuples(), strict=True):
            line += [number, f"{means.ic:.4f}", f"{means.rank_ic:.4f}"]
    of_runs = "; ".join(f"{label} {_each_run(judgement, label)}" for label in rounds)
    note = (
        f"Means over the runs, by pandas, on the {judgement.cells:,} cells that all predicted. RankIC of each run: "
        f"{of_runs}. {OURS} against {QLIB}: {words}."
    )
    return Grid("What the predictions are worth", columns, lines, note)


def _each_run(judgement: Judgement, label: str) -> str:
    return ", ".join(f"{judgement.rivals[run].rank_ic.mean():.4f}" for run in _runs(label))
