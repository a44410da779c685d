"""v1's list of stocks as instruments: one row per stock, listed ones only, no history."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import InvalidRequest, Unsupported
from quantflux.core.instruments import Status
from quantflux.core.symbols import Board, board_of
from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.write import Batch, Literal, upsert


def with_identity(rows: pa.Table) -> pa.Table:
    """Add what v1's table implies: the symbol is the identity, the board follows from the code, all trade normally."""
    symbols = rows.column("symbol").combine_chunks()
    count = rows.num_rows
    implied = {
        "instrument_id": symbols,
        "board": pa.array([_board(s) for s in symbols.to_pylist()], pa.string()),
        "status": pa.array([Status.NORMAL.value] * count, pa.string()),
        "list_date": rows.column("valid_from"),
        "delist_date": pa.nulls(count, pa.date32()),
    }
    for name, values in implied.items():
        rows = rows.append_column(name, values)
    return rows


def write_instruments(connection: Connection, batch: Batch, columns: dict[str, Literal]) -> int:
    """Upsert stocks; return how many rows changed.

    Raises
    ------
    Unsupported
        If a row says something that v1's table has no column for.
    """
    rows = batch.rows
    implied = with_identity(rows.select(["symbol", "valid_from"]))
    for name in implied.column_names[2:]:
        given, possible = rows.column(name), implied.column(name)
        same = pc.or_(
            pc.equal(given, possible).fill_null(False), pc.and_(pc.is_null(given), pc.is_null(possible))
        )
        if not pc.all(same).as_py():
            row = pc.index(same, False).as_py()
            raise Unsupported(
                f"instruments: v1's table {batch.table.name} implies {name} {possible[row].as_py()!r} for "
                f"{rows.column('symbol')[row].as_py()} and cannot hold {given[row].as_py()!r}"
            )
    encoded = batch.rows.column("symbol").combine_chunks()
    digits = pc.binary_join_element_wise("'", pc.utf8_slice_codeunits(encoded, 0, 6), "'", "")
    return upsert(connection, batch.table.name, {**columns, "symbol": digits})


def _board(symbol: str) -> str:
    try:
        return board_of(symbol).value
    except InvalidRequest:
        return Board.OTHER.value
