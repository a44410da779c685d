"""Factors as a Parquet file: one row a symbol and day, one float32 column a factor, written a chunk of days at a time.

Rows are sorted by day, then symbol, and only where the symbol traded. The file appears under its name when it is
complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel

CELL_BYTES = 10
"""Memory for each value of a chunk: where it arrives, its copy without gaps, and a column's encoding."""


def check_target(path: Path) -> None:
    """Refuse a path that cannot become a Parquet file."""
    if path.suffix != ".parquet":
        raise InvalidRequest(f"the file must end in .parquet, was asked for {path.name}")
    if not path.parent.is_dir() or path.is_dir():
        raise InvalidRequest(f"{path} must be a file in a folder that exists")


class ParquetSink:
    """Writes results as they come; a context manager.

    Parameters
    ----------
    path : Path
        Ends in .parquet, in a folder that exists.
    names : sequence of str
        Of the factors, in the order of the expressions.
    panel : Panel
        Daily; its `close` says where a symbol traded.
    chunk : int
        The most rows that come at once.
    skip : int
        How many of the panel's first rows are left out.
    """

    def __init__(self, path: Path, names: Sequence[str], panel: Panel, chunk: int, skip: int = 0) -> None:
        check_target(path)
        self._path = path
        self._partial = path.with_name(path.name + ".part")
        self._days = panel.times
        self._close = panel["close"]
        self._skip = skip
        self._symbols = pa.array(panel.symbols.tolist(), pa.string())
        self._buffer = np.empty((len(names), chunk, panel.shape[1]), dtype=np.float32)
        values = [pa.field(name, pa.float32()) for name in names]
        key = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema([pa.field("trade_date", pa.date32()), pa.field("symbol", key), *values])
        self.rows = 0

    def __enter__(self) -> Self:
        # Factor values are noise to a compressor: encoding them costs much time and saves little room.
        self._writer: Any = pq.ParquetWriter(
            self._partial,
            self._schema,
            compression="none",
            use_dictionary=["symbol"],
            write_statistics=["trade_date", "symbol"],
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._writer.close()
                self._partial.replace(self._path)
            else:
                with suppress(OSError):  # what went wrong first is what counts
                    self._writer.close()
        finally:
            self._partial.unlink(missing_ok=True)

    def target(self, expression: int, first: int, rows: int) -> tuple[np.ndarray, int]:
        """Return where to put these rows of an expression."""
        return self._buffer[expression], 0

    def written(self, first: int, rows: int) -> None:
        """Write the rows of a chunk."""
        there = ~np.isnan(self._close[first : first + rows])
        there[: max(self._skip - first, 0)] = False
        traded = np.flatnonzero(there.ravel())
        if not len(traded):
            return
        day, symbol = np.divmod(traded, self._buffer.shape[2])
        columns = [
            pa.array(self._days[first : first + rows].astype("datetime64[D]")[day]),
            pa.DictionaryArray.from_arrays(pa.array(symbol.astype(np.int32)), self._symbols),
        ]
        whole = len(traded) == there.size
        for values in self._buffer:
            flat = values[:rows].reshape(-1)
            columns.append(pa.array(flat if whole else flat[traded], from_pandas=True))
        # A table, not a batch: of a batch the writer keeps the whole encoded row group in memory.
        self._writer.write_table(pa.table(columns, schema=self._schema), row_group_size=len(traded))
        self.rows += len(traded)
