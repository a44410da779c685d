"""The adapter: v1's MySQL or MariaDB database as a truth store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, StoreError, UnknownDataset
from quantflux.data.adapters.mysql import catalog, keys, versions
from quantflux.data.adapters.mysql.adjustment import with_factors
from quantflux.data.adapters.mysql.connection import Connection, Pool, Server
from quantflux.data.adapters.mysql.daily import ADJUSTMENT_JOIN, ADJUSTMENT_WIRES, KNOWN, write_daily
from quantflux.data.adapters.mysql.ddl import BYTEWISE, create_day_index, create_table
from quantflux.data.adapters.mysql.instruments import with_identity, write_instruments
from quantflux.data.adapters.mysql.layout import Layout, read_layout
from quantflux.data.adapters.mysql.literals import Rounding
from quantflux.data.adapters.mysql.minutes import write_numbered
from quantflux.data.adapters.mysql.read import Reading, in_order, read_batches
from quantflux.data.adapters.mysql.tables import ADJUSTMENTS, DAILY, INSTRUMENTS, MINUTE, Table, tables
from quantflux.data.adapters.mysql.transactions import transact
from quantflux.data.adapters.mysql.write import Batch, Literal, encoded, upsert
from quantflux.data.conform import conform
from quantflux.data.contract import Changes, Query, Span, WriteReceipt, day_of
from quantflux.data.schema import Dataset

Writer = Callable[[Connection, Batch, dict[str, Literal]], int]

_READ_ROWS = 1 << 18
_SYMBOLS_AT_ONCE = 200  # bars held in memory while their factors are put together: about 1.5 million


def _write_plain(connection: Connection, batch: Batch, columns: dict[str, Literal]) -> int:
    return upsert(connection, batch.table.name, columns, keep=("created_at",))


_WRITERS: dict[str, Writer] = {
    DAILY.name: write_daily,
    MINUTE.name: write_numbered,
    INSTRUMENTS.name: write_instruments,
}
"""How a table's rows are written where a plain upsert does not do."""


class MySQLAdapter:
    """Reads and writes v1's tables, in canonical units.

    Parameters
    ----------
    server : Server
    clock : Clock
    rounding : {"refuse", "v1"}
        What to do with a value that a column would change: refuse the write, or store what v1's loader would have.
    minute_table : {"stock_minute_data", "stock_1min_history"}
        Where one-minute bars are.
    scale : {2, 4}
        Decimals of prices in a daily table that this store has to make. An existing one is used as it is.
    """

    name = "mysql"

    def __init__(
        self,
        server: Server,
        clock: Clock,
        rounding: Rounding = "refuse",
        minute_table: str = MINUTE.name,
        scale: int = 2,
    ) -> None:
        if rounding not in get_args(Rounding):
            raise InvalidRequest(f"rounding must be one of {', '.join(get_args(Rounding))}, was {rounding!r}")
        self._pool = Pool(server)
        self._clock = clock
        self._rounding: Rounding = rounding
        self._tables = tables(minute_table)
        self._scale = scale
        self._layouts: dict[str, Layout] = {}

    def write(self, dataset: Dataset, table: pa.Table) -> WriteReceipt:
        """Upsert rows by the dataset's key, atomically and idempotently.

        Raises
        ------
        InvalidData
            If the rows break the schema, or a column would change a value and rounding is "refuse".
        Unsupported
            If v1's table would take two of the keys for one.
        OutcomeUnknown
            If the reply to COMMIT was lost and the server cannot be asked. Send the identical table again.
        """
        where = self._table(dataset)
        rows = conform(dataset, table, self._clock)
        if not rows.num_rows:
            return WriteReceipt(dataset.name, self.version(dataset), 0, None)
        doing = f"writing {rows.num_rows} rows to {where.name}"
        layout = self._made(where, doing)
        batch = Batch(dataset, rows, where, layout, self._rounding, _place_in(dataset, table))
        columns = encoded(batch)
        days = pc.min_max(rows.column(dataset.time)).as_py()
        span = Span(day_of(days["min"]), day_of(days["max"]))
        identity = uuid.uuid4().hex

        def work(connection: Connection) -> WriteReceipt:
            version = versions.lock(connection, dataset.name, where.name)
            keys.refuse_confusable(connection, batch)
            keys.refuse_narrowed(connection, batch)
            if _WRITERS.get(where.name, _write_plain)(connection, batch, columns):
                version += 1
                versions.record(connection, dataset.name, version, span, rows.num_rows, identity)
            return WriteReceipt(dataset.name, version, rows.num_rows, span)

        def settle(connection: Connection) -> WriteReceipt | None:
            versions.lock(connection, dataset.name, where.name)
            version = versions.committed(connection, identity)
            return None if version is None else WriteReceipt(dataset.name, version, rows.num_rows, span)

        return transact(self._pool, doing, work, settle)

    def read(self, query: Query) -> pa.Table:
        """Return the rows asked for, sorted by key, in `query.schema`."""
        pieces = list(self._pieces(query, _READ_ROWS))
        if not pieces:
            return query.schema.empty_table()
        return in_order(pa.concat_tables(pieces), query.dataset) if len(pieces) > 1 else pieces[0]

    def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the same rows in batches, each sorted by key; minute bars and factor values come year by year."""
        for piece in self._pieces(query, batch_rows):
            yield from piece.combine_chunks().to_batches(max_chunksize=batch_rows)

    def symbols(self, dataset: Dataset) -> list[str]:
        """Return the symbols that have rows, sorted."""
        with self._session(f"listing the symbols of {dataset.name}") as connection:
            table = self._table(dataset)
            return (
                [] if self._layout(connection, table.name) is None else catalog.symbols_of(connection, table)
            )

    def span(self, dataset: Dataset) -> Span | None:
        """Return the first and last day with rows, or None."""
        with self._session(f"reading the span of {dataset.name}") as connection:
            return self._span(connection, self._table(dataset))

    def version(self, dataset: Dataset) -> int:
        """Return the dataset's version; see `versions.py` for what it means where only v1 writes."""
        with self._session(f"reading the version of {dataset.name}") as connection:
            return versions.current(connection, dataset.name, self._table(dataset).name)

    def identity(self, dataset: Dataset) -> str:
        """Return a name that a dataset of another database in the same place has not; empty before the first write."""
        with self._session(f"reading the identity of {dataset.name}") as connection:
            return versions.identity(connection, dataset.name)

    def changes(self, dataset: Dataset, since: int) -> Changes:
        """Return what changed after version `since`."""
        table = self._table(dataset)
        with self._session(f"reading the changes of {dataset.name}") as connection:
            return versions.changes(
                connection, dataset.name, table.name, since, lambda: self._span(connection, table)
            )

    def announce(self, dataset: Dataset, span: Span | None = None) -> int:
        """Raise the dataset's version because something else wrote to its table; return the new version.

        Parameters
        ----------
        span : Span or None
            The days written; None means any.
        """
        table = self._table(dataset)
        doing = f"announcing a change of {table.name}"
        self._made(table, doing)
        identity = uuid.uuid4().hex

        def work(connection: Connection) -> int:
            version = versions.lock(connection, dataset.name, table.name)
            touched = span or self._span(connection, table)
            if touched is not None:
                version += 1
                versions.record(connection, dataset.name, version, touched, 0, identity)
            return version

        return transact(self._pool, doing, work, lambda connection: versions.committed(connection, identity))

    def add_day_index(self, dataset: Dataset) -> None:
        """Add the index by day that v1's daily tables lack. It takes disk and time; nothing does this unasked."""
        table = self._table(dataset)
        with self._session(f"adding an index to {table.name}") as connection:
            connection.run(create_day_index(table.name, table.time))

    def ping(self) -> str:
        """Return the server's product and version."""
        with self._session("asking for the version") as connection:
            return f"{connection.product} {connection.version}"

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    @contextmanager
    def _session(self, doing: str) -> Iterator[Connection]:
        with self._pool.connection(doing) as connection:
            yield connection

    def _table(self, dataset: Dataset) -> Table:
        if dataset.name not in self._tables:
            raise UnknownDataset(dataset.name, list(self._tables))
        return self._tables[dataset.name]

    def _layout(self, connection: Connection, table: str) -> Layout | None:
        if table not in self._layouts:
            found = read_layout(connection, table)
            if found is None:
                return None
            self._layouts[table] = found
        return self._layouts[table]

    def _made(self, table: Table, doing: str) -> Layout:
        """Return the table's layout after making it, and our own tables, where they are missing."""
        with self._session(doing) as connection:
            if self._layout(connection, ADJUSTMENTS) is None:
                versions.create_if_missing(connection)
            layout = self._layout(connection, table.name)
            if layout is None:
                connection.run(
                    create_table(table.name, scale=self._scale, collation=BYTEWISE[connection.product])
                )
                layout = self._layout(connection, table.name)
        if layout is None:
            raise StoreError(f"MySQL: {doing}: table {table.name} is not there after making it")
        return layout

    def _span(self, connection: Connection, table: Table) -> Span | None:
        return None if self._layout(connection, table.name) is None else catalog.span_of(connection, table)

    def _pieces(self, query: Query, batch_rows: int) -> Iterator[pa.Table]:
        """Yield tables in `query.schema`, all from one snapshot of the database."""
        table = self._table(query.dataset)
        with self._session(f"reading {table.name}") as connection:
            layout = self._layout(connection, table.name)
            if layout is None:
                return
            connection.begin_snapshot()
            if table is DAILY and "adj_factor" in query.value_columns:
                yield from self._with_factors(connection, Reading(query, table, layout))
            else:
                with closing(read_batches(connection, Reading(query, table, layout), batch_rows)) as batches:
                    for rows in batches:
                        complete = with_identity(rows) if table is INSTRUMENTS else rows
                        yield complete.select(query.schema.names).cast(query.schema)
            connection.rollback()

    def _with_factors(self, connection: Connection, reading: Reading) -> Iterator[pa.Table]:
        """Yield daily bars with their adjustment factors, by some hundred symbols.

        What the factors need is asked for on the same connection, once the bars have arrived.
        """
        query = reading.query
        anchored = self._layout(connection, ADJUSTMENTS) is not None
        if anchored:
            reading = replace(reading, extra=ADJUSTMENT_WIRES, join=ADJUSTMENT_JOIN)
        for wanted in [query.symbols] if reading.keyed else self._portions(connection, query):
            part = replace(reading, query=replace(query, symbols=wanted))
            pieces = list(read_batches(connection, part, _READ_ROWS))
            if not pieces:
                continue
            rows = in_order(pa.concat_tables(pieces), query.dataset)
            if not anchored:
                rows = rows.append_column("adj_factor", pa.nulls(rows.num_rows, pa.float64()))
                rows = rows.append_column(KNOWN, pa.array(np.zeros(rows.num_rows, dtype=bool)))
            rows = with_factors(connection, rows, anchored=anchored)
            yield rows.select(query.schema.names).cast(query.schema)

    def _portions(self, connection: Connection, query: Query) -> Iterator[tuple[str, ...]]:
        known = catalog.symbols_of(connection, DAILY)
        wanted = known if query.symbols is None else sorted(set(query.symbols))
        for start in range(0, len(wanted), _SYMBOLS_AT_ONCE):
            yield tuple(wanted[start : start + _SYMBOLS_AT_ONCE])


def _place_in(data: Dataset, given: pa.Table) -> Callable[[int], int]:
    """Return what maps a row of the conformed table, which is sorted, to its place in the table as given."""

    def place(row: int) -> int:
        order = pc.sort_indices(given.select(data.key), [(name, "ascending") for name in data.key])
        return int(order[row].as_py())

    return place
