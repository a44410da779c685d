"""Upserts, refusals, and sending a batch twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pytest

from quantflux.core.errors import InvalidData
from quantflux.data.contract import MarketStore, Query, Span
from quantflux.data.schema import DAILY, DAILY_BASIC, FACTOR_VALUES, MINUTE
from tests.data.conformance.samples import DAYS, SYMBOLS, bars, changed, sample
from tests.data.conformance.stores import StoreUnderTest


@pytest.fixture
def rows(subject: StoreUnderTest) -> pa.Table:
    return subject.representable(DAILY, sample(DAILY))


def test_receipt(store: MarketStore, rows: pa.Table) -> None:
    receipt = store.write(DAILY, rows)

    assert receipt.dataset == DAILY.name
    assert receipt.rows == rows.num_rows
    assert receipt.span == Span(DAYS[0], DAYS[-1])
    assert receipt.version == store.version(DAILY) > 0


def test_upsert_replaces_the_whole_row(store: MarketStore, subject: StoreUnderTest) -> None:
    full = subject.representable(DAILY, bars("600519.SH", DAYS))
    store.write(DAILY, full)
    only_required = full.slice(1, 1).drop_columns(["amount", "adj_factor"])

    store.write(DAILY, changed(only_required, close=11.0))

    found = store.read(Query(DAILY))
    assert found.num_rows == len(DAYS)
    assert found.column("close").to_pylist() == [10.0, 11.0, 10.0, 10.0]
    assert found.column("amount").to_pylist() == [1000.0, None, 1000.0, 1000.0]
    assert found.column("open").to_pylist() == [10.0] * 4


def test_upsert_of_new_and_known_rows_together(store: MarketStore, rows: pa.Table) -> None:
    store.write(DAILY, rows.slice(0, 8))
    later = changed(rows.slice(4), close=77.0)

    receipt = store.write(DAILY, later)

    assert receipt.rows == 8
    assert store.read(Query(DAILY)).equals(pa.concat_tables([rows.slice(0, 4), later]).combine_chunks())


def test_many_small_writes_add_up(store: MarketStore, subject: StoreUnderTest) -> None:
    rows = subject.representable(DAILY, sample(DAILY, SYMBOLS, [date(2024, 3, day) for day in range(1, 29)]))
    for index in range(0, rows.num_rows, 3):
        store.write(DAILY, rows.slice(index, 3))

    assert store.read(Query(DAILY)).equals(rows)
    assert store.symbols(DAILY) == sorted(SYMBOLS)


def test_upsert_by_an_extra_key(store: MarketStore) -> None:
    rows = sample(FACTOR_VALUES)
    store.write(FACTOR_VALUES, rows)
    other = changed(rows.slice(0, 1), factor_id="another")

    store.write(FACTOR_VALUES, other)
    store.write(FACTOR_VALUES, changed(rows.slice(0, 1), value=-1.0))

    found = store.read(Query(FACTOR_VALUES, ("000001.SZ",), DAYS[0], DAYS[0]))
    assert found.column("factor_id").to_pylist() == ["another", "key 0"]
    assert found.column("value").to_pylist() == [other.column("value")[0].as_py(), -1.0]


def test_the_same_batch_again_changes_nothing(store: MarketStore, rows: pa.Table) -> None:
    store.write(DAILY, rows)

    again = store.write(DAILY, rows)

    assert again.rows == rows.num_rows
    assert store.read(Query(DAILY)).equals(rows)


def test_rows_in_any_order(store: MarketStore, rows: pa.Table) -> None:
    shuffled = rows.take(pa.array([7, 3, 11, 0, 5, 9, 1, 10, 2, 8, 4, 6]))

    store.write(DAILY, shuffled)

    assert store.read(Query(DAILY)).equals(rows)


def test_columns_in_any_order(store: MarketStore, rows: pa.Table) -> None:
    store.write(DAILY, rows.select(list(reversed(rows.column_names))))

    assert store.read(Query(DAILY)).equals(rows)


def test_an_empty_table(store: MarketStore, rows: pa.Table) -> None:
    store.write(DAILY, rows)
    before = store.version(DAILY)

    receipt = store.write(DAILY, rows.slice(0, 0))

    assert (receipt.version, receipt.rows, receipt.span) == (before, 0, None)


REFUSED: dict[str, Callable[[pa.Table], pa.Table]] = {
    "infinite": lambda t: changed(t, amount=float("inf")),
    "minus infinity": lambda t: changed(t, close=float("-inf")),
    "NaN price": lambda t: changed(t, close=float("nan")),
    "null price": lambda t: changed(t, close=None),
    "zero price": lambda t: changed(t, low=0.0),
    "negative price": lambda t: changed(t, open=[10.0] * 11 + [-0.01]),
    "negative volume": lambda t: changed(t, volume=-1),
    "negative amount": lambda t: changed(t, amount=-0.5),
    "zero factor": lambda t: changed(t, adj_factor=0.0),
    "malformed symbol": lambda t: changed(t, symbol=["sh600519"] * 12),
    "full-width symbol": lambda t: changed(t, symbol=["６００５１９.SH"] * 12),
    "symbol with newline": lambda t: changed(t, symbol=["600519.SH\n"] * 12),
    "symbol that climbs": lambda t: changed(t, symbol=["../../../etc"] * 12),
    "before the exchange opened": lambda t: changed(t, trade_date=date(1990, 12, 18)),
    "after tomorrow": lambda t: changed(t, trade_date=date(2041, 1, 3)),
    "key twice": lambda t: pa.concat_tables([t, t.slice(3, 1)]),
    "key twice with other values": lambda t: pa.concat_tables([t, changed(t.slice(3, 1), close=1.0)]),
    "unknown column": lambda t: t.append_column("colour", pa.array(["red"] * 12)),
    "missing column": lambda t: t.drop_columns(["close"]),
    "text for a price": lambda t: t.set_column(5, "close", pa.array(["ten"] * 12)),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_refused_table_stores_nothing(store: MarketStore, rows: pa.Table, fault: str) -> None:
    store.write(DAILY, rows.slice(0, 2))
    before = store.version(DAILY)

    with pytest.raises(InvalidData):
        store.write(DAILY, REFUSED[fault](rows))

    assert store.read(Query(DAILY)).equals(rows.slice(0, 2))
    assert store.version(DAILY) == before


def test_a_minute_off_the_grid_is_refused(store: MarketStore) -> None:
    rows = bars("600519.SH", [date(2024, 1, 2)], data=MINUTE)
    noon = pa.array([t.replace(hour=12, minute=0) for t in rows.column("bar_time").to_pylist()[:1]])

    with pytest.raises(InvalidData, match="minute"):
        store.write(MINUTE, rows.slice(0, 1).set_column(1, "bar_time", noon))

    assert store.symbols(MINUTE) == []


def test_datasets_are_apart(store: MarketStore, subject: StoreUnderTest, rows: pa.Table) -> None:
    basics = subject.representable(DAILY_BASIC, sample(DAILY_BASIC, ["600000.SH"]))

    store.write(DAILY, rows)
    store.write(DAILY_BASIC, basics)

    assert store.symbols(DAILY_BASIC) == ["600000.SH"]
    assert store.symbols(DAILY) == sorted(SYMBOLS)


def test_a_second_client_sees_what_the_first_wrote(subject: StoreUnderTest, rows: pa.Table) -> None:
    first, second = subject.open(), subject.open()
    assert second.version(DAILY) == 0

    first.write(DAILY, rows)

    assert second.version(DAILY) == first.version(DAILY)
    assert second.read(Query(DAILY)).equals(rows)
    second.close()
    if second is not first:
        first.close()


def test_data_outlive_a_restart(subject: StoreUnderTest, rows: pa.Table) -> None:
    if not subject.survives:
        pytest.skip("lives in one process")
    store = subject.open()
    version = store.write(DAILY, rows).version
    store.close()

    subject.restart()

    again = subject.open()
    assert again.read(Query(DAILY)).equals(rows)
    assert again.version(DAILY) == version
    again.close()
