"""Values in segments: appended by a writer, read as they were at one moment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from mmap import ACCESS_READ, MADV_DONTNEED, PAGESIZE, mmap
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from quantflux.core.errors import InvalidRequest, StoreCorrupt, UnknownSymbol
from quantflux.core.panel import Panel
from quantflux.data.schema import DAILY
from quantflux.expressions.kernels.contract import jit
from quantflux.factors.stored.folder import ITEM, Meta, SegmentEntry, SetFolder

_STRETCH = 32_000_000  # bytes of a file that gathering cells holds in memory at once
_TILE = 16  # factors that are copied together: float32 of a cache line


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
    versions : mapping of str to int
        The version of each dataset that the values reflect.
    """

    def __init__(self, folder: SetFolder, meta: Meta) -> None:
        self.names = meta.names
        self.versions: Mapping[str, int] = {name: version for name, (_, version) in meta.versions.items()}
        self.days = np.array(meta.days, dtype=np.int64).astype("datetime64[D]")
        self.symbols = tuple(sorted(meta.symbols))
        self._column = {symbol: column for column, symbol in enumerate(meta.symbols)}
        self._places = np.array([self._column[symbol] for symbol in self.symbols], dtype=np.int64)
        self._maps = [_mapped(folder.path / entry.name, entry, len(meta.names)) for entry in meta.segments]
        self._pieces = [piece for _, piece in self._maps]

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

    def cells(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return every factor's value in some cells.

        The file is read a stretch of rows at a time, and each is let go when its cells are copied, so that memory
        does not grow with the file.

        Parameters
        ----------
        rows : array of int, shape (K,)
            Places in `days`, not decreasing.
        columns : array of int, shape (K,)
            Places in `symbols`.

        Returns
        -------
        array of float32, shape (K, factors)
            NaN where there is no value.

        Raises
        ------
        InvalidRequest
            If the places are not of the same cells, go down by row, or are none of the axes.
        """
        rows, columns = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
        self._check_cells(rows, columns)
        found = np.empty((len(rows), len(self.names)), dtype=np.float32)
        places, position = self._places[columns], 0
        for mapped, piece in self._maps:
            for low, high in _stretches(piece):
                first, last = np.searchsorted(rows, (position + low, position + high)).tolist()
                if first < last:
                    inside = slice(first, last)
                    _take(piece[low:high], rows[inside] - (position + low), places[inside], found[inside])
                    _let_go(mapped, low * piece.strides[0], high * piece.strides[0])
            position += len(piece)
        return found

    def _check_cells(self, rows: np.ndarray, columns: np.ndarray) -> None:
        if rows.ndim != 1 or rows.shape != columns.shape:
            raise InvalidRequest(
                f"cells need a row and a column each, were given arrays of shape {rows.shape} and {columns.shape}"
            )
        if not len(rows):
            return
        if (np.diff(rows) < 0).any():
            raise InvalidRequest(
                "cells must be sorted by row; one of them lies in a row before that of its neighbour"
            )
        for name, places, count in (("row", rows, len(self.days)), ("column", columns, len(self.symbols))):
            low, high = int(places.min()), int(places.max())
            if low < 0 or high >= count:
                raise InvalidRequest(
                    f"cells must have a {name} from 0 to {count - 1}, were from {low} to {high}"
                )


def _mapped(path: Path, entry: SegmentEntry, factors: int) -> tuple[mmap, np.ndarray]:
    """Return a segment's file as it lies in memory, and its values, shape (rows, factors, columns)."""
    shape = (entry.rows, factors, entry.columns)
    try:
        with path.open("rb") as file:
            mapped = mmap(file.fileno(), entry.rows * factors * entry.columns * ITEM, access=ACCESS_READ)
        return mapped, np.ndarray(shape, dtype="<f4", buffer=mapped)
    except (ValueError, FileNotFoundError) as error:
        raise StoreCorrupt(f"{path} does not hold {entry.rows} rows: {error}", str(path)) from error


def _stretches(piece: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield runs of rows, each as many as may be in memory at once."""
    step = max(_STRETCH // piece.strides[0], 1)
    for low in range(0, len(piece), step):
        yield low, min(low + step, len(piece))


def _let_go(mapped: mmap, first: int, last: int) -> None:
    """Give the pages of a stretch back. The file keeps them: whoever reads there again gets the same bytes."""
    begin = first // PAGESIZE * PAGESIZE
    mapped.madvise(MADV_DONTNEED, begin, last - begin)


@jit
def _take(block: np.ndarray, row: np.ndarray, column: np.ndarray, out: np.ndarray) -> None:
    """Copy cells of a block of shape (rows, factors, columns) to `out` of shape (cells, factors).

    Some factors at a time: what is read lies along a row of the file, what is written in one cache line.
    """
    cells, factors = out.shape
    width = block.shape[2]
    first = 0
    while first < cells:
        last = first
        while last < cells and row[last] == row[first]:
            last += 1
        values = block[row[first]]
        for low in range(0, factors, _TILE):
            high = min(low + _TILE, factors)
            for cell in range(first, last):
                place = column[cell]
                for factor in range(low, high):
                    # A segment that was written before a symbol was listed may have no column for it.
                    out[cell, factor] = values[factor, place] if place < width else np.nan
        first = last
