"""KunQuant's compiled graphs of Alpha158 and Alpha101, in batch mode, as its own tests set them up."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from KunQuant.Driver import KunCompilerConfig
from KunQuant.jit import cfake
from KunQuant.Op import Builder, Input, OpBase, Output
from KunQuant.predefined import Alpha101, Alpha158
from KunQuant.runner import KunRunner
from KunQuant.Stage import Function

from benchmarks.factors.rivals.kunquant_text import text_of
from benchmarks.factors.rivals.tables import read_matrices, write_matrices
from benchmarks.rivals.protocol import ALPHA14, Market, claim_output, serve

FIELDS = ("open", "close", "high", "low", "volume", "amount", "vwap")


def alpha158(fields: dict[str, OpBase]) -> dict[str, OpBase]:
    """Return KunQuant's Alpha158 on given fields."""
    data = Alpha158.AllData(**fields)
    data.vwap = fields["vwap"]  # its constructor forgets a given one
    prices = [(name.upper(), fields[name]) for name in ("open", "high", "low", "vwap")]
    values, names = data.build({"kbar": {}, "price": {"windows": [0], "feature": prices}, "rolling": {}})
    return dict(zip(names, values, strict=True))


def alpha101(fields: dict[str, OpBase]) -> dict[str, OpBase]:
    """Return the members of Alpha101 that KunQuant has."""
    data = Alpha101.AllData(**fields)
    return {function.__name__: function(data) for function in Alpha101.all_alpha}


def graph_of(task: str) -> tuple[Function, dict[str, str]]:
    """Return a task's graph and the text of its outputs, by name; no text for what Qlib has defined."""
    builder = Builder()
    with builder:
        fields: dict[str, OpBase] = {name: Input(name) for name in FIELDS}
        values = alpha101(fields) if task == "alpha101" else alpha158(fields)
        names = list(ALPHA14) if task == "alpha14" else list(values)
        memory: dict[OpBase, str] = {}
        texts = {name: text_of(values[name], memory) if task == "alpha101" else "" for name in names}
        for name in names:
            Output(values[name], name)
    return Function(builder.ops), texts


class KunQuantDriver:
    """One task compiled for one precision.

    Parameters
    ----------
    libraries : Path
        Where compiled libraries are kept and found again.
    parquet : Path or None
        A folder to write answers to, a file for each `batch` symbols, instead of holding them.
    """

    def __init__(
        self,
        market: Market,
        task: str,
        dtype: str,
        threads: int,
        libraries: Path,
        parquet: Path | None,
        batch: int,
    ) -> None:
        self.module, self.expressions, compile_seconds = self._module(task, dtype, libraries)
        self.about = {"version": f"KunQuant {version('KunQuant')}", "compile_seconds": compile_seconds}
        self.width = np.float32 if dtype == "float" else np.float64
        self.market = market
        self.inputs = {} if parquet else self._inputs(slice(None))
        self.total = len(market.sessions)
        self.parquet, self.batch = parquet, batch
        self.executor = (
            KunRunner.createSingleThreadExecutor()
            if threads == 1
            else KunRunner.createMultiThreadExecutor(threads)
        )
        self.outputs: dict[str, np.ndarray] = {}

    def _module(self, task: str, dtype: str, libraries: Path) -> tuple[object, dict[str, str], float]:
        function, expressions = graph_of(task)
        name = f"{task}_{dtype}"
        library = libraries / name / f"{name}.so"
        start = time.perf_counter()
        if not library.exists():
            libraries.mkdir(parents=True, exist_ok=True)
            self._compile(function, name, dtype, libraries)
        seconds = time.perf_counter() - start
        self.library = KunRunner.Library.load(str(library))
        return self.library.getModule(name), expressions, seconds

    @staticmethod
    def _compile(function: Function, name: str, dtype: str, libraries: Path) -> None:
        block = 8 if dtype == "float" else 4
        # With its fast statistics, the default for double, all that follows a suspension stays NaN.
        options = {"opt_reduce": True, "fast_log": True, "no_fast_stat": True}
        settings = KunCompilerConfig(
            dtype=dtype,
            blocking_len=block,
            input_layout="TS",
            output_layout="TS",
            split_source=12,
            options=options,
        )
        cfake.compileit(
            [(name, function, settings)],
            name,
            cfake.CppCompilerConfig(),
            str(libraries),
            keep_files=True,
            load=False,
        )

    def compute(self) -> None:
        """Run the graph over the whole span."""
        if self.parquet is None:
            self.outputs = KunRunner.runGraph(self.executor, self.module, self.inputs, 0, self.total)
            return
        shutil.rmtree(self.parquet, ignore_errors=True)
        self.parquet.mkdir(parents=True)
        for first in range(0, len(self.market.symbols), self.batch):
            columns = slice(first, first + self.batch)
            inputs = self._inputs(columns)
            values = KunRunner.runGraph(self.executor, self.module, inputs, 0, self.total)
            path = self.parquet / f"{first:05d}.parquet"
            write_matrices(path, self.market, columns, np.isfinite(inputs["close"]), values)

    def _inputs(self, columns: slice) -> dict[str, np.ndarray]:
        return {
            name: np.ascontiguousarray(self.market.field(name)[:, columns], dtype=self.width)
            for name in FIELDS
        }

    def drop(self) -> None:
        """Forget the arrays."""
        self.outputs = {}

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the factors."""
        if self.parquet is not None:
            yield from read_matrices(self.parquet, self.market, list(self.expressions))
            return
        for name in self.expressions:
            yield name, self.outputs[name]


def main() -> None:
    """Serve one task."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--market", type=Path, required=True)
    parser.add_argument("--task", choices=("alpha14", "alpha158", "alpha101"), required=True)
    parser.add_argument("--dtype", choices=("float", "double"), default="float")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--libraries", type=Path, required=True, help="where compiled graphs are kept")
    parser.add_argument("--parquet", type=Path, help="folder to write answers to instead of holding them")
    parser.add_argument("--batch", type=int, default=1000, help="symbols in a file")
    chosen = parser.parse_args()
    output = claim_output()
    start = time.perf_counter()
    driver = KunQuantDriver(
        Market(chosen.market),
        chosen.task,
        chosen.dtype,
        chosen.threads,
        chosen.libraries,
        chosen.parquet,
        chosen.batch,
    )
    serve(driver, output, time.perf_counter() - start)


if __name__ == "__main__":
    main()
