"""One row about an instrument, and its way in and out of tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import pyarrow as pa

from quantflux.core.errors import InvalidData
from quantflux.core.symbols import Board, Exchange, exchange_of, is_canonical


class Status(StrEnum):
    """How an instrument is traded."""

    NORMAL = "normal"
    ST = "st"
    STAR_ST = "star_st"
    DELISTING = "delisting"
    DELISTED = "delisted"

    @property
    def is_st(self) -> bool:
        """Whether it is under special treatment: ST or *ST."""
        return self in (Status.ST, Status.STAR_ST)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What was true of one instrument from `valid_from` until its next row.

    Attributes
    ----------
    instrument_id : str
        Permanent, whatever happens to the symbol.
    status : Status
        `delisting` is the period in which a share trades its way out.
    list_date, delist_date : date or None
        First day on the exchange, and first day no longer on it; None if unknown or still listed.
    """

    instrument_id: str
    symbol: str
    name: str
    board: Board
    industry: str | None
    status: Status
    list_date: date | None
    delist_date: date | None
    valid_from: date

    @property
    def exchange(self) -> Exchange:
        """The exchange of its symbol."""
        return exchange_of(self.symbol)

    def is_listed(self, day: date) -> bool:
        """Whether it is listed on a day on which this row holds."""
        begun = self.list_date is None or self.list_date <= day
        ended = self.delist_date is not None and self.delist_date <= day
        return begun and not ended and self.status is not Status.DELISTED


SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("valid_from", pa.date32()),
        ("instrument_id", pa.string()),
        ("name", pa.string()),
        ("board", pa.string()),
        ("industry", pa.string()),
        ("status", pa.string()),
        ("list_date", pa.date32()),
        ("delist_date", pa.date32()),
    ]
)
"""The columns of the `instruments` dataset."""

_OPTIONAL = frozenset({"industry", "list_date", "delist_date"})


def table_of(rows: Sequence[Instrument]) -> pa.Table:
    """Return rows as a table in `SCHEMA`."""
    return pa.table({name: [getattr(row, name) for row in rows] for name in SCHEMA.names}, schema=SCHEMA)


def rows_of(table: pa.Table) -> list[Instrument]:
    """Return the rows of a table that has the columns of `SCHEMA`, in any order.

    Raises
    ------
    InvalidData
        Naming column, row, what was found and what is valid.
    """
    columns = {}
    for field in SCHEMA:
        if field.name in table.column_names:
            columns[field.name] = _column(table, field)
        elif field.name in _OPTIONAL:
            columns[field.name] = [None] * table.num_rows
        else:
            _refuse(f"has no column {field.name!r}; it has: {', '.join(table.column_names)}", field.name)
    names = list(columns)
    return [
        _row(i, dict(zip(names, cells, strict=True)))
        for i, cells in enumerate(zip(*columns.values(), strict=True))
    ]


def _column(table: pa.Table, field: pa.Field) -> list[Any]:
    try:
        values = table.column(field.name).cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        _refuse(f"column {field.name!r} must be {field.type}: {error}", field.name)
    cells: list[Any] = values.to_pylist()
    if field.name not in _OPTIONAL and values.null_count:
        _refuse(f"column {field.name!r} must not be null", field.name, cells.index(None))
    return cells


def _row(number: int, cells: dict[str, Any]) -> Instrument:
    if not is_canonical(cells["symbol"]):
        _refuse(f"symbol must be canonical such as 600519.SH, was {cells['symbol']!a}", "symbol", number)
    cells["board"] = _member(Board, cells["board"], "board", number)
    cells["status"] = _member(Status, cells["status"], "status", number)
    begun, ended = cells["list_date"], cells["delist_date"]
    if begun is not None and ended is not None and ended < begun:
        _refuse(f"delist_date {ended} lies before list_date {begun}", "delist_date", number)
    return Instrument(**cells)


_Choice = TypeVar("_Choice", Board, Status)


def _member(kind: type[_Choice], value: str, column: str, number: int) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        _refuse(f"{column} must be one of {', '.join(kind)}, was {value!r}", column, number)


def _refuse(message: str, column: str, row: int | None = None) -> NoReturn:
    where = "instruments" if row is None else f"instruments, row {row}"
    raise InvalidData(f"{where}: {message}", dataset="instruments", column=column, row=row)
