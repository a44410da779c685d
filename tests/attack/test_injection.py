"""Statements and paths in every text that the API takes, over real servers, with canaries beside the data.

Each check stands beside a test which does the harm itself and sees that the check notices.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pymysql.converters import escape_string

from quantflux.data.schema import DAILY, INSTRUMENTS
from tests.attack.evil import influx_payloads, path_payloads, sql_payloads
from tests.attack.states import SqlState, harm_in, heard, influx_queries, influx_state
from tests.attack.sweeping import (
    CANARIES,
    NUMBER,
    SONG,
    SYMBOL,
    Place,
    Takes,
    good_replies,
    places,
    sweep,
    wrong_with,
)
from tests.attack.target import Reply, Target, attacked, market
from tests.attack.watching import Guarded, Watch, tree, watched
from tests.services.influxdb import InfluxServer
from tests.services.mariadb import MariaDBServer

SPARSELY_OR_NOT = pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)])


def _told(target: Target) -> dict[str, bytes]:
    """Return what the application tells when asked as one should, which is the market's rows."""
    replies = good_replies(target)
    assert {path: reply.status for path, reply in replies.items()} == dict.fromkeys(replies, 200)
    rows = market()[DAILY]
    closes = rows.filter(pc.equal(rows["symbol"], SYMBOL)).sort_by("trade_date")["close"].to_pylist()
    columns = replies["/api/v2/bars/{symbol}"].json()["columns"]
    assert len(columns["close"]) > 15
    assert columns["close"] == pytest.approx(closes[: len(columns["close"])], abs=0.005)
    for path, reply in replies.items():
        assert path.startswith("/api/stocks") or SYMBOL.encode() in reply.body, path
    return {path: reply.body for path, reply in replies.items()}


# ---- replies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("status", [200, 404, 500])
def test_canaries_in_replies_are_noticed(canary: bytes, status: int) -> None:
    place = Place("/api/v2/instruments?text", lambda _: Reply(status, {}, b'["' + canary + b'"]'))
    assert "tells" in wrong_with(place, "x", place.send("x"))


def test_real_rows_in_replies_are_noticed(target: Target) -> None:
    """Good replies are taken for replies to payloads: whatever a tautology would have brought is noticed."""
    known = {place.name: place for place in places(target)}
    assert Counter(place.takes for place in known.values()).keys() == set(Takes)
    replies = good_replies(target)
    stock = "/api/stocks/{ts_code}/history"
    assert wrong_with(known[f"GET {stock} ts_code"], "' OR 1=1", replies.pop(stock))
    for path, reply in replies.items():
        for place in known.values():
            if place.name.startswith(path):
                assert wrong_with(place, "' OR 1=1", reply), place.name
                assert wrong_with(place, "%", reply), place.name
    for path, name in (
        ("/api/v2/instruments", "text"),
        ("/api/stocks", "search"),
        ("/api/v2/audit", "actor"),
    ):
        everything = target.send("GET", path, by="admin")
        assert everything.status == 200
        assert wrong_with(known[f"{path}?{name}"], "' OR 1=1", everything)
        query = urlencode({name: "no such text"}).encode()
        assert not wrong_with(
            known[f"{path}?{name}"], "no such text", target.send("GET", path, query=query, by="admin")
        )


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
            line = f'canary,symbol=canary close={NUMBER},song="{SONG}" 1000'
            influxdb_server.write_lines(line, database)
        yield target, influxdb_database
        influxdb_server.query(f'DROP DATABASE "{other}"')


@pytest.mark.influxdb
@SPARSELY_OR_NOT
def test_influxql_stays_a_value(
    over_influxdb: tuple[Target, str], influxdb_server: InfluxServer, everywhere: bool, tried: Counter[str]
) -> None:
    target, database = over_influxdb
    payloads = influx_payloads()
    assert len(payloads) >= 500
    asked = influx_queries(influxdb_server)
    told = _told(target)
    assert influx_queries(influxdb_server) >= asked + len(told) - 1, "the store is not reached"
    before = influx_state(influxdb_server, database, f"{database}_canary")

    sent, wrong = sweep(target, payloads[::8] if everywhere else payloads, everywhere=everywhere)
    tried["injection: InfluxQL"] += sent

    assert not wrong, "\n".join(wrong[:20])
    assert influx_state(influxdb_server, database, f"{database}_canary") == before
    assert _told(target) == told


@pytest.mark.influxdb
def test_harm_done_to_influxdb_is_noticed(
    over_influxdb: tuple[Target, str], influxdb_server: InfluxServer, tried: Counter[str]
) -> None:
    _, database = over_influxdb
    other = f"{database}_canary"
    bars = "stock_daily_data.stock_daily_data"  # in the retention policy of that name
    told = influxdb_server.query(f"SELECT close FROM {bars} WHERE symbol = '{SYMBOL}' LIMIT 1", database)
    ((time, _),) = json.loads(told)["results"][0]["series"][0]["values"]
    harm = (
        "SELECT * INTO stolen FROM canary",
        f'SELECT * INTO "{other}".autogen.stolen FROM {bars}',
        f"DELETE FROM stock_daily_data WHERE symbol = '{SYMBOL}' AND time = '{time}'",
        f"DROP SERIES FROM stock_daily_data WHERE symbol = '{SYMBOL}'",
        "DROP MEASUREMENT canary",
        "CREATE USER thief WITH PASSWORD 'x' WITH ALL PRIVILEGES",
        "DROP USER thief",
        f'CREATE CONTINUOUS QUERY q ON "{other}" BEGIN SELECT mean(close) INTO a FROM canary GROUP BY time(1h) END',
        f'CREATE RETENTION POLICY short ON "{database}" DURATION 1h REPLICATION 1',
        f'DROP DATABASE "{other}"',
    )
    state = influx_state(influxdb_server, database, other)
    assert SONG in influxdb_server.query("SELECT * FROM canary", database)
    # The same points with another value in one of them: neither counts nor names differ.
    nanoseconds = round(datetime.fromisoformat(time).timestamp()) * 10**9
    line = f"stock_daily_data,exchange=SH,symbol={SYMBOL} close={NUMBER} {nanoseconds}"
    influxdb_server.write_lines(line, database, policy="stock_daily_data")
    changed = influx_state(influxdb_server, database, other)
    differ = {name for name in state if changed[name] != state[name]}
    assert differ == {f'{database}: "stock_daily_data"."stock_daily_data"'}
    for statement in harm:
        state = changed
        influxdb_server.query(statement, database)
        left = [name for name in (database, other) if f'DROP DATABASE "{name}' not in statement]
        changed = influx_state(influxdb_server, *left)
        assert changed != state, statement
        tried["harm that must be noticed"] += 1


# ---- SQL -----------------------------------------------------------------------------------------


@pytest.fixture
def over_mariadb(tmp_path: Path, mariadb_server: MariaDBServer) -> Iterator[tuple[Target, SqlState]]:
    """An application whose market and whose own tables both live on MariaDB, canaries beside them."""
    name, own = mariadb_server.create_database(), mariadb_server.create_database()
    for database in (name, own):
        mariadb_server.execute("CREATE TABLE canary (value VARCHAR(40), close DOUBLE)", database)
        mariadb_server.execute(f"INSERT INTO canary VALUES ('{SONG}', {NUMBER})", database)
    place = {
        "host": mariadb_server.host,
        "port": mariadb_server.port,
        "user": "root",
        "database": name,
        "rounding": "v1",
    }
    url = f"mysql+pymysql://root@{mariadb_server.host}:{mariadb_server.port}/{own}"
    options = {"store": {"name": "mysql", "mysql": place}, "database": {"url": url}}
    loot = tmp_path / "loot"
    loot.mkdir()
    data = tmp_path / "data"
    # Version 1's tables cannot hold these instruments, which were never listed.
    with attacked(data, panels={"enabled": False}, without=frozenset({INSTRUMENTS}), **options) as target:
        for role in ("viewer", "researcher", "admin"):
            until = (target.platform.clock.now() + timedelta(days=1)).isoformat()
            body = {"name": "kept", "scopes": ["market:read"], "expires_at": until}
            assert target.send("POST", "/api/v2/account/api-keys", body=body, by=role).status == 201
        yield target, SqlState(mariadb_server, name, own, loot)
    for database in (name, own):
        mariadb_server.drop_database(database)


@pytest.mark.mysql
@SPARSELY_OR_NOT
def test_sql_stays_a_value(
    over_mariadb: tuple[Target, SqlState],
    mariadb_server: MariaDBServer,
    everywhere: bool,
    tried: Counter[str],
) -> None:
    target, state = over_mariadb
    payloads = [payload.replace("/tmp/stolen", str(state.loot / "stolen")) for payload in sql_payloads()]
    assert len(payloads) >= 300
    with heard(mariadb_server) as good:
        told = _told(target)
    assert sum("stock_" in statement for statement in good) >= len(told) - 1, "the store is not reached"
    before = state.taken()

    with heard(mariadb_server) as statements:
        sent, wrong = sweep(target, payloads[::8] if everywhere else payloads, everywhere=everywhere)
    tried["injection: SQL"] += sent

    assert not wrong, "\n".join(wrong[:20])
    assert state.taken() == before
    # Who was logged in anew because the sweep took long is a user of a role's name; nobody else has come.
    assert all(name.startswith(f"{role}-") for name, role in state.newcomers())
    assert target.platform.audit.verify().sound
    assert _told(target) == told
    values = sum(any(escape_string(payload) in each for each in statements) for payload in payloads)
    assert values > len(payloads) / (10 if everywhere else 20), "payloads do not reach the server"
    harmful = [(harm_in(each), each) for each in statements if harm_in(each)]
    assert not harmful, harmful[:20]


@pytest.mark.mysql
def test_harm_done_to_mariadb_is_noticed(
    over_mariadb: tuple[Target, SqlState], mariadb_server: MariaDBServer, tried: Counter[str]
) -> None:
    target, state = over_mariadb
    (key,), *_ = mariadb_server.execute("SELECT id FROM api_keys", state.own)
    harm = (
        (
            state.market,
            f"UPDATE stock_daily_history SET close = close + 1 WHERE ts_code = '{SYMBOL}' LIMIT 1",
        ),
        (state.market, "DELETE FROM stock_daily_history LIMIT 1"),
        (state.market, "CREATE TABLE stolen AS SELECT * FROM canary"),
        (state.market, "DROP TABLE canary"),
        (state.market, f"SELECT * INTO OUTFILE '{state.loot}/stolen' FROM stock_daily_history"),
        (state.market, "SELECT * INTO DUMPFILE 'stolen' FROM stolen"),
        (state.own, "UPDATE users SET password_hash = 'x' WHERE role = 'admin' LIMIT 1"),
        (state.own, "UPDATE users SET role = 'admin' WHERE role = 'viewer'"),
        (state.own, f"UPDATE api_keys SET scopes = '*' WHERE id = '{key}'"),
        (state.own, f"DELETE FROM api_keys WHERE id = '{key}'"),
        (state.own, "UPDATE canary SET value = 'stolen'"),
        (state.own, "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET NEW.role = 'admin'"),
        (state.own, "CREATE USER thief IDENTIFIED BY 'x'"),
        (state.own, "GRANT ALL ON *.* TO thief"),
        (state.own, "DROP USER thief"),
    )
    before = state.taken()
    for database, statement in harm:
        mariadb_server.execute(statement, database)
        after = state.taken()
        assert after != before, statement
        before = after
        tried["harm that must be noticed"] += 1
    target.platform.audit.flush()
    assert target.platform.audit.verify().sound
    (state.server.data / state.market / "stolen").unlink()  # its database could not be dropped
    for trigger, *_ in mariadb_server.execute("SHOW TRIGGERS LIKE 'audit_entries'", state.own):
        mariadb_server.execute(f"DROP TRIGGER `{trigger}`", state.own)
    mariadb_server.execute("UPDATE audit_entries SET actor = 'nobody' ORDER BY seq LIMIT 1", state.own)
    assert not target.platform.audit.verify().sound


@pytest.mark.mysql
def test_code_in_statements_is_noticed(mariadb_server: MariaDBServer, tried: Counter[str]) -> None:
    """Statements as they would be, were payloads put into them as they come; and as they are, as values."""
    unsafe = "SELECT 'x' AS symbol FROM DUAL WHERE 'a' = '{}'"
    payloads = (
        "' AND SLEEP(0) AND '1'='1",
        "' AND BENCHMARK(1, SHA1('x')) AND '1'='1",
        "' OR '1'='1",
        "' OR 1=1 -- ",
        "' UNION SELECT LOAD_FILE('/etc/passwd') UNION SELECT '",
        "\\' OR 1=1 # ",
    )
    with heard(mariadb_server) as statements:
        for payload in payloads:
            mariadb_server.execute(unsafe.format(payload.replace("\\'", "'")))
            mariadb_server.execute("SELECT 1 FROM DUAL WHERE 'a' = %s", arguments=(payload,))
    found = [each for each in statements if "DUAL" in each]
    assert len(found) == 2 * len(payloads)
    assert all(harm_in(each) for each in found[::2]), [each for each in found[::2] if not harm_in(each)]
    assert not [each for each in found[1::2] if harm_in(each)]
    tried["harm that must be noticed"] += len(payloads)


# ---- Paths ---------------------------------------------------------------------------------------


_GROWS = re.compile(
    r"quantflux\.db(-\w+)?|audit/.+|panels/.+|quality(/ledger\.sqlite(-\w+)?)?"
    r"|factors(/definitions\.db(-\w+)?)?|v1(/factors(/[A-Za-z_]\w*\.json)?)?"
)
"""What requests may add to the data folder or change in it: neither its rows nor its secrets."""


@pytest.fixture
def canaries(tmp_path: Path) -> list[Path]:
    """Files in the data folder and in those around it."""
    data = tmp_path / "a" / "data"
    data.mkdir(parents=True)
    names = ("canary", "canary.json", "canary.db")
    files = [folder / name for folder in (tmp_path, tmp_path / "a", data) for name in names]
    for file in files:
        file.write_text(SONG)
    return files


@SPARSELY_OR_NOT
def test_names_lead_to_no_other_file(
    tmp_path: Path, canaries: list[Path], everywhere: bool, tried: Counter[str]
) -> None:
    payloads = path_payloads()
    assert len(payloads) >= 300
    data = tmp_path / "a" / "data"
    with attacked(data) as target:
        for role in ("viewer", "researcher", "admin"):
            target.user(role)
        told = _told(target)
        secrets = sorted((data / "secrets").iterdir())
        assert secrets
        keys = [text for s in secrets for text in (s.read_bytes(), s.read_bytes().hex().encode())]
        around = tree(tmp_path, without=data)
        inside = tree(data)

        secret = [*canaries, *secrets]
        watch = Watch(data, secret)
        with Guarded(secret) as guarded, watched(watch):
            sent, wrong = sweep(
                target,
                payloads[::6] if everywhere else payloads,
                everywhere=everywhere,
                canaries=(*CANARIES, *keys),
            )
            opened = guarded.opened()
        tried["injection: paths"] += sent

        assert not wrong, "\n".join(wrong[:20])
        assert not watch.wrong()
        assert not opened
        assert len(watch.done) > 20, "nothing was watched"
        assert tree(tmp_path, without=data) == around
        after = tree(data)
        differ = {name for name in after.keys() | inside.keys() if after.get(name) != inside.get(name)}
        assert not {name for name in differ if not _GROWS.fullmatch(name)}
        assert _told(target) == told


def _starts_a_program(folder: Path) -> None:
    subprocess.run(["true"], check=True, cwd=folder)


def _connects(folder: Path) -> None:
    del folder
    with socket.socket() as taken, socket.socket() as caller:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        with pytest.raises(OSError, match="refused"):
            caller.connect(taken.getsockname())


_HARM: dict[str, Callable[[Path], object]] = {
    "a file is read": lambda folder: (folder / "canary").read_text(),
    "a system's file is read": lambda folder: Path("/etc/passwd").read_text(),
    "a file of the process is read": lambda folder: Path("/proc/self/environ").read_bytes(),
    "a file is written": lambda folder: (folder / "new").write_text("x"),
    "a file is written over": lambda folder: (folder / "canary").write_text(SONG),
    "a database is opened": lambda folder: sqlite3.connect(folder / "canary.db").close(),
    "a database is opened by its address": lambda folder: sqlite3.connect(
        f"file:{folder}/canary.db", uri=True
    ).close(),
    "a folder is made": lambda folder: (folder / "made").mkdir(),
    "a folder is listed": lambda folder: list(folder.iterdir()),
    "a file is renamed": lambda folder: (folder / "canary").rename(folder / "canary.2"),
    "a file is moved in": lambda folder: (folder / "canary.json").rename(folder / "data" / "moved"),
    "a file is removed": lambda folder: (folder / "canary.db").unlink(),
    "a link is made": lambda folder: (folder / "data" / "link").symlink_to(folder),
    "a program is started": _starts_a_program,
    "a connection is made": _connects,
}


def test_harm_done_to_files_is_noticed(tmp_path: Path, canaries: list[Path], tried: Counter[str]) -> None:
    folder = tmp_path / "a"
    for name, harm in _HARM.items():
        watch = Watch(folder / "data")
        with watched(watch):
            harm(folder)
        assert watch.wrong(), name
        tried["harm that must be noticed"] += 1
    with watched(Watch(folder / "data", [folder / "data" / "canary"])) as watch:
        (folder / "data" / "canary.json").read_text()
        (folder / "data" / "own").write_text("x")
        Path(os.__file__).read_bytes()
        assert not watch.wrong()
        (folder / "data" / "canary").read_text()
        assert watch.wrong()


def test_files_opened_by_compiled_code_are_noticed(tmp_path: Path, canaries: list[Path]) -> None:
    with Guarded(canaries) as guarded, watched(Watch(tmp_path / "nowhere")) as watch:
        assert not guarded.opened()
        with pa.OSFile(str(canaries[4])) as file:
            assert file.read() == SONG.encode()
        assert not watch.wrong(), "Python's own events would do"
        assert guarded.opened() == {str(canaries[4])}


def test_changes_of_a_tree_are_noticed(tmp_path: Path, canaries: list[Path]) -> None:
    seen = [tree(tmp_path)]
    canaries[0].write_text(SONG[::-1])
    seen.append(tree(tmp_path))
    (tmp_path / "a" / "empty").mkdir()
    seen.append(tree(tmp_path))
    (tmp_path / "a" / "link").symlink_to("/etc")
    seen.append(tree(tmp_path))
    canaries[1].rename(tmp_path / "renamed")
    seen.append(tree(tmp_path))
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])
