"""What the data access layer remembers of versions, and how a write ends that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.panels import PanelTier
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.data.stores import open_store
from tests.data.market_tables import daily_bars


@pytest.fixture
def data(tmp_path: Path, clock: FixedClock) -> DataAccessLayer:
    """A door to a columnar store with panels that look for a new version at most once a minute."""
    store = open_store("columnar", {"path": tmp_path / "store"}, clock)
    panels = PanelTier(store, tmp_path / "panels", clock=clock, check_seconds=60)
    return DataAccessLayer(store, panels, clock=clock)


def bars(day: date) -> pa.Table:
    return daily_bars(["600519.SH"], day, 1)


def test_state_is_known_for_as_long_as_it_may_be_old(data: DataAccessLayer, clock: FixedClock) -> None:
    data.write(DAILY, bars(date(2024, 1, 2)))
    assert data.known_state(DAILY, max_age=10) is None

    state = data.state(DAILY)

    assert state[1] == data.version(DAILY) == 1
    assert data.known_state(DAILY, max_age=10) == state
    clock.advance(11)
    assert data.known_state(DAILY, max_age=10) is None


def test_a_write_is_in_the_state_at_once(data: DataAccessLayer) -> None:
    data.write(DAILY, bars(date(2024, 1, 2)))
    before = data.state(DAILY)

    data.write(DAILY, bars(date(2024, 1, 3)))

    assert data.known_state(DAILY, max_age=10) is None
    assert data.state(DAILY) == (before[0], 2)


def test_a_write_past_the_door_is_seen_once_it_is_told(data: DataAccessLayer) -> None:
    data.write(DAILY, bars(date(2024, 1, 2)))
    data.state(DAILY)
    data.store.write(DAILY, bars(date(2024, 1, 3)))
    assert data.state(DAILY)[1] == 1  # the panels look again in a minute

    data.expire(DAILY)

    assert data.state(DAILY)[1] == 2


def test_a_state_read_while_somebody_writes_is_not_remembered(
    data: DataAccessLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.write(DAILY, bars(date(2024, 1, 2)))
    state_of = data._reader.state

    def slow(dataset: object) -> tuple[str, int]:
        found = state_of(DAILY)
        data.write(DAILY, bars(date(2024, 1, 3)))
        return found

    monkeypatch.setattr(data._reader, "state", slow)
    data.state(DAILY)

    assert data.known_state(DAILY, max_age=10) is None


def test_instruments_are_read_anew_only_when_they_have_changed(data: DataAccessLayer) -> None:
    row = {
        "symbol": "600519.SH",
        "valid_from": date(2001, 8, 27),
        "instrument_id": "SSE:MT",
        "name": "贵州茅台",
        "board": "main",
        "industry": None,
        "status": "normal",
        "list_date": date(2001, 8, 27),
        "delist_date": None,
    }
    data.write(INSTRUMENTS, pa.Table.from_pylist([row], schema=INSTRUMENTS.schema))
    first = data.instruments()
    assert data.instruments() is first

    renamed = row | {"valid_from": date(2006, 10, 9), "name": "茅台"}
    data.write(INSTRUMENTS, pa.Table.from_pylist([renamed], schema=INSTRUMENTS.schema))

    assert data.instruments().latest("600519.SH").name == "茅台"


def test_panels_are_at_hand_once_read_until_something_is_written(
    data: DataAccessLayer, clock: FixedClock
) -> None:
    query = Query(DAILY, ("600519.SH",), date(2024, 1, 2), date(2024, 1, 3))
    data.write(DAILY, bars(date(2024, 1, 2)))
    assert not data.at_hand(query)

    data.get_stock_data("600519.SH", query.start, query.end)
    assert data.at_hand(query)
    assert not data.at_hand(Query(INSTRUMENTS))
    clock.advance(61)
    assert not data.at_hand(query)  # the store has to be asked for its version

    data.get_stock_data("600519.SH", query.start, query.end)
    data.write(DAILY, bars(date(2024, 1, 3)))
    assert not data.at_hand(query)


def test_panels_that_somebody_builds_are_not_at_hand(data: DataAccessLayer) -> None:
    query = Query(DAILY, ("600519.SH",), date(2024, 1, 2), date(2024, 1, 3))
    data.write(DAILY, bars(date(2024, 1, 2)))
    data.get_stock_data("600519.SH", query.start, query.end)
    panels = data.panels.of(DAILY) if data.panels is not None else None
    assert panels is not None

    with ThreadPoolExecutor(1) as pool, panels._lock:
        assert pool.submit(data.at_hand, query).result(timeout=10) is False
