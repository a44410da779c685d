"""v1's minute table has no unique key: a bar that is there already is updated under its newest row number."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.layout import Storage, Stored
from quantflux.data.adapters.mysql.literals import Target, literals
from quantflux.data.adapters.mysql.read import NUMBER, Reading, read_batches
from quantflux.data.adapters.mysql.write import Batch, Literal, upsert
from quantflux.data.contract import Query

_PLACE = "place"


def write_numbered(connection: Connection, batch: Batch, columns: dict[str, Literal]) -> int:
    """Upsert bars by symbol and time; return how many rows changed. Older repeats of a bar stay, and stay unread."""
    number = Target(batch.data.name, NUMBER, Stored(NUMBER, Storage.INTEGER, 64, 0, True, ""))
    keyed: dict[str, Literal] = {NUMBER: literals(_numbers(connection, batch), number)}
    return upsert(connection, batch.table.name, keyed | columns, keep=(NUMBER, "created_at"))


def _numbers(connection: Connection, batch: Batch) -> pa.ChunkedArray:
    """Return the row number of each bar that is stored, null for new ones."""
    data = batch.data
    keys = ["symbol", data.time]
    times = pc.min_max(batch.rows.column(data.time)).as_py()
    symbols = tuple(pc.unique(batch.rows.column("symbol")).to_pylist())
    query = Query(data, symbols, times["min"], times["max"], ())
    stored = list(read_batches(connection, Reading(query, batch.table, batch.layout, numbered=True), 1 << 16))
    if not any(table.num_rows for table in stored):
        return pa.chunked_array([pa.nulls(batch.rows.num_rows, pa.int64())])
    places = batch.rows.select(keys).append_column(_PLACE, pa.array(range(batch.rows.num_rows), pa.int64()))
    found = places.join(pa.concat_tables(stored).select([*keys, NUMBER]), keys, join_type="left outer")
    return found.sort_by(_PLACE).column(NUMBER)
