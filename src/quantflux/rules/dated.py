"""Tables whose rows hold from a day until the next row: read from TOML, checked, asked by one day or by many.

A file holds tables, and each table one or more lists of rows, one for each scope (a board or an exchange)::

    [[price_limit.main]]
    from = 1996-12-16
    ratio = 0.1
    source = "who said so"

A table that is one for the whole market has no scope: `[[stamp_duty]]`. Every row says from when it holds and who says
so. What is wrong with a file is found when it is read, all of it at once.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib.resources import files
from typing import Any

import numpy as np

from quantflux.core.errors import ConfigError, NotFound

Columns = Mapping[str, type]
"""Names of a table's columns beside `from` and `source`, and what they hold: float, int, bool, str, list (of numbers)
or a StrEnum."""

ALL = ""
"""The scope of a table that is one for the whole market."""


@dataclass(frozen=True, slots=True)
class DatedRow:
    """What holds from a day on, and who says so."""

    since: date
    values: Mapping[str, Any]
    source: str

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


@dataclass(frozen=True)
class DatedTable:
    """Rows in order of time.

    Examples
    --------
    >>> rows = [DatedRow(date(2020, 1, 1), {"rate": 0.1}, "law"), DatedRow(date(2021, 1, 1), {"rate": 0.2}, "law")]
    >>> table = DatedTable(tuple(rows))
    >>> table.on(date(2020, 12, 31))["rate"], table.on(date(2019, 12, 31)) is None
    (0.1, True)
    >>> days = np.array(["2019-12-31", "2020-12-31", "2021-01-01"], dtype="datetime64[D]")
    >>> table.over(days, "rate").tolist()
    [nan, 0.1, 0.2]
    """

    rows: tuple[DatedRow, ...]

    def on(self, day: date) -> DatedRow | None:
        """Return the row in force on a day; None before the first."""
        found = None
        for row in self.rows:
            if row.since <= day:
                found = row
        return found

    def change_after(self, day: date) -> date | None:
        """Return the first day after `day` from which another row holds; None if there is none."""
        return next((row.since for row in self.rows if row.since > day), None)

    def over(self, days: np.ndarray, column: str, before: float = np.nan) -> np.ndarray:
        """Return a column of numbers on each day, float64 of the shape of `days`.

        Parameters
        ----------
        days : array of datetime64
        before : float
            What held before the first row.
        """
        starts = np.array([row.since for row in self.rows], dtype="datetime64[D]")
        values = np.array([before, *(row[column] for row in self.rows)], dtype=np.float64)
        return np.asarray(values[np.searchsorted(starts, days.astype("datetime64[D]"), side="right")])


Tables = Mapping[str, Mapping[str, DatedTable]]
"""Tables by name, then by scope."""


def shipped_tables(file: str, columns: Mapping[str, Columns]) -> Tables:
    """Return the tables of a file of this package; see `tables_of`."""
    return tables_of(files("quantflux.rules").joinpath(file).read_text(encoding="utf-8"), columns, file)


def tables_of(text: str, columns: Mapping[str, Columns], file: str) -> Tables:
    """Return the tables of a TOML text.

    Parameters
    ----------
    text : str
    columns : mapping of table name to columns
        Which tables there must be, and what their rows hold.
    file : str
        What to call the text in messages.

    Raises
    ------
    ConfigError
        If a table is missing or unknown, or a row lacks its day or source, holds what its table does not declare, or
        is not later than the row before it. Lists every problem.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    problems = [f"{file}: there is no table {name!r}" for name in columns if name not in raw]
    problems += [
        f"{file}: unknown table {name!r}; known: {', '.join(columns)}" for name in raw if name not in columns
    ]
    for name in [name for name in columns if name in raw]:
        for scope, rows in _scopes(raw[name]).items():
            place = f"{file}: {name}.{scope}" if scope else f"{file}: {name}"
            problems += [f"{place}: {problem}" for problem in _problems(rows, columns[name])]
    if problems:
        raise ConfigError("\n".join(problems), problems)
    return {
        name: {scope: _table(rows, columns[name]) for scope, rows in _scopes(raw[name]).items()}
        for name in columns
    }


def scoped(tables: Mapping[str, DatedTable], scope: str) -> DatedTable:
    """Return the rows of a scope; `NotFound` lists the scopes there are."""
    if scope not in tables:
        raise NotFound(f"no rule is known for {scope!r}; known: {', '.join(tables)}")
    return tables[scope]


def _scopes(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {ALL: value}


def _table(rows: Any, columns: Columns) -> DatedTable:
    return DatedTable(
        tuple(
            DatedRow(
                row["from"], {name: _as(row[name], kind) for name, kind in columns.items()}, row["source"]
            )
            for row in rows
        )
    )


def _problems(rows: object, columns: Columns) -> Iterator[str]:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        yield "must be a list of rows, written as [[table]] or [[table.scope]]"
        return
    before = date.min
    for number, row in enumerate(rows, start=1):
        place = f"row {number}"
        since = row.get("from")
        if type(since) is not date:
            yield f"{place}: needs the day from which it holds, such as from = 2024-01-02, found {since!r}"
        else:
            place = f"row {number} (from {since})"
            if since <= before:
                yield f"{place}: must be later than the row before it ({before})"
            before = since
        if not isinstance(row.get("source"), str) or not row["source"].strip():
            yield f'{place}: needs source = "...", who says so'
        for name in sorted(row.keys() - columns.keys() - {"from", "source"}):
            yield f"{place}: unknown key {name!r}; known: {', '.join(('from', *columns, 'source'))}"
        for name, kind in columns.items():
            if name not in row:
                yield f"{place}: needs {name} ({_wanted(kind)})"
            elif not _fits(row[name], kind):
                yield f"{place}: {name} must be {_wanted(kind)}, was {row[name]!r}"


def _fits(value: object, kind: type) -> bool:
    if kind is list:
        return isinstance(value, list) and all(_fits(item, float) for item in value)
    if issubclass(kind, StrEnum):
        return isinstance(value, str) and value in list(kind)
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value) and value >= 0  # type: ignore[arg-type, operator]
    if kind is int:
        return type(value) is int and value >= 0
    return type(value) is kind


def _as(value: Any, kind: type) -> Any:
    if kind is list:
        return tuple(float(item) for item in value)
    return kind(value)


def _wanted(kind: type) -> str:
    if issubclass(kind, StrEnum):
        return " or ".join(repr(str(member)) for member in kind)
    return {
        float: "a number of at least 0",
        int: "a whole number of at least 0",
        bool: "true or false",
        str: "a text",
        list: "a list of numbers of at least 0",
    }[kind]
