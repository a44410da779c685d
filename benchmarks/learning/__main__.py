"""`python -m benchmarks.learning`: Alpha158 and LightGBM in a walk-forward, ours and Qlib's, in one run.

Qlib lives in an environment of its own, which `make bench-learning` makes.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.factors.market import MarketSize
from benchmarks.learning.rivals.task import Task
from benchmarks.learning.serving import measure_serving
from benchmarks.learning.walk_forward import measure_walk_forward
from benchmarks.rivals.command import parsed, parser_of, publish, sayer
from benchmarks.rivals.report import RivalReport


@dataclass(frozen=True)
class Size:
    """A walk-forward, and the market of which a warm service predicts a day."""

    companies: int
    task: Task
    served: MarketSize


SIZES = {
    "small": Size(60, Task(sessions=1044, train=600, valid=144, test=100), MarketSize(200, 300)),
    "standard": Size(800, Task(sessions=3654, train=783, valid=261, test=261), MarketSize(5000, 400)),
}
"""`standard` is 14 years of 261 weekdays, and 10 folds: 3 years to learn from, 1 to stop by, 1 to be tested on."""


def main() -> None:
    """Run one size and write its results."""
    chosen, say = parsed(parser_of("learning", __doc__, SIZES)), sayer()
    report = RivalReport(f"Learning, {chosen.size} size")
    size = SIZES[chosen.size]
    with tempfile.TemporaryDirectory(prefix="quantflux-learning-") as folder:
        walk, served = Path(folder) / "walk", Path(folder) / "served"
        measure_walk_forward(size.companies, size.task, walk, chosen.rivals_python, report, say)
        measure_serving(size.served, served, report, say)
    publish(report, chosen, "learning", say)


if __name__ == "__main__":
    main()
