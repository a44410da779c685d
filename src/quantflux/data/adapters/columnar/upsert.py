"""How a batch becomes files: the plan of one upsert, period by period.

Keys are unique over all live files of a period; that is the invariant each plan keeps.

1. A batch none of whose keys is stored yet is appended as a new file. Bounds of row groups answer that without
   reading for a new day or a new year; where bounds overlap, only key columns are read.
2. Files that hold some of the keys are read, merged with the batch and replaced. If that changes no bit, nothing is
   written: sending a batch again is free.
3. When a period has gathered many small files, the append takes the smallest ones along into one file, each at most
   twice as large as all before it. So every row is rewritten only a few times, and a read opens few files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from quantflux.data.adapters.columnar.datafile import DataFile
from quantflux.data.adapters.columnar.layout import split_periods
from quantflux.data.adapters.columnar.reading import Selection, pieces, read_rows
from quantflux.data.contract import Span
from quantflux.data.rows import overlap, span_of, tick_values, upsert
from quantflux.data.schema import Dataset

MAX_FILE_ROWS = 1_000_000
"""A correction rewrites at most this many rows per file it meets."""

MAX_SMALL_FILES = 16
"""With more small files in a period, an append merges some."""


@dataclass
class Plan:
    """What one write will do: rows to store as new files by period, and files to drop."""

    added: list[tuple[str, pa.Table]] = field(default_factory=list)
    removed: list[DataFile] = field(default_factory=list)
    span: Span | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether all rows are stored already, bit for bit."""
        return not self.added

    def replace(self, period: str, rows: pa.Table, old: Sequence[DataFile]) -> None:
        """Store `rows` in place of `old`."""
        self.added += [(period, part) for part in cut(rows)]
        self.removed += old


def plan_upsert(data: Dataset, rows: pa.Table, live: Callable[[str], Sequence[DataFile]]) -> Plan:
    """Plan to store `rows`, which are in the dataset's schema and sorted by key.

    Parameters
    ----------
    live : callable
        Gives the live files of a period.
    """
    plan = Plan()
    for period, batch in split_periods(data, rows):
        files = live(period)
        met = [file for file in files if _holds_keys_of(data, file, batch)]
        if met:
            old = whole(data, met)
            merged = upsert(data, old, batch)
            if merged.equals(old):
                continue
            plan.replace(period, merged, met)
        else:
            small = companions(files, batch.num_rows)
            plan.replace(period, upsert(data, whole(data, small), batch) if small else batch, small)
        touched = span_of(data, batch)
        plan.span = touched if plan.span is None or touched is None else plan.span | touched
    return plan


def _holds_keys_of(data: Dataset, file: DataFile, batch: pa.Table) -> bool:
    times = tick_values(data.kind, batch.column(data.time))
    symbols = tuple(batch.column("symbol").unique().to_pylist())
    selection = Selection(data, data.key, symbols, int(times.min()), int(times.max()))
    found = pieces([file], selection)
    if not found:
        return False
    return overlap(data, _plain(data, read_rows(found, selection, map)), batch) > 0


def whole(data: Dataset, files: Sequence[DataFile]) -> pa.Table:
    """Return all rows of some files, sorted by key, in the dataset's schema."""
    selection = Selection.everything(data)
    return _plain(data, read_rows(pieces(files, selection), selection, map))


def _plain(data: Dataset, table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([data.schema.field(name) for name in table.column_names]))


def companions(files: Sequence[DataFile], rows: int) -> list[DataFile]:
    """Return the small files that an append of `rows` should take along."""
    small = sorted((f for f in files if f.rows < MAX_FILE_ROWS // 2), key=lambda f: f.rows)
    if len(small) < MAX_SMALL_FILES:
        return []
    chosen: list[DataFile] = []
    for file in small:
        if file.rows > 2 * rows or rows + file.rows > MAX_FILE_ROWS:
            break
        chosen.append(file)
        rows += file.rows
    return chosen


def cut(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows in parts of at most about `MAX_FILE_ROWS`, never splitting a symbol."""
    total = rows.num_rows
    if total <= MAX_FILE_ROWS:
        yield rows
        return
    codes = rows.column("symbol").combine_chunks().dictionary_encode().indices.to_numpy()
    ends = np.append(np.flatnonzero(np.diff(codes)) + 1, total)
    start = 0
    while start < total:
        fitting = ends[(ends > start) & (ends <= start + MAX_FILE_ROWS)]
        stop = int(fitting[-1] if len(fitting) else ends[ends > start][0])
        yield rows.slice(start, stop - start)
        start = stop
