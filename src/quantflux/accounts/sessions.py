"""Sessions: from a log-in to a log-out, kept alive by refresh tokens that are each exchanged once.

A refresh token is 256 random bits, of which only the SHA-256 is kept. Exchanging it gives the next one, which is
derived from it by HMAC: a client whose reply was lost may ask again within ten seconds and gets the same one, although
it is written down nowhere. A token that comes back later, or after its successor was used, is in two hands; its
session ends, for both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from quantflux.accounts.revocation import Revocations
from quantflux.core.clock import Clock
from quantflux.database.tables.accounts import refresh_tokens, sessions
from quantflux.database.times import from_micros, to_micros

GRACE_SECONDS = 10
"""How long a lost reply may be asked for again."""

_SECOND = 1_000_000
_KEPT_DAYS = 7

EndReason = Literal["log out", "log out all", "idle", "too old", "too many", "reuse", "password", "by admin"]


@dataclass(frozen=True, slots=True)
class Session:
    """Where somebody is logged in.

    Attributes
    ----------
    id : str
    user_id : int
    address : str
        Where it began.
    label : str
        What the client called itself.
    created_at, used_at, expires_at : datetime
        Begin, last refresh, and the latest end.
    """

    id: str
    user_id: int
    address: str
    label: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came of a refresh token.

    Attributes
    ----------
    outcome : {"done", "again", "unknown", "ended", "idle", "too old", "reuse"}
        "again" is a lost reply asked for again. The last three ended the session.
    session : str
        Empty if the token is unknown.
    user_id : int
    token : str
        The next one, if there is one.
    """

    outcome: Literal["done", "again", "unknown", "ended", "idle", "too old", "reuse"]
    session: str = ""
    user_id: int = 0
    token: str = ""


class Sessions:
    """Begins, prolongs and ends sessions, inside the caller's transactions.

    Parameters
    ----------
    revocations : Revocations
    key : bytes
        From which successors of refresh tokens are derived.
    clock : Clock
    idle_seconds, longest_seconds : int
        Between two refreshes, and in all.
    most : int
        Of one user.
    """

    def __init__(
        self,
        revocations: Revocations,
        key: bytes,
        clock: Clock,
        *,
        idle_seconds: int,
        longest_seconds: int,
        most: int,
    ) -> None:
        self._revocations = revocations
        self._key = key
        self._clock = clock
        self.idle_seconds = idle_seconds
        self.longest_seconds = longest_seconds
        self.most = most

    def begin(self, connection: Connection, user_id: int, address: str, label: str) -> tuple[str, str]:
        """Return a new session's id and its first refresh token. The oldest ends if there are too many."""
        now = self._now()
        session, token = secrets.token_hex(16), secrets.token_urlsafe(32)
        alive = [row.id for row in self._alive(connection, user_id)]
        for oldest in alive[: max(len(alive) + 1 - self.most, 0)]:
            self._end(connection, oldest, "too many")
        connection.execute(
            insert(sessions).values(
                id=session,
                user_id=user_id,
                address=address[:45],
                label=label[:100].encode("utf-8", "replace").decode(),
                created_at=now,
                used_at=now,
                expires_at=now + self.longest_seconds * _SECOND,
                end_reason="",
            )
        )
        self._keep(connection, token, session, now)
        return session, token

    def exchange(self, connection: Connection, token: str) -> Exchange:
        """Exchange a refresh token for the next one. What happens to a token is decided here alone."""
        row = self._find(connection, token)
        if row is None:
            return Exchange("unknown")
        of = {"session": row.session_id, "user_id": row.user_id}
        now = self._now()
        if (over := self._over(connection, row, now)) is not None:
            return Exchange(over, **of)
        successor = self._successor(token)
        if row.exchanged_at is None:
            mine = refresh_tokens.c.hash == _digest(token)
            connection.execute(update(refresh_tokens).where(mine).values(exchanged_at=now))
            connection.execute(update(sessions).where(sessions.c.id == row.session_id).values(used_at=now))
            self._keep(connection, successor, row.session_id, now)
            return Exchange("done", **of, token=successor)
        next_one = select(refresh_tokens.c.exchanged_at).where(refresh_tokens.c.hash == _digest(successor))
        following = connection.execute(next_one).one_or_none()
        unused = following is not None and following.exchanged_at is None
        if unused and now - row.exchanged_at <= GRACE_SECONDS * _SECOND:
            return Exchange("again", **of, token=successor)
        self._end(connection, row.session_id, "reuse")
        return Exchange("reuse", **of)

    def listed(self, connection: Connection, user_id: int) -> list[Session]:
        """Return a user's sessions that have not ended, oldest first."""
        return [_session(row) for row in self._alive(connection, user_id)]

    def is_alive(self, connection: Connection, session: str, user_id: int) -> bool:
        """Whether a session of a user may still be used."""
        mine = select(sessions).where(sessions.c.id == session, sessions.c.user_id == user_id)
        row = connection.execute(mine).one_or_none()
        return row is not None and self._lasts(row)

    def seconds_left(self, connection: Connection, session: str) -> int:
        """Return how long a session can go on without a refresh."""
        row = connection.execute(select(sessions).where(sessions.c.id == session)).one()
        end: int = min(row.expires_at, row.used_at + self.idle_seconds * _SECOND)
        return max((end - self._now()) // _SECOND, 0)

    def end(self, connection: Connection, session: str, user_id: int, reason: EndReason) -> bool:
        """End a session of a user; whether there was one."""
        alive = select(sessions.c.id).where(
            sessions.c.id == session, sessions.c.user_id == user_id, sessions.c.ended_at.is_(None)
        )
        if connection.scalar(alive.with_for_update()) is None:
            return False
        self._end(connection, session, reason)
        return True

    def end_all(self, connection: Connection, user_id: int, reason: EndReason) -> int:
        """End a user's sessions; return how many there were."""
        alive = [row.id for row in self._alive(connection, user_id)]
        for session in alive:
            self._end(connection, session, reason)
        return len(alive)

    def sweep(self, connection: Connection) -> None:
        """Drop sessions that ended, or would have, a week ago."""
        limit = self._now() - _KEPT_DAYS * 86_400 * _SECOND
        old = select(sessions.c.id).where((sessions.c.expires_at < limit) | (sessions.c.ended_at < limit))
        ids = list(connection.scalars(old.limit(1000)))
        connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id.in_(ids)))
        connection.execute(delete(sessions).where(sessions.c.id.in_(ids)))

    def _find(self, connection: Connection, token: str) -> Row[Any] | None:
        # The session's row is locked first, so that whoever ends it and whoever exchanges take turns.
        owner = select(refresh_tokens.c.session_id).where(refresh_tokens.c.hash == _digest(token))
        session = connection.scalar(owner)
        if session is None:
            return None
        connection.execute(select(sessions.c.id).where(sessions.c.id == session).with_for_update())
        both = select(sessions, refresh_tokens.c.session_id, refresh_tokens.c.exchanged_at).join_from(
            refresh_tokens, sessions, refresh_tokens.c.session_id == sessions.c.id
        )
        return connection.execute(both.where(refresh_tokens.c.hash == _digest(token))).one()

    def _over(
        self, connection: Connection, row: Row[Any], now: int
    ) -> Literal["ended", "too old", "idle"] | None:
        if row.ended_at is not None:
            return "ended"
        over: Literal["too old", "idle"]
        if now >= row.expires_at:
            over = "too old"
        elif now >= row.used_at + self.idle_seconds * _SECOND:
            over = "idle"
        else:
            return None
        self._end(connection, row.session_id, over)
        return over

    def _alive(self, connection: Connection, user_id: int) -> list[Row[Any]]:
        mine = select(sessions).where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None))
        rows = connection.execute(mine.order_by(sessions.c.created_at, sessions.c.id))
        return [row for row in rows if self._lasts(row)]

    def _lasts(self, row: Row[Any]) -> bool:
        now = self._now()
        idle_until: int = row.used_at + self.idle_seconds * _SECOND
        return row.ended_at is None and now < row.expires_at and now < idle_until

    def _end(self, connection: Connection, session: str, reason: EndReason) -> None:
        connection.execute(
            update(sessions).where(sessions.c.id == session).values(ended_at=self._now(), end_reason=reason)
        )
        self._revocations.of_session(connection, session)

    def _keep(self, connection: Connection, token: str, session: str, now: int) -> None:
        connection.execute(
            insert(refresh_tokens).values(hash=_digest(token), session_id=session, created_at=now)
        )

    def _successor(self, token: str) -> str:
        derived = hmac.digest(self._key, token.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()

    def _now(self) -> int:
        return to_micros(self._clock.now())


def _session(row: Row[Any]) -> Session:
    created, used, expires = (from_micros(at) for at in (row.created_at, row.used_at, row.expires_at))
    return Session(row.id, row.user_id, row.address, row.label, created, used, expires)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
