"""Connections to the server: set up alike, every wait bounded, a few kept open and shared by threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import pymysql
from pymysql import converters
from pymysql.connections import Connection as DriverConnection
from pymysql.cursors import Cursor, SSCursor

from quantflux.core.errors import StoreUnavailable
from quantflux.data.adapters.mysql.errors import timed_out, translated

if TYPE_CHECKING:
    _Driver: TypeAlias = DriverConnection[Cursor]  # generic in its stubs only
else:
    _Driver = DriverConnection

# Values come back as the server's text: whole columns are parsed at once, elsewhere.
_PARAMETERS_ONLY: dict[int | type[Any], Any] = {
    kind: encode for kind, encode in converters.conversions.items() if not isinstance(kind, int)
}

_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
    "time_zone = '+00:00', group_concat_max_len = @@max_allowed_packet, innodb_lock_wait_timeout = %s"
)


Row: TypeAlias = tuple[Any, ...]
"""Values as the server's text, in bytes; None for NULL."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait.

    Attributes
    ----------
    connect : float
        For the connection, the server's greeting, and the sign of life asked of a kept connection.
    read, write : float
        For the next bytes of an answer, and for the server to take the next bytes of a statement.
    lock : int
        For a row lock, before the transaction is run again.
    pool : float
        For a free connection, before the store says that it is busy.
    """

    connect: float = 2.0
    read: float = 60.0
    write: float = 60.0
    lock: int = 5
    pool: float = 1.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where the database is and how to log in. `tls_ca` names the file of the authority to trust."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    timeouts: Timeouts = Timeouts()
    pool_size: int = 4
    tls_ca: str | None = None


class Connection(_Driver):
    """One session: strict SQL mode, UTC, utf8mb4, text as bytes, all waits bounded."""

    _result: Any

    def __init__(self, server: Server) -> None:
        tls: dict[str, Any] = {}
        if server.tls_ca is not None:
            tls = {"ssl_ca": server.tls_ca, "ssl_verify_cert": True, "ssl_verify_identity": True}
        waits = server.timeouts
        super().__init__(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            database=server.database,
            charset="utf8mb4",
            use_unicode=False,
            conv=_PARAMETERS_ONLY,
            autocommit=True,
            connect_timeout=waits.connect,
            # The greeting comes under the read time-out: a stopped server would hold us for all of it.
            read_timeout=waits.connect,
            write_timeout=waits.write,
            local_infile=False,
            **tls,
        )
        with self.cursor() as cursor:
            cursor.execute(_SESSION, (waits.lock,))
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        [(version, packet)] = self.rows("SELECT VERSION(), @@max_allowed_packet")
        self.version: str = version.decode("ascii", "replace")
        self.max_packet = int(packet)
        self._waits = waits
        self._read_timeout = waits.read

    @property
    def product(self) -> str:
        """`mariadb` or `mysql`."""
        return "mariadb" if "mariadb" in self.version.lower() else "mysql"

    def check_alive(self) -> None:
        """Ask for a sign of life within the connect time-out."""
        self._read_timeout = self._waits.connect
        self.ping(reconnect=False)
        self._read_timeout = self._waits.read

    def rows(self, statement: str, arguments: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of a short answer, values as the server's text."""
        with self.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall())

    def stream(self, statement: str, arguments: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield rows as they arrive. Leaving early ends the connection rather than reading on."""
        cursor = self.cursor(SSCursor)
        finished = False
        try:
            cursor.execute(statement, arguments or None)
            while (row := cursor.fetchone()) is not None:
                yield row
            finished = True
        finally:
            if not finished:
                self.drop()
            cursor.close()

    def run(self, statement: str, arguments: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it affected."""
        with self.cursor() as cursor:
            return int(cursor.execute(statement, arguments or None))

    def begin_snapshot(self) -> None:
        """Begin a transaction in which all reads see the same state."""
        self.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def drop(self) -> None:
        """End the connection without a word; the server rolls back."""
        self._force_close()  # type: ignore[attr-defined]  # absent from its stubs
        if self._result is not None:
            self._result.unbuffered_active = False  # or its end would read on, from a socket that is gone
        self._result = None


class Pool:
    """A few connections, shared by the threads of this process."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(server.pool_size)
        self._owner = os.getpid()

    @contextmanager
    def connection(self, doing: str) -> Iterator[Connection]:
        """Lend a connection. After any error it is dropped, because its state is not known.

        Raises
        ------
        StoreUnavailable
            If the server cannot be reached or all connections stay in use.
        """
        waits = self.server.timeouts
        if not self._slots.acquire(timeout=waits.pool):
            raise StoreUnavailable(
                f"MySQL: {doing}: all {self.server.pool_size} connections were in use for {waits.pool:g} s; retry"
            )
        try:
            try:
                connection = self._take()
            except pymysql.MySQLError as error:
                raise translated(error, doing) from error
            try:
                yield connection
            except pymysql.MySQLError as error:
                connection.drop()
                raise translated(error, doing) from error
            except BaseException:
                connection.drop()
                raise
            self._give_back(connection)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close the connections that are not lent."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._lock:
            if self._owner != os.getpid():  # after a fork the parent's connections are not ours to use
                self._idle, self._owner = [], os.getpid()
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                connection.check_alive()
            except pymysql.MySQLError as error:
                connection.drop()
                if timed_out(error):
                    raise
                connection = None  # closed by the server while idle: a new one will do
        return connection or Connection(self.server)

    def _give_back(self, connection: Connection) -> None:
        if not connection.open:
            return
        with self._lock:
            self._idle.append(connection)
