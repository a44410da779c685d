"""What goes in comes out, to the bit."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quantflux.core.clock import SHANGHAI
from quantflux.data.contract import MarketStore, Query
from quantflux.data.schema import DAILY, DAILY_BASIC, FACTOR_VALUES, INSTRUMENTS, MINUTE, Dataset
from tests.data.conformance.samples import bars, changed, sample, times, utc
from tests.data.conformance.stores import StoreUnderTest

FLOATS = [5e-324, 2.2250738585072014e-308, 0.1 + 0.2, 1 / 3, 1e15 + 0.3, 1.7976931348623157e308]


def bits(table: pa.Table) -> pa.Table:
    """Return floats as their bit patterns, so that comparison cannot round."""
    for index, field in enumerate(table.schema):
        if pa.types.is_float64(field.type):
            column = table.column(index).combine_chunks()
            column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
            table = table.set_column(index, field.name, column.view(pa.int64()))
    return table


def test_every_dataset(store: MarketStore, subject: StoreUnderTest, dataset: Dataset) -> None:
    rows = subject.representable(dataset, sample(dataset))

    store.write(dataset, rows)

    found = store.read(Query(dataset))
    assert found.schema == dataset.schema
    assert bits(found).equals(bits(rows.sort_by([(name, "ascending") for name in dataset.key])))


def test_floats_of_any_size(store: MarketStore, subject: StoreUnderTest) -> None:
    days = [date(2024, 1, day) for day in range(1, len(FLOATS) * 2 + 1)]
    rows = sample(DAILY_BASIC, ["600519.SH"], days)
    rows = changed(rows, pe=FLOATS + [-x for x in FLOATS], pb=-0.0)

    store.write(DAILY_BASIC, rows)

    assert bits(store.read(Query(DAILY_BASIC))).equals(bits(rows))


def test_prices_of_any_size(store: MarketStore) -> None:
    rows = bars("600519.SH", [date(2024, 1, day) for day in range(1, 7)], FLOATS)

    store.write(DAILY, rows)

    assert bits(store.read(Query(DAILY))).equals(bits(rows))


def test_prices_of_two_decimals(store: MarketStore, subject: StoreUnderTest) -> None:
    rows = subject.representable(
        DAILY, bars("600519.SH", [date(2024, 1, day) for day in range(1, 4)], [0.01, 19.99, 1799.37])
    )

    store.write(DAILY, rows)

    assert bits(store.read(Query(DAILY))).equals(bits(rows))


def test_integers_beyond_two_to_the_53rd(store: MarketStore) -> None:
    rows = changed(bars("600519.SH", [date(2024, 1, 2), date(2024, 1, 3)]), volume=[2**53 + 1, 2**63 - 1])

    store.write(DAILY, rows)

    assert store.read(Query(DAILY)).column("volume").to_pylist() == [2**53 + 1, 2**63 - 1]


def test_unicode_text(store: MarketStore) -> None:
    names = ["贵州茅台", "*ST 海航,=\"'\\", "𠮷野家 😀", " spaces  kept "]
    days = [date(2001, 8, 27 + i) for i in range(4)]
    rows = changed(sample(INSTRUMENTS, ["600519.SH"], days), name=names)

    store.write(INSTRUMENTS, rows)

    assert store.read(Query(INSTRUMENTS)).column("name").to_pylist() == names


@pytest.mark.parametrize("day", [date(1990, 12, 19), date(2000, 2, 29), date(2040, 12, 31)])
def test_days_from_1990_to_2040(store: MarketStore, subject: StoreUnderTest, day: date) -> None:
    rows = subject.representable(DAILY, bars("600601.SH", [day]))

    store.write(DAILY, rows)

    assert store.read(Query(DAILY, start=day, end=day)).equals(rows)


@pytest.mark.parametrize(
    ("day", "instant"),
    [
        (date(1991, 4, 12), utc(1991, 4, 12, 1, 31)),
        (date(1991, 4, 15), utc(1991, 4, 15, 0, 31)),  # summer time, which China kept until 1991
        (date(1991, 9, 13), utc(1991, 9, 13, 0, 31)),
        (date(1991, 9, 16), utc(1991, 9, 16, 1, 31)),
        (date(2040, 6, 1), utc(2040, 6, 1, 1, 31)),
    ],
)
def test_minutes_keep_wall_clock_and_instant(
    store: MarketStore, subject: StoreUnderTest, day: date, instant: datetime
) -> None:
    rows = subject.representable(MINUTE, bars("600601.SH", [day], data=MINUTE))

    store.write(MINUTE, rows)

    found = store.read(Query(MINUTE, start=day, end=day)).column("bar_time")
    assert found.to_pylist() == times(MINUTE, [day])
    assert found[0].as_py() == instant
    assert found[0].as_py().astimezone(SHANGHAI).time().isoformat() == "09:31:00"


def test_nan_is_stored_as_null(store: MarketStore, subject: StoreUnderTest) -> None:
    rows = subject.representable(DAILY, bars("600519.SH", [date(2024, 1, 2)]))

    store.write(DAILY, changed(rows, amount=float("nan")))

    amount = store.read(Query(DAILY)).column("amount")
    assert amount.null_count == 1
    assert not pc.any(pc.is_nan(amount)).as_py()


def test_rows_that_differ_only_in_an_extra_key(store: MarketStore) -> None:
    rows = pa.concat_tables(
        changed(sample(FACTOR_VALUES, ["600519.SH"], [date(2024, 1, 2)], seed), factor_id=name)
        for seed, name in enumerate(["ROC20", "roc20", "roc20 ", "动量"])
    )

    store.write(FACTOR_VALUES, rows)

    assert store.read(Query(FACTOR_VALUES)).equals(
        rows.sort_by([(n, "ascending") for n in FACTOR_VALUES.key])
    )
