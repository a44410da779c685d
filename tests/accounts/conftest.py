from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock
from tests.accounts.material import Desk, desk_of


@pytest.fixture
def desk(tmp_path: Path, clock: FixedClock) -> Iterator[Desk]:
    """Accounts on a SQLite file of their own."""
    made = desk_of(f"sqlite:///{tmp_path}/own.db", tmp_path, clock)
    yield made
    made.close()
