"""A few results that are costly to make again, kept for as long as their platform and the data behind them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from quantflux.platform import Platform

T = TypeVar("T")


class Remembered(Generic[T]):
    """The latest results by key, for each platform.

    Parameters
    ----------
    most : int
        Results kept; those that were not used for longest go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: WeakKeyDictionary[Platform, OrderedDict[Hashable, T]] = WeakKeyDictionary()
        self._guard = threading.Lock()

    def get(self, platform: Platform, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key, or make it. Two threads may both make it; one result stays."""
        with self._guard:
            kept = self._kept.setdefault(platform, OrderedDict())
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        made = make()
        with self._guard:
            kept[key] = made
            while len(kept) > self._most:
                kept.popitem(last=False)
        return made
