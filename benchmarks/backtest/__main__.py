"""`python -m benchmarks.backtest`: quantflux, vectorbt, backtrader, bt and Qlib follow the same targets, in one run.

The rivals live in an environment of their own, which `make bench-backtest` makes.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.backtest.full_market import measure_full_market
from benchmarks.backtest.reference import equity_of
from benchmarks.backtest.rivals.scene import Scene
from benchmarks.backtest.scene_writer import write_scene
from benchmarks.factors.market import MarketSize
from benchmarks.rivals.command import parsed, parser_of, publish, sayer
from benchmarks.rivals.measuring import Say, measure_in_turn
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.rivals.rival import Rival

RIVALS = {"vectorbt": "vectorbt", "backtrader": "backtrader", "bt": "bt", "qlib": "Qlib"}

SCENES = {
    "small": ((30, 300, 5, tuple(RIVALS)),),
    "standard": ((100, 2430, 10, tuple(RIVALS)), (5000, 2430, 100, ("vectorbt",))),
}
"""Companies, days, names held, and who follows; the others would take hours over 5,000 names."""

FULL = {"small": MarketSize(200, 600), "standard": MarketSize(5000, 2430)}

TOLERANCE = {"qlib": 1e-3}
"""How far equity may lie from the reference: 1e-9, and more for Qlib, whose account drifts by a millionth a day."""


def measure_scene(
    companies: int,
    days: int,
    held: int,
    who: tuple[str, ...],
    work: Path,
    python: Path,
    report: RivalReport,
    say: Say,
) -> None:
    """Add the table of one scene; raise if an account differs from the reference."""
    scene_folder = work / "scene"
    say(f"making {companies} names x {days} days")
    write_scene(MarketSize(companies, days), held, scene_folder)
    scene = Scene(scene_folder)
    expected = equity_of(scene)
    options = ("--scene", str(scene_folder), "--files")
    rivals = [
        Rival(OURS, [sys.executable, "-m", "benchmarks.backtest.ours_driver", *options, str(work / "ours")])
    ]
    for name in who:
        command = [str(python), "-W", "ignore", "-m", f"benchmarks.backtest.rivals.{name}_driver", *options]
        rivals.append(Rival(RIVALS[name], [*command, str(work / name)]))
    agreement = {}
    with ExitStack() as stack:
        for rival, name in zip(rivals, ("ours", *who), strict=True):
            stack.enter_context(rival)
            rival.compute()
            rival.save(work / "answers" / name)
            rival.drop()
            equity = np.load(work / "answers" / name / "equity.npy")
            gap = float(np.abs(equity / expected - 1).max())
            if gap > TOLERANCE.get(name, 1e-9):
                raise RuntimeError(f"{rival.label}'s account lies {gap:.3g} from the reference")
            agreement[rival.label] = f"to {gap:.0e}"
            say(f"{rival.label}: {agreement[rival.label]}")
            if rival.about["version"] not in report.versions:
                report.versions.append(rival.about["version"])
        rows = measure_in_turn(rivals, say)
    size = {"symbols": scene.prices.shape[1], "days": len(scene.days), "names held": held}
    note = "Rebalanced at every close without any rule or cost; whole-account equity compared with ten lines of NumPy."
    report.tables.append(Table(f"Following targets, {companies:,} names", size, rows, agreement, note))


def main() -> None:
    """Run one size and write its results."""
    chosen, say = parsed(parser_of("backtest", __doc__, SCENES)), sayer()
    report = RivalReport(f"Backtests, {chosen.size} size")
    with tempfile.TemporaryDirectory(prefix="quantflux-backtest-") as folder:
        for number, (companies, days, held, who) in enumerate(SCENES[chosen.size]):
            work = Path(folder) / str(number)
            measure_scene(companies, days, held, who, work, chosen.rivals_python, report, say)
        measure_full_market(FULL[chosen.size], Path(folder) / "market", report, say)
    publish(report, chosen, "backtest", say)


if __name__ == "__main__":
    main()
