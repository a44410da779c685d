"""Writes one dataset's rows into its table: whole columns become literals, many rows one statement.

Inside one transaction, under the dataset's lock: the guards look for keys that the table would confuse, the rows are
upserted, and the version is raised if anything changed.
"""

# ruff: noqa: S608  (statements are composed of our own identifiers only; values travel as parameters or literals)

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.adapters.mysql import symbols
from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.ddl import quoted
from quantflux.data.adapters.mysql.layout import Layout
from quantflux.data.adapters.mysql.literals import Rounding, Target, literals, rows_of
from quantflux.data.adapters.mysql.tables import Table
from quantflux.data.adapters.mysql.wire import hexadecimal
from quantflux.data.schema import Dataset

_STATEMENT_BYTES = 1 << 20  # larger ones gained nothing when measured, and a retry sends them whole

Literal: TypeAlias = Any
"""A column of literals (`pyarrow.Array`), or one for all rows (`pyarrow.Scalar`)."""


@dataclass(frozen=True)
class Batch:
    """Rows to store: the dataset's conformed table, where it goes, and how to round.

    `given` maps a row of `rows` to its place in the table as the caller gave it, for messages.
    """

    data: Dataset
    rows: pa.Table
    table: Table
    layout: Layout
    rounding: Rounding
    given: Callable[[int], int]

    def target(self, field: str, column: str, shift: int = 0) -> Target:
        """Describe where a field goes."""
        return Target(self.data.name, field, self.layout[column], shift, self.rounding, self.given)

    @property
    def codes(self) -> pa.Array:
        """The symbol of each row, as the table spells it."""
        encoded = self.rows.column("symbol").combine_chunks().dictionary_encode()
        spelled = [symbols.stored(s, self.table) for s in encoded.dictionary.to_pylist()]
        return pa.array(spelled, pa.string()).take(encoded.indices)

    @property
    def distinct_codes(self) -> list[str]:
        """The symbols, as the table spells them."""
        result: list[str] = pc.unique(self.codes).to_pylist()
        return result


def encoded(batch: Batch) -> dict[str, Literal]:
    """Return the literals of every column of the table that the rows determine, by column name.

    Raises
    ------
    InvalidData
        If a value would change on the way.
    """
    table = batch.table
    columns: dict[str, Literal] = {
        table.symbol: literals(batch.codes, batch.target("symbol", table.symbol)),
        table.time: literals(batch.rows.column(batch.data.time), batch.target(batch.data.time, table.time)),
    }
    columns |= {name: pa.scalar(hexadecimal(text)) for name, text in table.fixed}
    for column in table.columns:
        target = batch.target(column.field, column.name, column.shift)
        columns[column.name] = literals(batch.rows.column(column.field), target)
    columns |= {name: pa.scalar("UTC_TIMESTAMP()") for name in table.stamps if name in batch.layout.columns}
    return columns


def upsert(
    connection: Connection, table: str, columns: dict[str, Literal], keep: tuple[str, ...] = ()
) -> int:
    """Insert rows or replace those with the same key; return how many changed.

    Parameters
    ----------
    columns : dict
        Literals by column name.
    keep : tuple of str
        Columns that an existing row keeps, such as the time it was made.
    """
    names = ", ".join(map(quoted, columns))
    replaced = ", ".join(f"{quoted(name)} = VALUES({quoted(name)})" for name in columns if name not in keep)
    head = f"INSERT INTO {quoted(table)} ({names}) VALUES ".encode()
    tail = f" ON DUPLICATE KEY UPDATE {replaced}".encode()
    limit = min(_STATEMENT_BYTES, connection.max_packet // 2)
    changed = 0
    for chunk in _chunks(rows_of(list(columns.values())), limit):
        connection.query(head + chunk + tail)
        changed += int(connection.affected_rows())  # type: ignore[no-untyped-call]
    return changed


def _chunks(rows: pa.Array, limit: int) -> Iterator[bytes]:
    """Yield rows joined by commas, in pieces of about `limit` bytes."""
    if not len(rows):
        return
    ends = np.cumsum(pc.binary_length(rows).to_numpy().astype(np.int64) + 1)
    starts = np.flatnonzero(np.diff(ends // limit, prepend=0)).tolist()
    edges = sorted({0, *starts, len(rows)})
    lists = pa.ListArray.from_arrays(pa.array(edges, pa.int32()), rows)
    for joined in pc.binary_join(lists, ","):
        yield joined.as_buffer().to_pybytes()
