"""`python -m benchmarks.portfolio`: the same mean-variance problem of 50, 500 and 5,000 names, in one run.

The rivals live in an environment of their own, which `make bench-portfolio` makes.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.portfolio.rivals.scene import Scene
from benchmarks.rivals.command import parsed, parser_of, publish, sayer
from benchmarks.rivals.measuring import Say, measure_in_turn
from benchmarks.rivals.report import OURS, RivalReport, Table
from benchmarks.rivals.rival import Rival

NAMES = {"small": (50, 200), "standard": (50, 500, 5000)}
FACTORS, INDUSTRIES = 10, 31
RIVALS = {"skfolio": "skfolio", "pypfopt": "PyPortfolioOpt"}
UTILITY, BREACH = 1e-5, 1e-5
"""How far a rival's utility may lie below the best, as a part of it, and how far a constraint may be broken."""


def write_scene(names: int, folder: Path) -> None:
    """Write a market of style and industry factors with expectations of a tenth of a percent a day."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(names)
    industry = rng.integers(0, INDUSTRIES, names)
    styles = rng.standard_normal((names, FACTORS))
    exposures = np.hstack([styles, np.equal.outer(industry, np.arange(INDUSTRIES)).astype(float)])
    shocks = rng.normal(0, 0.006, (250, exposures.shape[1])) + rng.normal(0, 0.008, (250, 1))
    np.save(folder / "expected.npy", rng.normal(0, 0.001, names))
    np.save(folder / "exposures.npy", exposures)
    np.save(folder / "factor_covariance.npy", np.cov(shocks.T))
    np.save(folder / "specific.npy", rng.uniform(0.01, 0.03, names) ** 2)
    np.save(folder / "industry.npy", industry)


def measure_problem(names: int, work: Path, python: Path, report: RivalReport, say: Say) -> None:
    """Add the table of one problem; raise if somebody's weights are not allowed or clearly not the best."""
    write_scene(names, work / "scene")
    scene = Scene(work / "scene")
    option = ("--scene", str(work / "scene"))
    rivals = [Rival(OURS, [sys.executable, "-m", "benchmarks.portfolio.ours_driver", *option])]
    for driver, label in RIVALS.items():
        command = [str(python), "-W", "ignore", "-m", f"benchmarks.portfolio.rivals.{driver}_driver", *option]
        rivals.append(Rival(label, command))
    utilities = {}
    with ExitStack() as stack:
        for rival in rivals:
            stack.enter_context(rival)
            rival.compute()
            rival.save(work / rival.label)
            rival.drop()
            weights = np.load(work / rival.label / "weights.npy")
            if scene.worst_breach(weights) > BREACH:
                raise RuntimeError(f"{rival.label} breaks a constraint by {scene.worst_breach(weights):.3g}")
            utilities[rival.label] = scene.utility(weights)
            say(f"{names} names: {rival.label}: utility {utilities[rival.label]:.9f}")
            if rival.about["version"] not in report.versions:
                report.versions.append(rival.about["version"])
        best = max(utilities.values())
        below = {label: (best - utility) / abs(best) for label, utility in utilities.items()}
        if max(below.values()) > UTILITY:
            raise RuntimeError(f"utilities differ: {utilities}")
        rows = measure_in_turn(rivals, say)
    agreement = {label: f"{part:.0e} below the best" for label, part in below.items()}
    size = {"names": names, "factors": scene.exposures.shape[1], "industries": INDUSTRIES}
    note = (
        "Mean-variance, fully invested, long only, bounds on names and industries; all on Clarabel. quantflux has "
        "the risk model in its factors, the others take the whole covariance, which was made before."
    )
    report.tables.append(Table(f"Mean-variance, {names:,} names", size, rows, agreement, note))


def main() -> None:
    """Run one size and write its results."""
    chosen, say = parsed(parser_of("portfolio", __doc__, NAMES)), sayer()
    report = RivalReport(f"Portfolios, {chosen.size} size")
    with tempfile.TemporaryDirectory(prefix="quantflux-portfolio-") as folder:
        for names in NAMES[chosen.size]:
            measure_problem(names, Path(folder) / str(names), chosen.rivals_python, report, say)
    publish(report, chosen, "portfolio", say)


if __name__ == "__main__":
    main()
