"""Statements and paths in every text that the API takes, over real servers, with canaries beside the data."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantflux.data.schema import INSTRUMENTS
from tests.attack.evil import influx_payloads, path_payloads, sql_payloads
from tests.attack.sweeping import sweep
from tests.attack.target import Target, attacked
from tests.services.influxdb import InfluxServer
from tests.services.mariadb import MariaDBServer

# ---- InfluxQL ------------------------------------------------------------------------------------


@pytest.fixture
def over_influxdb(
    tmp_path: Path, influxdb_server: InfluxServer, influxdb_database: str
) -> Iterator[tuple[Target, str]]:
    """An application that reads InfluxDB on each request, with canaries in its database and in another one."""
    store = {"name": "influxdb", "influxdb": {"url": influxdb_server.url, "database": influxdb_database}}
    with attacked(tmp_path, store=store, panels={"enabled": False}) as target:
        other = f"{influxdb_database}_canary"
        influxdb_server.query(f'CREATE DATABASE "{other}"')
        for database in (influxdb_database, other):
            influxdb_server.write_lines("canary,symbol=canary value=42 1000", database)
        yield target, influxdb_database
        influxdb_server.query(f'DROP DATABASE "{other}"')


def _influx_state(server: InfluxServer, database: str) -> list[Any]:
    told = (
        "SHOW MEASUREMENTS",
        "SHOW RETENTION POLICIES",
        "SELECT * FROM canary",
        "SELECT COUNT(*) FROM /stock_.*/",
    )
    state = [json.loads(server.query(s, d)) for d in (database, f"{database}_canary") for s in told]
    return [
        *state,
        *(json.loads(server.query(s)) for s in ("SHOW DATABASES", "SHOW USERS", "SHOW CONTINUOUS QUERIES")),
    ]


@pytest.mark.influxdb
@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_influxql_stays_a_value(
    over_influxdb: tuple[Target, str], influxdb_server: InfluxServer, everywhere: bool, tried: Counter[str]
) -> None:
    target, database = over_influxdb
    payloads = influx_payloads()
    assert len(payloads) >= 500
    before = _influx_state(influxdb_server, database)

    sent, wrong = sweep(target, payloads[::8] if everywhere else payloads, everywhere=everywhere)
    tried["injection: InfluxQL"] += sent

    assert not wrong, "\n".join(wrong[:20])
    assert _influx_state(influxdb_server, database) == before


# ---- SQL -----------------------------------------------------------------------------------------


@pytest.fixture
def over_mariadb(tmp_path: Path, mariadb_server: MariaDBServer) -> Iterator[tuple[Target, list[str]]]:
    """An application whose market and whose own tables both live on MariaDB, canaries beside them."""
    market, own = mariadb_server.create_database(), mariadb_server.create_database()
    for name in (market, own):
        mariadb_server.execute("CREATE TABLE canary (value VARCHAR(40))", name)
        mariadb_server.execute("INSERT INTO canary VALUES ('a canary sings')", name)
    place = {
        "host": mariadb_server.host,
        "port": mariadb_server.port,
        "user": "root",
        "database": market,
        "rounding": "v1",
    }
    url = f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{own}"
    options = {"store": {"name": "mysql", "mysql": place}, "database": {"url": url}}
    # Version 1's tables cannot hold these instruments, which were never listed.
    with attacked(tmp_path, panels={"enabled": False}, without=frozenset({INSTRUMENTS}), **options) as target:
        yield target, [market, own]
    for name in (market, own):
        mariadb_server.drop_database(name)


def _sql_state(server: MariaDBServer, databases: list[str]) -> list[Any]:
    state: list[Any] = [server.execute("SHOW DATABASES"), server.execute("SELECT user, host FROM mysql.user")]
    for name in databases:
        state += [server.execute("SHOW TABLES", name), server.execute("SELECT * FROM canary", name)]
    market = databases[0]
    counts = [
        server.execute(f"SELECT COUNT(*) FROM `{name}`", market)
        for (name,) in server.execute("SHOW TABLES", market)
    ]
    return [*state, counts]


@pytest.mark.mysql
@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_sql_stays_a_value(
    over_mariadb: tuple[Target, list[str]],
    mariadb_server: MariaDBServer,
    everywhere: bool,
    tried: Counter[str],
) -> None:
    target, databases = over_mariadb
    payloads = sql_payloads()
    assert len(payloads) >= 300
    before = _sql_state(mariadb_server, databases)

    sent, wrong = sweep(target, payloads[::8] if everywhere else payloads, everywhere=everywhere)
    tried["injection: SQL"] += sent

    assert not wrong, "\n".join(wrong[:20])
    assert _sql_state(mariadb_server, databases) == before


# ---- Paths ---------------------------------------------------------------------------------------

_OPENED: list[tuple[str, bool]] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _OPENED is not None and isinstance(arguments[0], (str, bytes, os.PathLike)):
        mode, flags = arguments[1], arguments[2]
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or any(
            c in (mode or "") for c in "wax+"
        )
        _OPENED.append((os.path.realpath(os.fsdecode(arguments[0])), writes))


@pytest.fixture
def opened() -> Iterator[list[tuple[str, bool]]]:
    """What this process opens, and whether to write; a hook cannot be taken away, only left idle."""
    global _OPENED  # noqa: PLW0603
    if not getattr(sys, "_quantflux_watched", False):
        sys.addaudithook(_watch)
        sys._quantflux_watched = True  # type: ignore[attr-defined]
    _OPENED = []
    yield _OPENED
    _OPENED = None


@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_names_lead_to_no_other_file(
    tmp_path: Path, opened: list[tuple[str, bool]], everywhere: bool, tried: Counter[str]
) -> None:
    payloads = path_payloads()
    assert len(payloads) >= 300
    data = tmp_path / "a" / "data"
    data.mkdir(parents=True)
    canaries = [
        f / n for f in (tmp_path, tmp_path / "a", data) for n in ("canary", "canary.json", "canary.db")
    ]
    for canary in canaries:
        canary.write_text("a canary sings")
    with attacked(data) as target:
        target.user("admin")
        target.send("GET", "/api/v2/factors", by="admin")
        opened.clear()

        sent, wrong = sweep(target, payloads[::6] if everywhere else payloads, everywhere=everywhere)
    tried["injection: paths"] += sent

    seen = list(opened)
    assert not wrong, "\n".join(wrong[:20])
    assert [c.read_text() for c in canaries] == ["a canary sings"] * len(canaries)
    secret = {str(c) for c in canaries} | {str(p) for p in (data / "secrets").iterdir()}
    touched = [
        path
        for path, _ in seen
        if path in secret or path.startswith(("/etc/passwd", "/proc/self/env", "/root/.ssh"))
    ]
    assert not touched
    outside = {p for p, writes in seen if writes and not p.startswith((str(data), "/dev/null"))}
    assert not {p for p in outside if "__pycache__" not in p and ".coverage" not in p}, outside
