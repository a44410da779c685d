"""Versions of a dataset: counted in our own small tables by our writers, guessed for v1's.

Our writers take the dataset's row in `quantflux_versions` under a lock first and raise it last, in the transaction
that holds the rows. So versions are committed in order, and a writer that lost the reply to its COMMIT learns the
outcome by waiting for that lock and looking for its batch.

A dataset that only v1 ever wrote has no such row. Its version is then the second of the table's last change as the
server remembers it (`information_schema`), 0 while it is empty. That is honest but coarse: two changes within one
second look like one, and a restarted server remembers only when the table was made, which reads as a change. Once we
have written, v1's writes beside ours go unseen until `announce` is called.
"""

# ruff: noqa: S608  (statements are composed of our own identifiers only; values travel as parameters or literals)

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pymysql

from quantflux.core.errors import InvalidRequest
from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.ddl import BYTEWISE, COMMITS, VERSIONS, create_own_tables, quoted
from quantflux.data.adapters.mysql.errors import MISSING_TABLE, number_of
from quantflux.data.contract import Changes, Span

_OWN = f"SELECT version FROM {VERSIONS} WHERE dataset = %s"
_LOCK = f"INSERT INTO {VERSIONS} (dataset, version) VALUES (%s, %s) ON DUPLICATE KEY UPDATE version = version"
_RAISE = f"UPDATE {VERSIONS} SET version = %s WHERE dataset = %s"
_RECORD = (
    f"INSERT INTO {COMMITS} (dataset, version, first_day, last_day, row_count, batch, committed_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6))"
)
_FIND = f"SELECT version FROM {COMMITS} WHERE batch = %s"
_FIRST = f"SELECT batch FROM {COMMITS} WHERE dataset = %s ORDER BY version LIMIT 1"
_OLDEST = f"SELECT MIN(version) FROM {COMMITS} WHERE dataset = %s"
_SINCE = (
    f"SELECT first_day, last_day FROM {COMMITS} WHERE dataset = %s AND version > %s AND version <= %s"
    " ORDER BY first_day, last_day"
)
_CHANGED = (
    "SELECT UNIX_TIMESTAMP(COALESCE(update_time, create_time)) FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = %s"
)


def create_if_missing(connection: Connection) -> None:
    """Make our own tables; a session of its own, because DDL commits."""
    found = connection.rows("SHOW TABLES LIKE 'quantflux\\_%%'", ())
    if len(found) < len(create_own_tables("")):
        for statement in create_own_tables(BYTEWISE[connection.product]):
            connection.run(statement)


def current(connection: Connection, dataset: str, table: str) -> int:
    """Return a dataset's version; 0 if there are no rows."""
    own = _own(connection, dataset)
    return foreign(connection, table) if own is None else own


def identity(connection: Connection, dataset: str) -> str:
    """Return the name of the first of our writes that is remembered; empty while there is none."""
    if _own(connection, dataset) is None:
        return ""
    found = connection.rows(_FIRST, (dataset,))
    return str(found[0][0].decode()) if found else ""


def foreign(connection: Connection, table: str) -> int:
    """Return the version of a table that only others write."""
    if connection.product == "mysql":  # MySQL 8 otherwise answers with yesterday's
        connection.run("SET SESSION information_schema_stats_expiry = 0")
    changed = connection.rows(_CHANGED, (table,))
    if not changed or changed[0][0] is None or not connection.rows(f"SELECT 1 FROM {quoted(table)} LIMIT 1"):
        return 0
    return int(float(changed[0][0]))


def lock(connection: Connection, dataset: str, table: str) -> int:
    """Wait for our turn among the dataset's writers; return its version. Needs an open transaction."""
    known = _own(connection, dataset)
    connection.run(_LOCK, (dataset, foreign(connection, table) if known is None else known))
    # A locking read sees the latest commit, where a plain one would see this transaction's snapshot.
    [(version,)] = connection.rows(_OWN + " FOR UPDATE", (dataset,))
    return int(version)


def record(connection: Connection, dataset: str, version: int, span: Span, rows: int, batch: str) -> None:
    """Note a write as the dataset's new version, inside its transaction."""
    connection.run(_RAISE, (version, dataset))
    connection.run(_RECORD, (dataset, version, span.first, span.last, rows, batch))


def committed(connection: Connection, batch: str) -> int | None:
    """Return the version that a batch became, or None if it never did."""
    found = connection.rows(_FIND + " FOR UPDATE", (batch,))
    return int(found[0][0]) if found and found[0][0] is not None else None


def changes(
    connection: Connection, dataset: str, table: str, since: int, whole: Callable[[], Span | None]
) -> Changes:
    """Return what changed after `since`; the span that `whole` finds when that cannot be told."""
    own = _own(connection, dataset)
    version = foreign(connection, table) if own is None else own
    if since < 0 or (own is not None and since > own):
        raise InvalidRequest(f"{dataset} has had versions 0 to {version}; version {since} never was")
    if since == version:
        return Changes(version)
    [(oldest,)] = [(None,)] if own is None else connection.rows(_OLDEST, (dataset,))
    if oldest is None or since < int(oldest) - 1:
        span = whole()
        return Changes(version, () if span is None else (span,))
    found = connection.rows(_SINCE, (dataset, since, version))
    return Changes(version, merged([Span(_day(first), _day(last)) for first, last in found]))


def merged(spans: list[Span]) -> tuple[Span, ...]:
    """Join spans that overlap. They come sorted by their first day.

    Examples
    --------
    >>> day = lambda d: date(2024, 1, d)
    >>> [(s.first.day, s.last.day) for s in merged([Span(day(1), day(5)), Span(day(3), day(4)), Span(day(8), day(9))])]
    [(1, 5), (8, 9)]
    """
    result: list[Span] = []
    for span in spans:
        if result and result[-1].overlaps(span):
            result[-1] |= span
        else:
            result.append(span)
    return tuple(result)


def _own(connection: Connection, dataset: str) -> int | None:
    try:
        found = connection.rows(_OWN, (dataset,))
    except pymysql.ProgrammingError as error:
        if number_of(error) != MISSING_TABLE:
            raise
        return None
    return int(found[0][0]) if found and found[0][0] is not None else None


def _day(text: bytes) -> date:
    return date.fromisoformat(text.decode())
