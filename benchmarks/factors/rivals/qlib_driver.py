"""Qlib's expression engine on files of its own format, asked through `D.features` as its handlers do."""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import qlib
from qlib.contrib.data.loader import Alpha158DL
from qlib.data import D
from qlib.data.cache import H

from benchmarks.rivals.protocol import ALPHA14, Market, claim_output, serve

FIELDS = ("open", "high", "low", "close", "volume", "vwap")


def definitions(task: str) -> dict[str, str]:
    """Return Qlib's own expressions by name."""
    expressions, names = Alpha158DL.get_feature_config()
    every = dict(zip(names, expressions, strict=True))
    return {name: every[name] for name in (ALPHA14 if task == "alpha14" else every)}


def code_of(symbol: str) -> str:
    """Return a symbol in Qlib's spelling: SH600000 for 600000.SH."""
    number, exchange = symbol.split(".")
    return exchange + number


def dump(market: Market, folder: Path) -> None:
    """Write the market as Qlib's `dump_bin.py` does: 4-byte floats behind the number of the first day."""
    days = [str(day) for day in market.sessions]
    for name in ("calendars", "instruments"):
        (folder / name).mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("\n".join(days) + "\n", encoding="utf-8")
    fields = {name: market.field(name) for name in FIELDS}
    lines = []
    for column, symbol in enumerate(market.symbols):
        traded = np.flatnonzero(np.isfinite(fields["close"][:, column]))
        first, last = int(traded[0]), int(traded[-1])
        lines.append(f"{code_of(symbol)}\t{days[first]}\t{days[last]}")
        target = folder / "features" / code_of(symbol).lower()
        target.mkdir(parents=True)
        for name, values in fields.items():
            content = np.hstack([[first], values[first : last + 1, column]]).astype("<f4")
            content.tofile(target / f"{name}.day.bin")
    (folder / "instruments" / "all.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class QlibDriver:
    """One task on a number of processes.

    Parameters
    ----------
    files : Path
        Where Qlib's files are made, unless they are there.
    cached : bool
        Answer from Qlib's cache of datasets on disk after the first time.
    parquet : Path or None
        A folder to write answers to, a file for each `batch` symbols, instead of holding them.
    """

    def __init__(
        self,
        market: Market,
        task: str,
        processes: int,
        files: Path,
        cached: bool,
        parquet: Path | None,
        batch: int,
    ) -> None:
        self.expressions = definitions(task)
        self.market = market
        self.parquet, self.batch = parquet, batch
        if not files.exists():
            dump(market, files)
        cache = files.parent / f"{files.name}-cache-{task}"
        shutil.rmtree(cache, ignore_errors=True)
        qlib.init(
            provider_uri=str(files), kernels=processes, logging_level=logging.WARNING, local_cache_path=str(cache),
            dataset_cache="SimpleDatasetCache" if cached else None,
        )  # fmt: skip
        self.about = {"version": f"Qlib {qlib.__version__}, pandas {pd.__version__}"}
        self.table: pd.DataFrame | None = None

    def compute(self) -> None:
        """Ask for all factors of all instruments over the whole span."""
        fields = list(self.expressions.values())
        if self.parquet is None:
            self.table = D.features(D.instruments("all"), fields, freq="day")
            return
        shutil.rmtree(self.parquet, ignore_errors=True)
        self.parquet.mkdir(parents=True)
        for first in range(0, len(self.market.symbols), self.batch):
            symbols = self.market.symbols[first : first + self.batch]
            table = D.features([code_of(s) for s in symbols], fields, freq="day")
            table.columns = list(self.expressions)
            table.to_parquet(self.parquet / f"{first:05d}.parquet", compression=None)

    def drop(self) -> None:
        """Forget the table, and the series and calendars that Qlib keeps in memory."""
        self.table = None
        H.clear()

    def answer(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the factors as matrices."""
        if self.parquet is not None:
            self.table = pd.read_parquet(self.parquet).rename(columns=self.expressions)
        assert self.table is not None
        columns = {code_of(symbol): column for column, symbol in enumerate(self.market.symbols)}
        levels = self.table.index
        column = np.array([columns[code] for code in levels.levels[0]])[levels.codes[0]]
        row = np.searchsorted(self.market.sessions, levels.levels[1].values.astype("datetime64[D]"))[
            levels.codes[1]
        ]
        for name, expression in self.expressions.items():
            values = np.full((len(self.market.sessions), len(columns)), np.nan, np.float32)
            values[row, column] = self.table[expression].to_numpy()
            yield name, values


def main() -> None:
    """Serve one task."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--market", type=Path, required=True)
    parser.add_argument("--task", choices=("alpha14", "alpha158"), required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--files", type=Path, required=True, help="where Qlib's files are kept")
    parser.add_argument("--cached", action="store_true", help="let Qlib answer from its cache")
    parser.add_argument("--parquet", type=Path, help="folder to write answers to instead of holding them")
    parser.add_argument("--batch", type=int, default=500, help="symbols in a file")
    chosen = parser.parse_args()
    output = claim_output()
    start = time.perf_counter()
    driver = QlibDriver(
        Market(chosen.market),
        chosen.task,
        chosen.processes,
        chosen.files,
        chosen.cached,
        chosen.parquet,
        chosen.batch,
    )
    serve(driver, output, time.perf_counter() - start)


if __name__ == "__main__":
    main()
