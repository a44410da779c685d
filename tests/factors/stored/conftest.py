"""A market for every test, and states kept so often that small ones have several."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantflux.factors.stored import appending
from tests.factors.stored.markets import Market

CHECKPOINT = 16


@pytest.fixture(autouse=True)
def frequent_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appending, "CHECKPOINT_ROWS", CHECKPOINT)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    """An empty market."""
    return Market(tmp_path)
