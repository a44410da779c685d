"""The panel tier follows the store's version, and rebuilds no more than it must."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.columnar import open_store as open_columnar
from quantflux.data.adapters.memory import MemoryStore, open_store
from quantflux.data.contract import Query, Span
from quantflux.data.panels import PanelTier, Snapshot, day_number
from quantflux.data.schema import DAILY, Dataset
from tests.data.market_tables import daily_bars

SYMBOLS = ("000001.SZ", "600519.SH")


class CountingStore(MemoryStore):
    """A memory store that notes which days were read."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__(clock)
        self.read_years: list[int] = []

    def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        assert query.start is not None
        self.read_years.append(query.start.year)
        yield from super().iter_batches(query, batch_rows)


@pytest.fixture
def store(clock: FixedClock) -> CountingStore:
    store = CountingStore(clock)
    store.write(DAILY, daily_bars(SYMBOLS, date(2021, 12, 1), 800))  # 2021-12-01 .. 2024-02-08
    return store


def whole(tier: PanelTier) -> Snapshot:
    panels = tier.of(DAILY)
    assert panels is not None
    snapshot = panels.snapshot(None, None)
    assert snapshot is not None
    return snapshot


def test_only_the_segments_a_query_covers_are_built(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    panels = PanelTier(store, tmp_path, clock=clock).of(DAILY)
    assert panels is not None

    panels.snapshot(day_number(date(2022, 3, 1)), day_number(date(2022, 4, 1)))

    assert store.read_years == [2022]


def test_a_write_rebuilds_only_the_years_it_touches(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    tier = PanelTier(store, tmp_path, clock=clock)
    whole(tier)
    store.read_years.clear()

    store.write(DAILY, daily_bars(["300750.SZ"], date(2022, 6, 1), 2, seed=1))
    snapshot = whole(tier)

    assert store.read_years == [2022]
    assert snapshot.version == store.version(DAILY)
    assert "300750.SZ" in snapshot.symbols


def test_a_snapshot_keeps_the_version_it_was_opened_at(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    tier = PanelTier(store, tmp_path, clock=clock)
    before = whole(tier)
    day = day_number(date(2022, 6, 1))
    old = before.block(["close"], SYMBOLS, day, day).values["close"].copy()

    store.write(DAILY, daily_bars(SYMBOLS, date(2022, 6, 1), 1, seed=7))
    after = whole(tier)

    assert (before.block(["close"], SYMBOLS, day, day).values["close"] == old).all()
    assert (after.block(["close"], SYMBOLS, day, day).values["close"] != old).all()


def test_another_process_reuses_what_is_built(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    whole(PanelTier(store, tmp_path, clock=clock))
    store.read_years.clear()

    whole(PanelTier(store, tmp_path, clock=clock))

    assert store.read_years == []


def test_another_process_adopts_a_catch_up(store: CountingStore, tmp_path: Path, clock: FixedClock) -> None:
    one, two = PanelTier(store, tmp_path, clock=clock), PanelTier(store, tmp_path, clock=clock)
    whole(one)
    whole(two)
    store.write(DAILY, daily_bars(SYMBOLS, date(2024, 2, 9), 1))
    whole(one)
    store.read_years.clear()

    assert whole(two).version == 2
    assert store.read_years == []


def test_the_store_is_asked_for_its_version_at_most_so_often(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    tier = PanelTier(store, tmp_path, clock=clock, check_seconds=5.0)
    whole(tier)
    store.write(DAILY, daily_bars(SYMBOLS, date(2024, 2, 9), 1))

    clock.advance(4.9)
    assert whole(tier).version == 1
    clock.advance(0.2)
    assert whole(tier).version == 2


def test_catch_up_does_not_wait_for_the_next_check(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    tier = PanelTier(store, tmp_path, clock=clock, check_seconds=3600.0)
    whole(tier)
    store.write(DAILY, daily_bars(SYMBOLS, date(2024, 2, 9), 1))
    panels = tier.of(DAILY)
    assert panels is not None

    assert panels.catch_up() == 2
    assert whole(tier).version == 2


def test_panels_of_another_store_are_discarded(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    whole(PanelTier(store, tmp_path, clock=clock))
    other = open_store(clock=clock)
    other.write(DAILY, daily_bars(["300750.SZ"], date(2022, 1, 1), 5))

    assert whole(PanelTier(other, tmp_path, clock=clock)).symbols == ("300750.SZ",)


def test_panels_of_a_table_made_anew_at_the_same_version_are_discarded(
    tmp_path: Path, clock: FixedClock
) -> None:
    def first_version_of(symbol: str, folder: str) -> PanelTier:
        store = open_columnar(path=tmp_path / folder, clock=clock)
        store.write(DAILY, daily_bars([symbol], date(2022, 1, 1), 5))
        return PanelTier(store, tmp_path / "panels", clock=clock, source="same place")

    whole(first_version_of("000001.SZ", "one"))

    assert whole(first_version_of("600519.SH", "two")).symbols == ("600519.SH",)


def test_a_table_made_anew_while_in_use_is_noticed_at_the_same_version(
    tmp_path: Path, clock: FixedClock
) -> None:
    store = open_columnar(path=tmp_path / "store", clock=clock)
    store.write(DAILY, daily_bars(["000001.SZ"], date(2022, 1, 1), 5))
    layer = DataAccessLayer(store, PanelTier(store, tmp_path / "panels", clock=clock), clock=clock)
    assert layer.symbols() == list(layer.get_many().symbols) == ["000001.SZ"]

    shutil.rmtree(tmp_path / "store")
    anew = open_columnar(path=tmp_path / "store", clock=clock)
    anew.write(DAILY, daily_bars(["600519.SH"], date(2022, 1, 1), 5))

    assert anew.version(DAILY) == 1
    assert layer.symbols() == list(layer.get_many().symbols) == ["600519.SH"]


def test_a_write_between_looking_and_building_is_in_a_snapshot_of_its_version(
    tmp_path: Path, clock: FixedClock
) -> None:
    class GrowingStore(CountingStore):
        def span(self, dataset: Dataset) -> Span | None:
            seen = super().span(dataset)
            if self.version(dataset) == 1:
                self.write(DAILY, daily_bars(["300750.SZ"], date(2025, 1, 6), 1))
            return seen

    store = GrowingStore(clock)
    store.write(DAILY, daily_bars(SYMBOLS, date(2024, 1, 1), 10))

    snapshot = whole(PanelTier(store, tmp_path, clock=clock))

    assert snapshot.version == 2
    assert "300750.SZ" in snapshot.symbols


def test_a_write_while_another_thread_asks_for_the_version_is_seen_at_once(
    tmp_path: Path, clock: FixedClock
) -> None:
    class InterruptedStore(CountingStore):
        interrupt: Callable[[], object] | None = None

        def version(self, dataset: Dataset) -> int:
            seen = super().version(dataset)
            interrupt, self.interrupt = self.interrupt, None
            if interrupt is not None:
                interrupt()
            return seen

    store = InterruptedStore(clock)
    store.write(DAILY, daily_bars(SYMBOLS, date(2024, 1, 1), 10))
    layer = DataAccessLayer(store, PanelTier(store, tmp_path, clock=clock, check_seconds=3600), clock=clock)
    layer.get_many()
    clock.advance(3601)
    store.interrupt = lambda: layer.write(DAILY, daily_bars(["300750.SZ"], date(2024, 1, 1), 1))
    layer.get_many()

    assert "300750.SZ" in layer.get_many().symbols


def test_a_dataset_without_rows_has_an_empty_snapshot(tmp_path: Path, clock: FixedClock) -> None:
    snapshot = whole(PanelTier(open_store(clock=clock), tmp_path, clock=clock))

    assert snapshot.symbols == ()
    assert len(snapshot.block(["close"], None, None, None).days) == 0


def test_a_year_without_rows_is_remembered_as_empty(
    store: CountingStore, tmp_path: Path, clock: FixedClock
) -> None:
    store.write(DAILY, daily_bars(SYMBOLS, date(2030, 1, 1), 1))
    tier = PanelTier(store, tmp_path, clock=clock)
    whole(tier)
    store.read_years.clear()

    whole(PanelTier(store, tmp_path, clock=clock))

    assert store.read_years == []
    states = json.loads((tmp_path / DAILY.name / "manifest.json").read_text())["segments"]
    assert states["2027"]["state"] == "empty"


def test_a_write_during_the_build_is_not_lost(tmp_path: Path, clock: FixedClock) -> None:
    class BusyStore(CountingStore):
        def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
            yield from super().iter_batches(query, batch_rows)
            if len(self.read_years) == 1:
                self.write(DAILY, daily_bars(["300750.SZ"], date(2024, 1, 1), 1))

    store = BusyStore(clock)
    store.write(DAILY, daily_bars(SYMBOLS, date(2024, 1, 1), 10))

    snapshot = whole(PanelTier(store, tmp_path, clock=clock))

    assert snapshot.version == 2
    assert "300750.SZ" in snapshot.symbols


def test_a_store_that_changes_faster_than_panels_are_built_answers_itself(
    tmp_path: Path, clock: FixedClock
) -> None:
    class RestlessStore(CountingStore):
        def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
            yield from super().iter_batches(query, batch_rows)
            self.write(DAILY, daily_bars(SYMBOLS, date(2024, 1, 1), 1, seed=len(self.read_years)))

    store = RestlessStore(clock)
    store.write(DAILY, daily_bars(SYMBOLS, date(2024, 1, 1), 10))
    panels = PanelTier(store, tmp_path, clock=clock).of(DAILY)
    assert panels is not None

    assert panels.snapshot(None, None) is None
