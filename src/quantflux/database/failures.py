"""What a database's own errors mean to a caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from quantflux.core.errors import (
    AccessDenied,
    OutcomeUnknown,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from quantflux.database.deadlocks import Deadlock

_LOST = "another transaction and this one waited for each other"
_SQLITE: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_FULL: (StoreFull, "the disk is full"),
    sqlite3.SQLITE_CORRUPT: (StoreCorrupt, "its file is damaged"),
    sqlite3.SQLITE_NOTADB: (StoreCorrupt, "its file is no SQLite database"),
    sqlite3.SQLITE_BUSY: (StoreUnavailable, "another process held its lock for too long"),
    sqlite3.SQLITE_READONLY: (StoreUnavailable, "its file is read-only"),
    sqlite3.SQLITE_CANTOPEN: (StoreUnavailable, "its file cannot be opened"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "its file cannot be read or written"),
}
_MYSQL: dict[int, tuple[type[StoreError], str]] = {
    **dict.fromkeys((1021, 1114), (StoreFull, "the server's disk is full")),
    **dict.fromkeys((1044, 1045, 1142, 1227), (AccessDenied, "the server refused the user or its rights")),
    **dict.fromkeys((1034, 1035, 1712), (StoreCorrupt, "the server found a damaged table")),
    1205: (StoreUnavailable, "another transaction held a lock for too long"),
    # A deadlock in a nested block ends its savepoint as well, and that is what is then complained of.
    **dict.fromkeys((1213, 1305), (Deadlock, _LOST)),
    1040: (StoreUnavailable, "the server has too many connections"),
    1049: (StoreUnavailable, "the server has no database of that name"),
}
_POSTGRESQL: dict[str, tuple[type[StoreError], str]] = {
    "53100": (StoreFull, "the server's disk is full"),
    "28000": (AccessDenied, "the server refused the user"),
    "28P01": (AccessDenied, "the server refused the user"),
    "42501": (AccessDenied, "the server refused the user's rights"),
    "40P01": (Deadlock, _LOST),
    "XX001": (StoreCorrupt, "the server found damaged data"),
    "XX002": (StoreCorrupt, "the server found a damaged index"),
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise the house's errors for a database's; broken constraints and wrong statements pass through."""
    try:
        yield
    except exc.TimeoutError:
        raise StoreUnavailable("The database has no free connection; retry later.") from None
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError):
        raise
    except exc.DBAPIError as failure:
        raise meaning_of(failure) from failure


@contextmanager
def translated_commit() -> Iterator[None]:
    """As `translated`; but if the connection breaks now, nobody knows whether the transaction was kept."""
    try:
        with translated():
            yield
    except StoreUnavailable as failure:
        cause = failure.__cause__
        if isinstance(cause, exc.DBAPIError) and cause.connection_invalidated:
            raise OutcomeUnknown(
                "The database's reply to a commit was lost; read before writing again."
            ) from cause
        raise


def meaning_of(failure: exc.DBAPIError) -> StoreError:
    """Return the error that a failure of a driver stands for. Its text holds no statement and no values."""
    kind, text = _looked_up(failure.orig)
    return kind(f"The database failed: {text}.")


def _looked_up(cause: BaseException | None) -> tuple[type[StoreError], str]:
    unknown = (StoreUnavailable, "it cannot be reached, or refused to work")
    if isinstance(cause, sqlite3.Error):
        # Extended codes hold the plain one in their lowest byte.
        return _SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, unknown)
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int):  # PyMySQL's; newer ones have a state as well, which says less
        return _MYSQL.get(number, unknown)
    return _POSTGRESQL.get(getattr(cause, "sqlstate", None) or "", unknown)
