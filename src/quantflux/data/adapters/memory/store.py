"""Arrow tables in memory. A write makes a new table; readers keep the one they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from uuid import uuid4

import pyarrow as pa

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest
from quantflux.data.conform import conform
from quantflux.data.contract import AsOf, Changes, Query, Span, WriteReceipt
from quantflux.data.rows import select, span_of, upsert
from quantflux.data.schema import Dataset


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a dataset: its number, since when, which days its write changed, and all rows."""

    number: int
    at: datetime
    changed: Span | None
    rows: pa.Table


class MemoryStore:
    """A `MarketStore` in RAM, safe to use from several threads, which can also read as of earlier versions."""

    name = "memory"

    def __init__(self, clock: Clock, *, keep_versions: int = 100) -> None:
        if keep_versions < 1:
            raise InvalidRequest(f"keep_versions must be at least 1, was {keep_versions}")
        self._clock = clock
        self._keep = keep_versions
        self._history: dict[Dataset, tuple[Version, ...]] = {}
        self._guard = Lock()
        self._identity = uuid4().hex

    def _versions(self, dataset: Dataset) -> tuple[Version, ...]:
        """Return the kept versions, oldest first; a dataset begins with an empty version 0."""
        found = self._history.get(dataset)
        if found is not None:
            return found
        beginning = datetime.min.replace(tzinfo=UTC)
        return (Version(0, beginning, None, dataset.schema.empty_table()),)

    def write(self, dataset: Dataset, table: pa.Table) -> WriteReceipt:
        """Upsert rows by key. Rows that are stored already, bit for bit, make no new version."""
        rows = conform(dataset, table, self._clock)
        span = span_of(dataset, rows)
        with self._guard:
            versions = self._versions(dataset)
            newest = versions[-1]
            merged = upsert(dataset, newest.rows, rows)
            if not merged.equals(newest.rows):
                newest = Version(newest.number + 1, self._clock.now(), span, merged)
                self._history[dataset] = (*versions, newest)[-self._keep :]
        return WriteReceipt(dataset.name, newest.number, rows.num_rows, span)

    def read(self, query: Query) -> pa.Table:
        """Return the rows asked for, sorted by key."""
        return select(self._versions(query.dataset)[-1].rows, query)

    def read_as_of(self, query: Query, as_of: AsOf) -> pa.Table:
        """Return the rows as they stood at a version or instant."""
        versions = self._versions(query.dataset)
        if isinstance(as_of, datetime):
            if as_of.tzinfo is None:
                raise InvalidRequest(f"as_of needs an aware instant, was {as_of.isoformat()} without a zone")
            found = [v for v in versions if v.at <= as_of][-1:]
        else:
            found = [v for v in versions if v.number == as_of]
        if not found:
            kept = f"{versions[0].number} .. {versions[-1].number}"
            raise InvalidRequest(f"{query.dataset.name} keeps the versions {kept}, was asked for {as_of}")
        return select(found[0].rows, query)

    def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the same rows in batches."""
        yield from self.read(query).to_batches(max_chunksize=batch_rows)

    def symbols(self, dataset: Dataset) -> list[str]:
        """Return the symbols that have rows, sorted."""
        found: list[str] = self._versions(dataset)[-1].rows.column("symbol").unique().to_pylist()
        return sorted(found)

    def span(self, dataset: Dataset) -> Span | None:
        """Return the first and last day with rows."""
        return span_of(dataset, self._versions(dataset)[-1].rows)

    def version(self, dataset: Dataset) -> int:
        """Return how many writes changed the dataset."""
        return self._versions(dataset)[-1].number

    def identity(self, dataset: Dataset) -> str:
        """Return a name of this store alone: another process's versions say nothing about ours."""
        return self._identity

    def changes(self, dataset: Dataset, since: int) -> Changes:
        """Return the days that writes after `since` changed; the whole span if some are forgotten."""
        versions = self._versions(dataset)
        newest = versions[-1]
        if not 0 <= since <= newest.number:
            raise InvalidRequest(
                f"{dataset.name} has versions 0 .. {newest.number}, was asked for changes since {since}"
            )
        if since < versions[0].number:
            span = span_of(dataset, newest.rows)
            return Changes(newest.number, () if span is None else (span,))
        return Changes(newest.number, tuple(v.changed for v in versions if v.number > since and v.changed))

    def ping(self) -> str:
        """Return what this store is."""
        return "memory of this process"

    def close(self) -> None:
        """Forget everything."""
        with self._guard:
            self._history.clear()
