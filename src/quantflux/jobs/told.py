"""What a running job is told and tells: its progress, and whether it shall stop."""

from __future__ import annotations

from threading import Event

from quantflux.core.errors import Cancelled
from quantflux.jobs.job import Progress

_LONGEST_TEXT = 200


class Told:
    """The line between a job's work and whoever runs it. Cheap enough for inner loops.

    Examples
    --------
    >>> told = Told()
    >>> told.progress(3, 10, "2024-01")
    >>> told.last
    Progress(done=3, total=10, text='2024-01')
    >>> told.stop(); told.cancelled()
    True
    """

    def __init__(self) -> None:
        self.last = Progress(0, 0, "")
        self._stop = Event()

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Say how far the work has come; it is written down about once a second, not at every call."""
        self.last = Progress(_whole(done), _whole(total), legible(text, _LONGEST_TEXT))

    def cancelled(self) -> bool:
        """Whether the work shall stop: somebody cancelled it, or the process is about to end."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the work shall stop."""
        if self._stop.is_set():
            raise Cancelled("the job was asked to stop")

    def stop(self) -> None:
        """Ask the work to stop."""
        self._stop.set()


def legible(text: str, most: int) -> str:
    """Return text that every database takes: without NUL and half characters, and not too long.

    Examples
    --------
    >>> legible("a" + chr(0) + "b" + chr(0xD800), 3)
    'ab?'
    """
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:most]


def _whole(steps: int) -> int:
    return min(max(int(steps), 0), 2**53)
