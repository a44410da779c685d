"""The tier in the memory of one process: least recently read out first, bounded by bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

Name: TypeAlias = tuple[str, str, str]
"""Kind, key and version of an entry."""

OVERHEAD = 480
"""Bytes that an entry costs beside the letters of its value and names: heads of objects, slots of tables; measured."""

LARGEST_PART = 4
"""A value that would fill more than one part in this many of the tier is not kept: it would drive out all others."""


class Entry(NamedTuple):
    """A value and its times, in seconds of the clock's monotonic reading."""

    value: bytes
    born: float
    fresh_until: float
    ends: float


class MemoryTier:
    """Entries by name. `get` takes no lock: its steps are single operations of a dictionary, whole under the GIL.

    Parameters
    ----------
    most_bytes : int
        Of values, names and overhead together.
    changed : callable
        Told (entries, bytes) after each change.
    evicted : callable
        Told why an entry went: "space" or "expired".
    """

    def __init__(
        self, most_bytes: int, changed: Callable[[int, int], None], evicted: Callable[[str], None]
    ) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._entries: OrderedDict[Name, Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._changed = changed
        self._evicted = evicted

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: Name) -> Entry | None:
        """Return an entry, however old, and count it as read."""
        entry = self._entries.get(name)
        if entry is not None:
            try:  # noqa: SIM105 - costs nothing, where contextlib.suppress would double the time of a hit
                self._entries.move_to_end(name)
            except KeyError:  # put out by another thread in between: what we hold is still good
                pass
        return entry

    def put(self, name: Name, entry: Entry) -> None:
        """Keep an entry in place of any older one; put out the least recently read until it fits."""
        cost = _cost(name, entry)
        with self._lock:
            self._drop(name)
            if cost * LARGEST_PART <= self.most_bytes:
                self._entries[name] = entry
                self.bytes += cost
            while self.bytes > self.most_bytes:
                oldest = next(iter(self._entries))
                self._drop(oldest)
                self._evicted("space")
            self._changed(len(self._entries), self.bytes)

    def sweep(self, now: float) -> int:
        """Drop what has ended, and return how many entries that were."""
        with self._lock:
            ended = [name for name, entry in self._entries.items() if entry.ends <= now]
            for name in ended:
                self._drop(name)
                self._evicted("expired")
            self._changed(len(self._entries), self.bytes)
        return len(ended)

    def shorten(self, kind: str, seconds: float, fresh: float) -> None:
        """Let no entry of a kind live longer than `seconds`, and none be fresh for more than its part `fresh`."""
        with self._lock:
            for name, old in list(self._entries.items()):
                if name[0] == kind and old.ends > old.born + seconds:
                    ends = old.born + seconds
                    # A value of the same name costs the same, and stays where it is in the order of reading.
                    self._entries[name] = Entry(
                        old.value, old.born, min(old.fresh_until, old.born + seconds * fresh), ends
                    )

    def clear(self, kind: str | None = None) -> int:
        """Drop every entry, or those of one kind, and return how many entries that were."""
        with self._lock:
            chosen = [name for name in self._entries if kind is None or name[0] == kind]
            for name in chosen:
                self._drop(name)
            self._changed(len(self._entries), self.bytes)
        return len(chosen)

    def _drop(self, name: Name) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self.bytes -= _cost(name, entry)


def _cost(name: Name, entry: Entry) -> int:
    return len(entry.value) + len(name[1]) + len(name[2]) + OVERHEAD
