"""What a table holds, asked so that an index answers: which symbols, and which days."""

# ruff: noqa: S608  (statements are composed of our own identifiers only; values travel as parameters or literals)

from __future__ import annotations

from quantflux.core.symbols import is_canonical
from quantflux.data.adapters.mysql import symbols
from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.ddl import quoted
from quantflux.data.adapters.mysql.selection import stored_day
from quantflux.data.adapters.mysql.tables import Table
from quantflux.data.contract import Span


def symbols_of(connection: Connection, table: Table) -> list[str]:
    """Return the symbols that have rows, sorted. What is no symbol is left out."""
    condition, arguments = _fixed(table)
    name = quoted(table.symbol)
    found = connection.rows(f"SELECT {name} FROM {quoted(table.name)}{condition} GROUP BY {name}", arguments)
    codes = (symbols.canonical(code.decode(), table) for (code,) in found)
    return sorted({code for code in codes if is_canonical(code)})


def span_of(connection: Connection, table: Table) -> Span | None:
    """Return the first and last day with rows, or None."""
    condition, arguments = _fixed(table)
    time, name = quoted(table.time), quoted(table.symbol)
    if condition:  # the minute table's index by time ends this at once
        ends = [
            connection.rows(
                f"SELECT {time} FROM {quoted(table.name)}{condition} ORDER BY {time}{way} LIMIT 1",
                arguments,
            )
            for way in ("", " DESC")
        ]
        first, last = (rows[0][0] if rows else None for rows in ends)
    else:  # by symbol the primary key gives each one's ends without reading its rows
        each = f"SELECT MIN({time}) `low`, MAX({time}) `high` FROM {quoted(table.name)} GROUP BY {name}"
        [(first, last)] = connection.rows(f"SELECT MIN(`low`), MAX(`high`) FROM ({each}) `ends`")
    return None if first is None or last is None else Span(stored_day(first), stored_day(last))


def _fixed(table: Table) -> tuple[str, list[str]]:
    terms = " AND ".join(f"{quoted(name)} = %s" for name, _ in table.fixed)
    return (f" WHERE {terms}" if terms else ""), [value for _, value in table.fixed]
