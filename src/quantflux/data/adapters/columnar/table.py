"""One dataset of the columnar store, read: rows, aggregates, versions, and what changed between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, StoreCorrupt
from quantflux.data.adapters.columnar import layout
from quantflux.data.adapters.columnar.datafile import DataFile
from quantflux.data.adapters.columnar.files import OpenFiles
from quantflux.data.adapters.columnar.log import DeltaLog, Snapshot
from quantflux.data.adapters.columnar.reading import Piece, Selection, pieces, read_rows
from quantflux.data.aggregates import aggregate_table
from quantflux.data.contract import Aggregation, AsOf, Changes, Period, Query, Span
from quantflux.data.rows import day_of_tick
from quantflux.data.schema import Dataset

_PERIODS_WITHIN = {"year": (Period.DAY, Period.MONTH, Period.YEAR), "month": (Period.DAY, Period.MONTH)}
"""Aggregation periods of which none spans two partitions."""


class DatasetTable:
    """One dataset. Safe to use from several threads."""

    def __init__(self, root: Path, data: Dataset, clock: Clock, pool: Executor) -> None:
        self.folder = layout.folder(root, data)
        self.data = data
        self.log = DeltaLog(self.folder, data, clock)
        self._files = OpenFiles(self.folder, data)
        self._pool = pool

    def read(self, query: Query, as_of: AsOf | None = None) -> pa.Table:
        """Return the rows asked for, now or as they stood."""
        selection = Selection.of(query)
        return self.rows(self._files_for(query, as_of), selection).cast(query.schema)

    def rows(self, files: Sequence[DataFile], selection: Selection) -> pa.Table:
        """Return rows of some files in key order, symbols dictionary-encoded, decoding in several threads."""
        return read_rows(pieces(files, selection), selection, self._run_all)

    def _run_all(self, function: Callable[[Piece], pa.Table], found: Sequence[Piece]) -> Iterator[pa.Table]:
        return self._pool.map(function, found) if len(found) > 1 else map(function, found)

    def iter_batches(self, query: Query, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the same rows period by period, in slabs of symbols of about `batch_rows` rows."""
        selection = Selection.of(query)
        for _, files in self.by_period(self._files_for(query)):
            for slab in selection.slabs(files, batch_rows):
                table = self.rows(files, slab).cast(query.schema)
                yield from table.to_batches(max_chunksize=batch_rows)

    def aggregate(self, query: Query, aggregation: Aggregation) -> pa.Table:
        """Return an aggregation, worked out partition by partition where no group spans two of them."""
        selection = Selection.of(replace(query, columns=aggregation.columns))
        files = self._files_for(query)
        blocks = [block for _, block in self.by_period(files)]
        if aggregation.period not in _PERIODS_WITHIN[self.data.partition] or not blocks:
            blocks = [files]

        def of_block(block: list[DataFile]) -> pa.Table:
            rows = read_rows(pieces(block, selection), selection, map)
            return aggregate_table(rows, self.data, aggregation)

        parts = pa.concat_tables(self._pool.map(of_block, blocks))
        return parts.sort_by([("symbol", "ascending"), ("period_start", "ascending")])

    def symbols(self) -> list[str]:
        """Return all symbols, sorted."""
        files = self.live(*layout.ALL_PERIODS)
        return sorted(set().union(*self._pool.map(lambda file: file.symbols, files)))

    def span(self) -> Span | None:
        """Return the first and last day with rows."""
        paths = self.log.snapshot().paths
        if not paths:
            return None
        ends = {layout.period_of_path(paths[0]), layout.period_of_path(paths[-1])}
        groups = [group for period in ends for file in self.live(period, period) for group in file.groups]
        first, last = min(g.first_time for g in groups), max(g.last_time for g in groups)
        return Span(day_of_tick(self.data.kind, first), day_of_tick(self.data.kind, last))

    def version(self) -> int:
        """Return the newest version."""
        return self.log.snapshot().version

    def changes(self, since: int) -> Changes:
        """Return the days that changed after a version."""
        newest = self.version()
        if not 0 <= since <= newest:
            raise InvalidRequest(
                f"{self.data.name} has versions 0 .. {newest}, was asked for changes since {since}"
            )
        notes = [self.log.note(version) for version in range(since + 1, newest + 1)]
        known = [note for note in notes if note is not None]
        if len(known) < len(notes):
            span = self.span()
            return Changes(newest, () if span is None else (span,))
        return Changes(newest, tuple(note.span for note in known if note.span is not None))

    def stored_bytes(self) -> int:
        """Return bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def live(self, first: str, last: str) -> list[DataFile]:
        """Return the open files of some periods in the newest version."""
        return self._opened(self.log.snapshot, first, last)

    def open_in(self, snapshot: Snapshot, period: str) -> list[DataFile]:
        """Return the open files of one period in a snapshot."""
        return self._files.open(snapshot, snapshot.between(period, period))

    def by_period(self, files: Sequence[DataFile]) -> list[tuple[str, list[DataFile]]]:
        """Return the files of each period, in order."""
        periods: dict[str, list[DataFile]] = {}
        for file in files:
            relative = file.path.relative_to(self.folder).as_posix()
            periods.setdefault(layout.period_of_path(relative), []).append(file)
        return sorted(periods.items())

    def _files_for(self, query: Query, as_of: AsOf | None = None) -> list[DataFile]:
        """Return the open files that may hold rows of a query."""
        first, last = layout.period_range(query)
        if as_of is None:
            return self.live(first, last)
        return self._opened(lambda: self._snapshot_at(as_of), first, last)

    def _opened(self, look_up: Callable[[], Snapshot], first: str, last: str) -> list[DataFile]:
        """Open files, once more if compaction took them away between looking them up and opening them."""
        snapshot = look_up()
        try:
            return self._files.open(snapshot, snapshot.between(first, last))
        except StoreCorrupt:
            snapshot = look_up()
            return self._files.open(snapshot, snapshot.between(first, last))

    def _snapshot_at(self, as_of: AsOf) -> Snapshot:
        newest = self.version()
        version = self._version_at(as_of, newest) if isinstance(as_of, datetime) else as_of
        if not 0 <= version <= newest:
            raise InvalidRequest(f"{self.data.name} has versions 0 .. {newest}, was asked for {version}")
        found = self.log.at(version)
        if found is None or any(not (self.folder / path).exists() for path in found.paths):
            raise InvalidRequest(f"version {version} of {self.data.name} is no longer kept")
        return found

    def _version_at(self, instant: datetime, newest: int) -> int:
        """Return the version that was the newest at an instant."""
        if instant.tzinfo is None:
            raise InvalidRequest(f"as_of needs an aware instant, was {instant.isoformat()} without a zone")
        for version in range(newest, 0, -1):
            note = self.log.note(version)
            if note is None:
                raise InvalidRequest(
                    f"{self.data.name} no longer knows what it held at {instant.isoformat()}"
                )
            if note.at <= instant:
                return version
        return 0
