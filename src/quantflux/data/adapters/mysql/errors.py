"""Driver errors become ours at the edge; the server's error number decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

from quantflux.core.errors import (
    AccessDenied,
    ConfigError,
    InvalidData,
    QuantfluxError,
    StoreError,
    StoreFull,
    StoreUnavailable,
)

DEADLOCK, LOCK_WAIT, SNAPSHOT_CONFLICT = 1213, 1205, 1020
"""The server rolled back; the whole transaction may be run again."""

CONTENTION = frozenset({DEADLOCK, LOCK_WAIT, SNAPSHOT_CONFLICT})

LOST = frozenset({0, 2006, 2013, 2055, 1053, 1077, 1079, 1080, 1158, 1159, 1160, 1161, 1184, 1927, 4031})
"""The connection is gone. PyMySQL says 0 when a closed connection is used."""

MISSING_TABLE = 1146

_NO_SPACE = "28"  # ENOSPC, which the server quotes in the text of a general error

KINDS: dict[type[QuantfluxError], frozenset[int]] = {
    AccessDenied: frozenset({1044, 1045, 1095, 1142, 1143, 1227, 1251, 1290, 1370, 1698, 1792, 1820, 3118}),
    ConfigError: frozenset({1049, 1115, 2054}),
    StoreFull: frozenset({1021, 1114, 1041, 1038}),
    StoreUnavailable: frozenset({1040, 1129, 1203, 1226, 1317, 1969, 2002, 2003, 2005, 3024, 1614})
    | CONTENTION
    | LOST,
    InvalidData: frozenset({1048, 1264, 1292, 1366, 1406, 3819, 4025}),
}
"""Error numbers by the class that tells the caller what to do. Any other number is a plain `StoreError`."""

_BY_NUMBER = {number: kind for kind, numbers in KINDS.items() for number in numbers}


def number_of(error: pymysql.MySQLError) -> int:
    """Return the server's or client's error number; -1 when the driver gave none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else -1


def timed_out(error: pymysql.MySQLError) -> bool:
    """Whether the driver gave up waiting, as opposed to being told that the connection ended."""
    return isinstance(error.__context__, TimeoutError) or isinstance(error.__cause__, TimeoutError)


def translated(error: pymysql.MySQLError, doing: str) -> QuantfluxError:
    """Return our error for a driver's error. `doing` says what was attempted, such as "reading stock_basic"."""
    number = number_of(error)
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if number in {1030, 1026, 3, 23, 126} and _NO_SPACE in text.replace("(", " ").replace(")", " ").split():
        kind: type[QuantfluxError] = StoreFull
    else:
        kind = _BY_NUMBER.get(number, StoreError)
    message = f"MySQL: {doing} failed with error {number}: {text}"
    if kind is InvalidData:
        return InvalidData(message, dataset="", rule="refused by the server")
    return kind(message)


@contextmanager
def translating(doing: str) -> Iterator[None]:
    """Raise the driver's errors as ours."""
    try:
        yield
    except pymysql.MySQLError as error:
        raise translated(error, doing) from error
