"""Every error number of the table becomes the class that says what to do."""

from __future__ import annotations

import pymysql
import pytest

from quantflux.core.errors import QuantfluxError, StoreError, StoreFull, StoreUnavailable
from quantflux.data.adapters.mysql.errors import CONTENTION, KINDS, LOST, translated, translating

CASES = [(kind, number) for kind, numbers in KINDS.items() for number in sorted(numbers)]


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_each_number_has_its_class(kind: type[QuantfluxError], number: int) -> None:
    error = translated(pymysql.OperationalError(number, "as the server says"), "reading a table")

    assert type(error) is kind
    assert "reading a table" in str(error) and "as the server says" in str(error)


def test_no_number_has_two_classes() -> None:
    assert len({number for _, number in CASES}) == len(CASES)


def test_what_may_be_retried_stored_nothing() -> None:
    for number in CONTENTION | LOST:
        assert isinstance(translated(pymysql.OperationalError(number, ""), "x"), StoreUnavailable)


@pytest.mark.parametrize(
    "error",
    [
        pymysql.InternalError(1030, 'Got error 28 "No space left on device" from storage engine InnoDB'),
        pymysql.OperationalError(1026, "Error writing file './x' (Errcode: 28 \"No space left on device\")"),
        pymysql.OperationalError(1114, "The table 'x' is full"),
    ],
)
def test_a_full_disk_is_told_from_other_faults(error: pymysql.MySQLError) -> None:
    assert type(translated(error, "writing")) is StoreFull


@pytest.mark.parametrize(
    "error", [pymysql.ProgrammingError(1064, "syntax"), pymysql.MySQLError(), pymysql.Error("odd")]
)
def test_anything_else_is_a_store_error(error: pymysql.MySQLError) -> None:
    with pytest.raises(StoreError) as caught, translating("reading"):
        raise error

    assert type(caught.value) is StoreError
    assert caught.value.__cause__ is error
