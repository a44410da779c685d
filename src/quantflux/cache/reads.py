"""Which stocks are read most of late."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from quantflux.core.clock import Clock


class ReadCounts:
    """Counts reads by symbol; older ones weigh less, and only the most read symbols are remembered.

    Instead of shrinking all counts as time goes by, each new read weighs more: 2 ** (seconds / half_life).

    Parameters
    ----------
    clock : Clock
    half_life : float
        Seconds after which a read counts half.
    capacity : int
        Symbols that are remembered; up to twice as many between two prunings.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from quantflux.core.clock import FixedClock
    >>> clock = FixedClock(datetime(2024, 1, 2, tzinfo=UTC))
    >>> reads = ReadCounts(clock, half_life=60.0)
    >>> reads.add(["600519.SH"] * 3); clock.advance(120.0); reads.add(["000001.SZ"])
    >>> reads.hottest(2)
    ['000001.SZ', '600519.SH']
    """

    def __init__(self, clock: Clock, half_life: float = 900.0, capacity: int = 4096) -> None:
        self._clock = clock
        self._half_life = half_life
        self._capacity = capacity
        self._scores: dict[str, float] = {}
        self._origin = clock.monotonic()

    def add(self, symbols: Iterable[str]) -> None:
        """Count one read of each."""
        halvings = (self._clock.monotonic() - self._origin) / self._half_life
        if halvings > 500.0:  # 2 ** 1023 is the largest double: start the scale anew
            factor = 2.0**-halvings
            self._scores = {
                symbol: kept for symbol, score in self._scores.items() if (kept := score * factor)
            }
            self._origin, halvings = self._clock.monotonic(), 0.0
        weight = 2.0**halvings
        scores = self._scores
        for symbol in symbols:
            scores[symbol] = scores.get(symbol, 0.0) + weight
            if len(scores) > 2 * self._capacity:
                self._scores = scores = {s: scores[s] for s in self.hottest(self._capacity)}

    def hottest(self, count: int) -> list[str]:
        """Return up to `count` symbols, the most read first."""
        scores = dict(self._scores)
        return heapq.nlargest(count, scores, key=scores.__getitem__)
