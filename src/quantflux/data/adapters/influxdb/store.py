"""`InfluxDBAdapter`: the truth store in InfluxDB 1.x, 2.x or 3.

What a write promises here
--------------------------
InfluxDB has no transactions. A table is sent in batches; the commit record (see `commits`) follows the last one.

* Each row is stored whole or not at all, and sending the same table again gives the same rows: upserts of equal
  points.
* A write that fails between batches leaves some rows visible and others not. The error then is `OutcomeUnknown`, with
  the number acknowledged, and the same table is to be sent again; `StoreUnavailable` means that no row was stored.
  Whenever rows may have become visible, a commit record is tried for them, so that caches look again. A process
  killed between its last batch and its commit leaves rows that caches learn of when the write is repeated.
* Rows that the server refuses one by one go to the dead-letter folder, all others are stored, and `PartialWrite`
  lists the refused.
* With a manifest, what was acknowledged is on record on this side before the write returns (see `manifest`), and
  `scrub` tells what the server has lost since.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import date

import httpx
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import Clock
from quantflux.core.errors import (
    AccessDenied,
    OutcomeUnknown,
    PartialWrite,
    RejectedRow,
    StoreError,
    StoreUnavailable,
)
from quantflux.data.adapters.influxdb.commits import MEASUREMENT, CommitLog
from quantflux.data.adapters.influxdb.deadletter import DeadLetters
from quantflux.data.adapters.influxdb.dialects import Dialect, Request
from quantflux.data.adapters.influxdb.errors import NotThere, Refused
from quantflux.data.adapters.influxdb.layout import day_at
from quantflux.data.adapters.influxdb.lineprotocol import Lines, encode
from quantflux.data.adapters.influxdb.manifest import Manifest
from quantflux.data.adapters.influxdb.places import Places
from quantflux.data.adapters.influxdb.reader import Reader
from quantflux.data.adapters.influxdb.scrub import scrub
from quantflux.data.adapters.influxdb.security import Finding, is_loopback, judge
from quantflux.data.adapters.influxdb.transport import Transport
from quantflux.data.adapters.influxdb.writer import BatchWriter, Progress
from quantflux.data.conform import conform
from quantflux.data.contract import Changes, Discrepancy, Query, Span, WriteReceipt, day_of
from quantflux.data.schema import Dataset, TimeKind

logger = logging.getLogger(__name__)


class InfluxDBAdapter:
    """A `MarketStore` in InfluxDB. Made by `open_store`; safe to use from many threads."""

    name = "influxdb"

    def __init__(
        self,
        *,
        clock: Clock,
        dialect: Dialect,
        transport: Transport,
        places: Places,
        dead_letters: DeadLetters,
        manifest: Manifest,
        batch_lines: int,
        batch_bytes: int,
    ) -> None:
        self._clock = clock
        self._dialect = dialect
        self._transport = transport
        self._places = places
        self._dead_letters = dead_letters
        self._manifest = manifest
        self._batch = (batch_lines, batch_bytes)
        self._reader = Reader(dialect, transport, places, clock)
        self._commits = CommitLog(places.source(MEASUREMENT), self._reader.ask)
        self._admitted = is_loopback(transport.url)

    def write(self, dataset: Dataset, table: pa.Table) -> WriteReceipt:
        """Upsert rows by the dataset's key. What is promised stands at the head of this module.

        Raises
        ------
        InvalidData
            If the rows break the schema; nothing was stored.
        PartialWrite
            If the server refused some of them; the others are stored.
        OutcomeUnknown, StoreUnavailable, StoreFull, AccessDenied
            If the server could not be reached, had no space or refused us.
        """
        rows = conform(dataset, table, self._clock)
        if rows.num_rows == 0:
            return WriteReceipt(dataset.name, self.version(dataset), 0, None)
        lines = encode(dataset, rows)
        span = _span_of(dataset, rows)
        self._admit()
        progress = Progress()
        with self._manifest.recording(dataset, rows) as confirm:
            try:
                self._writer(dataset.name).write(lines, progress)
                confirm([row for row, _ in progress.refused])
            except StoreError as exc:
                if progress.stored or isinstance(exc, OutcomeUnknown):
                    with suppress(StoreError):
                        self._commit(dataset, span, progress.stored)
                raise
        rejected = self._bury(dataset, table, rows, lines, progress)
        if progress.stored:
            self._commit(dataset, span, progress.stored)
        if rejected:
            raise PartialWrite(progress.stored, rejected)
        return WriteReceipt(dataset.name, self.version(dataset), progress.stored, span)

    def read(self, query: Query) -> pa.Table:
        """Return the rows asked for, sorted by key, in `query.schema`."""
        return pa.concat_tables([query.schema.empty_table(), *self._pages(query)]).combine_chunks()

    def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the same rows in batches, in key order; one page is held at a time."""
        for page in self._pages(query):
            yield from page.combine_chunks().to_batches(max_chunksize=batch_rows)

    def symbols(self, dataset: Dataset) -> list[str]:
        """Return the symbols that have rows, sorted."""
        self._admit()
        return self._reader.tag_values(dataset, "symbol")

    def span(self, dataset: Dataset) -> Span | None:
        """Return the first and last day with rows, or None."""
        self._admit()
        first, last = self._reader.edge(dataset, last=False), self._reader.edge(dataset, last=True)
        if first is None or last is None:
            return None
        return Span(day_at(dataset, first), day_at(dataset, last))

    def version(self, dataset: Dataset) -> int:
        """Return the number of commits of the dataset."""
        self._admit()
        return self._commits.version(dataset)

    def identity(self, dataset: Dataset) -> str:
        """Return when the dataset's first commit was stamped: a database made anew has another."""
        self._admit()
        return self._commits.first_commit(dataset)

    def changes(self, dataset: Dataset, since: int) -> Changes:
        """Return the days touched after version `since`, and by the commits of the minute before it."""
        self._admit()
        return self._commits.changes(dataset, since)

    def ping(self) -> str:
        """Return what answered, after checking that our credentials may read."""
        self._admit()
        reply: httpx.Headers = self._transport.call(
            Request("GET", "/ping"), lambda response, _: response.headers
        )
        self._commits.versions_readable()
        return (
            f"InfluxDB {reply.get('X-Influxdb-Version', 'of unknown version')} (dialect {self._dialect.name})"
        )

    def close(self) -> None:
        """Close all connections and files."""
        self._transport.close()
        self._manifest.close()

    def check_security(self) -> list[Finding]:
        """Ask the server what it would tell a stranger, and return what is wrong with that."""
        return judge(
            loopback=is_loopback(self._transport.url),
            encrypted=self._transport.url.startswith("https://"),
            anonymous_query=self._transport.answers_stranger("/query", {"q": "SHOW DATABASES"}),
            anonymous_metrics=self._transport.answers_stranger("/debug/vars", {}),
        )

    def scrub(
        self, dataset: Dataset, start: date | None = None, end: date | None = None, *, adopt: bool = False
    ) -> list[Discrepancy]:
        """Read days back (both inclusive; None is open) and return what is not as it was acknowledged.

        With `adopt`, rows that are not on record, such as those of a database older than its manifest, are put there.

        Raises
        ------
        Unsupported
            If the store was opened without a manifest.
        """
        query = Query(dataset, None, start and day_of(start), end and day_of(end))
        return scrub(self._manifest, query, self.symbols(dataset), self._pages, adopt=adopt)

    def _admit(self) -> None:
        """Refuse, before the first use, a server on the network that asks nobody for credentials."""
        if self._admitted:
            return
        fatal = [finding for finding in self.check_security() if finding.fatal]
        if fatal:
            raise AccessDenied(f"{self._transport.url}: {fatal[0].problem}; {fatal[0].remedy}")
        self._admitted = True

    def _pages(self, query: Query) -> Iterator[pa.Table]:
        self._admit()
        return self._reader.pages(query)

    def _writer(self, measurement: str) -> BatchWriter:
        return BatchWriter(lambda body: self._send(measurement, body), *self._batch)

    def _send(self, measurement: str, body: bytes) -> None:
        """Send one batch to a measurement's place, making the place where it is missing."""
        self._places.make(measurement)
        request = self._dialect.write.fill(self._places.settings(measurement), body)
        try:
            self._transport.change(request)
        except NotThere:
            self._places.forget()
            self._places.make(measurement)
            try:
                self._transport.change(request)
            except NotThere as exc:
                raise AccessDenied(
                    f"{exc}; these credentials may not make what is missing: let an administrator make it"
                ) from exc

    def _commit(self, dataset: Dataset, span: Span, rows: int) -> None:
        line = self._commits.line(dataset, span, rows)
        try:
            self._send(MEASUREMENT, line)
        except (StoreUnavailable, OutcomeUnknown, Refused, AccessDenied) as exc:
            raise OutcomeUnknown(
                f"{rows} rows of {dataset.name} were stored, but not the record of it ({exc}); send them again"
            ) from exc

    def _bury(
        self, dataset: Dataset, given: pa.Table, rows: pa.Table, lines: Lines, progress: Progress
    ) -> list[RejectedRow]:
        """Put refused rows into the dead-letter file and return them with their places in the table as given."""
        if not progress.refused:
            return []
        places = pc.sort_indices(given, [(name, "ascending") for name in dataset.key])
        rejected = [
            RejectedRow(places[row].as_py(), ", ".join(str(rows.column(n)[row]) for n in dataset.key), reason)
            for row, reason in progress.refused
        ]
        self._dead_letters.add(
            dataset.name, rejected, [bytes(lines.body(r, r + 1)) for r, _ in progress.refused]
        )
        logger.warning("%s: InfluxDB refused %d of %d rows", dataset.name, len(rejected), len(lines))
        return rejected


def _span_of(dataset: Dataset, rows: pa.Table) -> Span:
    extremes = pc.min_max(rows.column(dataset.time)).as_py()
    first, last = extremes["min"], extremes["max"]
    return Span(first, last) if dataset.kind is TimeKind.DAY else Span(day_of(first), day_of(last))
