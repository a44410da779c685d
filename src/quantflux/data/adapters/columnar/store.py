"""The embedded store: one Delta Lake table per dataset under a root folder. No server, any number of processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.metadata import version as installed_version
from pathlib import Path
from threading import Lock

import pyarrow as pa

from quantflux.core.clock import Clock
from quantflux.core.errors import AccessDenied, StoreUnavailable
from quantflux.data.adapters.columnar.table import DatasetTable
from quantflux.data.adapters.columnar.writer import DatasetWriter
from quantflux.data.aggregates import check
from quantflux.data.conform import conform
from quantflux.data.contract import (
    Aggregation,
    AsOf,
    Changes,
    CompactReceipt,
    Query,
    Span,
    WriteReceipt,
)
from quantflux.data.schema import Dataset


class ColumnarStore:
    """A `MarketStore` on local files that also aggregates, reads as of earlier versions and compacts.

    Parameters
    ----------
    path : Path
        Root folder; made at the first write.
    clock : Clock
    compression : int
        zstd level of appended files, 1 to 22. Compaction uses a higher one.
    lock_timeout : float
        Seconds that a write waits for another writer of the same dataset before it raises `VersionConflict`.
    """

    name = "columnar"

    def __init__(self, path: Path, clock: Clock, *, compression: int = 3, lock_timeout: float = 60.0) -> None:
        self.root = path
        self._clock = clock
        self._compression = compression
        self._lock_timeout = lock_timeout
        self._tables: dict[Dataset, DatasetTable] = {}
        self._guard = Lock()
        self._pool = ThreadPoolExecutor(
            max_workers=min(8, os.cpu_count() or 1), thread_name_prefix="columnar"
        )

    def _table(self, dataset: Dataset) -> DatasetTable:
        with self._guard:
            if dataset not in self._tables:
                self._tables[dataset] = DatasetTable(self.root, dataset, self._clock, self._pool)
            return self._tables[dataset]

    def _writer(self, dataset: Dataset) -> DatasetWriter:
        return DatasetWriter(
            self._table(dataset), self._pool, compression=self._compression, lock_timeout=self._lock_timeout
        )

    def write(self, dataset: Dataset, table: pa.Table) -> WriteReceipt:
        """Upsert rows by key in one Delta commit, waiting for other writers of the dataset."""
        return self._writer(dataset).write(conform(dataset, table, self._clock))

    def read(self, query: Query) -> pa.Table:
        """Return the rows asked for, sorted by key."""
        return self._table(query.dataset).read(query)

    def read_as_of(self, query: Query, as_of: AsOf) -> pa.Table:
        """Return the rows as they stood at a version, or at an instant by this store's clock."""
        return self._table(query.dataset).read(query, as_of)

    def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches: by year or month first, within it by key. All come from one version."""
        return self._table(query.dataset).iter_batches(query, batch_rows)

    def aggregate(self, query: Query, aggregation: Aggregation) -> pa.Table:
        """Return the aggregation of the rows that `query` selects."""
        check(query.dataset, aggregation)
        return self._table(query.dataset).aggregate(query, aggregation)

    def symbols(self, dataset: Dataset) -> list[str]:
        """Return the symbols that have rows, sorted."""
        return self._table(dataset).symbols()

    def span(self, dataset: Dataset) -> Span | None:
        """Return the first and last day with rows."""
        return self._table(dataset).span()

    def version(self, dataset: Dataset) -> int:
        """Return the Delta version: 0 before the first write."""
        return self._table(dataset).version()

    def identity(self, dataset: Dataset) -> str:
        """Return the id that Delta gave the table when it was made; empty before the first write."""
        return self._table(dataset).log.identity()

    def changes(self, dataset: Dataset, since: int) -> Changes:
        """Return the days that commits after `since` named; the whole span if some of them are forgotten."""
        return self._table(dataset).changes(since)

    def compact(self, dataset: Dataset, *, keep_history: timedelta) -> CompactReceipt:
        """Rewrite each period into few large files and forget what only older versions need."""
        return self._writer(dataset).compact(lambda: self._clock.now() - keep_history)

    def stored_bytes(self, dataset: Dataset) -> int:
        """Return bytes on disk: live and historic files, and the log."""
        return self._table(dataset).stored_bytes()

    def ping(self) -> str:
        """Return what this store is and where."""
        nearest = next(p for p in (self.root, *self.root.absolute().parents) if p.exists())
        if not nearest.is_dir():
            raise StoreUnavailable(
                f"the columnar store needs a folder at {self.root}, but {nearest} is a file"
            )
        if not os.access(nearest, os.R_OK | os.X_OK):
            raise AccessDenied(f"no right to read {nearest}")
        return f"Delta Lake files (deltalake {installed_version('deltalake')}) in {self.root}"

    def close(self) -> None:
        """Release files and threads."""
        with self._guard:
            self._tables.clear()
        self._pool.shutdown()
