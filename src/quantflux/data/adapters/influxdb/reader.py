"""Asks InfluxQL and pages through reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import httpx
import pyarrow as pa

from quantflux.core.clock import SHANGHAI, Clock
from quantflux.core.errors import StoreError
from quantflux.data.adapters.influxdb import statements
from quantflux.data.adapters.influxdb.dialects import Dialect
from quantflux.data.adapters.influxdb.errors import NotThere, Refused
from quantflux.data.adapters.influxdb.paging import pages
from quantflux.data.adapters.influxdb.places import Places
from quantflux.data.adapters.influxdb.rows import as_rows, column_types
from quantflux.data.adapters.influxdb.statements import Page, Statement
from quantflux.data.adapters.influxdb.transport import Transport
from quantflux.data.contract import Query
from quantflux.data.schema import Dataset

Types = Mapping[str, pa.DataType]
_KEY_VALUE: Types = {"key": pa.string(), "value": pa.string()}


class Reader:
    """Reads rows and facts about them from one server."""

    def __init__(self, dialect: Dialect, transport: Transport, places: Places, clock: Clock) -> None:
        self._dialect = dialect
        self._transport = transport
        self._places = places
        self._clock = clock

    def ask(self, measurement: str, statement: Statement, types: Types) -> pa.Table:
        """Return the whole answer to a statement about a measurement.

        The table is empty if what is asked for does not exist yet.

        Raises
        ------
        InvalidRequest
            If the server has a limit that the question exceeds.
        StoreUnavailable, StoreCorrupt, AccessDenied, StoreError
            As the server answered, or did not.
        """
        request = self._dialect.ask(statement.text, statement.values, self._places.settings(measurement))
        empty = pa.schema(list(types.items())).empty_table()

        def receive(response: httpx.Response, chunks: Iterator[bytes]) -> list[pa.Table]:
            return list(self._dialect.decode(chunks, types))

        try:
            parts = self._transport.call(request, receive)
        except NotThere:
            return empty
        except Refused as exc:
            raise StoreError(f"InfluxDB did not accept {statement.text!r}: {exc.reason}") from exc
        return pa.concat_tables(parts) if parts else empty

    def pages(self, query: Query) -> Iterator[pa.Table]:
        """Yield the rows of a read a page at a time, in key order over all pages."""
        data = query.dataset
        today = self._clock.now().astimezone(SHANGHAI).date()
        known: Callable[[], list[str]] = partial(self.tag_values, data, "symbol")
        for page in pages(query, today, known, self._rows_a_key(data)):
            yield as_rows(query, self._page(query, page))

    def tag_values(self, data: Dataset, tag: str) -> list[str]:
        """Return the values of a tag, sorted."""
        answer = self.ask(data.name, statements.tag_values(self._places.source(data.name), tag), _KEY_VALUE)
        return sorted(set(answer.column("value").to_pylist()))

    def edge(self, data: Dataset, *, last: bool) -> int | None:
        """Return the time of the first or last row in nanoseconds, None if there are no rows."""
        statement = statements.edge(self._places.source(data.name), data, last=last)
        answer = self.ask(data.name, statement, {"time": pa.int64(), statements.marker(data): pa.string()})
        return int(answer.column("time")[0].as_py()) if answer.num_rows else None

    def _page(self, query: Query, page: Page) -> pa.Table:
        data, columns = query.dataset, query.value_columns
        statement = statements.select_rows(self._places.source(data.name), data, columns, page)
        return self.ask(data.name, statement, column_types(data, columns))

    def _rows_a_key(self, data: Dataset) -> int:
        rows = 1
        for tag in data.extra_keys:
            rows *= max(1, len(self.tag_values(data, tag)))
        return rows
