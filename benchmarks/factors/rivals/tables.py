"""Answers as Parquet files, for markets whose answers are too large to be held: one row a symbol and day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rivals.protocol import Market


def write_matrices(
    path: Path, market: Market, columns: slice, traded: np.ndarray, values: Mapping[str, np.ndarray]
) -> None:
    """Write (T, n) arrays of some symbols where these traded, as 4-byte floats, a factor a column."""
    day, symbol = np.nonzero(traded)
    names = pa.array(market.symbols[columns])
    content = {
        "trade_date": pa.array(market.sessions[day]),
        "symbol": pa.DictionaryArray.from_arrays(pa.array(symbol.astype(np.int32)), names),
    }
    content |= {name: pa.array(matrix[day, symbol], pa.float32()) for name, matrix in values.items()}
    # As ours: factor values are noise to a compressor.
    pq.write_table(pa.table(content), path, compression="none", use_dictionary=["symbol"])


def read_matrices(folder: Path, market: Market, names: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each factor of a folder's files as a (T, N) array."""
    places = {symbol: place for place, symbol in enumerate(market.symbols)}
    keys = pq.read_table(folder, columns=["trade_date", "symbol"])
    symbols = keys.column("symbol").cast(pa.string()).combine_chunks().dictionary_encode()
    column = np.array([places[s] for s in symbols.dictionary.to_pylist()])[symbols.indices.to_numpy()]
    days = keys.column("trade_date").cast(pa.date32()).to_numpy().astype("datetime64[D]")
    row = np.searchsorted(market.sessions, days)
    for name in names:
        values = np.full((len(market.sessions), len(places)), np.nan, np.float32)
        values[row, column] = pq.read_table(folder, columns=[name]).column(name).to_numpy()
        yield name, values
