"""The time of day, passed in so that tests and simulations own it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The exchanges' wall clock. A zone, not a fixed offset: China kept summer time from 1986 to 1991."""


class Clock(Protocol):
    """What the rest of the house may ask about time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps back, for time-outs and ages."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps back."""
        return time.monotonic()


class FixedClock:
    """A clock that moves only when told to.

    Examples
    --------
    >>> clock = FixedClock(datetime(2024, 1, 2, 7, 0, tzinfo=UTC))
    >>> clock.advance(60); clock.now().isoformat()
    '2024-01-02T07:01:00+00:00'
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("FixedClock needs an aware datetime, was given a naive one")
        self._start = start.timestamp()
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the instant that was set, plus what was advanced."""
        return datetime.fromtimestamp(self._start + self._elapsed, UTC)

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`, which may not be negative."""
        if seconds < 0:
            raise ValueError(f"a clock does not run backwards, was asked for {seconds} s")
        self._elapsed += seconds


def trading_date(instant: datetime) -> date:
    """Return the Shanghai calendar date of an aware instant.

    Examples
    --------
    >>> trading_date(datetime(2024, 1, 1, 16, 30, tzinfo=UTC))
    datetime.date(2024, 1, 2)
    """
    return instant.astimezone(SHANGHAI).date()
