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
from benchmarks.factors.rivals.tables import read_matrices
from benchmarks.rivals.protocol import Market, claim_output, serve
from quantflux.core.panel import Panel
from quantflux.expressions import parse
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import Node
from quantflux.expressions.program.flow import ArraySink, PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import quote
from quantflux.expressions.program.run import run
from quantflux.factors.parquet import ParquetSink

FIELDS = ("open", "high", "low", "close", "volume", "vwap", "amount")


class OurDriver:
    """One set of expressions on a number of threads.

    Parameters
    ----------
    part : tuple
        How many of the market's symbols, and of its last days; None means all.
    parquet : Path or None
        A folder to stream answers to, instead of holding them.
    max_bytes : int or None
        The most that the engine may take.
    overwrites : bool
        Whether answers are written over the last ones. How long the system takes for gigabytes of fresh memory depends
        on what it has at hand, and would hide how computing grows.
    """

    def __init__(
        self,
        market: Market,
        part: tuple[int | None, int | None],
        expressions: dict[str, str],
        threads: int,
        dtype: str,
        parquet: Path | None,
        max_bytes: int | None,
        overwrites: bool,
    ) -> None:
        self.market = market
        self.parquet, self.max_bytes, self.overwrites = parquet, max_bytes, overwrites
        self.expressions = expressions
        self.threads = threads
        self.dtype = np.dtype(dtype).type
        columns, days = part[0] or len(market.symbols), part[1] or len(market.sessions)
        fields = {name: np.ascontiguousarray(market.field(name)[-days:, :columns]) for name in FIELDS}
        self.panel = Panel(market.sessions[-days:], market.symbols[:columns], fields)
        start = time.perf_counter()
        Program({name: parse(text) for name, text in expressions.items()}).compile()
        seconds = time.perf_counter() - start
        self.about: dict[str, Any] = {
            "version": f"quantflux {quantflux.__version__}",
            "compile_seconds": seconds,
        }
        self.values: Panel | None = None
        self.sink: ArraySink | None = None

    def compute(self) -> None:
        """Read the expressions and evaluate them."""
        nodes = {name: parse(text) for name, text in self.expressions.items()}
        if self.overwrites:
            self._write_over(nodes)
            return
        if self.parquet is None:
            limits: dict[str, Any] = {"threads": self.threads, "max_bytes": self.max_bytes}
            self.values = evaluate(nodes, self.panel, dtype=self.dtype, **limits)
            return
        self.parquet.mkdir(parents=True, exist_ok=True)
        program = Program(nodes)
        rows, columns = self.panel.shape
        row_bytes = 4 * columns * len(nodes)
        estimate = quote(
            program, rows, columns, threads=self.threads, max_bytes=self.max_bytes, row_bytes=row_bytes
        )
        program.compile()
        with ParquetSink(self.parquet / "all.parquet", list(nodes), self.panel, estimate.shape.chunk) as sink:
            run(program, PanelSource(self.panel, program.fields), sink, shape=estimate.shape)

    def _write_over(self, nodes: dict[str, Node]) -> None:
        program = Program(nodes)
        if self.sink is None:
            self.sink = ArraySink(len(nodes), self.panel.shape, self.dtype)
        shape = quote(program, *self.panel.shape, threads=self.threads).shape
        run(program, PanelSource(self.panel, program.fields), self.sink, shape=shape)

    def drop(self) -> None:
        """Forget the panel."""
        self.values = None

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the factors."""
        if self.parquet is not None:
            yield from read_matrices(self.parquet, self.market, list(self.expressions))
            return
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
    parser.add_argument("--parquet", type=Path, help="folder to write answers to instead of holding them")
    parser.add_argument("--max-bytes", type=int, help="the most memory that the engine may take")
    parser.add_argument("--overwrite", action="store_true", help="write answers over the last ones")
    parser.add_argument("--symbols", type=int, help="so many symbols of the market; all by default")
    parser.add_argument("--days", type=int, help="so many of its last days; all by default")
    chosen = parser.parse_args()
    output = claim_output()
    start = time.perf_counter()
    expressions = json.loads(chosen.expressions.read_text(encoding="utf-8"))
    market, part = Market(chosen.market), (chosen.symbols, chosen.days)
    limits = (chosen.threads, chosen.dtype, chosen.parquet, chosen.max_bytes, chosen.overwrite)
    driver = OurDriver(market, part, expressions, *limits)
    serve(driver, output, time.perf_counter() - start)


if __name__ == "__main__":
    main()
