"""One dataset of the columnar store: its log, its open files, and the reads and writes on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock

import pyarrow as pa

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, OutcomeUnknown, StoreCorrupt, VersionConflict
from quantflux.data.adapters.columnar import layout
from quantflux.data.adapters.columnar.datafile import (
    COMPACT_LEVEL,
    DataFile,
    encode,
    parquet_schema,
    store,
    sync_directory,
)
from quantflux.data.adapters.columnar.errors import translated
from quantflux.data.adapters.columnar.history import forget
from quantflux.data.adapters.columnar.lock import writing
from quantflux.data.adapters.columnar.log import DeltaLog, NewFile, Snapshot
from quantflux.data.adapters.columnar.reading import Piece, Selection, pieces, read_rows
from quantflux.data.adapters.columnar.upsert import MAX_FILE_ROWS, Plan, plan_upsert
from quantflux.data.aggregates import aggregate_table
from quantflux.data.contract import (
    Aggregation,
    AsOf,
    Changes,
    CompactReceipt,
    Period,
    Query,
    Span,
    WriteReceipt,
)
from quantflux.data.rows import day_of_tick, span_of
from quantflux.data.schema import Dataset

_PERIODS_WITHIN = {"year": (Period.DAY, Period.MONTH, Period.YEAR), "month": (Period.DAY, Period.MONTH)}
"""Aggregation periods of which none spans two partitions."""

_COMMIT_ATTEMPTS = 50
"""The lock keeps rivals on this machine away; only writers on others can make a commit fail."""


class DatasetTable:
    """One dataset. Safe to use from several threads."""

    def __init__(
        self,
        root: Path,
        data: Dataset,
        clock: Clock,
        pool: Executor,
        *,
        compression: int,
        lock_timeout: float,
    ) -> None:
        self.folder = layout.folder(root, data)
        self.data = data
        self.log = DeltaLog(self.folder, data, clock)
        self._clock = clock
        self._pool = pool
        self._compression = compression
        self._lock_timeout = lock_timeout
        self._open: dict[str, DataFile] = {}
        self._guard = Lock()

    # Reading

    def read(self, query: Query, as_of: AsOf | None = None) -> pa.Table:
        """Return the rows asked for, now or as they stood."""
        files = self._files(query, as_of)
        selection = Selection.of(query)
        table = read_rows(pieces(files, selection), selection, self._run_all)
        return table.cast(query.schema)

    def iter_batches(self, query: Query, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the same rows period by period, in slabs of symbols of about `batch_rows` rows."""
        selection = Selection.of(query)
        for _, files in self._by_period(self._files(query, None)):
            for slab in selection.slabs(files, batch_rows):
                table = read_rows(pieces(files, slab), slab, map).cast(query.schema)
                yield from table.to_batches(max_chunksize=batch_rows)

    def _by_period(self, files: Sequence[DataFile]) -> list[tuple[str, list[DataFile]]]:
        """Return the files of each period, in order."""
        periods: dict[str, list[DataFile]] = {}
        for file in files:
            periods.setdefault(layout.period_of_path(f"{file.path.parent.name}/"), []).append(file)
        return sorted(periods.items())

    def aggregate(self, query: Query, aggregation: Aggregation) -> pa.Table:
        """Return an aggregation, worked out file period by file period where no group spans two of them."""
        selection = Selection.of(replace(query, columns=aggregation.columns))
        files = self._files(query, None)
        blocks = [block for _, block in self._by_period(files)]
        if aggregation.period not in _PERIODS_WITHIN[self.data.partition] or not blocks:
            blocks = [files]

        def of_block(block: list[DataFile]) -> pa.Table:
            rows = read_rows(pieces(block, selection), selection, map)
            return aggregate_table(rows, self.data, aggregation)

        parts = pa.concat_tables(self._pool.map(of_block, blocks))
        return parts.sort_by([("symbol", "ascending"), ("period_start", "ascending")])

    def symbols(self) -> list[str]:
        """Return all symbols, sorted."""
        files = self._live(self.log.snapshot, *layout.ALL_PERIODS)
        return sorted(set().union(*self._pool.map(lambda file: file.symbols, files)))

    def span(self) -> Span | None:
        """Return the first and last day with rows."""
        return self._span_of(self.log.snapshot())

    def _span_of(self, snapshot: Snapshot) -> Span | None:
        if not snapshot.paths:
            return None
        first, last = (layout.period_of_path(path) for path in (snapshot.paths[0], snapshot.paths[-1]))
        groups = [g for p in {first, last} for f in self._live(self.log.snapshot, p, p) for g in f.groups]
        low, high = min(g.first_time for g in groups), max(g.last_time for g in groups)
        return Span(day_of_tick(self.data.kind, low), day_of_tick(self.data.kind, high))

    def version(self) -> int:
        """Return the newest version."""
        return self.log.snapshot().version

    def changes(self, since: int) -> Changes:
        """Return the days that changed after a version."""
        newest = self.log.snapshot().version
        if since < 0 or since > newest:
            raise InvalidRequest(
                f"{self.data.name} has versions 0 .. {newest}, was asked for changes since {since}"
            )
        notes = [self.log.note(version) for version in range(since + 1, newest + 1)]
        if any(note is None for note in notes):
            span = self.span()
            return Changes(newest, () if span is None else (span,))
        return Changes(
            newest, tuple(note.span for note in notes if note is not None and note.span is not None)
        )

    def stored_bytes(self) -> int:
        """Return bytes on disk."""
        if not self.folder.is_dir():
            return 0
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def _files(self, query: Query, as_of: AsOf | None) -> list[DataFile]:
        """Return the open files that may hold rows of a query."""
        first, last = layout.period_range(query)
        if as_of is None:
            return self._live(self.log.snapshot, first, last)
        return self._live(lambda: self._snapshot_at(as_of), first, last)

    def _live(self, snapshot: Callable[[], Snapshot], first: str, last: str) -> list[DataFile]:
        """Open files, once more if compaction took them away between looking them up and opening them."""
        try:
            return self._opened(snapshot().between(first, last))
        except StoreCorrupt:
            return self._opened(snapshot().between(first, last))

    def _opened_in(self, snapshot: Snapshot, period: str) -> list[DataFile]:
        return self._opened(snapshot.between(period, period))

    def _opened(self, paths: Sequence[str]) -> list[DataFile]:
        with self._guard:
            found = [self._open.get(path) for path in paths]
        files = [f or DataFile(self.folder / p, self.data) for f, p in zip(found, paths, strict=True)]
        with self._guard:
            self._open.update(zip(paths, files, strict=True))
        return files

    def _snapshot_at(self, as_of: AsOf) -> Snapshot:
        newest = self.log.snapshot().version
        version = self._version_at(as_of, newest) if isinstance(as_of, datetime) else as_of
        if not 0 <= version <= newest:
            raise InvalidRequest(f"{self.data.name} has versions 0 .. {newest}, was asked for {version}")
        found = self.log.at(version)
        if found is None or any(not (self.folder / path).exists() for path in found.paths):
            raise InvalidRequest(f"version {version} of {self.data.name} is no longer kept")
        return found

    def _version_at(self, instant: datetime, newest: int) -> int:
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

    def _run_all(self, function: Callable[[Piece], pa.Table], found: Sequence[Piece]) -> Iterator[pa.Table]:
        return self._pool.map(function, found) if len(found) > 1 else map(function, found)

    # Writing

    def write(self, rows: pa.Table) -> WriteReceipt:
        """Upsert rows that conform."""
        if rows.num_rows == 0:
            return WriteReceipt(self.data.name, self.version(), 0, None)
        with translated(self.folder, "create"):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = writing(self.folder / ".lock", self._lock_timeout)
        with lock:
            version = self._commit_plan(rows)
        return WriteReceipt(self.data.name, version, rows.num_rows, span_of(self.data, rows))

    def _commit_plan(self, rows: pa.Table) -> int:
        for _ in range(_COMMIT_ATTEMPTS):
            base = self.log.snapshot()
            plan = plan_upsert(self.data, rows, partial(self._opened_in, base))
            if plan.changes_nothing:
                return base.version
            try:
                self.commit(base, plan, self._compression)
            except VersionConflict:
                continue
            return base.version + 1
        raise VersionConflict(f"other machines committed to {self.folder} {_COMMIT_ATTEMPTS} times in a row")

    def commit(self, base: Snapshot, plan: Plan, compression: int) -> Snapshot:
        """Store a plan's files and commit them; leave no file behind if that fails."""
        added = self._store_all(plan.added, compression)
        removed = [file.path.relative_to(self.folder).as_posix() for file in plan.removed]
        try:
            current = self.log.commit(base, added, removed, plan.span)
        except OutcomeUnknown:
            raise  # the files may be live
        except BaseException:
            self._discard(added)
            raise
        with self._guard:
            for path in self._open.keys() - set(current.paths):
                del self._open[path]
        return current

    def _store_all(self, parts: Sequence[tuple[str, pa.Table]], compression: int) -> list[NewFile]:
        """Store every part or none."""
        jobs = [self._pool.submit(self._store, period, rows, compression) for period, rows in parts]
        errors = [error for job in jobs if (error := job.exception()) is not None]
        if errors:
            self._discard([job.result() for job in jobs if job.exception() is None])
            raise errors[0]
        return [job.result() for job in jobs]

    def _discard(self, files: Sequence[NewFile]) -> None:
        for file in files:
            (self.folder / file.path).unlink(missing_ok=True)

    def _store(self, period: str, rows: pa.Table, compression: int) -> NewFile:
        content, name = encode(self.data, rows.cast(parquet_schema(self.data)), compression)
        path = layout.relative_path(period, name)
        directory = (self.folder / path).parent
        with translated(directory, "create"):
            directory.mkdir(exist_ok=True)
            sync_directory(self.folder)
        store(self.folder / path, content)
        sync_directory(directory)
        return NewFile.describe(self.data, path, len(content), rows)

    # Maintenance

    def compact(self, keep_history: timedelta) -> CompactReceipt:
        """Rewrite each period into few large files, then forget what only older versions need."""
        if not self.folder.is_dir():
            return CompactReceipt(self.data.name, 0, 0, 0, 0)
        with writing(self.folder / ".lock", self._lock_timeout):
            before = (len(self.log.snapshot().paths), self.stored_bytes())
            for period, files in self._by_period(self._live(self.log.snapshot, *layout.ALL_PERIODS)):
                if len(files) > 1 or not all(file.compacted for file in files):
                    self._rewrite(period, files)
            forget(self.log, self._clock.now() - keep_history)
            after = (len(self.log.snapshot().paths), self.stored_bytes())
        return CompactReceipt(self.data.name, before[0], after[0], before[1], after[1])

    def _rewrite(self, period: str, files: list[DataFile]) -> None:
        everything = Selection.everything(self.data)
        plan = Plan(removed=files)
        for slab in everything.slabs(files, MAX_FILE_ROWS):
            rows = read_rows(pieces(files, slab), slab, self._run_all)
            plan.added.append((period, rows.cast(self.data.schema)))
        self.commit(self.log.snapshot(), plan, COMPACT_LEVEL)
