"""A real Redis server from Debian's package, on a free loopback port with a folder of its own.

Usable outside pytest (the benchmarks do): `with RedisServer.temporary() as server: ...`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.services.process import ServerProcess, free_port, require


class RedisServer(ServerProcess):
    """One `redis-server` that can be started, stopped, frozen, thawed, killed and started again.

    Parameters
    ----------
    folder : Path
        Holds log and, where saving is on, the data; made if absent, and left behind.
    options : sequence of str
        More options of the server, such as `--maxmemory`, `3mb`. Saving is off unless they turn it on.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        command = [
            require("redis-server", "redis-server"),
            *("--bind", self.host, "--port", str(self.port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no"),
            *options,
        ]
        super().__init__(command, folder / "redis.log", self._greets, cwd=folder)

    @classmethod
    @contextmanager
    def temporary(cls, options: Sequence[str] = (), folder: Path | None = None) -> Iterator[RedisServer]:
        """Start an empty server with a folder under `folder`, and leave nothing of it behind."""
        with tempfile.TemporaryDirectory(prefix="quantflux-redis-", dir=folder) as path:
            server = cls(Path(path), options)
            try:
                server.start()
                yield server
            finally:
                server.stop()

    @property
    def url(self) -> str:
        """The address, as `cache.url` takes it."""
        return f"redis://{self.host}:{self.port}/0"

    def connect(self) -> redis.Redis:
        """Return an administrator's client with patient time-outs; the caller closes it, or uses it in a `with`."""
        return redis.Redis(host=self.host, port=self.port, socket_timeout=10, socket_connect_timeout=2)

    def restart(self) -> None:
        """Start again on the same port and folder after `stop` or `kill`."""
        self.stop()
        self.start()

    def _greets(self) -> bool:
        try:
            with self.connect() as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for the whole session. Tests that hurt it start their own with `RedisServer.temporary`."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of the session's server, emptied."""
    with redis_server.connect() as client:
        client.flushall()
    return redis_server.url
