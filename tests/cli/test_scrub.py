"""`quantflux data quality --scrub` on a real server: what was lost is listed, and importing again mends it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.cli.conftest import Run
from tests.services.influxdb import InfluxServer


@pytest.mark.influxdb
def test_lost_rows_are_listed_until_they_are_imported_again(
    run: Run, bars_csv: Path, tmp_path: Path, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    (tmp_path / "quantflux.toml").write_text(
        f"[store]\nname = 'influxdb'\n[store.influxdb]\n"
        f"url = '{influxdb_server.url}'\ndatabase = '{influxdb_database}'\n"
    )
    symbol = str(pl.read_csv(bars_csv, infer_schema_length=None)["symbol"][0])
    run("data", "import", str(bars_csv))
    clean = run("data", "quality", "--scrub").stdout
    influxdb_server.query(
        f"DELETE FROM stock_daily_data WHERE \"symbol\" = '{symbol}' AND time < '2024-01-04'",
        influxdb_database,
    )

    damaged = run("data", "quality", "--scrub", "--rows", "1", code=1)
    run("data", "quality", "--scrub", "--adopt", code=1)
    run("data", "import", str(bars_csv))
    mended = run("data", "quality", "--scrub", "--dataset", "stock_daily_data").stdout

    assert "stock_daily_data: as recorded" in clean
    assert "stock_daily_data: 2 symbol-days differ" in damaged.stdout
    (line,) = (line.split() for line in damaged.stdout.splitlines() if symbol in line)
    assert line == ["stock_daily_data", symbol, "2024-01-02", "missing"]
    assert "1 more" in damaged.stderr
    assert "data sync --full" in damaged.stdout
    assert mended.strip() == "stock_daily_data: as recorded"


def test_a_store_without_a_record_says_so(run: Run) -> None:
    refused = run("data", "quality", "--scrub", code=1)

    assert "columnar keeps no record" in refused.stderr
