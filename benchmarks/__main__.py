"""`python -m benchmarks`: starts MariaDB and InfluxDB, loads the same rows everywhere, prints one table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import v1
from benchmarks.performance import PerformanceBenchmark
from benchmarks.results import Report
from benchmarks.scene import Size, scene

SIZES = {
    "small": Size(60, 2, 20, 25),
    "standard": Size(800, 14, 300, 60),
    "full": Size(5000, 10, 100, 25),
}


def main() -> None:
    """Run one size and write its results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="standard", help="how large a market")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder")
    parser.add_argument(
        "--no-results", action="store_true", help="print only, do not write benchmarks/results/"
    )
    chosen = parser.parse_args()
    size = SIZES[chosen.size]
    report = Report(f"Queries, storage and writes, {chosen.size} size", {})
    start = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - start:6.1f} s] {text}", file=sys.stderr, flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="quantflux-bench-", dir=chosen.folder) as folder,
        scene(size, Path(folder), say) as made,
    ):
        report.size = {
            "symbols": size.companies,
            "years": size.years,
            "daily rows": made.rows["daily"],
            "symbols with minutes": size.minute_companies,
            "days of minutes": size.minute_days,
            "minute rows": made.rows["minute"],
        }
        benchmark = PerformanceBenchmark(made, v1.engine_of(made.mariadb, made.v1_database), report, say)
        benchmark.test_query_performance()
        benchmark.test_concurrent_access()
        benchmark.test_write_performance()
    print(report.markdown())
    if not chosen.no_results:
        for path in report.write(chosen.size):
            say(f"wrote {path}")


if __name__ == "__main__":
    main()
