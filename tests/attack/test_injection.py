"""Statements in every text that the API takes, over real servers, with canaries beside the data.

Each check stands beside a test which does the harm itself and sees that the check notices.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pymysql.converters import escape_string

from quantflux.data.schema import INSTRUMENTS
from tests.attack.evil import influx_payloads, sql_payloads
from tests.attack.states import SqlState, harm_in, heard, influx_queries, influx_state
from tests.attack.sweeping import (
    CANARIES,
    NUMBER,
    SONG,
    SPARSELY_OR_NOT,
    SYMBOL,
    Place,
    Takes,
    good_replies,
    places,
    rows_told,
    sweep,
    sweep_hole,
    wrong_with,
)
from tests.attack.target import Reply, Target, attacked
from tests.services.influxdb import InfluxServer
from tests.services.mariadb import MariaDBServer

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
        influxdb_server.query("DROP USER thief")  # whom some tests let in; nothing if there is none


@pytest.mark.influxdb
@SPARSELY_OR_NOT
def test_influxql_stays_a_value(
    over_influxdb: tuple[Target, str], influxdb_server: InfluxServer, everywhere: bool, tried: Counter[str]
) -> None:
    target, database = over_influxdb
    payloads = influx_payloads()
    assert len(payloads) >= 500
    asked = influx_queries(influxdb_server)
    told = rows_told(target)
    assert influx_queries(influxdb_server) >= asked + len(told) - 1, "the store is not reached"
    before = influx_state(influxdb_server, database, f"{database}_canary")

    sent, wrong = sweep(target, payloads[::8] if everywhere else payloads, everywhere=everywhere)
    tried["injection: InfluxQL"] += sent

    assert not wrong, "\n".join(wrong[:20])
    assert influx_state(influxdb_server, database, f"{database}_canary") == before
    assert rows_told(target) == told


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


@pytest.mark.influxdb
def test_a_hole_to_influxdb_is_noticed(
    over_influxdb: tuple[Target, str], influxdb_server: InfluxServer, tried: Counter[str]
) -> None:
    target, database = over_influxdb
    before = influx_state(influxdb_server, database)
    found = Counter(
        sweep_hole(
            target,
            influx_payloads(),
            lambda text: influxdb_server.query(f"SELECT * FROM canary WHERE symbol = '{text}'", database),
        )
    )
    tried["harm that must be noticed"] += found.total()
    assert found[f"tells {list(CANARIES[:2])}"] > 2, found
    assert found["fails"] > 100, found
    assert influx_state(influxdb_server, database) != before


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
        # A table goes before its file: no restart of the server survives one without the other.
        mariadb_server.execute("DROP TABLE IF EXISTS stolen", database)
        for file in (mariadb_server.data / database).glob("stolen*"):
            file.unlink()  # with foreign files in its folder, a database cannot be dropped
        mariadb_server.drop_database(database)


def _sql_payloads() -> list[str]:
    """Return the payloads with a file's name that leads into the folder of the database that is asked."""
    return [payload.replace("/tmp/stolen", "stolen") for payload in sql_payloads()]


@pytest.mark.mysql
@SPARSELY_OR_NOT
def test_sql_stays_a_value(
    over_mariadb: tuple[Target, SqlState],
    mariadb_server: MariaDBServer,
    everywhere: bool,
    tried: Counter[str],
) -> None:
    target, state = over_mariadb
    payloads = _sql_payloads()
    assert len(payloads) >= 300
    with heard(mariadb_server) as good:
        told = rows_told(target)
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
    assert rows_told(target) == told
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
    for trigger, *_ in mariadb_server.execute("SHOW TRIGGERS LIKE 'audit_entries'", state.own):
        mariadb_server.execute(f"DROP TRIGGER `{trigger}`", state.own)
    mariadb_server.execute("UPDATE audit_entries SET actor = 'nobody' ORDER BY seq LIMIT 1", state.own)
    assert not target.platform.audit.verify().sound


@pytest.mark.mysql
def test_a_hole_to_mariadb_is_noticed(
    over_mariadb: tuple[Target, SqlState], mariadb_server: MariaDBServer, tried: Counter[str]
) -> None:
    target, state = over_mariadb
    payloads = [p for p in _sql_payloads() if "SLEEP" not in p and "BENCHMARK" not in p]  # only waited for
    before = state.taken()
    with heard(mariadb_server) as statements, mariadb_server.connect(state.own) as connection:
        cursor = connection.cursor()

        def hole(text: str) -> object:
            cursor.execute(f"SELECT value FROM canary WHERE value = '{text}'")
            return cursor.fetchall()

        found = Counter(sweep_hole(target, payloads, hole))
    tried["harm that must be noticed"] += found.total()
    assert found[f"tells {[CANARIES[0]]}"] > 2, found
    assert found[f"tells {[CANARIES[2]]}"] > 1, found
    assert found["fails"] > 100, found
    assert sum(bool(harm_in(each)) for each in statements) > 100
    after = state.taken()
    assert {name for name in before if after[name] != before[name]} == {f"files of {state.own}"}


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
