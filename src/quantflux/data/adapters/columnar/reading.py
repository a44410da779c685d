"""From a query and a list of files to rows in key order.

1. Row groups whose bounds miss the query are skipped (`_wanted`).
2. Rows of a group are sorted by symbol and time, so one symbol's rows in a span of time are a slice, found by
   bisection (`_slices`); for many symbols, or for a span across all of them, a mask is quicker (`_mask`).
3. Files of different years interleave by symbol. One stable sort on an integer made of symbol and time puts them in
   order: it finds the sorted runs and merges them (`in_key_order`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.adapters.columnar.datafile import DataFile, GroupBounds
from quantflux.data.contract import Query, check_symbols
from quantflux.data.rows import tick_values, ticks
from quantflux.data.schema import Dataset

_FEW_SYMBOLS = 32
"""Up to this many symbols per row group are cut out one by one."""

RunAll = Callable[[Callable[["Piece"], pa.Table], Sequence["Piece"]], Iterator[pa.Table]]
"""How to apply a function to pieces: in this thread or in several."""


@dataclass(frozen=True)
class Selection:
    """Rows wanted, in storage terms: sorted symbols or None for all, and inclusive bounds of time and symbol."""

    data: Dataset
    columns: tuple[str, ...]
    symbols: tuple[str, ...] | None
    first_time: int | None
    last_time: int | None
    after_symbol: str = ""
    last_symbol: str = "\U0010ffff"

    @classmethod
    def of(cls, query: Query) -> Selection:
        """Translate a query."""
        low, high = (None if b is None else ticks(b) for b in query.bounds)
        return cls(query.dataset, tuple(query.schema.names), check_symbols(query.symbols), low, high)

    @classmethod
    def everything(cls, data: Dataset) -> Selection:
        """All rows and columns."""
        return cls(data, tuple(data.schema.names), None, None, None)

    def slabs(self, files: Sequence[DataFile], rows: int) -> Iterator[Selection]:
        """Yield this selection cut into spans of symbols of about `rows` rows each, never splitting a symbol."""
        ends = sorted((piece.bounds.last_symbol, piece.bounds.rows) for piece in pieces(files, self))
        after, gathered = self.after_symbol, 0
        for position, (last, count) in enumerate(ends, start=1):
            gathered += count
            if (gathered >= rows or position == len(ends)) and last > after:
                yield replace(self, after_symbol=after, last_symbol=last)
                after, gathered = last, 0

    def meets(self, group: GroupBounds) -> bool:
        """Whether a row group may hold wanted rows."""
        if self.first_time is not None and group.last_time < self.first_time:
            return False
        if self.last_time is not None and group.first_time > self.last_time:
            return False
        if group.last_symbol <= self.after_symbol or group.first_symbol > self.last_symbol:
            return False
        return self.symbols is None or bool(self.symbols_in(group))

    def symbols_in(self, group: GroupBounds) -> tuple[str, ...]:
        """Return the symbols asked for by name that may lie in a group."""
        symbols = self.symbols or ()
        first = max(bisect_left(symbols, group.first_symbol), bisect_right(symbols, self.after_symbol))
        last = min(bisect_right(symbols, group.last_symbol), bisect_right(symbols, self.last_symbol))
        return symbols[first:last]

    def covers_time(self, group: GroupBounds) -> bool:
        """Whether no row of the group is too early or too late."""
        early = self.first_time is not None and group.first_time < self.first_time
        late = self.last_time is not None and group.last_time > self.last_time
        return not (early or late)

    def covers_symbols(self, group: GroupBounds) -> bool:
        """Whether every symbol of the group is wanted."""
        within = group.first_symbol > self.after_symbol and group.last_symbol <= self.last_symbol
        return self.symbols is None and within


@dataclass(frozen=True, slots=True)
class Piece:
    """One row group of one file."""

    file: DataFile
    index: int

    @property
    def bounds(self) -> GroupBounds:
        """What the group holds."""
        return self.file.groups[self.index]


def pieces(files: Sequence[DataFile], selection: Selection) -> list[Piece]:
    """Return the row groups that may hold wanted rows."""
    return [Piece(f, i) for f in files for i, group in enumerate(f.groups) if selection.meets(group)]


def read_rows(found: Sequence[Piece], selection: Selection, run_all: RunAll) -> pa.Table:
    """Return the wanted rows of some row groups in key order, symbols dictionary-encoded."""
    tables = [t for t in run_all(lambda piece: _rows(piece, selection), found) if t.num_rows]
    if not tables:
        empty = selection.data.schema_of(selection.columns[len(selection.data.key) :]).empty_table()
        return empty.set_column(0, "symbol", pc.dictionary_encode(empty.column("symbol")))
    if len(tables) == 1:
        return tables[0]
    return in_key_order(selection.data, pa.concat_tables(tables))


def _rows(piece: Piece, selection: Selection) -> pa.Table:
    bounds = piece.bounds
    table = piece.file.read_group(piece.index, selection.columns)
    all_times, all_symbols = selection.covers_time(bounds), selection.covers_symbols(bounds)
    if all_times and all_symbols:
        return table
    if selection.symbols is not None and len(wanted := selection.symbols_in(bounds)) <= _FEW_SYMBOLS:
        return pa.concat_tables(
            [table.slice(start, stop - start) for start, stop in _slices(table, wanted, selection)]
        )
    mask = np.ones(table.num_rows, dtype=bool)
    if not all_symbols:
        mask &= _symbol_mask(table, selection)
    if not all_times:
        times = tick_values(selection.data.kind, table.column(selection.data.time))
        if selection.first_time is not None:
            mask &= times >= selection.first_time
        if selection.last_time is not None:
            mask &= times <= selection.last_time
    return table.filter(pa.array(mask))


def _slices(table: pa.Table, wanted: tuple[str, ...], selection: Selection) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each wanted symbol's rows within the wanted span."""
    symbols = table.column("symbol").combine_chunks()
    names = symbols.dictionary.to_pylist()
    codes = symbols.indices.to_numpy()
    times = tick_values(selection.data.kind, table.column(selection.data.time))
    yield 0, 0
    for symbol in wanted:
        code = bisect_left(names, symbol)
        if code == len(names) or names[code] != symbol:
            continue
        start, stop = (int(i) for i in np.searchsorted(codes, [code, code + 1]))
        own = times[start:stop]
        first, last = 0, stop - start
        if selection.first_time is not None:
            first = int(np.searchsorted(own, selection.first_time, "left"))
        if selection.last_time is not None:
            last = int(np.searchsorted(own, selection.last_time, "right"))
        yield start + first, start + max(first, last)


def _symbol_mask(table: pa.Table, selection: Selection) -> np.ndarray:
    symbols = table.column("symbol").combine_chunks()
    names = symbols.dictionary
    wanted = np.array(
        [selection.after_symbol < n <= selection.last_symbol for n in names.to_pylist()], dtype=bool
    )
    if selection.symbols is not None:
        chosen = pc.is_in(names, value_set=pa.array(selection.symbols, pa.string()))
        wanted &= chosen.to_numpy(zero_copy_only=False)
    return np.asarray(wanted[symbols.indices.to_numpy()])


def in_key_order(data: Dataset, table: pa.Table) -> pa.Table:
    """Return a table of concatenated sorted parts, with dictionary-encoded symbols, sorted by key."""
    table = table.unify_dictionaries().combine_chunks()
    symbols = table.column("symbol").combine_chunks()
    if isinstance(symbols, pa.ChunkedArray):
        symbols = symbols.chunk(0)
    names = symbols.dictionary
    rank = np.empty(len(names), dtype=np.int64)
    rank[pc.array_sort_indices(names).to_numpy()] = np.arange(len(names))
    major = rank[symbols.indices.to_numpy()]
    times = tick_values(data.kind, table.column(data.time))
    times = times - times.min()
    width = int(times.max()) + 1
    if width * len(names) >= 2**62:
        raise OverflowError(f"{len(names)} symbols over {width} ticks do not fit a 64-bit key")
    place = major * width + times
    if (np.diff(place) > 0).all():
        return table
    if data.extra_keys:
        text = table.set_column(0, "symbol", table.column("symbol").cast(pa.string()))
        return table.take(pc.sort_indices(text, [(name, "ascending") for name in data.key]))
    return table.take(pa.array(np.argsort(place, kind="stable")))
