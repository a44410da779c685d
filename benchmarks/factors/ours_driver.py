"""quantflux's expression engine on the market's arrays, with 4-byte results as Qlib has them."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import quantflux
from benchmarks.factors.rivals.protocol import Market, claim_output, serve
from quantflux.core.panel import Panel
from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate

FIELDS = ("open", "high", "low", "close", "volume", "vwap", "amount")


class OurDriver:
    """One set of expressions on a number of threads."""

    def __init__(self, market: Market, expressions: dict[str, str], threads: int, dtype: str) -> None:
        self.expressions = expressions
        self.threads = threads
        self.dtype = np.dtype(dtype).type
        self.panel = Panel(market.sessions, market.symbols, {name: market.field(name) for name in FIELDS})
        self.about: dict[str, Any] = {"version": f"quantflux {quantflux.__version__}"}
        self.values: Panel | None = None

    def compute(self) -> None:
        """Read the expressions and evaluate them."""
        nodes = {name: parse(text) for name, text in self.expressions.items()}
        self.values = evaluate(nodes, self.panel, threads=self.threads, dtype=self.dtype)

    def drop(self) -> None:
        """Forget the panel."""
        self.values = None

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the factors."""
        assert self.values is not None
        for name in self.expressions:
            yield name, self.values[name]


def main() -> None:
    """Serve one set of expressions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--market", type=Path, required=True)
    parser.add_argument("--expressions", type=Path, required=True, help="JSON: formulas by name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    chosen = parser.parse_args()
    output = claim_output()
    start = time.perf_counter()
    expressions = json.loads(chosen.expressions.read_text(encoding="utf-8"))
    driver = OurDriver(Market(chosen.market), expressions, chosen.threads, chosen.dtype)
    serve(driver, output, time.perf_counter() - start)


if __name__ == "__main__":
    main()
