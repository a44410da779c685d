"""Copies the chain's end out of the database: forwards only, and never over a copy that contradicts the log."""

from __future__ import annotations

import time
from collections.abc import Callable

from quantflux.accounts.audit.chain import Chain, Head
from quantflux.accounts.audit.head import HeadFile
from quantflux.accounts.audit.reading import head_of, mac_of
from quantflux.core.errors import StoreCorrupt
from quantflux.database.engine import Database


class HeadCopier:
    """Copies after so many rows, or so many seconds after the last copy, whichever comes first.

    Attributes
    ----------
    appended : bool
        Whether this process has appended since its last look; set by who appends.
    """

    def __init__(
        self, database: Database, chain: Chain, file: HeadFile, *, rows: int, seconds: float
    ) -> None:
        self.appended = False
        self._database, self._chain, self._file = database, chain, file
        self._rows, self._seconds = rows, seconds
        self._copied_at = time.monotonic()
        self._copied_seq = 0
        self._alarmed: set[str] = set()

    def due_in(self) -> float | None:
        """Return the seconds until the next copy must be made; None if there is nothing to copy."""
        if not self.appended:
            return None
        return max(self._copied_at + self._seconds - time.monotonic(), 0.0)

    def begin(self, head: Head) -> None:
        """Copy the end of a log that was just made, unless there is a copy: then it belongs to a log that is gone."""
        with self._file.lock():
            if self._file.read() is None:
                self._file.write(head)

    def copy(self, alarm: Callable[[str], None], *, now: bool = False) -> None:
        """Copy if it is due, or `now`. What contradicts the log is told once to `alarm`, and is kept.

        Raises
        ------
        StoreError
            If the database or the file cannot be reached.
        """
        if not now and not self._due():
            return
        with self._file.lock():
            problem = self._copy()
        if problem and problem not in self._alarmed:
            self._alarmed.add(problem)
            alarm(problem)

    def _due(self) -> bool:
        if not self.appended:
            return False
        if time.monotonic() >= self._copied_at + self._seconds:
            return True
        with self._database.reading() as connection:
            head = head_of(connection)
        return head is None or head.seq >= self._copied_seq + self._rows

    def _copy(self) -> str:
        self.appended = False
        self._copied_at = time.monotonic()
        try:
            copied = self._file.read()
        except StoreCorrupt as damage:
            return str(damage)
        with self._database.reading() as connection:
            head = head_of(connection)
            there = copied is None or copied.seq == 0 or mac_of(connection, copied.seq) == copied.mac
        if head is None or not self._chain.signed(head):
            return "the end of the chain is missing or is not signed with our key"
        if copied is not None and not self._chain.signed(copied):
            return f"{self._file.path} is not signed with our key"
        if copied is not None and (copied.seq > head.seq or not there):
            return f"{self._file.path} vouches for {copied.seq} entries, and the log has lost or changed some"
        if copied is None or head.seq > copied.seq:
            self._file.write(head)
        self._copied_seq = head.seq
        return "" if copied is not None or head.seq == 0 else f"{self._file.path} was gone; it was made anew"
