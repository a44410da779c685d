"""Pages along symbols, against cutting the whole table by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.api.walks import Cursor, Cut, page, tables
from quantflux.core.errors import InvalidRequest
from quantflux.data.bars import Bars, Provenance
from quantflux.data.schema import DAILY

SYMBOLS = ("000001.SZ", "000002.SZ", "300750.SZ", "600519.SH")


class Store:
    """Rows of symbols, numbered through, and which symbols were read at once."""

    def __init__(self, counts: Sequence[int]) -> None:
        numbers = iter(range(sum(counts)))
        self.rows = [
            (s, next(numbers)) for s, count in zip(SYMBOLS, counts, strict=True) for _ in range(count)
        ]
        self.read: list[tuple[str, ...]] = []

    def table(self, symbols: tuple[str, ...]) -> pa.Table:
        self.read.append(symbols)
        rows = [row for row in self.rows if row[0] in symbols]
        names, numbers = ([r[i] for r in rows] for i in (0, 1))
        return pa.table({"symbol": pa.array(names, pa.string()), "close": pa.array(numbers, pa.float64())})

    def bars(self, symbols: tuple[str, ...]) -> Bars:
        table = self.table(symbols)
        names = table["symbol"].to_pylist()
        codes = None if len(symbols) == 1 else np.array([symbols.index(n) for n in names], dtype=np.int64)
        stamps = np.arange(len(names), dtype=np.int32)
        return Bars(
            DAILY, symbols, codes, stamps, {"close": table["close"].to_numpy()}, Provenance("d", 1, "panel")
        )


def given_rows(cut: Cut) -> list[tuple[str, float]]:
    rows = cut.labelled
    table = rows.to_arrow() if isinstance(rows, Bars) else rows
    return list(zip(table["symbol"].to_pylist(), table["close"].to_pylist(), strict=True))


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 7), min_size=4, max_size=4),
    st.integers(1, 9),
    st.integers(0, 9),
    st.booleans(),
)
def test_pages_together_are_all_rows_once_in_order(
    counts: list[int], limit: int, rows_each: int, as_bars: bool
) -> None:
    store = Store(counts)
    read = store.bars if as_bars else store.table
    cursor, pages = None, []
    for _ in range(100):
        cut = page(read, SYMBOLS, rows_each, limit, cursor)
        pages.append(given_rows(cut))
        if cut.next is None:
            break
        cursor = Cursor.parse(str(cut.next))

    assert [row for rows in pages for row in rows] == store.rows
    assert all(len(rows) == limit for rows in pages[:-1])


def test_a_page_reads_only_the_symbols_that_it_needs() -> None:
    store = Store([5, 5, 5, 5])

    page(store.table, SYMBOLS, rows_each=5, limit=5, after=Cursor("000002.SZ", 5))

    assert ("000001.SZ",) not in store.read
    assert store.read[:2] == [("000002.SZ",), ("300750.SZ",)]


def test_groups_grow_until_they_fill_a_piece() -> None:
    store = Store([1, 1, 1, 1])

    found = list(tables(store.table, SYMBOLS, 0, 100))

    assert store.read == [SYMBOLS[:1], SYMBOLS[1:]]
    assert sum(len(table) for table in found) == 4


def test_a_cursor_behind_the_last_symbol_gives_no_rows() -> None:
    cut = page(Store([1, 1, 1, 1]).bars, SYMBOLS, 1, 5, Cursor("900901.SH", 3))

    assert given_rows(cut) == [] and cut.next is None


@pytest.mark.parametrize(
    "text",
    ["", "600519.SH", "600519.SH@", "600519.SH@-1", "x@1", "600519.SH@1\n", "６００５１９.SH@1", "../x@1"],
)
def test_a_cursor_that_no_page_gave_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="after must be"):
        Cursor.parse(text)


def test_a_page_holds_symbols_with_and_without_adjusted_prices() -> None:
    closes = {"000001.SZ": [1.0, 2.0], "000002.SZ": [np.nan, np.nan]}

    def read(symbols: tuple[str, ...]) -> Bars:
        values = np.array([value for symbol in symbols for value in closes[symbol]])
        codes = None if len(symbols) == 1 else np.repeat(np.arange(len(symbols)), 2)
        stamps = np.tile(np.arange(2, dtype=np.int32), len(symbols))
        return Bars(DAILY, symbols, codes, stamps, {"close": values}, Provenance("d", 1, "panel"))

    cut = page(read, tuple(closes), 2, 3)

    assert [value for _, value in given_rows(cut)] == [1.0, 2.0, None]
    assert cut.next == Cursor("000002.SZ", 1)
