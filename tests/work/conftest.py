"""A small synthetic market that work may write to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantflux.config import Settings
from quantflux.platform import Platform
from tests.portfolio.markets import market_folder

__all__ = ["market_folder"]


@pytest.fixture(scope="package")
def place(market_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A year and a half of thirty companies, to which models and records may be added."""
    folder = Path(shutil.copytree(market_folder, tmp_path_factory.mktemp("work") / "data"))
    with Platform.open(Settings(data_dir=folder)) as platform:
        yield platform
