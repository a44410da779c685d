"""A real InfluxDB 1.x server (Debian package `influxdb`) on free loopback ports, for tests and benchmarks."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import pytest

from tests.services.process import ServerProcess, free_port, require

ADMIN, ADMIN_PASSWORD = "keeper", "correct horse battery"
READER, READER_PASSWORD = "reader", "only looks"
WRITER, WRITER_PASSWORD = "writer", "adds rows"

_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"

[meta]
  dir = "{root}/meta"
  logging-enabled = false

[data]
  dir = "{root}/data"
  wal-dir = "{root}/wal"
  index-version = "{index}"
  query-log-enabled = false
  cache-snapshot-write-cold-duration = "{cold}"
  compact-full-write-cold-duration = "{compact_cold}"

[coordinator]
  query-timeout = "{query_timeout}"
  max-concurrent-queries = {max_concurrent_queries}
  max-select-series = 0
  max-select-buckets = {max_select_buckets}

[monitor]
  store-enabled = false

[subscriber]
  enabled = false

[continuous_queries]
  enabled = false

[http]
  bind-address = "{host}:{port}"
  auth-enabled = {auth}
  log-enabled = false
  max-row-limit = {max_row_limit}
  max-body-size = {max_body_size}
"""

DEFAULTS: Mapping[str, object] = {
    "host": "127.0.0.1",
    "index": "inmem",
    "cold": "10m",
    "compact_cold": "4h",
    "query_timeout": "60s",
    "max_concurrent_queries": 0,
    "max_select_buckets": 0,
    "max_row_limit": 0,
    "max_body_size": 25_000_000,
    "auth": "false",
}


class InfluxServer:
    """One influxd with its own folders below `root`.

    Parameters
    ----------
    root : Path
        An existing folder; the server's files go below it.
    auth : bool
        Ask for a password. An administrator, a reader and a writer are made at the first start; rights on a
        database are granted with `grant`.
    prefix : sequence of str
        Put before the command: `("prlimit", "--fsize=60000")`.
    storage : Path or None
        Where data, log and metadata go instead.
    limits
        Any key of `DEFAULTS`, such as `max_select_buckets=20_000`.
    """

    def __init__(
        self,
        root: Path,
        *,
        auth: bool = False,
        prefix: Sequence[str] = (),
        storage: Path | None = None,
        **limits: object,
    ) -> None:
        unknown = set(limits) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"no such setting: {sorted(unknown)}; there are {sorted(DEFAULTS)}")
        self.root = root
        self.storage = storage or root
        self.auth = auth
        self.port = free_port()
        self._settings = {**DEFAULTS, **limits, "auth": str(auth).lower()}
        config = root / "influxdb.conf"
        config.write_text(
            _CONFIG.format(root=self.storage, port=self.port, rpc_port=free_port(), **self._settings)
        )
        command = [*prefix, require("influxd", "influxdb"), "run", "-config", str(config)]
        self.process = ServerProcess(command, root / "influxd.log", self._answers)

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it (again, on the same port and data) and wait until it answers."""
        fresh = not (self.storage / "meta").exists()
        self.process.start()
        if fresh and self.auth:
            self._make_users()
        return self

    def stop(self) -> None:
        """End it in good order; its files stay."""
        self.process.stop()

    def kill(self) -> None:
        """End it with SIGKILL; its files stay."""
        self.process.kill()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections are accepted, nothing answers."""
        self.process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.thaw()

    def disk_bytes(self, database: str = "") -> int:
        """Bytes on disk of data and write-ahead log, of one database or of all (its files are sparse)."""
        folders = (self.storage / "data" / database, self.storage / "wal" / database)
        return sum(f.stat().st_blocks * 512 for folder in folders for f in folder.rglob("*") if f.is_file())

    def query(self, statement: str, database: str = "") -> str:
        """Run InfluxQL as administrator and return the JSON text."""
        body = urllib.parse.urlencode({"q": statement, "db": database}).encode()
        return self._post("/query", body, "application/x-www-form-urlencoded")

    def write_lines(self, lines: str, database: str, policy: str = "") -> None:
        """Write raw line protocol, nanosecond times."""
        where = urllib.parse.urlencode({"db": database, "rp": policy})
        self._post(f"/write?{where}", lines.encode(), "text/plain")

    def grant(self, database: str) -> None:
        """Let the reader read and the writer write in a database."""
        self.query(f'GRANT READ ON "{database}" TO "{READER}"')
        self.query(f'GRANT ALL ON "{database}" TO "{WRITER}"')

    def _post(self, path: str, body: bytes, content_type: str) -> str:
        request = urllib.request.Request(self.url + path, data=body, headers={"Content-Type": content_type})
        if self.auth:
            login = b64encode(f"{ADMIN}:{ADMIN_PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=60) as reply:
            text: str = reply.read().decode()
            return text

    def _make_users(self) -> None:
        body = f"CREATE USER \"{ADMIN}\" WITH PASSWORD '{ADMIN_PASSWORD}' WITH ALL PRIVILEGES"
        form = urllib.parse.urlencode({"q": body}).encode()
        request = urllib.request.Request(self.url + "/query", data=form)
        urllib.request.urlopen(request, timeout=60).close()
        for name, password in ((READER, READER_PASSWORD), (WRITER, WRITER_PASSWORD)):
            self.query(f"CREATE USER \"{name}\" WITH PASSWORD '{password}'")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/ping", timeout=0.5) as reply:
                return bool(reply.status == 204)
        except (urllib.error.URLError, OSError):
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture(scope="session")
def influxdb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """One server for the whole session, without authentication; see `influxdb_database`."""
    with InfluxServer(tmp_path_factory.mktemp("influxdb")) as server:
        yield server


@pytest.fixture
def influxdb_database(influxdb_server: InfluxServer) -> Iterator[str]:
    """The name of a database that does not exist yet; dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    yield name
    influxdb_server.query(f'DROP DATABASE "{name}"')


@pytest.fixture
def start_influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., InfluxServer]]:
    """A function that starts a server of one's own: `start_influxdb(auth=True, max_row_limit=100)`."""
    servers: list[InfluxServer] = []

    def start(**options: object) -> InfluxServer:
        server = InfluxServer(tmp_path_factory.mktemp("influxdb"), **options)  # type: ignore[arg-type]
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.process.kill()
        shutil.rmtree(server.root, ignore_errors=True)
