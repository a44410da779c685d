"""The command line that benchmarks beside rivals share: which size, whose Python, and where results go."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.rivals.measuring import Say
from benchmarks.rivals.report import RivalReport
from benchmarks.rivals.rival import ROOT


def parser_of(name: str, description: str | None, sizes: Iterable[str]) -> argparse.ArgumentParser:
    """Return the options of `python -m benchmarks.<name>`."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--size", choices=sizes, default="standard", help="how large the task is")
    parser.add_argument(
        "--rivals-python", type=Path, default=ROOT / ".venv-rivals" / "bin" / "python", help="theirs"
    )
    parser.add_argument(
        "--no-results", action="store_true", help="print only, do not write benchmarks/results/"
    )
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options given; end if the rivals have no Python."""
    chosen = parser.parse_args()
    if not chosen.rivals_python.exists():
        name = parser.prog.rpartition(".")[2]
        parser.error(f"there is no {chosen.rivals_python}; `make bench-{name}` makes it")
    return chosen


def sayer() -> Say:
    """Return what tells people how far a benchmark is, and after how many seconds."""
    start = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - start:6.1f} s] {text}", file=sys.stderr, flush=True)

    return say


def publish(report: RivalReport, chosen: argparse.Namespace, name: str, say: Say, *parts: str) -> None:
    """Print a report, and write it unless it shall not be; parts of a benchmark have files of their own."""
    print(report.markdown())
    if not chosen.no_results:
        size = () if chosen.size == "standard" else (chosen.size,)
        for path in report.write("-".join([name, *size, *parts])):
            say(f"wrote {path}")
