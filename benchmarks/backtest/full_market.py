"""A backtest with every rule of the market over many names and years, in a process of its own, measured by its parts.

Run as a module it is that process: it opens an installation, and prints a line of JSON.
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

from benchmarks.factors.market import MarketSize
from benchmarks.rivals.measuring import Measured, Say
from benchmarks.rivals.protocol import peak_memory, reset_peak, worked_seconds
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.rivals.rival import ROOT
from benchmarks.scene import LAST_DAY, SEED
from quantflux.backtest.arena import load_arena
from quantflux.backtest.policies.ranked import TopRanked
from quantflux.backtest.run import Run
from quantflux.backtest.runs.files import run_of_values
from quantflux.backtest.simulator import simulate
from quantflux.config import Settings
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

HELD = 100


def measure_full_market(size: MarketSize, work: Path, report: RivalReport, say: Say) -> None:
    """Add the table of one backtest over the whole market, every rule holding."""
    market = SyntheticMarket(SEED, size.companies, size.first_day, LAST_DAY)
    say("all rules: writing the market")
    with Platform.open(Settings(data_dir=work)) as platform:
        for table in market.daily_tables():
            platform.store.write(DAILY, table)
        platform.store.write(CORPORATE_ACTIONS, market.corporate_actions())
        platform.data.panel(["close"])
    runs = [_child(work) for _ in range(4)][1:]
    sweep = _child(work, "sweep")["sweep"]
    say(f"sweep of 200 sets: {sweep[0]:.1f} s")
    parts = {
        "open": "opening the market: bars from the panels, limits, events",
        "simulate": f"the days: the best {HELD} names at every close, traded at the next open",
        "all": "both",
    }
    rows = []
    for part, label in parts.items():
        seconds, worked = (float(np.median([run[part][i] for run in runs])) for i in (0, 1))
        peak = max(run["peak"] for run in runs) if part == "all" else 0
        rows.append(Measured(f"{OURS}, {label}", 1, seconds, worked, peak, len(runs)))
        say(f"{label}: {seconds:.2f} s")
    rows.append(Measured(f"{OURS}, a sweep of 200 parameter sets", 2, sweep[0], sweep[1], 0, 1))
    shape = {"symbols": runs[0]["symbols"], "days": runs[0]["days"], "orders": runs[0]["orders"]}
    note = (
        "Limits by board and status, suspensions, T+1, lots, a tenth of the volume, slippage, dated fees, dividends "
        "and their tax, delistings. The median of new processes; code was compiled by an earlier one. The sweep tries "
        "ten numbers of names, ten buffers, daily and weekly, once, on two processes, loading and metrics included."
    )
    report.tables.append(Table("A backtest under all rules", shape, rows, {}, note, compared=False))


def _child(folder: Path, task: str = "run") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.backtest.full_market", str(folder), task],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _timed(work: Callable[[], Any]) -> tuple[Any, list[float]]:
    begun, processors = time.perf_counter(), worked_seconds()
    made = work()
    return made, [time.perf_counter() - begun, worked_seconds() - processors]


def _run(platform: Platform) -> dict[str, Any]:
    """Measure one backtest."""
    reset_peak()
    arena, opened = _timed(lambda: load_arena(platform.data))
    close = np.asarray(arena.venue.close)

    def run() -> Run:
        score = np.full(close.shape, np.nan)
        np.divide(close[:-20], close[20:], out=score[20:])
        score[~(arena.traded & arena.seasoned)] = np.nan
        return simulate(arena.venue, TopRanked(score, np.arange(20, len(close)), top=HELD))

    made, simulated = _timed(run)
    return {
        "open": opened,
        "simulate": simulated,
        "all": [a + b for a, b in zip(opened, simulated, strict=True)],
        "peak": peak_memory(),
        "symbols": close.shape[1],
        "days": close.shape[0],
        "orders": len(made.log),
    }


def _sweep(platform: Platform) -> dict[str, Any]:
    """Try 200 parameter sets; raise unless all of them ran."""
    values = {
        "name": "sweep",
        "score": "1 - close / delay(close, 20)",
        "policy": {"kind": "ranked", "top": HELD},
        "sweep": {
            "policy.top": list(range(50, 150, 10)),
            "policy.buffer": list(range(0, 100, 10)),
            "schedule": ["daily", "weekly"],
        },
    }
    run = run_of_values(values, "the sweep")
    found, taken = _timed(lambda: platform.backtests.sweep(run, processes=2))
    done = sum(each.measured is not None for each in found.results)
    if done != 200:
        raise RuntimeError(f"{done} of 200 sets ran")
    return {"sweep": taken}


def main() -> None:
    """Measure one backtest, or a sweep."""
    folder, task = sys.argv[1:]
    with Platform.open(Settings(data_dir=Path(folder))) as platform:
        print(json.dumps(_run(platform) if task == "run" else _sweep(platform)))


if __name__ == "__main__":
    main()
