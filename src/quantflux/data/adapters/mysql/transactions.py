"""Runs a unit of work in one transaction, again where that is safe, and finds out how a lost COMMIT ended."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import pymysql

from quantflux.core.errors import OutcomeUnknown, QuantfluxError, StoreUnavailable
from quantflux.data.adapters.mysql.connection import Connection, Pool
from quantflux.data.adapters.mysql.errors import CONTENTION, LOST, number_of, timed_out

RETRIES = 3
_PAUSE = 0.05  # seconds before the first retry, at most; doubled for each further one

T = TypeVar("T")


def transact(
    pool: Pool,
    doing: str,
    work: Callable[[Connection], T],
    settle: Callable[[Connection], T | None],
) -> T:
    """Run `work` in a transaction and commit it.

    The whole is run again, at most three times, after a deadlock, a lock wait that took too long, or a connection
    that ended before COMMIT: the server has rolled back. A time-out is not retried, since it has already used up
    the caller's patience.

    Parameters
    ----------
    work : callable
        Does everything but begin and commit.
    settle : callable
        Asked, in a transaction of its own, when the reply to COMMIT was lost: the result if the work is stored,
        None if it certainly is not and never will be.

    Raises
    ------
    OutcomeUnknown
        If the reply was lost and the server cannot be asked.
    StoreUnavailable
        If nothing was stored.
    """
    for attempt in range(RETRIES + 1):
        try:
            return _once(pool, doing, work)
        except OutcomeUnknown as lost:
            result = _settled(pool, doing, settle, lost)
            if result is not None:
                return result
            if attempt == RETRIES:
                raise StoreUnavailable(
                    f"MySQL: {doing}: the commit was lost {RETRIES + 1} times; nothing stored"
                ) from lost
        except StoreUnavailable as error:
            if attempt == RETRIES or not _may_retry(error):
                raise
        time.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311 (spreads writers, guards nothing)
    raise AssertionError("the last attempt returns or raises")


def _once(pool: Pool, doing: str, work: Callable[[Connection], T]) -> T:
    with pool.connection(doing) as connection:
        connection.begin()
        result = work(connection)
        try:
            connection.commit()
        except pymysql.MySQLError as error:
            if number_of(error) not in LOST:
                raise
            raise OutcomeUnknown(
                f"MySQL: {doing}: no reply to COMMIT ({error}); send the identical rows again to be sure"
            ) from error
        return result


def _settled(
    pool: Pool, doing: str, settle: Callable[[Connection], T | None], lost: OutcomeUnknown
) -> T | None:
    try:
        with pool.connection(f"{doing}: asking how a lost commit ended") as connection:
            connection.begin()
            result = settle(connection)
            connection.rollback()
            return result
    except QuantfluxError:
        raise lost from lost.__cause__


def _may_retry(error: StoreUnavailable) -> bool:
    cause = error.__cause__
    if not isinstance(cause, pymysql.MySQLError) or timed_out(cause):
        return False
    return number_of(cause) in CONTENTION | LOST
