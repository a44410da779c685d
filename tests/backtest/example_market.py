"""The market of the example run files: two years of thirty invented companies, those of `quantflux demo`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from quantflux.config import Settings
from quantflux.data.schema import DAILY, DAILY_BASIC, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.platform import Platform

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
"""The run files that users read."""


def market_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the data folder, made once a session; copy it before writing to it."""
    folder = factory.getbasetemp() / "example-market"
    if not folder.exists():
        market = SyntheticMarket(seed=7, companies=30, start=date(2022, 1, 4), end=date(2023, 12, 29))
        with Platform.open(Settings(data_dir=folder)) as platform:
            for daily, basic in market.tables():
                platform.data.write(DAILY, daily)
                platform.data.write(DAILY_BASIC, basic)
            platform.data.write(INSTRUMENTS, market.instruments())
            platform.data.panel(["close"])  # builds the panels, which copies then have
    return folder
