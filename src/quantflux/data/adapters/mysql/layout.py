"""What a table is really made of, as the server says: v1 made the same table with different types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quantflux.core.errors import Unsupported
from quantflux.data.adapters.mysql.connection import Connection

_COLUMNS = (
    "SELECT column_name, data_type, numeric_precision, numeric_scale, is_nullable, collation_name,"
    " character_maximum_length FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = %s ORDER BY ordinal_position"
)


class Storage(StrEnum):
    """How a column stores its values."""

    DECIMAL = "decimal"
    FLOAT = "float"
    DOUBLE = "double"
    INTEGER = "integer"
    TEXT = "text"
    DATE = "date"
    DATETIME = "datetime"


_STORAGES = {
    "decimal": Storage.DECIMAL,
    "float": Storage.FLOAT,
    "double": Storage.DOUBLE,
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), Storage.INTEGER),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Storage.TEXT),
    "date": Storage.DATE,
    **dict.fromkeys(("datetime", "timestamp"), Storage.DATETIME),
}

_INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


@dataclass(frozen=True, slots=True)
class Stored:
    """One column as the server has it.

    `precision` is the number of decimal digits, of bits for integers, of characters for text.
    """

    name: str
    storage: Storage
    precision: int
    scale: int
    nullable: bool
    collation: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's columns by name."""

    table: str
    columns: dict[str, Stored]

    def __getitem__(self, name: str) -> Stored:
        if name not in self.columns:
            raise Unsupported(f"table {self.table} has no column {name!r}; it has: {', '.join(self.columns)}")
        return self.columns[name]


def read_layout(connection: Connection, table: str) -> Layout | None:
    """Return a table's layout, or None if there is no such table."""
    found: dict[str, Stored] = {}
    for name, kind, digits, scale, nullable, collation, length in connection.rows(_COLUMNS, (table,)):
        data_type = kind.decode().lower()
        if data_type not in _STORAGES:
            continue  # a column of a type v1 never used cannot be one that we read
        storage = _STORAGES[data_type]
        precision = _INTEGER_BITS.get(data_type, int((length if storage is Storage.TEXT else digits) or 0))
        text = "" if collation is None else collation.decode()
        found[name.decode()] = Stored(
            name.decode(), storage, precision, int(scale or 0), nullable == b"YES", text
        )
    return Layout(table, found) if found else None
