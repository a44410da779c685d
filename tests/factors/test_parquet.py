"""Results as a Parquet file: rows where the symbol traded, in order, complete or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.factors.parquet import ParquetSink

SYMBOLS = ["000001.SZ", "600000.SH", "920001.BJ"]


def market(rows: int, seed: int, gaps: float) -> Panel:
    rng = np.random.default_rng(seed)
    days = np.datetime64("2024-01-01") + np.arange(rows)
    close = rng.random((rows, len(SYMBOLS)))
    close[rng.random(close.shape) < gaps] = np.nan
    return Panel(days, SYMBOLS, {"close": close})


def write(sink: ParquetSink, values: np.ndarray, chunk: int) -> None:
    """Hand values of shape (factors, rows, symbols) over as a run does, leaving the buffer dirty in between."""
    for first in range(0, values.shape[1], chunk):
        rows = min(chunk, values.shape[1] - first)
        for factor, array in enumerate(values):
            target, at = sink.target(factor, first, rows)
            target[at : at + rows] = array[first : first + rows]
        sink.written(first, rows)
        for factor in range(len(values)):
            sink.target(factor, 0, 0)[0][:] = -1


@pytest.mark.parametrize("gaps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("chunk", "skip"), [(1, 0), (4, 0), (4, 5), (7, 7), (16, 3), (16, 13)])
def test_rows_are_those_of_pandas(tmp_path: Path, chunk: int, skip: int, gaps: float) -> None:
    panel = market(13, seed=chunk + skip, gaps=gaps)
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, *panel.shape)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan

    with ParquetSink(tmp_path / "out.parquet", ["a", "b"], panel, chunk, skip) as sink:
        write(sink, values, chunk)

    long = {
        name: pd.DataFrame(array, panel.times, SYMBOLS).stack(future_stack=True)
        for name, array in zip("ab", values, strict=True)
    }
    frame = pd.DataFrame(long)
    traded = ~np.isnan(panel["close"])
    traded[:skip] = False
    expected = frame[traded.ravel()].reset_index(names=["trade_date", "symbol"])
    table = pq.read_table(tmp_path / "out.parquet")
    assert sink.rows == table.num_rows == traded.sum()
    assert table.schema.field("trade_date").type == pa.date32()
    assert table["symbol"].cast(pa.string()).to_pylist() == expected["symbol"].tolist()
    assert [str(d) for d in table["trade_date"].to_pylist()] == expected["trade_date"].dt.strftime(
        "%Y-%m-%d"
    ).tolist()
    for name in "ab":
        assert table[name].type == pa.float32()
        assert table[name].null_count == expected[name].isna().sum()
        assert np.array_equal(table[name].to_numpy(), expected[name].to_numpy(), equal_nan=True)


def test_the_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    path.write_bytes(b"older")
    panel = market(4, 0, 0.0)

    with ParquetSink(path, ["a"], panel, 2) as sink:
        write(sink, np.zeros((1, 4, 3), np.float32), 2)
        assert path.read_bytes() == b"older"

    assert pq.read_table(path).num_rows == 12
    assert [p.name for p in tmp_path.iterdir()] == ["out.parquet"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    path.write_bytes(b"older")

    def fail() -> None:
        with ParquetSink(path, ["a"], market(4, 0, 0.0), 2) as sink:
            write(sink, np.zeros((1, 2, 3), np.float32), 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert path.read_bytes() == b"older"
    assert [p.name for p in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize("name", ["out.csv", "out", "missing/out.parquet", "folder.parquet"])
def test_targets_that_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.parquet").mkdir()

    with pytest.raises(InvalidRequest, match=r"must end in .parquet|a file in a folder that exists"):
        ParquetSink(tmp_path / name, ["a"], market(4, 0, 0.0), 2)
