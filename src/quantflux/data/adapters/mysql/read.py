"""Reads one dataset out of its table, as Arrow batches in canonical units.

1. `layout.py` says what the table is made of; `wire.py` says how each column travels.
2. `selection.py` fetches the rows as text, one group per symbol, cut by years where a symbol's history is large.
3. Here the text of several groups is parsed at once, duplicates are dropped, and rows that are no rows of the
   dataset are left out and counted in the log: v1 checked nothing when it loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.clock import SHANGHAI
from quantflux.core.symbols import SYMBOL_PATTERN
from quantflux.data.adapters.mysql import symbols
from quantflux.data.adapters.mysql.connection import Connection
from quantflux.data.adapters.mysql.layout import Layout, Storage
from quantflux.data.adapters.mysql.selection import Group, Selection, bounds, groups
from quantflux.data.adapters.mysql.tables import Column, Table
from quantflux.data.adapters.mysql.wire import Wire, parse, wire
from quantflux.data.conform import is_ordered, local_minutes
from quantflux.data.contract import Query, check_symbols
from quantflux.data.schema import MINUTE_LABELS, Dataset, TimeKind

log = logging.getLogger(__name__)

NUMBER = "id"
"""v1's row number in a table without a unique key: of rows with one key the newest counts."""

_SHORT_SPAN_DAYS = 5  # a market's few days are one text; by symbol they would be thousands of tiny packets
_GUESSED_YEARS = 2  # shorter spans are cut without asking what the table holds
_PARSE_BYTES = 4 << 20


@dataclass(frozen=True)
class Reading:
    """One query against one table: the wires to fetch and where from.

    `numbered` keeps v1's row number in the result, where the table has one.
    """

    query: Query
    table: Table
    layout: Layout
    extra: tuple[Wire, ...] = ()
    join: str = ""
    numbered: bool = False

    @property
    def wires(self) -> list[Wire]:
        """The time, then the columns that the query needs, then v1's row number where keys may repeat."""
        data, table = self.query.dataset, self.table
        wanted = {*self.query.value_columns, *data.key}
        result = [wire(data.time, self.layout[table.time], data.kind.arrow)]
        for column in table.columns:
            if column.field in wanted:
                target = data.by_name[column.field].type.arrow
                result.append(_wire_of(column, self.layout, target))
        if not table.key:
            result.append(wire(NUMBER, self.layout[NUMBER], pa.int64()))
        return [*result, *self.extra]

    @property
    def selection(self) -> Selection:
        """The rows asked for, as the table spells them."""
        table, wanted = self.table, check_symbols(self.query.symbols)
        start, end = self.query.bounds
        stored = self.layout[table.time].storage
        return Selection(
            table.name,
            table.symbol,
            table.time,
            start,
            end,
            None if wanted is None else tuple(symbols.stored(s, table) for s in wanted),
            table.fixed,
            compact=stored is Storage.TEXT,
            clocked=stored is Storage.DATETIME,
            join=self.join,
        )

    @property
    def keyed(self) -> bool:
        """Whether all rows fit one text: a few days, one row per symbol and day."""
        start, end = self.query.bounds
        if (
            self.query.dataset.kind is not TimeKind.DAY
            or self.query.dataset.extra_keys
            or start is None
            or end is None
        ):
            return False
        return (end - start).days < _SHORT_SPAN_DAYS


def _wire_of(column: Column, layout: Layout, target: pa.DataType) -> Wire:
    return wire(column.field, layout[column.name], target, column.shift, column.instead, column.default)


def read_batches(connection: Connection, reading: Reading, batch_rows: int) -> Generator[pa.Table]:
    """Yield tables of about `batch_rows` rows or more, sorted by key, columns as the reading's wires name them."""
    if reading.query.symbols is not None and not reading.query.symbols:
        return
    data = reading.query.dataset
    name = wire("symbol", reading.layout[reading.table.symbol], pa.string())
    for selection in _slices(connection, reading):
        waiting: list[Group] = []
        for group in groups(connection, selection, name, reading.wires, keyed=reading.keyed):
            waiting.append(group)
            if (
                sum(g.rows for g in waiting) >= batch_rows
                or sum(len(g.text) for g in waiting) >= _PARSE_BYTES
            ):
                yield _table(waiting, name, reading, data)
                waiting = []
        if waiting:
            yield _table(waiting, name, reading, data)


def _slices(connection: Connection, reading: Reading) -> Iterator[Selection]:
    """Cut a large table's selection by calendar years, so that a symbol's text stays small."""
    selection, years = reading.selection, reading.table.slice_years
    if not years or reading.keyed:
        yield selection
        return
    first, last = reading.query.start, reading.query.end
    if first is None or last is None or (last.year - first.year) > _GUESSED_YEARS:
        found = bounds(connection, selection)
        if found is None:
            return
        first, last = found
    for year in range(first.year, last.year + 1, years):
        low: date | datetime = date(year, 1, 1)
        high: date | datetime = date(year + years - 1, 12, 31)
        if selection.clocked:
            low, high = datetime.combine(low, time.min, SHANGHAI), datetime.combine(high, time.max, SHANGHAI)
        start = low if selection.start is None else max(low, selection.start)
        end = high if selection.end is None else min(high, selection.end)
        yield replace(selection, start=start, end=end)


def _table(waiting: list[Group], name: Wire, reading: Reading, data: Dataset) -> pa.Table:
    pieces = []
    unkeyed = [g for g in waiting if g.symbol is not None]
    if unkeyed:
        rows = parse([g.text for g in unkeyed], reading.wires, reading.table.name)
        codes = pa.array(
            [symbols.canonical(g.symbol, reading.table) for g in unkeyed if g.symbol is not None]
        )
        repeated = codes.take(pa.array(np.repeat(np.arange(len(unkeyed)), [g.rows for g in unkeyed])))
        pieces.append(rows.add_column(0, "symbol", repeated))
    keyed = [g.text for g in waiting if g.symbol is None]
    if keyed:
        rows = parse(keyed, [name, *reading.wires], reading.table.name)
        encoded = rows.column("symbol").combine_chunks().dictionary_encode()
        codes = pa.array(
            [symbols.canonical(s, reading.table) for s in encoded.dictionary.to_pylist()], pa.string()
        )
        pieces.append(rows.set_column(0, "symbol", codes.take(encoded.indices)))
    rows = in_order(admitted(pa.concat_tables(pieces), data, reading.table.name), data)
    return rows.drop_columns([NUMBER]) if NUMBER in rows.column_names and not reading.numbered else rows


def in_order(table: pa.Table, data: Dataset) -> pa.Table:
    """Return the rows sorted by key, each key once: of repeats the one with the highest row number."""
    if is_ordered(data, table):
        return table
    order = [name for name in (*data.key, NUMBER) if name in table.column_names]
    table = table.take(pc.sort_indices(table, [(name, "ascending") for name in order]))
    if NUMBER not in table.column_names or table.num_rows < 2:
        return table
    last = np.ones(table.num_rows, dtype=bool)
    same = np.ones(table.num_rows - 1, dtype=bool)
    for name in data.key:
        column = table.column(name).combine_chunks()
        same &= pc.equal(column.slice(1), column.slice(0, len(column) - 1)).to_numpy(zero_copy_only=False)
    last[:-1] = ~same
    return table.filter(pa.array(last))


def admitted(table: pa.Table, data: Dataset, where: str) -> pa.Table:
    """Return the rows that can be rows of the dataset; log how many are left out, and why.

    v1 holds rows without a price, minutes off the exchange's grid, and codes that are no symbols.
    """
    for reason, bad in _faults(table, data):
        count = int(pc.sum(bad).as_py() or 0)
        if count:
            log.warning("%s: %d rows left out: %s", where, count, reason)
            table = table.filter(pc.invert(bad))
            return admitted(table, data, where)
    return table


def _faults(table: pa.Table, data: Dataset) -> Iterator[tuple[str, pa.ChunkedArray]]:
    distinct = table.column("symbol").unique()
    good = distinct.filter(pc.match_substring_regex(distinct, SYMBOL_PATTERN))
    if len(good) != len(distinct):
        yield "the code is no symbol", pc.invert(pc.is_in(table.column("symbol"), value_set=good))
    required = [data.time, *(f.name for f in data.fields if f.required)]
    for name in required:
        if name in table.column_names:
            yield f"no {name}", pc.is_null(table.column(name))
    for field in data.fields:
        if field.minimum is not None and field.name in table.column_names:
            below = pc.less_equal if field.exclusive else pc.less
            yield (
                f"{field.name} below its minimum",
                below(table.column(field.name), field.minimum).fill_null(False),
            )
    if data.kind is TimeKind.MINUTE:
        off_grid = ~np.isin(local_minutes(table.column(data.time)), MINUTE_LABELS)
        stamps = table.column(data.time).cast(pa.int64()).to_numpy()
        yield (
            "not the closing minute of a bar",
            pa.chunked_array([pa.array(off_grid | (stamps % 60_000_000 != 0))]),
        )
