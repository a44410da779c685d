"""The memory of an import is bounded by its batches, not by the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.data.quality.market import clean_daily
from tests.data.sources.files.vendors import tushare, write

IMPORT = """
import resource, sys
from pathlib import Path
from quantflux.core.clock import SystemClock
from quantflux.data.adapters.columnar import open_store
from quantflux.data.quality import Ledger
from quantflux.data.sources.files import inspect_file, run_import
from tests.data.quality.market import sessions
folder, clock = Path(sys.argv[2]), SystemClock()
store = open_store(clock=clock, path=folder / "store")
report = run_import(inspect_file(Path(sys.argv[1])), store, sessions=sessions(), clock=clock,
                    ledger=Ledger(folder / "quality", clock), folder=folder)
store.close()
print(report.rows_stored, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("order", ["symbol", "date"])
def test_a_large_file_fits_in_less_than_a_gigabyte(order: str, tmp_path: Path) -> None:
    base = tushare(clean_daily(("600519.SH",)))
    codes = [f"{600000 + n}.SH" for n in range(4000)]
    frame = pl.concat(base.with_columns(pl.lit(code).alias("ts_code")) for code in codes)
    if order == "date":
        frame = frame.sort("trade_date", "ts_code")
    path = write(frame, tmp_path / "bars.parquet")
    rows = frame.height
    del frame

    answer = subprocess.run(
        [sys.executable, "-c", IMPORT, str(path), str(tmp_path)], capture_output=True, text=True, check=True
    )

    stored, megabytes = map(int, answer.stdout.split())
    assert stored == rows
    assert megabytes < 1000
