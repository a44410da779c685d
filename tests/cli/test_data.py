"""The data commands: what they print, what they store, and how they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as parquet
import pytest

from tests.cli.conftest import Run


@pytest.fixture
def symbol(bars_csv: Path) -> str:
    return str(pl.read_csv(bars_csv, infer_schema_length=None)["symbol"][0])


def test_an_imported_file_can_be_queried_to_the_last_digit(run: Run, bars_csv: Path, symbol: str) -> None:
    imported = run("data", "import", str(bars_csv))
    asked = run("data", "query", symbol, "--format", "csv", "--start", "2024-03-01", "--end", "2024-03-29")

    frame = pl.read_csv(asked.stdout.encode(), infer_schema_length=None)
    expected = pl.read_csv(bars_csv, infer_schema_length=None).filter(
        pl.col("symbol") == symbol,
        pl.col("trade_date").is_between(pl.lit("2024-03-01"), pl.lit("2024-03-29")),
    )
    assert "0 quarantined" in imported.stdout
    assert frame["close"].to_list() == expected["close"].to_list() != []
    assert frame["volume"].to_list() == expected["volume"].to_list()


def test_a_dry_run_stores_nothing(run: Run, bars_csv: Path) -> None:
    dry = run("data", "import", "--dry-run", str(bars_csv))
    status = run("data", "status")

    assert "would store" in dry.stdout
    assert "No data yet" in status.stdout


def test_importing_twice_changes_nothing(run: Run, bars_csv: Path) -> None:
    run("data", "import", str(bars_csv))
    again = run("data", "import", str(bars_csv))

    assert "stored 0 rows" in again.stdout


def test_factors_can_be_joined_from_a_file_of_their_own(run: Run, bars_csv: Path, tmp_path: Path) -> None:
    bars = pl.read_csv(bars_csv, infer_schema_length=None)
    bars.drop("adj_factor").write_csv(tmp_path / "raw.csv")
    days = pl.col("trade_date").str.replace_all("-", "")
    columns = [pl.col("symbol").alias("ts_code"), days, pl.col("adj_factor")]
    bars.select(columns).write_csv(tmp_path / "adj_factor.csv")
    run("data", "import", "raw.csv")

    joined = run("data", "import", "--factors", "adj_factor.csv")

    asked = run("data", "query", bars["symbol"][0], "--format", "csv", "--fields", "adj_factor")
    assert f"changed the factor of {len(bars):,} bars" in joined.stdout
    mine = bars.filter(pl.col("symbol") == bars["symbol"][0])
    assert pl.read_csv(asked.stdout.encode())["adj_factor"].to_list() == mine["adj_factor"].to_list()


def test_status_quality_and_compact_speak_of_what_is_there(run: Run, bars_csv: Path) -> None:
    run("data", "import", str(bars_csv))

    status = run("data", "status").stdout
    quality = run("data", "quality").stdout
    compacted = run("data", "compact").stdout

    assert "stock_daily_data" in status and "2024-06-28" in status and "Delta Lake" in status
    assert "import" in quality
    assert "stock_daily_data" in compacted and "->" in compacted


def test_query_prints_json_and_tables(run: Run, bars_csv: Path, symbol: str) -> None:
    run("data", "import", str(bars_csv))

    rows = json.loads(run("data", "query", symbol, "--format", "json", "--fields", "close").stdout)
    table = run("data", "query", symbol, "--rows", "3")

    assert set(rows[0]) == {"symbol", "trade_date", "close"}
    assert "2024-06-28" in table.stdout
    assert "from the panel" in table.stderr


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_export_writes_every_row_and_never_replaces_unasked(
    run: Run, bars_csv: Path, tmp_path: Path, suffix: str
) -> None:
    run("data", "import", str(bars_csv))
    output = tmp_path / f"out.{suffix}"

    run("data", "export", str(output))
    refused = run("data", "export", str(output), code=1)

    rows = pl.read_csv(output, infer_schema_length=None) if suffix == "csv" else parquet.read_table(output)
    assert len(rows) == len(pl.read_csv(bars_csv, infer_schema_length=None))
    assert "--force" in refused.stderr
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("data", "query", "600519"), "holds no row of 600519.SH"),
        (("data", "query", "../../etc/passwd"), "600519.SH"),
        (("data", "query", "600519", "--start", "2024-13-01"), "2024-13-01"),
        (("data", "query", "600519", "--frequency", "7min"), "5min"),
        (("data", "import", "missing.csv"), "missing.csv"),
        (("data", "export", "rows.xls"), ".parquet"),
        (("data", "export", "rows.csv", "--dataset", "stocks"), "stock_daily_data"),
        (("data", "compact", "stocks"), "stock_daily_data"),
        (("data", "query", "600519", "--end", "9999-12-31T23:59:59Z"), "end must lie in"),
        (("data", "query", "600519", "--fields", ","), "name at least one"),
        (("data", "export", "missing/rows.csv"), "a folder that exists"),
        (("data", "export", "rows.csv", "--symbols", ""), "name at least one"),
        (("data", "export", f"{'a' * 300}.csv"), "File name too long"),
        (("data", "quality", "--rule", "nonsense"), "nonsense"),
        (("data", "quality", "--dataset", "nonsense"), "stock_daily_data"),
        (("--set", "store.name=oracle", "data", "status"), "columnar"),
    ],
)
def test_a_mistake_gets_one_clear_line_and_a_non_zero_exit(
    run: Run, arguments: tuple[str, ...], says: str
) -> None:
    done = run(*arguments, code=2 if arguments[0] == "--set" else 1)

    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
