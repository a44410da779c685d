"""`python -m benchmarks.factors`: the factor engine, Qlib, KunQuant and pandas on the same arrays, in one run.

The rivals live in an environment of their own, which `make bench-factors` makes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.factors.growing import measure_added_day, measure_growth
from benchmarks.factors.market import SIZES, write_market
from benchmarks.factors.tasks import Bench, measure_alpha101, measure_parquet, measure_qlib_factors
from benchmarks.factors.v1_task import measure_v1
from benchmarks.rivals.command import parsed, parser_of, publish, sayer
from benchmarks.rivals.report import RivalReport

TASKS = {
    "small": ("alpha14", "alpha158", "alpha101", "growth", "day", "parquet", "v1"),
    "standard": ("alpha14", "alpha158", "alpha101", "growth", "day", "v1"),
    "full": ("day", "parquet"),
}
"""Tables by size: at full size the answers are too large to be held."""


V1_SIZES = {"small": (48, 4), "standard": (800, 14), "full": (800, 14)}
"""Companies and years of v1's factors; its loop takes the square of the companies."""


def main() -> None:
    """Run one size and write its results."""
    parser = parser_of("factors", __doc__, SIZES)
    parser.add_argument(
        "--task", choices=TASKS["small"], action="append", help="a table; by default the size's"
    )
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder")
    chosen, say = parsed(parser), sayer()
    report = RivalReport(f"Factors, {chosen.size} size")
    with tempfile.TemporaryDirectory(prefix="quantflux-factors-", dir=chosen.folder) as folder:
        market, work = Path(folder) / "market", Path(folder) / "work"
        market.mkdir()
        work.mkdir()
        say("making the market")
        write_market(SIZES[chosen.size], market)
        bench = Bench(market, work, chosen.rivals_python, report, say)
        tasks = chosen.task or TASKS[chosen.size]
        if "alpha14" in tasks:
            measure_qlib_factors(bench, "alpha14", "14 members of Alpha158")
        if "alpha158" in tasks:
            measure_qlib_factors(bench, "alpha158", "Alpha158")
        if "alpha101" in tasks:
            measure_alpha101(bench)
        if "growth" in tasks:
            measure_growth(bench)
        if "day" in tasks:
            measure_added_day(SIZES[chosen.size], Path(folder) / "day", report, say)
        if "parquet" in tasks:
            measure_parquet(bench)
        if "v1" in tasks:
            companies, years = V1_SIZES[chosen.size]
            measure_v1(Path(folder) / "v1", report, say, companies=companies, years=years)
    publish(report, chosen, "factors", say, *(chosen.task or []))


if __name__ == "__main__":
    main()
