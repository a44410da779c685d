"""From a credential to who shows it: access tokens and API keys, remembered for a while once they were verified."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from quantflux.accounts.api_keys import NEVER, ApiKey, ApiKeys
from quantflux.accounts.audit.events import ACCESS, AuditEvent
from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import Principal
from quantflux.accounts.revocation import FRESH_SECONDS, RECHECK_SECONDS, RELOAD_SECONDS, Ended, Revocations
from quantflux.accounts.sessions import Sessions
from quantflux.accounts.tokens import JWTManager, refusal
from quantflux.core.clock import Clock
from quantflux.core.errors import NotAuthenticated, StoreError
from quantflux.database import Database
from quantflux.database.tables.accounts import users

_BEARER = re.compile(r"Bearer ([A-Za-z0-9._-]+)", re.ASCII | re.IGNORECASE)
_MOST_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whom a credential stands for, under which count of the user's changes, until when, and when to look again.

    The last on the clock that never steps back: what ended is only read for as long as anything is remembered.
    """

    principal: Principal
    version: int
    until: float
    recheck_at: float


class Authenticator:
    """Says who a credential stands for.

    Once verified it is remembered for up to five minutes, so that the next requests with it cost a look into two
    dictionaries. Whatever ends access earlier is in the revocations, which each use compares.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        jwt: JWTManager,
        sessions: Sessions,
        api_keys: ApiKeys,
        revocations: Revocations,
        clock: Clock,
        *,
        require_totp: bool,
    ) -> None:
        self._database = database
        self._audit = audit
        self._jwt = jwt
        self._sessions = sessions
        self._api_keys = api_keys
        self._revocations = revocations
        self._clock = clock
        self.require_totp = require_totp
        self._tokens: dict[str, _Seen] = {}
        self._keys: dict[str, _Seen] = {}
        self._adding = threading.Lock()

    def recall(self, authorization: str | None, api_key: str | None) -> Principal | None:
        """Return who it is if that is known without asking the database, which makes it fit for an event loop.

        None means that `authenticate` has to be asked, in a thread that may wait.
        """
        ended = self._revocations.ended
        age = self._clock.monotonic() - ended.read_at
        if age >= FRESH_SECONDS or (age >= RELOAD_SECONDS and not self._revocations.is_reading):
            return None
        return self._remembered(ended, authorization, api_key)

    def authenticate(self, authorization: str | None, api_key: str | None, *, address: str) -> Principal:
        """Return who it is.

        Raises
        ------
        NotAuthenticated
            With one message whatever was wrong; the audit log is told what.
        StoreError
            If the database is away and nothing recent is known.
        """
        ended = self._revocations.current()
        principal = self._remembered(ended, authorization, api_key)
        if principal is not None:
            return principal
        try:
            if authorization is not None and api_key is not None:
                raise refusal("two credentials")
            if api_key is not None:
                return self._verified_key(api_key)
            if authorization is not None:
                return self._verified_token(authorization)
            raise refusal("none")
        except NotAuthenticated as refused:
            self._tell(refused, address)
            raise

    def still(self, principal: Principal) -> Principal:
        """Return a principal with the rights of now, for work that began earlier.

        Raises
        ------
        NotAuthenticated
            If the user is disabled or gone, or the API key they used is revoked. A log-out does not stop work.
        """
        if principal.via in ("command", "network"):
            return principal
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.id == principal.user_id)).one_or_none()
            if row is None or row.disabled:
                raise refusal("user")
            if principal.via == "token":
                return self._principal(row, "token", session=principal.session)
            if not self._api_keys.is_good(connection, principal.key, principal.user_id):
                raise refusal("key")
            scopes = principal.permissions
            return self._principal(row, "api_key", key=principal.key, scopes=scopes)

    def forget(self) -> None:
        """Verify every credential anew at its next use."""
        with self._adding:
            self._tokens, self._keys = {}, {}

    def _remembered(self, ended: Ended, authorization: str | None, api_key: str | None) -> Principal | None:
        if authorization is not None and api_key is None:
            seen = self._tokens.get(authorization)
        elif api_key is not None and authorization is None:
            seen = self._keys.get(api_key)
        else:
            return None
        if seen is None or seen.until <= self._clock.now().timestamp():
            return None
        if seen.recheck_at <= self._clock.monotonic():
            return None
        known = seen.principal
        if ended.concerns(known.user_id, seen.version, known.session, known.key):
            return None
        return known

    def _verified_token(self, authorization: str) -> Principal:
        parts = _BEARER.fullmatch(authorization)
        if parts is None:
            raise refusal("scheme")
        claims = self._jwt.verify(parts[1])
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.id == claims.user_id)).one_or_none()
            if row is None or row.disabled or row.version != claims.version:
                raise refusal("user")
            if not self._sessions.is_alive(connection, claims.session, claims.user_id):
                raise refusal("session")
        principal = self._principal(row, "token", session=claims.session)
        self._remember(self._tokens, authorization, principal, row.version, claims.expires_at)
        return principal

    def _verified_key(self, text: str) -> Principal:
        with self._database.reading() as connection:
            key = self._api_keys.find(connection, text)
            row = None if key is None else self._owner(connection, key)
        if key is None or row is None:
            raise refusal("key")
        if self._api_keys.is_use_due(key):
            # A full disk, or writers that hold the lock, must not keep out who only reads.
            with suppress(StoreError), self._database.transaction() as connection:
                self._api_keys.note_use(connection, key.id)
        principal = self._principal(row, "api_key", key=key.id, scopes=key.scopes)
        self._remember(self._keys, text, principal, row.version, key.expires_at.timestamp())
        return principal

    @staticmethod
    def _owner(connection: Connection, key: ApiKey) -> Row[Any] | None:
        wanted = select(users).where(users.c.id == key.user_id, users.c.disabled.is_(False))
        return connection.execute(wanted).one_or_none()

    def _principal(
        self,
        row: Row[Any],
        via: Literal["token", "api_key"],
        *,
        session: str = "",
        key: str = "",
        scopes: frozenset[Permission] | None = None,
    ) -> Principal:
        role = Role(row.role)
        permissions = ROLES[role]
        unprotected = self.require_totp and role is Role.ADMIN and not row.totp_confirmed
        if row.must_change_password or unprotected:
            permissions = permissions & {Permission.ACCOUNT_OWN}
        if scopes is not None:
            permissions = (permissions & scopes) - NEVER
        return Principal(row.id, row.name, role, permissions, via, session, key)

    def _remember(
        self, where: dict[str, _Seen], text: str, principal: Principal, version: int, expires: float
    ) -> None:
        seen = _Seen(principal, version, expires, self._clock.monotonic() + RECHECK_SECONDS)
        with self._adding:
            while len(where) >= _MOST_REMEMBERED:
                del where[next(iter(where))]
            where.pop(text, None)
            where[text] = seen

    def _tell(self, refused: NotAuthenticated, address: str) -> None:
        why = refused.__notes__[0]
        if why not in ("none", "expired"):  # what every client sends once in a while
            self._audit.note(AuditEvent(ACCESS, "refused", "", address, details={"why": why}))
