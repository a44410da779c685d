"""What servers hold, so that a change that no request may make is noticed; and what MariaDB was told to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from pymysql.cursors import Cursor

from tests.services.influxdb import InfluxServer
from tests.services.mariadb import MariaDBServer


def influx_state(server: InfluxServer, *databases: str) -> dict[str, Any]:
    """Return what an InfluxDB server holds: its databases and users, the series of some databases, and all points."""

    def ask(statement: str, database: str = "") -> str:
        reply = server.query(statement, database)
        assert "error" not in json.loads(reply)["results"][0], reply
        return reply

    told = ("SHOW DATABASES", "SHOW USERS", "SHOW CONTINUOUS QUERIES", "SHOW SUBSCRIPTIONS")
    state: dict[str, Any] = {statement: ask(statement) for statement in told}
    for database in databases:
        for statement in ("SHOW RETENTION POLICIES", "SHOW SERIES", "SHOW FIELD KEYS"):
            state[f"{database}: {statement}"] = ask(statement, database)
        policies = _values(ask("SHOW RETENTION POLICIES", database))
        for policy, measurement in product(policies, _values(ask("SHOW MEASUREMENTS", database))):
            place = f'"{policy}"."{measurement}"'
            points = ask(f"SELECT * FROM {place}", database)
            if "series" in points:
                state[f"{database}: {place}"] = sha256(points.encode()).hexdigest()
    return state


def influx_queries(server: InfluxServer) -> int:
    """Return how many statements an InfluxDB server has executed."""
    (told,) = json.loads(server.query("SHOW STATS FOR 'queryExecutor'"))["results"][0]["series"]
    return int(told["values"][0][told["columns"].index("queriesExecuted")])


def _values(reply: str) -> list[str]:
    """Return the first column of a reply."""
    return [
        str(row[0]) for each in json.loads(reply)["results"][0].get("series", ()) for row in each["values"]
    ]


# ---- MariaDB --------------------------------------------------------------------------------------

_OBJECTS = (
    ("TRIGGERS", "TRIGGER_SCHEMA, TRIGGER_NAME, ACTION_STATEMENT"),
    ("ROUTINES", "ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_DEFINITION"),
    ("EVENTS", "EVENT_SCHEMA, EVENT_NAME, EVENT_DEFINITION"),
    ("VIEWS", "TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION"),
)
_KEPT = {
    "users": "*",
    "api_keys": "id, user_id, hash, name, scopes, created_at, expires_at, revoked_at",
    "canary": "*",
}
"""Of the tables of our own: what no request of an attack may change."""


@dataclass
class SqlState:
    """What a MariaDB server holds.

    Parameters
    ----------
    market, own : str
        The market's database, compared whole, and that of our own tables.
    loot : Path
        A folder that the server may write to and has not.
    """

    server: MariaDBServer
    market: str
    own: str
    loot: Path
    newest: int = field(init=False)

    def __post_init__(self) -> None:
        ((self.newest,),) = self.server.execute("SELECT MAX(id) FROM users", self.own)

    def taken(self) -> dict[str, Any]:
        """Return it as it is now. Of the users, those count who were there at the beginning."""
        with self.server.connect() as connection, connection.cursor() as cursor:
            return self._taken(partial(_rows, cursor))

    def _taken(self, ask: Callable[..., list[Any]]) -> dict[str, Any]:
        state: dict[str, Any] = {
            "databases": ask("SHOW DATABASES"),
            "rights": ask("SELECT * FROM mysql.global_priv"),
            "rights in databases": ask("SELECT * FROM mysql.db"),
            "loot": sorted((p.name, p.stat().st_size) for p in self.loot.iterdir()),
        }
        for kind, columns in _OBJECTS:
            where = f"{columns.split(',')[0]} NOT IN ('sys', 'mysql')"
            state[kind] = ask(f"SELECT {columns} FROM information_schema.{kind} WHERE {where} ORDER BY 1, 2")
        for database in (self.market, self.own):
            tables = [name for (name,) in ask("SHOW TABLES", database)]
            state[f"files of {database}"] = sorted(p.name for p in (self.server.data / database).iterdir())
            for name in tables:
                made = ask(f"SHOW CREATE TABLE `{name}`", database)[0][1]
                state[f"{database}.{name}"] = re.sub(r" AUTO_INCREMENT=\d+", "", made)
            if database == self.market:
                state["checksums"] = ask(f"CHECKSUM TABLE {', '.join(f'`{n}`' for n in tables)}", database)
        for name, columns in _KEPT.items():
            where = f"WHERE id <= {self.newest}" if name == "users" else ""
            state[f"rows of {name}"] = ask(f"SELECT {columns} FROM {name} {where} ORDER BY 1", self.own)
        return state

    def newcomers(self) -> list[tuple[str, str]]:
        """Return name and role of users who were not there at the beginning."""
        return self.server.execute(f"SELECT name, role FROM users WHERE id > {self.newest}", self.own)


def _rows(cursor: Cursor, statement: str, database: str = "mysql") -> list[Any]:
    cursor.execute(f"USE `{database}`")
    cursor.execute(statement)
    return list(cursor.fetchall())


@contextmanager
def heard(server: MariaDBServer) -> Iterator[list[str]]:
    """Collect the statements that a server is sent; they are there after the block."""
    statements: list[str] = []
    server.execute("SET GLOBAL log_output = 'TABLE'")
    server.execute("TRUNCATE mysql.general_log")
    server.execute("SET GLOBAL general_log = 1")
    try:
        yield statements
    finally:
        server.execute("SET GLOBAL general_log = 0")
        rows = server.execute(
            "SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Execute')"
        )
        statements += [_text(argument) for (argument,) in rows][:-1]  # the last one ends the listening
        server.execute("TRUNCATE mysql.general_log")
        server.execute("SET GLOBAL log_output = 'FILE'")


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


_QUOTED = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`""", re.DOTALL)
_HARM = re.compile(
    r"\b(sleep|benchmark|extractvalue|updatexml|load_file|outfile|dumpfile|union|canary|drop|truncate|grant|create)\b"
    r"|@@version|\bor\s+(?:\?|\d+|\w+)\s*=\s*(?:\?|\d+)|--|#|/\*|;\s*\S|['\"]",
    re.IGNORECASE,
)


def harm_in(statement: str) -> str:
    """Return what of a payload stands in a statement as more than a value or a quoted name; nothing if none does.

    Quoted texts are taken out as the server reads them, with backslashes; whatever remains is code.
    """
    code = _QUOTED.sub(_placeholder, statement)
    found = _HARM.search(code)
    return found.group() if found else ""


def _placeholder(found: re.Match[str]) -> str:
    text = found.group()
    return f" {text[1:-1]} " if re.fullmatch(r"`\w+`", text) else "?"
