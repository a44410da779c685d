"""Clocks: passed in, so that tests and simulations own the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from quantflux.core.clock import FixedClock, SystemClock, trading_date


def test_the_system_clock_knows_its_zone_and_never_runs_back() -> None:
    clock = SystemClock()

    first, second = clock.monotonic(), clock.monotonic()

    assert clock.now().tzinfo is UTC
    assert second >= first


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(datetime(2024, 1, 2, 9, 30, tzinfo=timezone(timedelta(hours=8))))

    assert clock.now() == clock.now() == datetime(2024, 1, 2, 1, 30, tzinfo=UTC)
    clock.advance(0.5)
    assert clock.monotonic() == 0.5
    assert clock.now() == datetime(2024, 1, 2, 1, 30, 0, 500_000, tzinfo=UTC)


def test_a_fixed_clock_refuses_a_naive_start_and_steps_back() -> None:
    with pytest.raises(ValueError, match="aware"):
        FixedClock(datetime(2024, 1, 2))
    with pytest.raises(ValueError, match="backwards"):
        FixedClock(datetime(2024, 1, 2, tzinfo=UTC)).advance(-1)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2024, 1, 1, 15, 59, 59, tzinfo=UTC), "2024-01-01"),
        (datetime(2024, 1, 1, 16, 0, tzinfo=UTC), "2024-01-02"),
        (datetime(1991, 7, 1, 15, 30, tzinfo=UTC), "1991-07-02"),  # summer time: nine hours ahead
    ],
)
def test_the_trading_date_is_that_of_shanghai(instant: datetime, day: str) -> None:
    assert trading_date(instant).isoformat() == day
