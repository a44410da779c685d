"""Events that wait for a moment until they are written together: refusals, failed log-ins, limits hit, exports."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

from quantflux.accounts.audit.events import AuditEvent
from quantflux.accounts.audit.metrics import notes_lost


@dataclass(slots=True)
class Note:
    """An event, when it was (microseconds since 1970, UTC), and how often the same was refused since."""

    at: int
    event: AuditEvent
    times: int = 1

    def as_event(self) -> AuditEvent:
        """Return the event, telling how often it was repeated."""
        if self.times == 1:
            return self.event
        return replace(self.event, details={**self.event.details, "times": self.times})


class Notes:
    """A bounded buffer. What does not fit is counted, never waited for.

    Refusals of one action to one actor at one address become one note with a count, so that somebody who is refused
    ten thousand times a second can fill neither the buffer nor the disk.

    Examples
    --------
    >>> notes = Notes(capacity=2)
    >>> for path in ("/a", "/b", "/c"):
    ...     woken = notes.add(0, AuditEvent("access", "refused", "eve", "203.0.113.9", target=path))
    >>> [(note.event.target, note.times) for note in notes.take()[0]]
    [('/a', 3)]
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._waiting: deque[Note] = deque()
        self._refused: dict[tuple[str, str, str], Note] = {}
        self._lost = 0

    def add(self, at: int, event: AuditEvent) -> bool:
        """Put an event at the end; return whether it is the first that waits, so that somebody must be woken."""
        with self._lock:
            if event.outcome == "refused":
                same = self._refused.get((event.action, event.actor, event.address))
                if same is not None:
                    same.times += 1
                    return False
            if len(self._waiting) >= self._capacity:
                self._lose(1)
                return False
            note = Note(at, event)
            self._waiting.append(note)
            if event.outcome == "refused":
                self._refused[event.action, event.actor, event.address] = note
            return len(self._waiting) == 1

    def take(self) -> tuple[list[Note], int]:
        """Return all that waits, and how many did not fit since the last time; both are then forgotten."""
        with self._lock:
            taken, lost = list(self._waiting), self._lost
            self._waiting.clear()
            self._refused.clear()
            self._lost = 0
            return taken, lost

    def put_back(self, notes: list[Note], lost: int) -> None:
        """Put what could not be written before what came since, the newest of it first to go for want of room."""
        with self._lock:
            room = max(self._capacity - len(self._waiting), 0)
            self._waiting.extendleft(reversed(notes[:room]))
            self._lost += lost
            self._lose(sum(note.times for note in notes[room:]))

    def _lose(self, count: int) -> None:
        self._lost += count
        notes_lost.inc(count)

    def __len__(self) -> int:
        return len(self._waiting)
