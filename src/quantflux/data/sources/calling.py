"""Calls a vendor politely: no faster than allowed, again after a passing fault, with errors of our own."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, MissingDependency, QuantfluxError, RateLimited, SourceError

Answer = TypeVar("Answer")
Sleep = Callable[[float], None]
Classify = Callable[[Exception], SourceError]
"""From whatever a vendor's library raised to an error of ours."""


class TokenBucket:
    """Lets `per_minute` calls through each minute on average, and up to `burst` at once.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from quantflux.core.clock import FixedClock
    >>> clock = FixedClock(datetime(2024, 1, 2, tzinfo=UTC))
    >>> bucket = TokenBucket(60, clock=clock, sleep=clock.advance, burst=2)
    >>> for _ in range(4): bucket.take()
    >>> clock.monotonic()
    2.0
    """

    def __init__(self, per_minute: float, *, clock: Clock, sleep: Sleep = time.sleep, burst: int = 5) -> None:
        if per_minute <= 0 or burst < 1:
            raise InvalidRequest(
                f"calls per minute and burst must be positive, were {per_minute} and {burst}"
            )
        self._rate = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._tokens = float(burst)
        self._at = clock.monotonic()

    def take(self) -> None:
        """Wait until a call is allowed, and use it up."""
        self._refill()
        if self._tokens < 1:
            self._sleep((1 - self._tokens) / self._rate)
            self._refill()
        self._tokens -= 1

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class Caller:
    """Calls functions of one vendor, with its rate limit, retries and error table.

    Parameters
    ----------
    bucket : TokenBucket
    classify : callable
        From the vendor's exception to ours.
    sleep : callable
    attempts : int
        Calls in all before an error that may pass is raised.
    backoff : float
        Seconds before the second call, doubled for each further one.
    """

    def __init__(
        self,
        bucket: TokenBucket,
        classify: Classify,
        *,
        sleep: Sleep = time.sleep,
        attempts: int = 4,
        backoff: float = 2.0,
    ) -> None:
        self._bucket = bucket
        self._classify = classify
        self._sleep = sleep
        self._attempts = attempts
        self._backoff = backoff

    def call(self, function: Callable[..., Answer], *args: Any, **named: Any) -> Answer:
        """Return the function's answer.

        Raises
        ------
        SourceError
            The last one, if the fault did not pass or will not.
        QuantfluxError
            Any other of ours that the function raised, at once.
        """
        for attempt in range(1, self._attempts + 1):
            self._bucket.take()
            try:
                return function(*args, **named)
            except Exception as exc:
                if isinstance(exc, QuantfluxError) and not isinstance(exc, SourceError):
                    raise
                error = exc if isinstance(exc, SourceError) else self._classify(exc)
                if not error.retryable or attempt == self._attempts:
                    raise error from exc
                wait = self._backoff * 2 ** (attempt - 1)
                if isinstance(error, RateLimited) and error.retry_after is not None:
                    wait = max(wait, error.retry_after)
                self._sleep(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")


def vendor_module(name: str) -> ModuleType:
    """Import a vendor's library.

    Raises
    ------
    MissingDependency
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name != name:
            raise
        raise MissingDependency(name, name) from exc
