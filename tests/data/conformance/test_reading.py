"""Which rows come back, and in which order."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import MarketStore, Query, Span
from quantflux.data.schema import DAILY, MINUTE, Dataset
from tests.data.conformance.samples import DAYS, SYMBOLS, sample
from tests.data.conformance.stores import StoreUnderTest


@pytest.fixture
def rows(subject: StoreUnderTest) -> pa.Table:
    return subject.representable(DAILY, sample(DAILY))


@pytest.fixture
def filled(store: MarketStore, rows: pa.Table) -> MarketStore:
    # Two writes, the later rows first, so that order is the store's work.
    store.write(DAILY, rows.slice(7))
    store.write(DAILY, rows.slice(0, 7))
    return store


def keys(table: pa.Table) -> list[tuple[str, date]]:
    return list(zip(table.column("symbol").to_pylist(), table.column("trade_date").to_pylist(), strict=True))


def test_rows_are_sorted_by_symbol_and_time(filled: MarketStore, rows: pa.Table) -> None:
    found = filled.read(Query(DAILY))

    assert keys(found) == sorted(keys(rows))
    assert found.equals(rows)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (date(2024, 1, 3), date(2024, 2, 29), DAYS[1:3]),
        (date(2024, 1, 4), date(2025, 1, 1), DAYS[2:3]),
        (None, date(2024, 1, 3), DAYS[:2]),
        (date(2024, 2, 29), None, DAYS[2:]),
        (date(2024, 1, 3), date(2024, 1, 3), DAYS[1:2]),
        (date(2024, 1, 4), date(2024, 1, 5), ()),
        (date(1900, 1, 1), date(2200, 12, 31), DAYS),
    ],
)
def test_ranges_include_both_ends(
    filled: MarketStore, start: date | None, end: date | None, expected: tuple[date, ...]
) -> None:
    found = filled.read(Query(DAILY, None, start, end))

    assert keys(found) == [(symbol, day) for symbol in SYMBOLS for day in expected]


@pytest.mark.parametrize("symbols", [("600519.SH",), ("600519.SH", "000001.SZ"), ("600519.SH", "600519.SH")])
def test_symbols_asked_for(filled: MarketStore, symbols: tuple[str, ...]) -> None:
    found = filled.read(Query(DAILY, symbols))

    assert keys(found) == [(symbol, day) for symbol in sorted(set(symbols)) for day in DAYS]


@pytest.mark.parametrize(
    "symbols", [(), ("999999.SH",), ("600519.SH' or '1'='1",), ('"; DROP MEASUREMENT stock_daily_data',)]
)
def test_unknown_symbols_have_no_rows(filled: MarketStore, symbols: tuple[str, ...]) -> None:
    found = filled.read(Query(DAILY, symbols))

    assert found.num_rows == 0
    assert found.schema == DAILY.schema
    assert filled.symbols(DAILY) == list(SYMBOLS)


def test_unknown_symbols_beside_known_ones(filled: MarketStore) -> None:
    found = filled.read(
        Query(DAILY, ("000000.SZ", "600519.SH", "999999.SH"), date(2024, 1, 2), date(2024, 1, 2))
    )

    assert keys(found) == [("600519.SH", date(2024, 1, 2))]


@pytest.mark.parametrize("columns", [("close",), ("volume", "open"), (), ("symbol", "close", "trade_date")])
def test_columns_asked_for(filled: MarketStore, rows: pa.Table, columns: tuple[str, ...]) -> None:
    found = filled.read(Query(DAILY, columns=columns))

    values = [name for name in columns if name not in DAILY.key]
    assert found.schema == DAILY.schema_of(tuple(values))
    assert found.equals(rows.select(["symbol", "trade_date", *values]))


def test_empty_store(store: MarketStore, dataset: Dataset, subject: StoreUnderTest) -> None:
    found = store.read(Query(dataset))

    assert found.num_rows == 0
    assert found.schema == dataset.schema
    assert store.symbols(dataset) == []
    assert store.span(dataset) is None
    assert store.version(dataset) == 0
    assert not store.changes(dataset, 0)
    assert list(store.iter_batches(Query(dataset))) == []


def test_span_and_symbols(filled: MarketStore) -> None:
    assert filled.symbols(DAILY) == sorted(SYMBOLS)
    assert filled.span(DAILY) == Span(DAYS[0], DAYS[-1])


def test_minutes_by_day_and_by_instant(store: MarketStore, subject: StoreUnderTest) -> None:
    rows = subject.representable(MINUTE, sample(MINUTE))
    store.write(MINUTE, rows)

    day = store.read(Query(MINUTE, ("600519.SH",), DAYS[1], DAYS[1]))
    noon = store.read(
        Query(MINUTE, ("600519.SH",), datetime(2024, 1, 3, 9, 31), datetime(2024, 1, 3, 11, 30))
    )
    after = store.read(Query(MINUTE, ("600519.SH",), datetime(2024, 1, 3, 11, 30, 0, 1), DAYS[1]))

    assert [t.strftime("%H:%M") for t in day.column("bar_time").to_pylist()] == [
        "09:31",
        "11:30",
        "13:01",
        "15:00",
    ]
    assert noon.equals(day.slice(0, 2))
    assert after.equals(day.slice(2))
    assert store.span(MINUTE) == Span(DAYS[0], DAYS[-1])


@pytest.mark.parametrize("batch_rows", [1, 5, 65_536])
def test_batches_hold_the_same_rows(filled: MarketStore, rows: pa.Table, batch_rows: int) -> None:
    batches = list(filled.iter_batches(Query(DAILY), batch_rows))

    assert all(batch.schema == DAILY.schema for batch in batches)
    assert all(0 < batch.num_rows <= batch_rows for batch in batches)
    for batch in batches:
        assert keys(pa.table(batch)) == sorted(keys(pa.table(batch)))
    together = pa.Table.from_batches(batches).sort_by([(name, "ascending") for name in DAILY.key])
    assert together.equals(rows)


def test_batches_of_a_selection(filled: MarketStore, rows: pa.Table) -> None:
    query = Query(DAILY, ("430047.BJ",), DAYS[1], DAYS[2], ("close",))

    found = pa.Table.from_batches(filled.iter_batches(query, 1), query.schema)

    assert found.equals(filled.read(query))
    assert found.num_rows == 2


def test_changes_of_a_version_that_never_was(filled: MarketStore) -> None:
    with pytest.raises(InvalidRequest, match="version"):
        filled.changes(DAILY, filled.version(DAILY) + 1)
    with pytest.raises(InvalidRequest, match="version"):
        filled.changes(DAILY, -1)


def test_it_says_what_it_is(store: MarketStore) -> None:
    assert store.ping()
