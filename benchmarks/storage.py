"""Disk, backup, load and memory of the rivals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from benchmarks import v1
from benchmarks.results import Report
from benchmarks.scene import LAST_DAY, SEED, Scene, Size
from quantflux.config import Settings
from quantflux.data.schema import DAILY, MINUTE
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

MB = 1e6
_IMPORT = """
import sys, time
from datetime import date
from pathlib import Path
from quantflux.config import Settings
from quantflux.data.sources.files import inspect_file, run_import
from quantflux.platform import Platform
with Platform.open(Settings(data_dir=sys.argv[2])) as platform:
    start = time.perf_counter()
    report = run_import(
        inspect_file(Path(sys.argv[1])), platform.store, clock=platform.clock, ledger=platform.ledger,
        sessions=platform.calendar.sessions(date(1990, 12, 19), date(2026, 12, 31)),
    )
    seconds = time.perf_counter() - start
assert report.rows_stored == report.rows_read, report
# Not ru_maxrss: that starts at what the parent process had taken before this one was started from it.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(report.rows_stored, seconds, int(peak) * 1024)
"""


def measure_disk(scene: Scene, report: Report) -> None:
    """Add bytes on disk: truth stores after compaction, and the panel tier beside them."""
    ours = scene.platform.store
    tables = {"daily": (DAILY, "stock_daily_history"), "minute": (MINUTE, "stock_minute_data")}
    for kind, (dataset, table) in tables.items():
        figures = {"ours": ours.stored_bytes(dataset) / MB, "v1": _table_bytes(scene, table) / MB}
        report.add(f"disk, {scene.rows[kind]:,} {kind} rows", "MB", figures, wanted=5)
    report.add("disk, both in InfluxDB", "MB", {"influx": scene.influx_server.disk_bytes("quantflux") / MB})
    panels = scene.platform.panels
    if panels is not None:
        report.add("disk, panel tier beside the truth store", "MB", {"ours": panels.stored_bytes() / MB})


def _table_bytes(scene: Scene, table: str) -> int:
    file = scene.mariadb.data / scene.v1_database / f"{table}.ibd"
    return file.stat().st_size


def measure_backup(scene: Scene, report: Report) -> None:
    """Add seconds of a whole backup and of bringing it back."""
    folder = scene.folder / "backup"
    folder.mkdir()
    source = scene.platform.settings.columnar_directory
    dump = folder / "v1.sql.gz"
    backup = {
        "ours": _seconds(lambda: _copied(source, folder / "columnar")),
        "v1": _seconds(lambda: v1.back_up(scene.mariadb, scene.v1_database, dump)),
    }
    report.add("backup, daily and minute rows", "s", backup, wanted=2.5)
    fresh = scene.mariadb.create_database("restored")
    restored = Settings(data_dir=folder / "restored")
    restore = {
        "ours": _seconds(lambda: _copied(folder / "columnar", restored.columnar_directory)),
        "v1": _seconds(lambda: v1.restore(scene.mariadb, fresh, dump)),
    }
    report.add("restore of that backup", "s", restore)
    with Platform.open(restored) as platform:
        for dataset in (DAILY, MINUTE):
            if platform.data.coverage(dataset) != scene.platform.data.coverage(dataset):
                raise AssertionError(f"the restored {dataset.name} differs")
    shutil.rmtree(folder)


def _copied(source: Path, target: Path) -> None:
    """Copy a columnar store: its files never change once written, so a copy is a backup."""
    shutil.copytree(source, target)
    os.sync()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_load(scene: Scene, report: Report) -> None:
    """Add rows per second of bulk loads, and of v1's own row-by-row loader on a sample."""
    for kind, seconds in scene.load_seconds.items():
        rates = {rival: scene.rows[kind] / taken for rival, taken in seconds.items()}
        report.add(f"load rate, {kind} rows (v1's schema by LOAD DATA)", "rows/s", rates)
    sample = next(SyntheticMarket(SEED, 4, scene.days[0], scene.days[-1]).daily_tables())
    frame = v1.daily_rows(sample).to_pandas()
    database = scene.mariadb.create_database("row_by_row")
    scene.mariadb.execute(v1.create_table("stock_daily_history"), database)
    with scene.mariadb.connect(database) as connection:
        taken = _seconds(lambda: v1.load_row_by_row(connection, frame))
    report.add("load rate, daily rows by v1's own loader", "rows/s", {"v1": len(frame) / taken})


def measure_import(folder: Path, report: Report, companies: int = 450, years: int = 10) -> None:
    """Add seconds and peak memory of importing a Parquet file of about a million rows, quality rules and all."""
    market = SyntheticMarket(SEED, companies, Size(companies, years, 1, 1).first_day, LAST_DAY)
    path = folder / "million.parquet"
    rows = pa.concat_tables(list(market.daily_tables()))
    parquet.write_table(rows, path)
    command = [sys.executable, "-c", _IMPORT, str(path), str(folder / "imported")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    stored, seconds, peak = (float(x) for x in done.stdout.split())
    report.add(f"import of a file of {int(stored):,} daily rows, all quality rules", "s", {"ours": seconds})
    report.add("peak memory of that import", "MB", {"ours": peak / MB})
    shutil.rmtree(folder / "imported")


def measure_opening(scene: Scene, report: Report) -> None:
    """Add the time from settings to the first answer, in a process of its own with panels in place."""
    code = (
        "import time, sys; a = time.perf_counter()\n"
        "from quantflux.config import Settings\nfrom quantflux.platform import Platform\n"
        "b = time.perf_counter(); platform = Platform.open(Settings(data_dir=sys.argv[1])); c = time.perf_counter()\n"
        "platform.data.get_stock_data(sys.argv[2]); d = time.perf_counter(); print(b - a, c - b, d - c)"
    )
    command = [sys.executable, "-c", code, str(scene.platform.settings.data_dir), scene.symbols[0]]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(5)
    ]
    imported, opened, answered = np.median(np.array(runs, dtype=np.float64), axis=0) * 1e3
    report.add("importing quantflux's platform in a new process", "ms", {"ours": float(imported)})
    report.add("opening the platform", "ms", {"ours": float(opened)})
    report.add("its first answer: one symbol, whole history", "ms", {"ours": float(answered)})
