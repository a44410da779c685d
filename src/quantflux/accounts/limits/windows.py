"""Sliding windows that count, in this process; and the arithmetic of such windows wherever they are kept.

Of every key two windows are counted: the present one and the one before. What was counted before weighs as much as of
its window still lies within the last `seconds`: 100 requests in the last window, whose end was a quarter of a window
ago, weigh 75. So no burst at the turn of a window gets twice the limit.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import NamedTuple

from quantflux.core.clock import Clock


class Counts(NamedTuple):
    """What was counted of one key.

    Attributes
    ----------
    previous, current : int
    weighs : float
        Seconds for which the previous window still counts.
    ends : float
        Seconds until the present window ends.
    """

    previous: int
    weighs: float
    current: int
    ends: float


def room(counts: Counts, limit: int, seconds: int) -> int:
    """Return how much more may be counted now; negative if the limit was lowered.

    Examples
    --------
    >>> room(Counts(previous=100, weighs=45.0, current=10, ends=45.0), limit=100, seconds=60)
    15
    """
    return limit - math.floor(counts.previous * counts.weighs / seconds) - counts.current


def wait(counts: Counts, limit: int, seconds: int, amount: int = 1) -> float:
    """Return the seconds until `amount` more may be counted, if nothing else is until then.

    Examples
    --------
    >>> wait(Counts(previous=100, weighs=45.0, current=30, ends=45.0), limit=100, seconds=60)
    3.0...
    >>> wait(Counts(previous=0, weighs=0.0, current=100, ends=45.0), limit=100, seconds=60)
    45.0...
    """
    if room(counts, limit, seconds) >= amount:
        return 0.0
    free = max(limit - amount + 1, 0)  # the weighted count has to fall below this
    ahead = 1e-3
    if counts.current < free:
        return counts.weighs - (free - counts.current) * seconds / counts.previous + ahead
    return counts.ends + max(seconds - free * seconds / counts.current, 0.0) + ahead


class MemoryWindows:
    """Windows in this process, bounded in number, on a clock that is passed in.

    The memory storage of the library `limits` sweeps all its keys a hundred times a second for as long as it is used,
    which somebody with many addresses could make costly.

    Parameters
    ----------
    clock : Clock
    most : int
        Keys that are counted at once; the least recently counted go.
    """

    def __init__(self, clock: Clock, most: int = 100_000) -> None:
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, int, int]] = (
            OrderedDict()
        )  # window, counted in it, and before

    def counts(self, key: str, seconds: int) -> Counts:
        """Return what was counted of a key in windows of so many seconds."""
        with self._lock:
            return self._counts(key, seconds, self._clock.monotonic())

    def add(self, key: str, seconds: int, amount: int) -> None:
        """Count `amount`; a negative one takes back."""
        with self._lock:
            now = self._clock.monotonic()
            counts = self._counts(key, seconds, now)
            self._kept[key] = (int(now // seconds), max(counts.current + amount, 0), counts.previous)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def _counts(self, key: str, seconds: int, now: float) -> Counts:
        window = int(now // seconds)
        ends = (window + 1) * seconds - now
        held, current, previous = self._kept.get(key, (window, 0, 0))
        if held == window - 1:
            current, previous = 0, current
        elif held != window:
            current, previous = 0, 0
        return Counts(previous, ends, current, ends)
