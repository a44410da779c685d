"""Answers that the server gave before, and their entity tags: read again, they cost a 304."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer: its tag, headers and body."""

    tag: str
    headers: Mapping[str, str]
    body: bytes


class AnswerCache:
    """A bounded number of bytes of answers, the least recently used first to go. Safe to use from threads.

    Parameters
    ----------
    most_bytes : int
        Of all bodies; 0 keeps none.

    Examples
    --------
    >>> cache = AnswerCache(10)
    >>> cache.keep("a", Kept('"1"', {}, b"12345678")); cache.keep("b", Kept('"2"', {}, b"1234"))
    >>> cache.get("a"), cache.get("b").tag
    (None, '"2"')
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._size = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Kept | None:
        """Return what is kept under a key."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: str, answer: Kept) -> None:
        """Keep an answer, unless it alone is larger than the room."""
        with self._lock:
            before = self._kept.pop(key, None)
            self._size -= len(before.body) if before is not None else 0
            if len(answer.body) > self._most:
                return
            self._kept[key] = answer
            self._size += len(answer.body)
            while self._size > self._most:
                _, gone = self._kept.popitem(last=False)
                self._size -= len(gone.body)
