"""One dataset of the columnar store, written: upserts and compaction, each under the dataset's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import pyarrow as pa

from quantflux.core.errors import OutcomeUnknown, VersionConflict
from quantflux.data.adapters.columnar import layout
from quantflux.data.adapters.columnar.actions import NewFile
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
from quantflux.data.adapters.columnar.log import Snapshot
from quantflux.data.adapters.columnar.reading import Selection
from quantflux.data.adapters.columnar.table import DatasetTable
from quantflux.data.adapters.columnar.upsert import MAX_FILE_ROWS, Plan, plan_upsert
from quantflux.data.contract import CompactReceipt, WriteReceipt
from quantflux.data.rows import span_of

_COMMIT_ATTEMPTS = 50
"""The lock keeps rivals on this machine away; only writers on others can make a commit fail."""


class DatasetWriter:
    """Writes to one dataset. Safe to use from several threads."""

    def __init__(self, table: DatasetTable, pool: Executor, *, compression: int, lock_timeout: float) -> None:
        self._table = table
        self._folder = table.folder
        self._data = table.data
        self._pool = pool
        self._compression = compression
        self._lock_timeout = lock_timeout

    def write(self, rows: pa.Table) -> WriteReceipt:
        """Upsert rows that conform."""
        if rows.num_rows == 0:
            return WriteReceipt(self._data.name, self._table.version(), 0, None)
        with self._alone():
            version = self.upsert(rows)
        return WriteReceipt(self._data.name, version, rows.num_rows, span_of(self._data, rows))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with translated(self._folder, "create"):
            self._folder.mkdir(parents=True, exist_ok=True)
        with writing(self._folder / ".lock", self._lock_timeout):
            yield

    def upsert(self, rows: pa.Table) -> int:
        """Plan and commit until no rival came between, and return the version that holds the rows."""
        for _ in range(_COMMIT_ATTEMPTS):
            try:
                self._table.log.extend_schema()
                base = self._table.log.snapshot()
                plan = plan_upsert(self._data, rows, partial(self._table.open_in, base))
                return base.version if plan.changes_nothing else self._commit(base, plan, self._compression)
            except VersionConflict:
                continue
        raise VersionConflict(f"other machines committed to {self._folder} {_COMMIT_ATTEMPTS} times in a row")

    def _commit(self, base: Snapshot, plan: Plan, compression: int) -> int:
        """Store a plan's files and commit them; leave no file behind if that fails."""
        added = self._store_all(plan.added, compression)
        removed = [file.path.relative_to(self._folder).as_posix() for file in plan.removed]
        try:
            return self._table.log.commit(base, added, removed, plan.span)
        except OutcomeUnknown:
            raise  # the files may be live
        except BaseException:
            self._discard(added)
            raise

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
            (self._folder / file.path).unlink(missing_ok=True)

    def _store(self, period: str, rows: pa.Table, compression: int) -> NewFile:
        content, name = encode(self._data, rows.cast(parquet_schema(self._data)), compression)
        path = layout.relative_path(period, name)
        directory = (self._folder / path).parent
        if not directory.is_dir():
            with translated(directory, "create"):
                directory.mkdir(exist_ok=True)
            sync_directory(self._folder)
        store(self._folder / path, content)
        sync_directory(directory)
        return NewFile.describe(self._data, path, len(content), rows)

    def compact(self, cutoff: Callable[[], datetime]) -> CompactReceipt:
        """Rewrite each period into few large files, then forget what only versions older than the cutoff need.

        The cutoff is asked for after the rewriting: keeping no history must not keep what was just replaced.
        """
        if not self._folder.is_dir():
            return CompactReceipt(self._data.name, 0, 0, 0, 0)
        table = self._table
        with self._alone():
            before = (len(table.log.snapshot().paths), table.stored_bytes())
            for period, files in table.by_period(table.live(*layout.ALL_PERIODS)):
                if len(files) > 1 or not all(file.compacted for file in files):
                    self._rewrite(period, files)
            forget(table.log, cutoff())
            after = (len(table.log.snapshot().paths), table.stored_bytes())
        return CompactReceipt(self._data.name, before[0], after[0], before[1], after[1])

    def _rewrite(self, period: str, files: list[DataFile]) -> None:
        plan = Plan(removed=files)
        for slab in Selection.everything(self._data).slabs(files, MAX_FILE_ROWS):
            plan.added.append((period, self._table.rows(files, slab).cast(self._data.schema)))
        self._commit(self._table.log.snapshot(), plan, COMPACT_LEVEL)
