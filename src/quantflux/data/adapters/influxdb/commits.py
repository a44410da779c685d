"""The commit log: one point for every write, from which versions and changes are read.

The point says which days a write touched and stands in a measurement of its own, tagged with the dataset. It is sent
after the last batch was acknowledged, and *without a time*: the server stamps it when it arrives. So

* the version is the number of points of the dataset, which no late or concurrent writer can lower;
* a reader that counted N and later counts M > N finds the news among the points from the N-th on, or shortly before
  it: the server stamps a point a moment before it can be read. `LATENESS_NS` before the N-th is therefore read again.

A commit sent twice because its reply was lost is counted twice: readers look once more than needed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa

from quantflux.core.errors import InvalidRequest
from quantflux.data.adapters.influxdb.statements import Statement
from quantflux.data.contract import Changes, Span
from quantflux.data.schema import Dataset

MEASUREMENT = "quantflux_commits"
LATENESS_NS = 60_000_000_000
"""How long a stamped commit may take to become readable, and the server's clock may step back: one minute."""

_TYPES = {"time": pa.int64(), "first": pa.date32(), "last": pa.date32(), "rows": pa.int64()}


class Asks(Protocol):
    """What the log reads through: `Reader.ask`."""

    def __call__(self, measurement: str, statement: Statement, types: Mapping[str, pa.DataType]) -> pa.Table:
        """Return the whole answer to a statement, in these types; no rows if there is nothing."""


class CommitLog:
    """Reads the commits of datasets and makes the lines of new ones."""

    def __init__(self, source: str, ask: Asks) -> None:
        self._source = source
        self._ask = ask
        # Two writers that commit in the same nanosecond must differ in a tag; 256 values keep the series few.
        self._writer = secrets.token_hex(1)

    def line(self, data: Dataset, span: Span, rows: int) -> bytes:
        """Return the line of a commit, without a time."""
        tags = f"{MEASUREMENT},dataset={data.name},writer={self._writer}"
        return f'{tags} first="{span.first}",last="{span.last}",rows={rows}i\n'.encode()

    def version(self, data: Dataset) -> int:
        """Return how many commits the dataset has."""
        answer = self._select('count("rows")', "", data, {"count": pa.int64()})
        return int(answer.column("count")[0].as_py()) if answer.num_rows else 0

    def first_commit(self, data: Dataset) -> str:
        """Return when the server stamped the dataset's first commit, or nothing before it."""
        answer = self._select('"rows"', " LIMIT 1", data, _TYPES)
        return str(answer.column("time")[0].as_py()) if answer.num_rows else ""

    def versions_readable(self) -> None:
        """Ask any version, for the errors that this may raise."""
        self._ask(MEASUREMENT, Statement(f'SELECT count("rows") FROM {self._source}'), {"count": pa.int64()})  # noqa: S608

    def changes(self, data: Dataset, since: int) -> Changes:
        """Return the days touched by commits after the first `since`, and by a few before."""
        version = self.version(data)
        if not 0 <= since <= version:
            raise InvalidRequest(f"{data.name} has the versions 0 to {version}, not {since}")
        if since == version:
            return Changes(version)
        lateness, values = "", {}
        if since > 0:
            seen = self._select('"rows"', f" LIMIT 1 OFFSET {since - 1:d}", data, _TYPES)
            lateness = " AND time >= $from"
            values = {"from": int(seen.column("time")[0].as_py()) - LATENESS_NS}
        news = self._select('"first", "last"', "", data, _TYPES, lateness, values)
        spans = zip(news.column("first").to_pylist(), news.column("last").to_pylist(), strict=True)
        return Changes(version, merged([Span(first, last) for first, last in spans]))

    def _select(
        self,
        what: str,
        tail: str,
        data: Dataset,
        types: Mapping[str, pa.DataType],
        condition: str = "",
        values: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        text = f'SELECT {what} FROM {self._source} WHERE "dataset" = $dataset{condition}{tail}'  # noqa: S608
        return self._ask(MEASUREMENT, Statement(text, {"dataset": data.name, **(values or {})}), types)


def merged(spans: list[Span]) -> tuple[Span, ...]:
    """Return spans in order, those that share or adjoin days made one.

    Examples
    --------
    >>> from datetime import date
    >>> merged([Span(date(2024, 1, 5), date(2024, 1, 9)), Span(date(2024, 1, 1), date(2024, 1, 4))])
    (Span(first=datetime.date(2024, 1, 1), last=datetime.date(2024, 1, 9)),)
    """
    result: list[Span] = []
    for span in sorted(spans, key=lambda s: s.first):
        if result and span.first.toordinal() <= result[-1].last.toordinal() + 1:
            result[-1] = result[-1] | span
        else:
            result.append(span)
    return tuple(result)
