"""Stores on a fresh database of a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.adapters.mysql.connection import Server, Timeouts
from quantflux.data.adapters.mysql.store import MySQLAdapter
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY_BASIC
from tests.services.mariadb import MariaDBServer
from tests.services.process import require

OpenStore = Callable[..., MySQLAdapter]

PATIENT = Timeouts()
IMPATIENT = Timeouts(connect=1.0, read=1.0, write=1.0, lock=1, pool=0.5)


@pytest.fixture
def open_mysql(
    mariadb_server: MariaDBServer, mariadb_database: str, clock: FixedClock
) -> Iterator[OpenStore]:
    """Open stores on the test's database; they are closed at the end."""
    with ExitStack() as stack:

        def opened(
            port: int = mariadb_server.port,
            waits: Timeouts = PATIENT,
            pool_size: int = 4,
            user: str = "root",
            **options: Any,
        ) -> MySQLAdapter:
            server = Server("127.0.0.1", port, user, "", mariadb_database, waits, pool_size)
            store = MySQLAdapter(server, clock, **options)
            stack.callback(store.close)
            return store

        yield opened


@pytest.fixture
def own_server() -> Iterator[MariaDBServer]:
    """A server that the test may hurt, with a database called `hurt`."""
    require("mariadbd", "mariadb-server")
    with MariaDBServer.temporary() as server:
        server.create_database("hurt")
        yield server


def valuations(symbol: str, days: list[date], pe: float | list[float] = 10.0) -> pa.Table:
    """Return rows of the plainest table: one number a day."""
    values = [pe] * len(days) if isinstance(pe, float) else pe
    return pa.table({"symbol": [symbol] * len(days), "trade_date": days, "pe": values})


def pes(store: MySQLAdapter) -> list[tuple[str, date, float]]:
    """Return what is stored, as plain tuples."""
    table = store.read(Query(DAILY_BASIC, columns=("pe",)))
    return list(zip(*(table.column(n).to_pylist() for n in ("symbol", "trade_date", "pe")), strict=True))
