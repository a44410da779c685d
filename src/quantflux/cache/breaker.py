"""Keeps callers away from a service that just failed, and finds out when it is back."""

from __future__ import annotations

from quantflux.core.clock import Clock


class Breaker:
    """Closed while all is well; a failure opens it, and after a pause one trial may close it again (half-open).

    Parameters
    ----------
    clock : Clock
    pause, longest_pause : float
        Seconds between a failure and the trial; doubled by each trial, up to the longest. Who fails again soon after a
        trial went well is not trusted so soon again: the pause goes on from where it was.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from quantflux.core.clock import FixedClock
    >>> clock = FixedClock(datetime(2024, 1, 2, tzinfo=UTC))
    >>> breaker = Breaker(clock, pause=1.0); breaker.failed()
    >>> breaker.closed, breaker.take_trial()
    (False, False)
    >>> clock.advance(1.0); breaker.take_trial(), breaker.take_trial()
    (True, False)
    >>> breaker.succeeded(); breaker.closed
    True
    """

    def __init__(self, clock: Clock, pause: float = 0.5, longest_pause: float = 8.0) -> None:
        self._clock = clock
        self._first_pause = pause
        self._longest_pause = longest_pause
        self._pause = pause
        self._trial_at = 0.0
        self._closed_at = -longest_pause
        self.closed = True

    def failed(self) -> None:
        """Open. Failures of calls that were under way when it opened change nothing more."""
        if self.closed:
            now = self._clock.monotonic()
            if now - self._closed_at >= self._longest_pause:
                self._pause = self._first_pause
            self._trial_at = now + self._pause
            self.closed = False

    def take_trial(self) -> bool:
        """Whether the caller, and nobody else until the next pause is over, may try. False while closed."""
        if self.closed or self._clock.monotonic() < self._trial_at:
            return False
        # Should the trial never report back, this is when the next one is due.
        self._pause = min(self._pause * 2.0, self._longest_pause)
        self._trial_at = self._clock.monotonic() + self._pause
        return True

    def succeeded(self) -> None:
        """Close: the trial went well."""
        self._closed_at = self._clock.monotonic()
        self.closed = True
