"""What a server's own errors become, and what is done again after a deadlock."""

from __future__ import annotations

import struct

import pymysql
import pytest
from sqlalchemy import exc

from quantflux.core.errors import AccessDenied, StoreCorrupt, StoreFull, StoreUnavailable
from quantflux.database.deadlocks import REPEATS, Deadlock, again_after_deadlock
from quantflux.database.failures import meaning_of


def of_mysql(number: int, state: str) -> exc.DBAPIError:
    """Return an error as PyMySQL reads it from the line."""
    packet = b"\xff" + struct.pack("<H", number) + b"#" + state.encode() + b"as the server puts it"
    with pytest.raises(pymysql.MySQLError) as raised:
        pymysql.err.raise_mysql_exception(packet)
    return exc.OperationalError("SELECT 1", {}, raised.value)


class PostgreSQLError(Exception):
    sqlstate = ""


@pytest.mark.parametrize(
    ("number", "state", "kind"),
    [
        (1021, "HY000", StoreFull),
        (1114, "HY000", StoreFull),
        (1045, "28000", AccessDenied),
        (1142, "42000", AccessDenied),
        (1034, "HY000", StoreCorrupt),
        (1205, "HY000", StoreUnavailable),
        (1213, "40001", Deadlock),
        (1305, "42000", Deadlock),
        (1040, "08004", StoreUnavailable),
        (9999, "HY000", StoreUnavailable),
    ],
)
def test_errors_of_mysql_are_told_apart_by_number(number, state, kind):
    found = meaning_of(of_mysql(number, state))

    assert type(found) is kind
    assert "as the server puts it" not in str(found)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", StoreFull),
        ("28P01", AccessDenied),
        ("XX001", StoreCorrupt),
        ("40P01", Deadlock),
        ("57P01", StoreUnavailable),
    ],
)
def test_errors_of_postgresql_are_told_apart_by_state(state, kind):
    cause = PostgreSQLError("as the server puts it")
    cause.sqlstate = state

    assert type(meaning_of(exc.OperationalError("SELECT 1", {}, cause))) is kind


@pytest.mark.parametrize(
    ("failure", "runs"), [(Deadlock("lost"), REPEATS + 1), (StoreUnavailable("away"), 1)]
)
def test_only_deadlocks_are_written_again_and_not_for_ever(failure, runs):
    count = 0

    @again_after_deadlock
    def write() -> None:
        nonlocal count
        count += 1
        raise failure

    with pytest.raises(type(failure)):
        write()
    assert count == runs
