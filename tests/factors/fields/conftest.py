"""A small synthetic market with every dataset, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import MemoryStore, open_store
from quantflux.data.panels import PanelTier
from quantflux.data.schema import CHIP, DAILY, DAILY_BASIC, INSTRUMENTS, MONEYFLOW, Dataset, dataset
from quantflux.data.sources.synthetic import SyntheticMarket

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))


def market_tables() -> Iterator[tuple[Dataset, pa.Table]]:
    market = SyntheticMarket(seed=5, companies=24, start=date(2021, 7, 1), end=date(2023, 3, 31))
    ((daily, basic),) = market.tables()
    ((moneyflow, chip),) = market.flow_tables()
    (statements,) = market.statement_tables()
    yield from ((DAILY, daily), (DAILY_BASIC, basic), (MONEYFLOW, moneyflow), (CHIP, chip))
    yield INSTRUMENTS, market.instruments()
    yield from ((dataset(name), table) for name, table in statements.items())


@pytest.fixture(scope="session")
def tables() -> dict[Dataset, pa.Table]:
    return dict(market_tables())


def stored(tables: dict[Dataset, pa.Table]) -> MemoryStore:
    store = open_store(clock=CLOCK)
    for source, table in tables.items():
        store.write(source, table)
    return store


@pytest.fixture(scope="session")
def store(tables: dict[Dataset, pa.Table]) -> MemoryStore:
    return stored(tables)


@pytest.fixture(scope="session", params=["panel", "store"])
def data(
    request: pytest.FixtureRequest, store: MemoryStore, tmp_path_factory: pytest.TempPathFactory
) -> DataAccessLayer:
    """Every test runs on the panel tier and on the bare store: the answers must be the same."""
    root: Path = tmp_path_factory.mktemp("panels")
    panels = PanelTier(store, root, clock=CLOCK) if request.param == "panel" else None
    return DataAccessLayer(store, panels, clock=CLOCK)
