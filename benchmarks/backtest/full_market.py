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
    sweep = _sweep(work, say)
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
    rows.append(sweep)
    shape = {"symbols": runs[0]["symbols"], "days": runs[0]["days"], "orders": runs[0]["orders"]}
    note = (
        "Limits by board and status, suspensions, T+1, lots, a tenth of the volume, slippage, dated fees, dividends "
        "and their tax, delistings. The median of new processes; code was compiled by an earlier one. The sweep tries "
        "ten numbers of names, ten buffers, daily and weekly, once, on two processes, loading and metrics included."
    )
    report.tables.append(Table("A backtest under all rules", shape, rows, {}, note, compared=False))


def _sweep(folder: Path, say: Say) -> Measured:
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
    with Platform.open(Settings(data_dir=folder)) as platform:
        found, (seconds, worked) = _timed(
            lambda: platform.backtests.sweep(run_of_values(values, "the sweep"), processes=2)
        )
    done = sum(each.measured is not None for each in found.results)
    if done != 200:
        raise RuntimeError(f"{done} of 200 sets ran")
    say(f"sweep of 200 sets: {seconds:.1f} s")
    return Measured(f"{OURS}, a sweep of 200 parameter sets", 2, seconds, worked, 0, 1)


def _child(folder: Path) -> dict[str, list[float]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.backtest.full_market", str(folder)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    answer: dict[str, list[float]] = json.loads(done.stdout)
    return answer


def _timed(work: Callable[[], Any]) -> tuple[Any, list[float]]:
    begun, processors = time.perf_counter(), worked_seconds()
    made = work()
    return made, [time.perf_counter() - begun, worked_seconds() - processors]


def main() -> None:
    """Measure one backtest."""
    with Platform.open(Settings(data_dir=Path(sys.argv[1]))) as platform:
        reset_peak()
        arena, opened = _timed(lambda: load_arena(platform.data))
        close = np.asarray(arena.venue.close)

        def run() -> object:
            score = np.full(close.shape, np.nan)
            np.divide(close[:-20], close[20:], out=score[20:])
            score[~(arena.traded & arena.seasoned)] = np.nan
            return simulate(arena.venue, TopRanked(score, np.arange(20, len(close)), top=HELD))

        made, simulated = _timed(run)
    peak = peak_memory()
    print(
        json.dumps(
            {
                "open": opened, "simulate": simulated, "all": [a + b for a, b in zip(opened, simulated, strict=True)],
                "peak": peak, "symbols": close.shape[1], "days": close.shape[0], "orders": len(made.log),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
