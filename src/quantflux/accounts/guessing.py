"""How often log-ins may fail: by account, by address and in all, with a delay that doubles.

Nobody can lock somebody else out: whoever logged in from a device before is counted apart, by a secret that the device
keeps, and gets in with the right password however many strangers try. Names that nobody has are counted like those
that somebody has. An attempt counts as failed from its start until it has succeeded, so that many at once gain
nothing.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from quantflux.core.clock import Clock
from quantflux.core.errors import LimitReached
from quantflux.core.hosts import subscriber_of
from quantflux.database.tables.accounts import devices, login_attempts, users
from quantflux.database.times import to_micros

_SECOND = 1_000_000
_MOST_DEVICES = 20
_DEVICE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Allowed:
    """How many failures of one kind are free, what the next one costs, and when they are forgotten.

    Attributes
    ----------
    free : int
    longest : float
        Seconds of the longest delay; the first is two seconds, each further one twice as long.
    memory : float
        Seconds after the last attempt.
    """

    free: int
    longest: float
    memory: float


RULES = {
    "account": Allowed(5, 300, 900),
    "device": Allowed(5, 300, 900),
    "session": Allowed(5, 300, 900),
    "code": Allowed(5, 300, 900),
    "address": Allowed(20, 900, 900),
    "all": Allowed(600, 30, 60),
}
"""By kind of subject. At these an account can be tried some 300 times a day, however many machines take part."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in under way.

    Attributes
    ----------
    subjects : mapping of str to int
        What counts it, with the end of the delay that it set there, in microseconds since 1970, or 0.
    known_device : bool
        Whether it comes from a device that the user logged in from before.
    """

    subjects: Mapping[str, int]
    known_device: bool


class Guessing:
    """Counts attempts to log in, in the database, so that a restart or a second process forgets nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begin(self, connection: Connection, name: str, address: str, device: str) -> Attempt | float:
        """Count an attempt as failed for now, or return the seconds to wait before one is taken.

        Parameters
        ----------
        name : str
            As given, whether or not anybody is called that.
        device : str
            The secret that an earlier log-in gave to the device, or empty.
        """
        now = to_micros(self._clock.now())
        known = bool(device) and self._is_known(connection, name, device, now)
        if known:
            return self._begin(connection, (f"device:{_digest(device)}",), now, known_device=True)
        subjects = (f"account:{_digest(name)}", f"address:{_digest(subscriber_of(address))}", "all")
        return self._begin(connection, subjects, now, known_device=False)

    def begin_in_session(
        self, connection: Connection, kind: Literal["session", "code"], whose: str
    ) -> Attempt | float:
        """As `begin`, for who is logged in and shows something once more.

        Parameters
        ----------
        kind : {"session", "code"}
            The password, counted by session, or a code of the second factor, counted by user. The one being right
            does not clear the count of the other.
        """
        now = to_micros(self._clock.now())
        return self._begin(connection, (f"{kind}:{whose}",), now, known_device=True)

    def succeeded(self, connection: Connection, attempt: Attempt) -> None:
        """Forget an account's or device's failures, and take this attempt back from what others share."""
        for subject, delay_ends in attempt.subjects.items():
            row = login_attempts.c.subject == subject
            if not subject.startswith(("address:", "all")):
                connection.execute(delete(login_attempts).where(row))
                continue
            fewer = update(login_attempts).where(row, login_attempts.c.failures > 0)
            connection.execute(fewer.values(failures=login_attempts.c.failures - 1))
            # A delay that somebody else's failure set meanwhile stays.
            own = update(login_attempts).where(row, login_attempts.c.blocked_until == delay_ends)
            connection.execute(own.values(blocked_until=0))

    def remember_device(self, connection: Connection, user_id: int, device: str) -> str:
        """Return the secret by which the device that was just logged in from is known next time."""
        now = to_micros(self._clock.now())
        if device:
            mine = (devices.c.hash == _digest(device)) & (devices.c.user_id == user_id)
            if connection.execute(update(devices).where(mine).values(used_at=now)).rowcount:
                return device
        fresh = secrets.token_urlsafe(32)
        connection.execute(
            insert(devices).values(hash=_digest(fresh), user_id=user_id, created_at=now, used_at=now)
        )
        newest = select(devices.c.hash).where(devices.c.user_id == user_id).order_by(devices.c.used_at.desc())
        surplus = list(connection.scalars(newest.offset(_MOST_DEVICES).limit(1000)))
        connection.execute(delete(devices).where(devices.c.hash.in_(surplus)))
        return fresh

    def forget_devices(self, connection: Connection, user_id: int) -> None:
        """Know no device of a user any more."""
        connection.execute(delete(devices).where(devices.c.user_id == user_id))

    def sweep(self, connection: Connection) -> None:
        """Drop what is too old to count."""
        now = to_micros(self._clock.now())
        oldest = now - 86_400 * _SECOND
        connection.execute(
            delete(login_attempts).where(
                login_attempts.c.last_at < oldest, login_attempts.c.blocked_until < now
            )
        )
        connection.execute(delete(devices).where(devices.c.used_at < now - _DEVICE_DAYS * 86_400 * _SECOND))

    def _begin(
        self, connection: Connection, subjects: tuple[str, ...], now: int, *, known_device: bool
    ) -> Attempt | float:
        wanted = select(login_attempts).where(login_attempts.c.subject.in_(subjects))
        found = {row.subject: row for row in connection.execute(wanted.with_for_update())}
        blocked = max((row.blocked_until for row in found.values()), default=0)
        if blocked > now:
            return float(blocked - now) / _SECOND
        counted = {}
        for subject in subjects:
            row = found.get(subject)
            before = (row.failures, row.last_at) if row else None
            counted[subject] = self._count(connection, subject, before, now)
        return Attempt(counted, known_device)

    def _is_known(self, connection: Connection, name: str, device: str, now: int) -> bool:
        owner = (
            select(users.c.name)
            .join_from(devices, users, devices.c.user_id == users.c.id)
            .where(
                devices.c.hash == _digest(device), devices.c.used_at > now - _DEVICE_DAYS * 86_400 * _SECOND
            )
        )
        return connection.scalar(owner) == name

    def _count(self, connection: Connection, subject: str, before: tuple[int, int] | None, now: int) -> int:
        rule = RULES[subject.partition(":")[0]]
        failures = 1
        if before is not None and now - before[1] < rule.memory * _SECOND:
            failures = before[0] + 1
        delay = (
            min(math.ldexp(1.0, min(failures - rule.free, 40)), rule.longest) if failures > rule.free else 0.0
        )
        ends = now + int(delay * _SECOND) if delay else 0
        values: dict[str, Any] = {"failures": failures, "last_at": now, "blocked_until": ends}
        if before is None:
            try:
                with connection.begin_nested():
                    connection.execute(insert(login_attempts).values(subject=subject, **values))
                return ends
            except IntegrityError:  # another process counted the first one at the same time
                values["failures"] = login_attempts.c.failures + 1
        row = login_attempts.c.subject == subject
        connection.execute(update(login_attempts).where(row).values(**values))
        return ends


def too_many(seconds: float) -> LimitReached:
    """Return the answer to an attempt that came too soon; the same whether or not anybody is called that."""
    return LimitReached(
        f"Too many failed log-ins; try again in {math.ceil(seconds)} s.", float(math.ceil(seconds))
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
