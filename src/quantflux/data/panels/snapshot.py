"""Reads blocks of values from the segments of one version."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.panels.layout import Layout
from quantflux.data.panels.segment import Segment
from quantflux.data.sessions import Floats

Days = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_LARGE = 1_000_000  # cells: a copy of some milliseconds, which threads are worth


@dataclass(frozen=True)
class Block:
    """Dense values of some fields.

    Attributes
    ----------
    days : int32 array of shape [D]
        Days since 1970, sorted: the days on which any symbol of the dataset has a row.
    symbols : tuple of str, length N
    values : dict of float64 arrays of shape [D, N], or [D, N, 240] for minute bars
        NaN where there is no row, or no value. They may be read-only views of a segment.
    presence : str
        The field in `values` whose NaN says that there is no row.
    rows : boolean array or None
        Where there are rows, for values that may be NaN there; None if the presence field tells.
    """

    days: Days
    symbols: tuple[str, ...]
    values: dict[str, Floats]
    presence: str
    rows: Mask | None = None

    @cached_property
    def present(self) -> Mask:
        """Where there are rows, shaped like the values."""
        return ~np.isnan(self.values[self.presence]) if self.rows is None else self.rows

    def on_days(self, days: Days) -> Block:
        """Return it on more days; the new ones have no rows."""
        if len(days) == len(self.days):
            return self
        at = np.searchsorted(days, self.days)
        values = {}
        for name, array in self.values.items():
            values[name] = np.full((len(days), *array.shape[1:]), np.nan)
            values[name][at] = array
        return Block(days, self.symbols, values, self.presence)


class Snapshot:
    """The segments that cover a span, as of one version. It stays valid whatever happens to the files.

    Attributes
    ----------
    version : int
        The dataset's version that it reflects.
    """

    def __init__(self, layout: Layout, version: int, segments: Sequence[Segment]) -> None:
        self.layout = layout
        self.version = version
        self.segments = tuple(segments)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol with a row in these segments, sorted."""
        axes = {segment.symbols for segment in self.segments}
        if len(axes) == 1:
            return axes.pop()
        return tuple(sorted(set().union(*axes)))

    def symbols_within(self, first: int | None, last: int | None) -> tuple[str, ...]:
        """Return every symbol with a row on these days, sorted."""
        found = []
        for segment, rows in self._cuts(first, last):
            if rows == slice(0, len(segment.days)):
                found.append(segment.symbols)
                continue
            present = ~np.isnan(segment.values[segment.layer[self.layout.presence], rows])
            columns = np.flatnonzero(present.any(axis=tuple(i for i in range(present.ndim) if i != 1)))
            whole = len(columns) == len(segment.symbols)
            found.append(segment.symbols if whole else tuple(segment.symbols[i] for i in columns.tolist()))
        axes = set(found)
        return axes.pop() if len(axes) == 1 else tuple(sorted(set().union(*axes)))

    def parts(self) -> list[Snapshot]:
        """Return each segment as a snapshot of its own."""
        return [Snapshot(self.layout, self.version, [segment]) for segment in self.segments]

    def lacks(self, symbols: Sequence[str]) -> list[str]:
        """Return which of these symbols have no row in these segments."""
        return [s for s in symbols if not any(s in segment.column for segment in self.segments)]

    def _cuts(self, first: int | None, last: int | None) -> list[tuple[Segment, slice]]:
        """Return the segments that have days in a span, with which of their days."""
        cuts = [(segment, segment.rows(first, last)) for segment in self.segments]
        return [(segment, rows) for segment, rows in cuts if rows.stop > rows.start]

    def size(self, symbols: Sequence[str] | None, first: int | None, last: int | None) -> tuple[int, int]:
        """Return how many days and symbols a block would have."""
        days = sum(rows.stop - rows.start for _, rows in self._cuts(first, last))
        return days, len(self.symbols if symbols is None else symbols)

    def block(
        self, fields: Sequence[str], symbols: tuple[str, ...] | None, first: int | None, last: int | None
    ) -> Block:
        """Return the values of some fields and, beside them, of the presence field.

        Parameters
        ----------
        fields : sequence of str
            Numeric fields of the dataset.
        symbols : tuple of str or None
            Columns of the result, in this order; None means every symbol with a row on these days. One that has
            none gives a column of NaN.
        first, last : int or None
            Days since 1970, both inclusive; None for open.

        Returns
        -------
        Block
            Views of the segment's memory if one segment has it all; copies otherwise.
        """
        names = dict.fromkeys((*fields, self.layout.presence))
        wanted = self.symbols_within(first, last) if symbols is None else symbols
        cuts = self._cuts(first, last)
        if len(cuts) == 1 and cuts[0][0].symbols == wanted:
            segment, rows = cuts[0]
            values = {name: segment.values[segment.layer[name], rows] for name in names}
            return Block(segment.days[rows], wanted, values, self.layout.presence)
        days = [segment.days[rows] for segment, rows in cuts]
        axis = np.concatenate(days) if days else np.empty(0, dtype=np.int32)
        values = {name: np.empty(self.layout.shape(len(axis), len(wanted))) for name in names}
        ends = np.cumsum([len(part) for part in days], dtype=np.int64).tolist()
        targets = [slice(end - len(part), end) for part, end in zip(days, ends, strict=True)]

        def copy(place: int) -> None:
            segment, rows = cuts[place]
            _copy(segment, rows, wanted, targets[place], values)

        _each(copy, len(cuts), sum(into.size for into in values.values()))
        return Block(axis, wanted, values, self.layout.presence)


def _each(work: Callable[[int], None], count: int, cells: int) -> None:
    """Do the parts of a copy, side by side if it is large: most of its time goes into fresh memory and old pages."""
    if cells < _LARGE or count < 2:
        for place in range(count):
            work(place)
        return
    with ThreadPoolExecutor(min(count, len(os.sched_getaffinity(0)))) as pool:
        for _ in pool.map(work, range(count)):
            pass


def _copy(
    segment: Segment, rows: slice, symbols: tuple[str, ...], target: slice, values: dict[str, Floats]
) -> None:
    """Copy one segment's share of a block."""
    if segment.symbols == symbols:
        for name, into in values.items():
            into[target] = segment.values[segment.layer[name], rows]
        return
    columns = [segment.column.get(symbol, -1) for symbol in symbols]
    if len(columns) == 1:
        for name, into in values.items():
            into[target, 0] = (
                segment.values[segment.layer[name], rows, columns[0]] if columns[0] >= 0 else np.nan
            )
        return
    source = np.array(columns, dtype=np.intp)
    have = np.flatnonzero(source >= 0)
    for name, into in values.items():
        part = segment.values[segment.layer[name], rows]
        if len(have) == len(source):
            np.take(part, source, axis=1, out=into[target], mode="clip")
        else:
            into[target] = np.nan
            into[target, have] = part[:, source[have]]


def block_of(
    table: pa.Table, layout: Layout, fields: Sequence[str], symbols: tuple[str, ...] | None
) -> Block:
    """Return the rows of a store's answer as a block.

    Parameters
    ----------
    table : pyarrow.Table
        Rows of the dataset that hold `fields` and the presence field, if that is a field.
    symbols : tuple of str or None
        Columns of the result; None means the symbols that occur. The rows may be of no other symbol.

    Raises
    ------
    NotExactError
        If an integer is beyond 2**53.
    """
    days = np.unique(layout.days_of(table))
    wanted = tuple(sorted(pc.unique(table.column("symbol")).to_pylist())) if symbols is None else symbols
    shape = layout.shape(len(days), len(wanted))
    values = {name: np.full(shape, np.nan) for name in dict.fromkeys((*fields, layout.presence))}
    if table.num_rows:
        layout.scatter(table, days, pa.array(wanted, pa.string()), values)
    return Block(days, wanted, values, layout.presence)
