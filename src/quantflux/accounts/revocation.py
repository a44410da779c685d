"""Whose access ended before its time: what makes a log-out or a new role act at once on tokens already given.

Whatever ends access adds a row to `revocations` in the same transaction. Each process reads the rows of the last
minutes at most every two seconds; what was verified before one of them is verified again, against the database.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select

from quantflux.core.clock import Clock
from quantflux.core.errors import StoreError, StoreUnavailable
from quantflux.database import Database
from quantflux.database.tables.accounts import revocations
from quantflux.database.times import to_micros

RELOAD_SECONDS = 1.0
"""Age from which the next caller that may wait reads the rows anew."""

FRESH_SECONDS = 2.0
"""Oldest that callers who may not wait rely on."""

STALE_SECONDS = 4.0
"""Oldest that anybody relies on: with the database away for longer, nobody is let in."""

WAIT_SECONDS = 2.0
"""How long callers wait for the one who reads the rows: a database that hangs must not hold every thread."""

RECHECK_SECONDS = 300
"""How long a credential is remembered at most before the database is asked again."""

_WINDOW = (RECHECK_SECONDS + 300) * 1_000_000
"""Microseconds of rows that are read: all that may concern what is remembered, and what hosts' clocks differ by."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended lately.

    Attributes
    ----------
    versions : dict of int to int
        By user: tokens made under an older count are void.
    sessions, keys : set of str
    read_at : float
        On the monotonic clock.
    """

    versions: dict[int, int] = field(default_factory=dict)
    sessions: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    read_at: float = float("-inf")

    def concerns(self, user_id: int, version: int, session: str, key: str) -> bool:
        """Whether what was remembered of a credential may no longer hold."""
        return self.versions.get(user_id, 0) > version or session in self.sessions or key in self.keys


class Revocations:
    """Says what ended, and remembers what was said.

    Attributes
    ----------
    ended : Ended
        As last read. Never changed, only replaced.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._reading = threading.Lock()
        self._failed_at = float("-inf")
        self.ended = Ended()

    def of_user(self, connection: Connection, user_id: int, version: int) -> None:
        """End what was given to a user under an older count than `version`."""
        self._add(connection, user_id=user_id, version=version)

    def of_session(self, connection: Connection, session: str) -> None:
        """End the access of a session."""
        self._add(connection, session_id=session)

    def of_key(self, connection: Connection, key: str) -> None:
        """End the access of an API key."""
        self._add(connection, key_id=key)

    def forget(self) -> None:
        """Make the next caller read the rows; call it after the transaction that added one."""
        self.ended = Ended(self.ended.versions, self.ended.sessions, self.ended.keys)

    @property
    def is_reading(self) -> bool:
        """Whether somebody reads the rows right now."""
        return self._reading.locked()

    def current(self) -> Ended:
        """Return what ended, read anew if that is a second ago. May wait for the database.

        Raises
        ------
        StoreError
            If the database is away and what was read is too old to rely on.
        """
        now = self._clock.monotonic()
        known = self.ended
        if now - known.read_at < RELOAD_SECONDS:
            return known
        if not self._reading.acquire(timeout=WAIT_SECONDS if now - known.read_at >= FRESH_SECONDS else 0.0):
            return self._reliable()  # somebody else is at it
        try:
            if self.ended.read_at > known.read_at:  # somebody else was at it
                return self.ended
            if now - self._failed_at < RELOAD_SECONDS:  # and failed: no need to run into that as well
                return self._reliable()
            self.ended = self._read(now)
        except StoreError:
            self._failed_at = self._clock.monotonic()
            if now - known.read_at >= STALE_SECONDS:
                raise
        finally:
            self._reading.release()
        return self.ended

    def _reliable(self) -> Ended:
        """Return what was read last, unless that is too old to rely on."""
        known = self.ended
        if self._clock.monotonic() - known.read_at >= STALE_SECONDS:
            raise StoreUnavailable("The database does not say whose access ended; retry later.")
        return known

    def sweep(self, connection: Connection) -> None:
        """Drop rows that nothing remembered can still need."""
        limit = to_micros(self._clock.now()) - 10 * _WINDOW
        connection.execute(delete(revocations).where(revocations.c.at < limit))

    def _read(self, now: float) -> Ended:
        since = to_micros(self._clock.now()) - _WINDOW
        columns = (
            revocations.c.user_id,
            revocations.c.version,
            revocations.c.session_id,
            revocations.c.key_id,
        )
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).where(revocations.c.at >= since)).all()
        versions: dict[int, int] = {}
        for user_id, version, _, _ in rows:
            versions[user_id] = max(versions.get(user_id, 0), version)
        sessions = frozenset(row.session_id for row in rows if row.session_id)
        return Ended(versions, sessions, frozenset(row.key_id for row in rows if row.key_id), now)

    def _add(
        self,
        connection: Connection,
        *,
        user_id: int = 0,
        version: int = 0,
        session_id: str = "",
        key_id: str = "",
    ) -> None:
        connection.execute(
            insert(revocations).values(
                at=to_micros(self._clock.now()),
                user_id=user_id,
                version=version,
                session_id=session_id,
                key_id=key_id,
            )
        )
