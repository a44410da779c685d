"""Values in segments: appended by a writer, read as they were at one moment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from quantflux.core.errors import StoreCorrupt, UnknownSymbol
from quantflux.core.panel import Panel
from quantflux.data.schema import DAILY
from quantflux.factors.stored.folder import ITEM, Meta, SetFolder


class SegmentWriter:
    """A sink that appends rows to a segment's file; a context manager.

    When its block fails, the file is as it was before.

    Parameters
    ----------
    path : Path
    rows : int
        How many rows of the file count; writing begins behind them.
    factors : int
    columns : array of int, shape (N,)
        The column of the file in which each of the run's symbols goes.
    width : int
        Columns of the file; NaN in those that no symbol has.
    chunk : int
        The most rows that come at once.

    Attributes
    ----------
    rows : int
        Rows of the file so far.
    """

    def __init__(
        self, path: Path, rows: int, factors: int, columns: np.ndarray, width: int, chunk: int
    ) -> None:
        self._path = path
        self._begin = rows * factors * width * ITEM
        self._buffer = np.full((chunk, factors, width), np.nan, dtype="<f4")
        # Where each column of the file comes from: a symbol's own place in the run, or one that stays empty.
        order = np.full(width, len(columns))
        order[columns] = np.arange(len(columns))
        self._order = None if np.array_equal(columns, np.arange(len(columns))) else order
        self.rows = rows

    def __enter__(self) -> Self:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._file = os.fdopen(handle, "r+b", buffering=0)
        self._file.truncate(self._begin)
        self._file.seek(self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                return
            # The room is given back. No reader has looked behind the rows that counted before.
            self._file.truncate(self._begin)
            if not self._begin:
                self._path.unlink(missing_ok=True)

    def sync(self) -> None:
        """Wait until the rows are on the disk.

        Values carry no checksum: reading one day would mean reading all of them to check it. So what is published has
        to be where no power cut can tear it.
        """
        os.fdatasync(self._file.fileno())

    def target(self, expression: int, first: int, rows: int) -> tuple[np.ndarray, int]:
        """Return where to put these rows of an expression."""
        return self._buffer[:, expression], 0

    def written(self, first: int, rows: int) -> None:
        """Write the rows of a chunk."""
        piece = self._buffer[:rows]
        left = (piece if self._order is None else piece.take(self._order, axis=2)).data.cast("B")
        while left:
            left = left[self._file.write(left) :]
        self.rows += rows


class StoredValues:
    """The values of a set as they are at one moment, mapped into memory.

    Later updates do not show, and do no harm: files are never changed where they are mapped, and deleting them does not
    unmap them.

    Attributes
    ----------
    names : tuple of str
        The factors.
    days : datetime64[D] array of shape (T,)
    symbols : tuple of str
        Sorted.
    """

    def __init__(self, folder: SetFolder, meta: Meta) -> None:
        self.names = meta.names
        self.days = np.array(meta.days, dtype=np.int64).astype("datetime64[D]")
        self.symbols = tuple(sorted(meta.symbols))
        self._column = {symbol: column for column, symbol in enumerate(meta.symbols)}
        self._pieces: list[np.ndarray] = []
        for entry in meta.segments:
            path, shape = folder.path / entry.name, (entry.rows, len(meta.names), entry.columns)
            try:
                self._pieces.append(np.memmap(path, dtype="<f4", mode="r", shape=shape))
            except (ValueError, FileNotFoundError) as error:
                raise StoreCorrupt(f"{path} does not hold {entry.rows} rows: {error}", str(path)) from error

    def rows(self, start: date | None = None, end: date | None = None) -> slice:
        """Return the rows from `start` to `end`, both inclusive; None is open."""
        low = 0 if start is None else int(np.searchsorted(self.days, np.datetime64(start)))
        high = len(self.days) if end is None else int(np.searchsorted(self.days, np.datetime64(end), "right"))
        return slice(low, max(low, high))

    def check_symbols(self, symbols: Sequence[str]) -> None:
        """Raise `UnknownSymbol` if one of them never had a bar."""
        unknown = [symbol for symbol in symbols if symbol not in self._column]
        if unknown:
            raise UnknownSymbol(unknown, DAILY.name, get_close_matches(unknown[0], self.symbols, n=3))

    def panel(self, rows: slice, symbols: Sequence[str] | None = None) -> Panel:
        """Return a copy of some rows.

        Parameters
        ----------
        rows : slice
            From `rows`.
        symbols : sequence of str, optional
            Sorted, each once.

        Returns
        -------
        Panel
            float32 fields by name; NaN where there is no value.

        Raises
        ------
        UnknownSymbol
            If a symbol never had a bar.
        """
        axis = self.symbols if symbols is None else tuple(symbols)
        self.check_symbols(axis)
        columns = np.array([self._column[symbol] for symbol in axis], dtype=np.intp)
        arrays = np.full((len(self.names), rows.stop - rows.start, len(axis)), np.nan, dtype=np.float32)
        position = 0
        for piece in self._pieces:
            low, high = max(rows.start, position), min(rows.stop, position + len(piece))
            if low < high:
                inside = piece[low - position : high - position]
                known = np.flatnonzero(columns < piece.shape[2])
                for factor, array in enumerate(arrays):
                    array[low - rows.start : high - rows.start, known] = inside[:, factor, columns[known]]
            position += len(piece)
        return Panel(self.days[rows], list(axis), dict(zip(self.names, arrays, strict=True)))
