"""Walks along the symbols of a request, reading a few of them at a time, so that any span fits in memory.

Rows come in the order of symbol and time. A page ends after so many rows; where it ended is written down as a symbol
and how many of its rows were given, so that the next page begins there, whatever was added to other symbols since.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import InvalidRequest
from quantflux.data.bars import Bars

Reader = Callable[[tuple[str, ...]], Bars | pa.Table]
"""Reads all rows of some symbols, in the order of symbol and time."""

_CURSOR = re.compile(r"([0-9]{6}\.(?:SH|SZ|BJ))@([0-9]{1,12})")
_GROWTH = 8


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: how many rows of a symbol were given."""

    symbol: str
    rows: int

    @classmethod
    def parse(cls, text: str | None) -> Cursor | None:
        """Read what a page gave as `next`.

        Raises
        ------
        InvalidRequest
            If it is nothing of the kind.

        Examples
        --------
        >>> Cursor.parse("600519.SH@244")
        Cursor(symbol='600519.SH', rows=244)
        """
        if text is None:
            return None
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise InvalidRequest(
                f"after must be what a page gave as next, such as 600519.SH@244, was {text!r:.60}"
            )
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{self.symbol}@{self.rows}"


@dataclass(frozen=True, slots=True)
class Cut:
    """The rows of one page, and where the next one begins; None if this is the last."""

    rows: Bars | pa.Table
    next: Cursor | None = None

    @property
    def labelled(self) -> Bars | pa.Table:
        """The rows with the symbol of each, even if all are of the same."""
        alone = isinstance(self.rows, Bars) and self.rows.codes is None
        return self.rows.to_arrow() if alone else self.rows


def page(
    read: Reader, symbols: Sequence[str], rows_each: int, limit: int, after: Cursor | None = None
) -> Cut:
    """Return the rows that follow a cursor, at most `limit`.

    Parameters
    ----------
    read : callable
    symbols : sequence of str
        Sorted, each once.
    rows_each : int
        About how many rows a symbol has; 0 if nobody knows. Decides how many symbols are read at once.
    limit : int
    after : Cursor, optional
    """
    wanted = [s for s in symbols if after is None or s >= after.symbol]
    if not wanted:
        return Cut(_cut(read(tuple(symbols[:1])), 0, 0))
    parts: list[Bars | pa.Table] = []
    room = limit
    for group, rows in _groups(read, wanted, rows_each, limit):
        given = after.rows if after is not None and group[0] == after.symbol else 0
        if given:
            rows = _after(rows, group[0], given)  # noqa: PLW2901 - the rest of them
        if len(rows) > room:
            parts.append(_cut(rows, 0, room))
            return Cut(_joined(parts), _end(parts[-1], after))
        parts.append(rows)
        room -= len(rows)
        if not room and group[-1] != wanted[-1]:
            return Cut(_joined(parts), _end(_joined(parts), after))
    return Cut(_joined(parts))


def tables(read: Reader, symbols: Sequence[str], rows_each: int, rows: int) -> Iterator[pa.Table]:
    """Yield all rows of the symbols in tables of about so many."""
    for _, found in _groups(read, symbols, rows_each, rows):
        yield _table(found)


def _groups(
    read: Reader, symbols: Sequence[str], rows_each: int, target: int
) -> Iterator[tuple[tuple[str, ...], Bars | pa.Table]]:
    first, size = 0, max(1, target // rows_each) if rows_each else 1
    while first < len(symbols):
        group = tuple(symbols[first : first + size])
        rows = read(group)
        yield group, rows
        first += len(group)
        each = max(1, -(-len(rows) // len(group)))
        size = min(max(1, target // each), size * _GROWTH)


def _after(rows: Bars | pa.Table, symbol: str, given: int) -> Bars | pa.Table:
    """Return rows without the first ones of a symbol, which is the first of them."""
    if isinstance(rows, Bars) and rows.codes is None:
        own = len(rows)
    else:
        rows = _table(rows)
        own = int(pc.sum(pc.equal(rows.column("symbol"), symbol)).as_py() or 0)
    return _cut(rows, min(given, own), len(rows))


def _cut(rows: Bars | pa.Table, first: int, stop: int) -> Bars | pa.Table:
    return rows.part(first, stop) if isinstance(rows, Bars) else rows.slice(first, stop - first)


def _end(rows: Bars | pa.Table, after: Cursor | None) -> Cursor | None:
    """Return where a page ends that began after a cursor and ends with these rows; None if there are none."""
    table = _table(rows)
    if not len(table):
        return None
    column = table.column("symbol")
    last = column[-1].as_py()
    own = int(pc.sum(pc.equal(column, last)).as_py())
    return Cursor(last, own + (after.rows if after is not None and after.symbol == last else 0))


def _table(rows: Bars | pa.Table) -> pa.Table:
    return rows.to_arrow() if isinstance(rows, Bars) else rows


def _joined(parts: list[Bars | pa.Table]) -> Bars | pa.Table:
    if len(parts) == 1:
        return parts[0]
    # What may be null is for each part to say: prices are where one symbol's factor is not stored.
    return pa.concat_tables([_table(part) for part in parts], promote_options="default")
