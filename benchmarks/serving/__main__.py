"""`python -m benchmarks.serving`: the HTTP API under wrk, on the same cores, beside v1's route on Flask and MariaDB.

Needs Debian's packages wrk, redis-server and mariadb-server.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rivals.command import publish, sayer
from benchmarks.rivals.report import RivalReport
from benchmarks.serving.market import write_market
from benchmarks.serving.measures import Measures


@dataclass(frozen=True)
class Size:
    """How large a market, and how long each run lasts."""

    companies: int
    years: int
    seconds: float
    mixed_seconds: float


SIZES = {"small": Size(120, 2, 3.0, 10.0), "standard": Size(800, 5, 10.0, 600.0)}


def main() -> None:
    """Run one size and write its results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="standard", help="how large and how long")
    parser.add_argument(
        "--no-results", action="store_true", help="print only, do not write benchmarks/results/"
    )
    parser.add_argument("--mixed-seconds", type=float, help="how long the mixed traffic lasts")
    chosen, say = parser.parse_args(), sayer()
    size = SIZES[chosen.size]
    how = (
        f"A real server with one worker and wrk, the load generator, on the same {os.cpu_count()} cores; "
        f"{size.companies:,} names x {size.years} years of daily bars. Failed: answers of 400 and above, connections "
        "that broke, and waits of more than two seconds."
    )
    report = RivalReport(f"Serving, {chosen.size} size", how=how)
    with tempfile.TemporaryDirectory(prefix="quantflux-serving-") as folder:
        say(f"making {size.companies} names x {size.years} years")
        market, daily = write_market(size.companies, size.years, Path(folder) / "installation")
        measures = Measures(market, Path(folder), report, say, size.seconds)
        measures.beside_v1(daily)
        measures.kinds_of_requests()
        measures.mixed_traffic(chosen.mixed_seconds or size.mixed_seconds)
        measures.redis_killed()
    publish(report, chosen, "serving", say)


if __name__ == "__main__":
    main()
