"""A small synthetic market in a data folder, for tests from files to orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from quantflux.config import Settings
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

LAST = date(2024, 3, 29)
COMPANIES = 30


@pytest.fixture(scope="session")
def market_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a year and a half of thirty companies, their capitalisations and industries."""
    folder = tmp_path_factory.mktemp("portfolios") / "data"
    market = SyntheticMarket(seed=11, companies=COMPANIES, start=date(2022, 10, 10), end=LAST)
    with Platform.open(Settings(data_dir=folder)) as platform:
        for daily, basic in market.tables():
            platform.data.write(DAILY, daily)
            platform.data.write(DAILY_BASIC, basic)
        platform.data.write(INSTRUMENTS, market.instruments())
    return folder


@pytest.fixture(scope="session")
def market(market_folder: Path) -> Iterator[Platform]:
    """The same, opened; to be read only."""
    with Platform.open(Settings(data_dir=market_folder)) as platform:
        yield platform
