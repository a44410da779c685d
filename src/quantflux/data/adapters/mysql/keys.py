"""Guards against keys that a v1 table would take for one where the dataset has two.

A collation that folds case or ignores trailing spaces makes 'Mom' and 'mom' one key; v1's statements have one row
per period whatever its report type and announcement; its list of stocks has one row per stock. A write that would
lose a row that way is refused, and nothing is stored.
"""

# ruff: noqa: S608  (statements are composed of our own identifiers only; values travel as parameters or literals)

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import Unsupported
from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.ddl import quoted
from quantflux.data.adapters.mysql.layout import Storage, Stored
from quantflux.data.adapters.mysql.read import Reading, read_batches
from quantflux.data.adapters.mysql.write import Batch
from quantflux.data.contract import Query

_BYTEWISE = ("nopad_bin", "0900_bin")


def refuse_confusable(connection: Connection, batch: Batch) -> None:
    """Refuse text keys that the table's collation cannot tell apart, among the rows or from stored ones.

    Raises
    ------
    Unsupported
    """
    for field in batch.data.extra_keys:
        column = batch.table.column(field).name
        stored = batch.layout[column]
        if stored.storage is not Storage.TEXT or stored.collation.endswith(_BYTEWISE):
            continue
        if column in batch.table.key:
            _refuse_alike(connection, batch, field, stored)


def _refuse_alike(connection: Connection, batch: Batch, field: str, stored: Stored) -> None:
    names = pc.unique(batch.rows.column(field)).to_pylist()
    union = " UNION ALL ".join(["SELECT %s AS `name`"] * len(names))
    folded = f"CONVERT(`name` USING utf8mb4) COLLATE {stored.collation}"
    [(distinct,)] = connection.rows(f"SELECT COUNT(DISTINCT {folded}) FROM ({union}) `names`", names)
    column = quoted(stored.name)
    alike = f"SELECT DISTINCT BINARY {column} FROM {quoted(batch.table.name)} WHERE {column} IN %s"
    others = {name.decode() for (name,) in connection.rows(alike, (names,))} - set(names)
    if others or int(distinct) < len(names):
        raise Unsupported(
            f"{batch.data.name}: column {stored.name} of table {batch.table.name} has collation {stored.collation}, "
            f"which takes some of {sorted({*names, *others})} for the same; convert it to a bytewise collation first"
        )


def refuse_narrowed(connection: Connection, batch: Batch) -> None:
    """Refuse rows that differ only in keys that the table's primary key lacks, among themselves or from stored ones.

    Raises
    ------
    Unsupported
    """
    data, table = batch.data, batch.table
    columns = {
        "symbol": table.symbol,
        data.time: table.time,
        **{f: table.column(f).name for f in data.extra_keys},
    }
    narrow = [key for key, column in columns.items() if column in table.key]
    if not table.key or len(narrow) == len(data.key):
        return
    query = Query(data, tuple(pc.unique(batch.rows.column("symbol")).to_pylist()), columns=())
    stored = list(read_batches(connection, Reading(query, table, batch.layout), 1 << 16))
    own = batch.rows.select(data.key)
    wide = pa.concat_tables([own, *(t.select(data.key).cast(own.schema) for t in stored)])
    wide = wide.group_by(list(data.key)).aggregate([])
    repeats = wide.group_by(narrow).aggregate([([], "count_all")])
    repeats = repeats.filter(pc.greater(repeats.column("count_all"), 1)).select(narrow)
    mine = repeats.join(batch.rows.select(narrow), narrow, join_type="inner")
    if mine.num_rows:
        first = ", ".join(str(mine.column(name)[0].as_py()) for name in narrow)
        raise Unsupported(
            f"{data.name}: v1's table {table.name} keeps one row for each {' and '.join(narrow)}, and there would be "
            f"more for ({first}); {mine.num_rows} rows in all"
        )
