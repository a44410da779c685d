"""Versions, what changed since one, and reads as of one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import CanReadAsOf, MarketStore, Query, Span
from quantflux.data.schema import DAILY, MINUTE
from tests.data.conformance.samples import bars, changed, sample
from tests.data.conformance.stores import StoreUnderTest

JANUARY, MARCH, NEXT_YEAR = date(2024, 1, 2), date(2024, 3, 1), date(2025, 6, 2)


def covered(spans: tuple[Span, ...], day: date) -> bool:
    return any(span.overlaps(Span(day, day)) for span in spans)


def test_every_write_that_changes_rows_raises_the_version(store: MarketStore) -> None:
    seen = [store.version(DAILY)]
    for close in (10.0, 11.0, 10.0):
        receipt = store.write(DAILY, bars("600519.SH", [JANUARY], close))
        assert receipt.version == store.version(DAILY)
        seen.append(receipt.version)

    assert seen[0] == 0
    assert all(earlier < later for earlier, later in pairwise(seen))


def test_versions_of_datasets_are_apart(store: MarketStore, subject: StoreUnderTest) -> None:
    store.write(DAILY, bars("600519.SH", [JANUARY]))

    assert store.version(MINUTE) == 0


def test_reading_does_not_raise_the_version(store: MarketStore) -> None:
    store.write(DAILY, bars("600519.SH", [JANUARY]))
    before = store.version(DAILY)

    store.read(Query(DAILY))
    store.symbols(DAILY)

    assert store.version(DAILY) == before


def test_changes_name_the_days_written(store: MarketStore) -> None:
    first = store.write(DAILY, bars("600519.SH", [JANUARY, MARCH, NEXT_YEAR])).version
    second = store.write(DAILY, bars("600519.SH", [MARCH], 11.0)).version
    third = store.write(DAILY, bars("000001.SZ", [NEXT_YEAR])).version

    since_first, since_second = store.changes(DAILY, first), store.changes(DAILY, second)

    assert since_first.version == since_second.version == third
    assert covered(since_first.spans, MARCH)
    assert covered(since_first.spans, NEXT_YEAR)
    assert covered(since_second.spans, NEXT_YEAR)
    everything = store.changes(DAILY, 0).spans
    assert all(covered(everything, day) for day in (JANUARY, MARCH, NEXT_YEAR))


def test_nothing_changed_since_the_newest_version(store: MarketStore) -> None:
    version = store.write(DAILY, bars("600519.SH", [JANUARY])).version

    changes = store.changes(DAILY, version)

    assert not changes
    assert changes.version == version


def test_changes_of_minutes_are_shanghai_days(store: MarketStore, subject: StoreUnderTest) -> None:
    first = store.write(
        MINUTE, subject.representable(MINUTE, bars("600519.SH", [JANUARY], data=MINUTE))
    ).version
    store.write(MINUTE, subject.representable(MINUTE, bars("600519.SH", [MARCH], data=MINUTE)))

    assert covered(store.changes(MINUTE, first).spans, MARCH)


@pytest.fixture
def historian(store: MarketStore) -> CanReadAsOf:
    if not isinstance(store, CanReadAsOf):
        pytest.skip(f"{store.name} keeps no earlier versions")
    return store


def test_read_as_of_versions(store: MarketStore, historian: CanReadAsOf) -> None:
    states: dict[int, pa.Table] = {0: DAILY.schema.empty_table()}
    rows = sample(DAILY)
    for batch in (rows.slice(0, 6), rows.slice(6), changed(rows.slice(2, 5), close=5.0)):
        version = store.write(DAILY, batch).version
        states[version] = store.read(Query(DAILY))

    for version, expected in states.items():
        assert historian.read_as_of(Query(DAILY), version).equals(expected)


def test_read_as_of_instants(store: MarketStore, historian: CanReadAsOf, clock: FixedClock) -> None:
    moments: list[datetime] = [clock.now()]
    for close in (10.0, 11.0, 12.0):
        clock.advance(3600)
        store.write(DAILY, bars("600519.SH", [JANUARY], close))
        moments.append(clock.now())

    found = [historian.read_as_of(Query(DAILY), m).column("close").to_pylist() for m in moments]

    assert found == [[], [10.0], [11.0], [12.0]]
    between = historian.read_as_of(Query(DAILY), moments[2] + timedelta(minutes=59))
    assert between.column("close").to_pylist() == [11.0]
    latest = historian.read_as_of(Query(DAILY), moments[3] + timedelta(days=1))
    assert latest.column("close").to_pylist() == [12.0]


def test_read_as_of_selects_like_a_read(store: MarketStore, historian: CanReadAsOf) -> None:
    version = store.write(DAILY, sample(DAILY)).version
    store.write(DAILY, changed(sample(DAILY), close=1.0))
    query = Query(DAILY, ("600519.SH",), date(2024, 1, 3), None, ("volume",))

    found = historian.read_as_of(query, version)

    assert found.schema == query.schema
    assert found.equals(store.read(query))


@pytest.mark.parametrize("as_of", [-1, 99, datetime(2024, 1, 1)])
def test_read_as_of_what_never_was(store: MarketStore, historian: CanReadAsOf, as_of: int | datetime) -> None:
    store.write(DAILY, bars("600519.SH", [JANUARY]))

    with pytest.raises(InvalidRequest):
        historian.read_as_of(Query(DAILY), as_of)
