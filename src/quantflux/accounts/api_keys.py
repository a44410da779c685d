"""API keys: what programs show instead of logging in. Each may do a chosen part of what its user may do.

A key reads `qf_<public>_<secret>`. The public part names it in lists and in the audit log; of the secret, 256 random
bits, only the SHA-256 is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from quantflux.accounts.permissions import Permission
from quantflux.accounts.revocation import Revocations
from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, LimitReached
from quantflux.database.tables.accounts import api_keys
from quantflux.database.times import from_micros, to_micros

NEVER = frozenset({Permission.ACCOUNT_OWN, Permission.USERS_MANAGE})
"""What no key may do: with it, a stolen one could make itself others."""

MOST_KEYS = 50
MOST_DAYS = 366
_USE_NOTED_EVERY = 600 * 1_000_000
_KEY = re.compile(r"qf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed, without its secret.

    Attributes
    ----------
    id : str
        Its public part.
    user_id : int
    name : str
        What its user calls it.
    scopes : frozenset of Permission
    created_at, expires_at : datetime
    used_at : datetime or None
        Of about the last use, to ten minutes.
    """

    id: str
    user_id: int
    name: str
    scopes: frozenset[Permission]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class ApiKeys:
    """Makes, finds and revokes keys, inside the caller's transactions."""

    def __init__(self, revocations: Revocations, clock: Clock) -> None:
        self._revocations = revocations
        self._clock = clock

    def create(
        self,
        connection: Connection,
        user_id: int,
        name: str,
        scopes: Iterable[Permission],
        may: frozenset[Permission],
        expires: datetime,
    ) -> tuple[ApiKey, str]:
        """Make a key and return it with the text that is shown this once.

        Raises
        ------
        InvalidRequest
            If the name is empty or long, a scope is not the user's to give, or the end is past or too far.
        LimitReached
            If the user has 50 keys.
        """
        wanted = frozenset(scopes)
        now = self._clock.now()
        self._check(name, wanted, may, (expires - now).total_seconds())
        alive = select(func.count()).where(
            api_keys.c.user_id == user_id,
            api_keys.c.revoked_at.is_(None),
            api_keys.c.expires_at > to_micros(now),
        )
        if (count := connection.scalar(alive) or 0) >= MOST_KEYS:
            raise LimitReached(
                f"there are {count} API keys; valid are at most {MOST_KEYS}: revoke one first", 0.0
            )
        public, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        connection.execute(
            insert(api_keys).values(
                id=public,
                user_id=user_id,
                hash=_digest(secret),
                name=name,
                scopes=" ".join(sorted(wanted)),
                created_at=to_micros(now),
                expires_at=to_micros(expires),
            )
        )
        return ApiKey(public, user_id, name, wanted, now, expires, None), f"qf_{public}_{secret}"

    def find(self, connection: Connection, text: str) -> ApiKey | None:
        """Return the key of which this is the text, if it is still good."""
        parts = _KEY.fullmatch(text)
        if parts is None:
            return None
        row = connection.execute(select(api_keys).where(api_keys.c.id == parts[1])).one_or_none()
        if row is None or not hmac.compare_digest(row.hash, _digest(parts[2])):
            return None
        return _api_key(row) if self._is_good(row) else None

    def is_good(self, connection: Connection, public: str, user_id: int) -> bool:
        """Whether a user's key is neither revoked nor past its end."""
        mine = select(api_keys).where(api_keys.c.id == public, api_keys.c.user_id == user_id)
        row = connection.execute(mine).one_or_none()
        return row is not None and self._is_good(row)

    def listed(self, connection: Connection, user_id: int) -> list[ApiKey]:
        """Return a user's keys that were not revoked, oldest first, with those past their end."""
        mine = select(api_keys).where(api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None))
        return [
            _api_key(row) for row in connection.execute(mine.order_by(api_keys.c.created_at, api_keys.c.id))
        ]

    def revoke(self, connection: Connection, public: str, user_id: int) -> bool:
        """Revoke a user's key; whether there was one."""
        mine = (api_keys.c.id == public) & (api_keys.c.user_id == user_id) & api_keys.c.revoked_at.is_(None)
        now = to_micros(self._clock.now())
        if not connection.execute(update(api_keys).where(mine).values(revoked_at=now)).rowcount:
            return False
        self._revocations.of_key(connection, public)
        return True

    def revoke_all(self, connection: Connection, user_id: int) -> int:
        """Revoke a user's keys; return how many there were."""
        found = [key.id for key in self.listed(connection, user_id)]
        return sum(self.revoke(connection, public, user_id) for public in found)

    def is_use_due(self, key: ApiKey) -> bool:
        """Whether the use of a key was last noted so long ago that it should be noted again."""
        now = to_micros(self._clock.now())
        return key.used_at is None or now - to_micros(key.used_at) > _USE_NOTED_EVERY

    def note_use(self, connection: Connection, public: str) -> None:
        """Note that a key was used now."""
        now = to_micros(self._clock.now())
        connection.execute(update(api_keys).where(api_keys.c.id == public).values(used_at=now))

    def _is_good(self, row: Row[Any]) -> bool:
        return row.revoked_at is None and bool(row.expires_at > to_micros(self._clock.now()))

    @staticmethod
    def _check(name: str, wanted: frozenset[Permission], may: frozenset[Permission], seconds: float) -> None:
        if not 1 <= len(name) <= 64 or not name.isprintable():
            raise InvalidRequest(f"an API key's name has 1 to 64 printable characters, was {name!r:.80}")
        if not wanted:
            raise InvalidRequest("an API key needs at least one scope")
        if beyond := sorted(wanted - (may - NEVER)):
            valid = ", ".join(sorted(may - NEVER))
            raise InvalidRequest(f"an API key of yours cannot have {', '.join(beyond)}; valid are {valid}")
        if not 0 < seconds <= MOST_DAYS * 86_400:
            raise InvalidRequest(f"an API key ends in the future, at most {MOST_DAYS} days ahead")


def _api_key(row: Row[Any]) -> ApiKey:
    known = {permission.value for permission in Permission}
    scopes = frozenset(Permission(scope) for scope in row.scopes.split() if scope in known)
    used = None if row.used_at is None else from_micros(row.used_at)
    return ApiKey(
        row.id, row.user_id, row.name, scopes, from_micros(row.created_at), from_micros(row.expires_at), used
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
