"""One door to the database of our own tables: SQLite in a file, or a MySQL, MariaDB or PostgreSQL server."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from quantflux.core.errors import ConfigError, MissingDependency, StoreUnavailable
from quantflux.database.failures import translated, translated_commit
from quantflux.database.migrations.upgrade import upgrade

_DRIVERS = {"sqlite": "sqlite", "mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}
_RECYCLE_SECONDS = 1800
"""Servers drop idle connections, MySQL after 8 hours; proxies between often after an hour."""


class Database:
    """Transactions on our own tables.

    Attributes
    ----------
    dialect : {"sqlite", "mysql", "postgresql"}

    Examples
    --------
    >>> import tempfile
    >>> from sqlalchemy import text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database.open(f"sqlite:///{folder}/quantflux.db")
    ...     with database.reading() as connection:
    ...         print(connection.execute(text("SELECT count(*) FROM users")).scalar_one())
    ...     database.close()
    0
    """

    def __init__(self, engine: Engine, wait_seconds: float) -> None:
        self._engine = engine
        self._writes = engine.execution_options(quantflux_writes=True)
        self.dialect = engine.dialect.name
        self._wait = wait_seconds
        # SQLite lets waiting writers poll, and the unlucky starve; a queue in the process is fair and quicker.
        self._turn = threading.Lock() if self.dialect == "sqlite" else None

    @classmethod
    def open(cls, url: str, *, pool_size: int = 5, wait_seconds: float = 5.0) -> Self:
        """Connect, and bring the tables to the newest schema under a lock.

        Parameters
        ----------
        url : str
            A `sqlite:///`, `mysql+pymysql://` or `postgresql+psycopg://` address.
        pool_size : int
            Connections kept open; twice as many may be added for a while.
        wait_seconds : float
            Longest wait for a connection or a lock.

        Raises
        ------
        ConfigError
            If the address cannot be read, or the tables were made by a newer quantflux.
        StoreError
            If the database cannot be reached, is full or damaged, or refuses the user.
        """
        address = _address(url)
        if address.get_backend_name() == "sqlite":
            engine = _sqlite(address, pool_size, wait_seconds)
        else:
            engine = _server(address, pool_size, wait_seconds)
        database = cls(engine, wait_seconds)
        try:
            with database.transaction() as connection:
                upgrade(connection, wait_seconds)
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write: commit when the block ends, roll back when it raises.

        On SQLite one writer at a time is let in, so that what a block has read cannot change under it; on servers
        a row is held by reading it `with_for_update()`.

        Raises
        ------
        StoreError
            If the database failed; nothing was kept.
        OutcomeUnknown
            If the connection broke during the commit.
        """
        self._take_turn()
        try:
            with translated(), self._writes.connect() as connection, connection.begin() as open_:
                yield connection
                with translated_commit():
                    open_.commit()
        finally:
            if self._turn is not None:
                self._turn.release()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read; on SQLite everything in the block sees one state."""
        with translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _take_turn(self) -> None:
        if self._turn is not None and not self._turn.acquire(timeout=self._wait):
            raise StoreUnavailable("The database failed: other writers held its lock for too long.")


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise ConfigError("database.url cannot be read; valid are sqlite:///, mysql+pymysql:// and "
                          "postgresql+psycopg:// addresses") from None  # fmt: skip
    driver = _DRIVERS.get(address.get_backend_name())
    if driver is None:
        raise ConfigError(
            f"database.url names {address.get_backend_name()!r}; valid are {', '.join(_DRIVERS)}"
        )
    if driver == "sqlite" and address.database in (None, "", ":memory:"):
        raise ConfigError(
            "database.url names no file; valid is an address such as sqlite:////var/lib/quantflux.db"
        )
    return address.set(drivername=driver)


def _sqlite(address: URL, pool_size: int, wait_seconds: float) -> Engine:
    path = Path(str(address.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here, so that from its first byte nobody else may read it. SQLite gives its log the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as failure:
        raise StoreUnavailable(
            f"The database failed: {path} cannot be opened: {failure.strerror}."
        ) from failure
    engine = create_engine(
        address,
        pool_size=pool_size,
        max_overflow=2 * pool_size,
        pool_timeout=wait_seconds,
        hide_parameters=True,
        connect_args={"timeout": wait_seconds, "check_same_thread": False, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # a refresh token that was exchanged stays exchanged after a power cut
        "foreign_keys = ON",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes could find another one's write in between, and fail.
    writes = connection.get_execution_options().get("quantflux_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _server(address: URL, pool_size: int, wait_seconds: float) -> Engine:
    seconds = max(int(wait_seconds), 1)
    mysql = address.get_backend_name() == "mysql"
    arguments: dict[str, Any] = (
        {
            "charset": "utf8mb4",
            "connect_timeout": seconds,
            # A little longer than a lock is waited for: a server that hangs must not hold every thread for long.
            "read_timeout": seconds + 2,
            "write_timeout": seconds + 2,
            "init_command": f"SET innodb_lock_wait_timeout = {seconds}, sql_mode = 'TRADITIONAL'",
        }
        if mysql
        else {"connect_timeout": seconds, "options": f"-c lock_timeout={1000 * seconds}"}
    )
    try:
        return create_engine(
            address,
            pool_size=pool_size,
            max_overflow=2 * pool_size,
            pool_timeout=wait_seconds,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            connect_args=arguments,
        )
    except ModuleNotFoundError:
        if mysql:
            raise MissingDependency("PyMySQL", "mysql") from None
        raise ConfigError("database.url names a PostgreSQL server, and its driver is not installed; "
                          "install it with: pip install psycopg") from None  # fmt: skip
