"""A warm service that predicts a day of a whole market, in a process of its own.

Run as a module it is that process: it trains a model, or serves it, and prints a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.factors.market import MarketSize, drawn
from benchmarks.learning.rivals.task import PARAMETERS, SEEDS
from benchmarks.rivals.measuring import Measured, Say
from benchmarks.rivals.protocol import peak_memory, reset_peak
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.rivals.rival import ROOT
from benchmarks.scene import LAST_DAY
from benchmarks.scene import SEED as MARKET_SEED
from quantflux.config import Settings
from quantflux.data.schema import DAILY
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.learning.specification import specification_of
from quantflux.platform import Platform

ADDED_DAYS = 6
"""Days that are not there when the model is trained; the service warms up on the first."""

TREES = 100
MODEL: dict[str, Any] = {
    "id": "served",
    "kind": "lightgbm",
    "seed": SEEDS[0],
    "parameters": {"n_estimators": TREES, "early_stopping_rounds": 0, **PARAMETERS},
    "features": ["alpha158"],
    "label": {
        "kind": "expression",
        "expression": "lead(close, 2) / lead(close, 1) - 1",
        "transform": "zscore",
    },
    "split": {"train": 120, "valid": 0, "test": 20, "folds": 1},
}
_ADDED = "added.parquet"


def measure_serving(size: MarketSize, work: Path, report: RivalReport, say: Say) -> None:
    """Add the table of predictions of one day: of a day that is stored, and of one whose bars have just come."""
    say(f"serving: writing {size.companies:,} names x {size.sessions} days")
    _write(size, work)
    say("serving: training the model")
    _child(work, "train")
    found = _child(work, "serve")
    labels = {
        "stored": f"{OURS}, a day whose features are stored",
        "added": f"{OURS}, a day whose bars have just come: features brought up to date, predicted",
    }
    rows = []
    for task, label in labels.items():
        seconds, worked = np.median(found[task], axis=0)
        rows.append(Measured(label, 2, float(seconds), float(worked), found["peak"], len(found[task])))
        say(f"{label}: {seconds:.3g} s")
    shape = {"symbols predicted": found["names"], "features": found["features"], "trees": TREES}
    note = (
        "`MLService.predict` of a day that the model has not seen, another day each time, in a process that has "
        "predicted once before; the peak of memory is the whole process's."
    )
    report.tables.append(
        Table("A day's predictions from a warm service", shape, rows, {}, note, compared=False)
    )


def _write(size: MarketSize, work: Path) -> None:
    """Write all days but the last ones into a store, and those into a file."""
    market = SyntheticMarket(MARKET_SEED, drawn(size.companies), size.first_day, LAST_DAY)
    first = pa.scalar(market.sessions[-ADDED_DAYS].astype(object))
    later = []
    with Platform.open(Settings(data_dir=work / "installation")) as platform:
        for table in market.daily_tables():
            is_later = pc.greater_equal(table["trade_date"], first)
            platform.store.write(DAILY, table.filter(pc.invert(is_later)))
            later.append(table.filter(is_later))
        platform.data.panel(["close"])
    pq.write_table(pa.concat_tables(later), work / _ADDED)


def _child(work: Path, task: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.learning.serving", str(work), task]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{task} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _train(platform: Platform) -> dict[str, Any]:
    """Train the model and bring it to production."""
    made = platform.models.train(specification_of(MODEL))
    platform.models.promote(made.version.id, made.version.version, reason="to be measured")
    return {"trained": made.version.label}


def _serve(platform: Platform, added: pa.Table) -> dict[str, Any]:
    """Predict each added day when its bars have come, and once more; raise if both answers are not the same."""
    reset_peak()
    models, name = platform.models, MODEL["id"]
    features = len(models.registry.serving(name).model.digests)
    taken: dict[str, Any] = {"added": [], "stored": []}
    days = pc.unique(added["trade_date"]).sort().to_pylist()
    for number, day in enumerate(days):
        platform.store.write(DAILY, added.filter(pc.equal(added["trade_date"], pa.scalar(day))))
        first, seconds = _timed(lambda day=day: models.predict(name, day))
        again, stored = _timed(lambda day=day: models.predict(name, day))
        if not first.equals(again):
            raise RuntimeError(f"two predictions of {day} differ")
        if number:
            taken["added"].append(seconds)
            taken["stored"].append(stored)
    return {**taken, "peak": peak_memory(), "names": first.num_rows, "features": features}


def _timed(work: Callable[[], pa.Table]) -> tuple[pa.Table, tuple[float, float]]:
    begun, processors = time.perf_counter(), time.process_time()
    made = work()
    return made, (time.perf_counter() - begun, time.process_time() - processors)


def main() -> None:
    """Train, or serve."""
    work, task = Path(sys.argv[1]), sys.argv[2]
    with Platform.open(Settings(data_dir=work / "installation")) as platform:
        answer = _train(platform) if task == "train" else _serve(platform, pq.read_table(work / _ADDED))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
