"""What v1's daily table holds beside the bar: the exchange's previous close, the change, and per cent.

v1 was given these three; we compute them. The previous close is the close of the stock's row before, brought to the
new day's terms by the two adjustment factors, and rounded to the column as the exchange rounds it to the tick. A
stored row that we wrote and whose predecessor this write changes, is brought up to date with it.
"""

# ruff: noqa: S608  (statements are composed of our own identifiers only; values travel as parameters or literals)

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.adapters.mysql.connection import Connection, Row
from quantflux.data.adapters.mysql.layout import Storage, Stored
from quantflux.data.adapters.mysql.literals import Target, literals
from quantflux.data.adapters.mysql.read import Reading, read_batches
from quantflux.data.adapters.mysql.tables import ADJUSTMENTS, DAILY
from quantflux.data.adapters.mysql.wire import Wire, in_full, wire
from quantflux.data.adapters.mysql.write import Batch, Literal, upsert
from quantflux.data.contract import Query

KNOWN = "adjustment_known"
"""Marks rows that have a row in our adjustment table, whatever its value."""

ADJUSTMENT_JOIN = (
    f" LEFT JOIN `{ADJUSTMENTS}` `a` ON `a`.`ts_code` = `t`.`ts_code` AND `a`.`trade_date` = `t`.`trade_date`"
)
ADJUSTMENT_WIRES = (
    Wire("adj_factor", in_full("`a`.`adj_factor`"), pa.float64(), pa.float64(), Storage.DOUBLE),
    Wire(KNOWN, "`a`.`ts_code` IS NOT NULL", pa.int64(), pa.bool_(), Storage.INTEGER),
)

_OUTSIDE = (
    "SELECT `t`.`ts_code`, `t`.`trade_date`, `t`.`close`, `a`.`adj_factor`, `a`.`ts_code` IS NOT NULL"
    " FROM (SELECT `ts_code`, {end}(`trade_date`) AS `day` FROM `stock_daily_history`"
    " WHERE `ts_code` IN %s AND `trade_date` {sign} %s GROUP BY `ts_code`) `p`"
    " JOIN `stock_daily_history` `t` ON `t`.`ts_code` = `p`.`ts_code` AND `t`.`trade_date` = `p`.`day`"
    + ADJUSTMENT_JOIN
)
_BEFORE = _OUTSIDE.format(end="MAX", sign="<")
_AFTER = _OUTSIDE.format(end="MIN", sign=">")

_SIDES = pa.schema(
    {
        "symbol": pa.string(),
        "trade_date": pa.date32(),
        "close": pa.float64(),
        "adj_factor": pa.float64(),
        KNOWN: pa.bool_(),
        "pre_close": pa.float64(),
    }
)


@dataclass(frozen=True)
class _Sequence:
    """Batch and stored rows of the batch's symbols in key order, with each row's previous close in its own terms."""

    rows: pa.Table
    ours: np.ndarray
    previous: np.ndarray

    @property
    def outdated(self) -> np.ndarray:
        """Stored rows that we wrote and that now follow a row of the batch."""
        known = self.rows.column(KNOWN).to_numpy(zero_copy_only=False).astype(bool)
        symbols = self.rows.column("symbol").combine_chunks()
        follows = np.zeros(len(self.ours), dtype=bool)
        if len(follows) > 1:
            same = pc.equal(symbols.slice(1), symbols.slice(0, len(symbols) - 1)).to_numpy(
                zero_copy_only=False
            )
            follows[1:] = same & self.ours[:-1]
        outdated: np.ndarray = ~self.ours & known & follows
        return outdated


def write_daily(connection: Connection, batch: Batch, columns: dict[str, Literal]) -> int:
    """Upsert bars with v1's three derived columns, and their factors beside them; return how many rows changed."""
    sequence = _sequence(connection, batch)
    derived = _derived(batch, sequence, sequence.ours)
    changed = upsert(connection, batch.table.name, columns | derived)
    changed += upsert(
        connection,
        ADJUSTMENTS,
        {
            "ts_code": columns["ts_code"],
            "trade_date": columns["trade_date"],
            "adj_factor": literals(
                batch.rows.column("adj_factor"),
                Target(batch.data.name, "adj_factor", Stored("adj_factor", Storage.DOUBLE, 0, 0, True, "")),
            ),
        },
    )
    outdated = sequence.outdated
    if outdated.any():
        rows = sequence.rows.filter(pa.array(outdated))
        keys: dict[str, Literal] = {
            "ts_code": literals(rows.column("symbol"), batch.target("symbol", "ts_code")),
            "trade_date": literals(rows.column("trade_date"), batch.target("trade_date", "trade_date")),
        }
        upsert(connection, batch.table.name, keys | _derived(batch, sequence, outdated))
    return changed


def _sequence(connection: Connection, batch: Batch) -> _Sequence:
    keys = ["symbol", "trade_date"]
    own = batch.rows.select([*keys, "close", "adj_factor"])
    own = own.append_column(KNOWN, pa.array(np.ones(own.num_rows, dtype=bool)))
    stored = _stored(connection, batch)
    beside = stored.num_rows > 0
    if beside:  # joins lose the order, which is mended below
        own = own.join(stored.select([*keys, "pre_close"]), keys, join_type="left outer")
        stored = stored.join(own.select(keys), keys, join_type="left anti")
    else:
        own = own.append_column("pre_close", pa.nulls(own.num_rows, pa.float64()))
    parts = [
        part.select(_SIDES.names).cast(_SIDES).append_column("ours", pa.array(np.full(part.num_rows, mine)))
        for part, mine in ((own, True), (stored, False))
    ]
    rows = pa.concat_tables(parts).combine_chunks()
    if beside:
        rows = rows.sort_by([(key, "ascending") for key in keys])
    return _Sequence(rows, rows.column("ours").to_numpy(zero_copy_only=False), _previous_closes(rows))


def _stored(connection: Connection, batch: Batch) -> pa.Table:
    """Return the stored rows in the batch's span, and one on either side of it, for the batch's symbols."""
    symbols = batch.distinct_codes
    span = pc.min_max(batch.rows.column("trade_date")).as_py()
    sides = [
        row
        for statement, day in ((_BEFORE, span["min"]), (_AFTER, span["max"]))
        for row in connection.rows(statement, (symbols, day))
    ]
    query = Query(batch.data, tuple(symbols), span["min"], span["max"], ("close",))
    before = wire("pre_close", batch.layout["pre_close"], pa.float64())
    reading = Reading(query, DAILY, batch.layout, (*ADJUSTMENT_WIRES, before), ADJUSTMENT_JOIN)
    inside = [table.select(_SIDES.names).cast(_SIDES) for table in read_batches(connection, reading, 1 << 16)]
    return pa.concat_tables([_as_table(sides), *inside])


def _as_table(rows: list[Row]) -> pa.Table:
    columns: list[list[object]] = [[], [], [], [], [], []]
    for code, day, close, factor, known in rows:
        if close is None:
            continue
        cells = (
            code.decode(),
            date.fromisoformat(day.decode()),
            float(close),
            factor and float(factor),
            known == b"1",
            None,
        )
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell)
    return pa.table(columns, schema=_SIDES)


def _previous_closes(rows: pa.Table) -> np.ndarray:
    """Return each row's previous close in its own terms.

    After a row of v1's, whose factor is not known, the previous close that v1 was given stays; without one the two
    rows are taken to be in the same terms.
    """
    close = rows.column("close").to_numpy()
    factor = rows.column("adj_factor").to_numpy()  # NaN where there is none
    given = rows.column("pre_close").to_numpy()
    symbols = rows.column("symbol").combine_chunks()
    previous = np.full(len(close), np.nan)
    if len(close) > 1:
        same = pc.equal(symbols.slice(1), symbols.slice(0, len(symbols) - 1)).to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore"):
            ratio = factor[:-1] / factor[1:]
            here = close[:-1] * np.where(np.isnan(ratio), 1.0, ratio)
        here = np.where(np.isnan(ratio) & ~np.isnan(given[1:]), given[1:], here)
        previous[1:] = np.where(same, here, np.nan)
    known: np.ndarray = np.where(np.isnan(previous), given, previous)  # a stock's first row keeps what v1 had
    return known


def _derived(batch: Batch, sequence: _Sequence, which: np.ndarray) -> dict[str, Literal]:
    close = sequence.rows.column("close").to_numpy()[which]
    with np.errstate(all="ignore"):  # what has no room in the column becomes NULL below
        previous = np.round(sequence.previous[which], batch.layout["pre_close"].scale)
        previous = np.where(previous > 0, previous, np.nan)
        values = {
            "pre_close": previous,
            "change_c": close - previous,
            "pct_chg": (close / previous - 1) * 100,
        }
    return {name: _rounded(batch, name, numbers) for name, numbers in values.items()}


def _rounded(batch: Batch, name: str, numbers: np.ndarray) -> Literal:
    stored = batch.layout[name]
    with np.errstate(all="ignore"):
        rounded = np.round(numbers, stored.scale)
    fits = np.abs(rounded) < 10.0 ** (stored.precision - stored.scale)  # false for NaN
    target = Target(batch.data.name, name, stored, rounding="v1")
    return literals(pa.chunked_array([pa.array(rounded, mask=~fits)]), target)
