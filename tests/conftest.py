"""What every test may use: real servers, and a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quantflux.core.clock import FixedClock

pytest_plugins = ["tests.services.influxdb", "tests.services.mariadb", "tests.services.redis"]


@pytest.fixture
def clock() -> FixedClock:
    """A clock in the far future, so that rows dated 2040 are in the past."""
    return FixedClock(datetime(2041, 1, 1, tzinfo=UTC))
