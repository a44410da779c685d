"""A small demonstration, run once for all tests of what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from quantflux.cli.demo.flow import research
from quantflux.cli.demo.loading import MarketPlan, load, own_folder, prepare
from quantflux.cli.demo.results import Findings
from quantflux.cli.demo.stages import Stages
from quantflux.config import Settings
from quantflux.platform import Platform

PLAN = MarketPlan(symbols=60, years=2, seed=7, minute_symbols=3, minute_days=2)


def silent() -> Stages:
    return Stages(Progress(console=Console(quiet=True), disable=True))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A folder with a small synthetic market."""
    folder = tmp_path_factory.mktemp("demo") / "market"
    prepare(folder, PLAN)
    with Platform.open(own_folder(Settings(), folder)) as opened:
        load(opened.data, PLAN, silent())
        yield opened


@pytest.fixture(scope="session")
def findings(platform: Platform) -> Findings:
    return research(platform, str(Path("demo-data")), silent(), synthetic=True)
