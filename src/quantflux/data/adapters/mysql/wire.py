"""How a column travels from the server to Arrow: as text that the server writes and Arrow parses.

The server does the unit conversion, in its exact decimal arithmetic; Arrow parses the text to the nearest double.
Nothing in between is a float, so 12.34 comes back as 12.34 to the bit.

A FLOAT column holds the nearest 32-bit number. Its canonical value is the shortest decimal that names that number:
what v1 stored as 12.34 reads as 12.34, not as 12.34000015258789.

Text travels in hexadecimal behind an `x`, so that no name can break a row and NULL differs from an empty name.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from quantflux.core.errors import StoreCorrupt, Unsupported
from quantflux.data.adapters.mysql.ddl import quoted
from quantflux.data.adapters.mysql.layout import Storage, Stored

SEPARATOR, ROW_END = ",", "\n"


def hexadecimal(text: str) -> str:
    """Return a text literal that no content can end and no SQL mode reads otherwise.

    Examples
    --------
    >>> hexadecimal("a'b")
    "_utf8mb4 X'612762'"
    """
    return f"_utf8mb4 X'{text.encode().hex()}'"


@dataclass(frozen=True, slots=True)
class Wire:
    """One column on its way.

    Attributes
    ----------
    name : str
        In the result.
    expression : str
        SQL that yields its text.
    parsed : pyarrow.DataType
        What Arrow's parser makes of the text.
    target : pyarrow.DataType
        What it must become.
    storage : Storage
    """

    name: str
    expression: str
    parsed: pa.DataType
    target: pa.DataType
    storage: Storage


def wire(
    name: str, stored: Stored, target: pa.DataType, shift: int = 0, instead: str = "", default: str = ""
) -> Wire:
    """Describe how a stored column becomes `target`, shifted by a power of ten on the server.

    An empty value is read from the column `instead`, or as the text `default`.
    """
    column = f"`t`.{quoted(stored.name)}"
    if instead:
        column = f"COALESCE({column}, `t`.{quoted(instead)})"
    if default:
        column = f"COALESCE({column}, {hexadecimal(default)})"
    storage = stored.storage
    if storage in (Storage.FLOAT, Storage.DOUBLE) and (shift or pa.types.is_integer(target)):
        raise Unsupported(f"column {stored.name} is a {storage}; its unit cannot be converted exactly")
    if storage is Storage.TEXT:
        return Wire(name, f"CONCAT('x', HEX(CONVERT({column} USING utf8mb4)))", pa.string(), target, storage)
    if storage is Storage.DATETIME:
        return Wire(name, column, pa.timestamp("us"), target, storage)
    if storage is Storage.DATE:
        return Wire(name, column, pa.date32(), target, storage)
    if storage is Storage.FLOAT:  # as it stands the server would write six digits of it
        return Wire(name, in_full(f"({column} + 0E0)"), pa.float64(), target, storage)
    if storage is Storage.DOUBLE:
        return Wire(name, in_full(column), pa.float64(), target, storage)
    value = f"{column} * {10**shift}" if shift else column
    if pa.types.is_integer(target) and stored.scale:
        if stored.scale > shift:
            raise Unsupported(f"column {stored.name} has {stored.scale} decimals, the field is an integer")
        value = f"CAST({value} AS SIGNED)"
    return Wire(name, value, pa.int64() if pa.types.is_integer(target) else pa.float64(), target, storage)


def in_full(double: str) -> str:
    """Return a double's text, room for all of it made: MariaDB's CONCAT allows for 22 characters and cuts the rest."""
    return f"CAST({double} AS CHAR(330))"


def parse(texts: list[bytes], wires: list[Wire], table: str) -> pa.Table:
    """Return rows out of the server's text, in the wires' target types.

    Raises
    ------
    StoreCorrupt
        If a value cannot be read, such as the date 0000-00-00.
    """
    buffer = ROW_END.encode().join(texts)
    try:
        raw = pa_csv.read_csv(
            pa.BufferReader(buffer),
            read_options=pa_csv.ReadOptions(
                column_names=[w.name for w in wires], block_size=max(len(buffer) + 1, 1 << 16)
            ),
            parse_options=pa_csv.ParseOptions(delimiter=SEPARATOR, quote_char=False),
            convert_options=pa_csv.ConvertOptions(
                column_types={w.name: w.parsed for w in wires}, null_values=[""], strings_can_be_null=True
            ),
        )
        columns = [_decoded(raw.column(w.name), w) for w in wires]
    except (pa.ArrowInvalid, ValueError) as error:
        raise StoreCorrupt(
            f"MySQL: table {table} holds a value that cannot be read: {error}", table
        ) from error
    return pa.table(columns, names=[w.name for w in wires])


def _decoded(values: pa.ChunkedArray, wire: Wire) -> pa.ChunkedArray:
    if wire.storage is Storage.FLOAT:
        return values.cast(pa.float32()).cast(pa.string()).cast(pa.float64())
    if wire.storage is Storage.DATETIME:
        # Hours that summer time doubled or skipped (1986-1991, by night) are no trading hours.
        return pc.assume_timezone(values, "Asia/Shanghai", ambiguous="earliest", nonexistent="earliest")
    if wire.storage is Storage.TEXT:
        return _text(values, wire.target)
    return values.cast(wire.target)


def _text(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    encoded = values.combine_chunks().dictionary_encode()
    names = [bytes.fromhex(text[1:]).decode() for text in encoded.dictionary.to_pylist()]
    if pa.types.is_date(target):
        dates = pc.strptime(pa.array(names, pa.string()), format="%Y%m%d", unit="s", error_is_null=False)
        dictionary = dates.cast(pa.date32())
    else:
        dictionary = pa.array(names, target)
    return pa.chunked_array([dictionary.take(encoded.indices)])
