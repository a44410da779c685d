"""A circuit breaker: after repeated failures, calls fail at once instead of waiting for a time-out each."""

from __future__ import annotations

import threading

from quantflux.core.clock import Clock
from quantflux.core.errors import StoreUnavailable


class Breaker:
    """Opens after `limit` failures in a row; after `rest` seconds it lets one call through to probe.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from quantflux.core.clock import FixedClock
    >>> clock = FixedClock(datetime(2024, 1, 2, tzinfo=UTC))
    >>> breaker = Breaker(clock, limit=1, rest=5.0)
    >>> breaker.failed()
    >>> breaker.is_open
    True
    >>> clock.advance(5); breaker.is_open
    False
    """

    def __init__(self, clock: Clock, limit: int = 3, rest: float = 5.0) -> None:
        self._clock = clock
        self._limit = limit
        self._rest = rest
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the next call would be refused."""
        with self._lock:
            return self._refuses()

    def _refuses(self) -> bool:
        if self._failures < self._limit:
            return False
        return self._probing or self._clock.monotonic() < self._closed_until

    def enter(self) -> None:
        """Ask to make a call.

        Raises
        ------
        StoreUnavailable
            While open, or while another call probes.
        """
        with self._lock:
            if self._refuses():
                wait = max(0.0, self._closed_until - self._clock.monotonic())
                raise StoreUnavailable(
                    f"InfluxDB failed {self._failures} times in a row; the next try is allowed in {wait:.1f} s"
                )
            self._probing = self._failures >= self._limit

    def succeeded(self) -> None:
        """Say that the server answered."""
        with self._lock:
            self._failures = 0
            self._probing = False

    def failed(self) -> None:
        """Say that it did not."""
        with self._lock:
            self._failures += 1
            self._probing = False
            if self._failures >= self._limit:
                self._closed_until = self._clock.monotonic() + self._rest
