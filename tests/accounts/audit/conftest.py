from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quantflux.core.clock import FixedClock
from tests.accounts.audit.material import Site, site_of


@pytest.fixture
def site(tmp_path: Path, clock: FixedClock) -> Iterator[Site]:
    """An empty log."""
    made = site_of(tmp_path, clock)
    yield made
    made.log.close()
    made.database.close()
