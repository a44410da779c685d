"""A real MariaDB server from Debian's package, on a free loopback port with a folder of its own.

Usable outside pytest (the benchmarks do): `with MariaDBServer.temporary() as server: ...`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.services.process import ServerProcess, free_port, require

_SYSTEM_DIRECTORIES = os.pathsep + "/usr/sbin" + os.pathsep + "/usr/bin"
_NUMBERS = count()


def binary(name: str) -> str:
    """Return the path of a MariaDB program, or say which package holds it."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + _SYSTEM_DIRECTORIES)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed (Debian package mariadb-server)")
    return path


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """Return a freshly installed data folder, made once per process: copying it is cheaper than making another."""
    folder = tempfile.TemporaryDirectory(prefix="quantflux-mariadb-template-")
    install = [
        binary("mariadb-install-db"),
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        f"--datadir={folder.name}/data",
        f"--tmpdir={folder.name}",  # in a shared one, installations at the same time take each other's tables
        "--innodb-log-file-size=8M",
        *_as_root(),
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"mariadb-install-db ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return folder


class MariaDBServer(ServerProcess):
    """One `mariadbd` that can be started, stopped, frozen, thawed, killed and started again on its data.

    Parameters
    ----------
    folder : Path
        Holds data, log and socket; made if absent, and left behind.
    options : sequence of str
        More `mariadbd` options, such as `--innodb-buffer-pool-size=2G`.
    """

    host = "127.0.0.1"
    user = "root"
    password = ""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        if not self.data.exists():
            shutil.copytree(Path(_template().name) / "data", self.data)
        # A Unix socket's path has at most 107 bytes, which a test's folder may exceed: TCP is all that we use.
        self._sockets = tempfile.TemporaryDirectory(prefix="qf-maria-")
        command = [
            binary("mariadbd"),
            "--no-defaults",
            "--skip-log-bin",
            "--skip-name-resolve",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--datadir={self.data}",
            f"--socket={self._sockets.name}/s",
            f"--pid-file={self._sockets.name}/pid",
            f"--tmpdir={self._sockets.name}",
            "--innodb-log-file-size=8M",
            *_as_root(),
            *options,
        ]
        super().__init__(command, folder / "mariadbd.log", self._greets)

    @classmethod
    @contextmanager
    def temporary(cls, options: Sequence[str] = (), folder: Path | None = None) -> Iterator[MariaDBServer]:
        """Start a server on fresh data under `folder`, and leave nothing of it behind."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="quantflux-mariadb-", dir=folder) as path:
            server = cls(Path(path), options)
            try:
                server.start()
                yield server
            finally:
                server.close()

    def close(self) -> None:
        """Stop, and drop the socket folder."""
        self.stop()
        self._sockets.cleanup()

    def restart(self) -> None:
        """Start again on the same data and port after `stop` or `kill`."""
        self.stop()
        self.start()

    def connect(self, database: str | None = None, **options: Any) -> pymysql.Connection[Any]:
        """Return an administrator's connection."""
        settings: dict[str, Any] = {
            "connect_timeout": 5,
            "read_timeout": 600,
            "write_timeout": 600,
            "autocommit": True,
        }
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            charset="utf8mb4",
            **settings | options,
        )

    def execute(
        self, statement: str, database: str | None = None, arguments: Sequence[Any] | None = None
    ) -> list[Any]:
        """Run one statement on a connection of its own and return its rows."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return list(cursor.fetchall())

    def create_database(self, name: str | None = None) -> str:
        """Create an empty utf8mb4 database, under a new name unless one is given, and return its name."""
        name = name or f"quantflux_{os.getpid()}_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database."""
        self.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def disk_bytes(self, database: str) -> int:
        """Return the bytes of a database's files, after its dirty pages are written."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            tables = ", ".join(f"`{name}`" for (name,) in cursor.fetchall())
            if tables:
                cursor.execute(f"FLUSH TABLES {tables} FOR EXPORT")
            return sum(f.stat().st_blocks * 512 for f in (self.data / database).iterdir())

    def _greets(self) -> bool:
        try:
            with self.connect(connect_timeout=1, read_timeout=1):
                return True
        except (pymysql.MySQLError, OSError):
            return False


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    """One server for the whole session. Tests that hurt it start their own with `MariaDBServer.temporary`."""
    require("mariadbd", "mariadb-server")
    server = MariaDBServer(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.close()


@pytest.fixture
def mariadb_database(mariadb_server: MariaDBServer) -> Iterator[str]:
    """A fresh, empty database on the session's server."""
    name = mariadb_server.create_database()
    yield name
    mariadb_server.drop_database(name)
