"""Log-in and refresh: from a password to a session's tokens, and from a refresh token to the next.

A log-in goes: count the attempt (`guessing`), verify the password outside any transaction, then in one transaction
look again at the user, check the second factor, begin the session and audit it. Whatever is wrong, and whether or not
anybody has the name, the answer and the time it takes are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, select, update

from quantflux.accounts.audit.events import LOG_IN, AuditEvent
from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.guessing import Attempt, Guessing, too_many
from quantflux.accounts.one_time_codes import OneTimeCodes
from quantflux.accounts.passwords import Passwords, check_length
from quantflux.accounts.revocation import Revocations
from quantflux.accounts.sessions import Exchange, Sessions
from quantflux.accounts.tokens import JWTManager
from quantflux.core.errors import NotAuthenticated
from quantflux.database import Database
from quantflux.database.deadlocks import again_after_deadlock
from quantflux.database.tables.accounts import users

REFRESH = "session.refresh"
_WRONG = "The name, password or code is not right."


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a log-in or a refresh gives.

    Attributes
    ----------
    access : str
        For the header `Authorization: Bearer`. Empty if `needs_totp`.
    refresh : str
        To be exchanged once for the next pair. Empty if `needs_totp`.
    expires_in : int
        Seconds that `access` is valid.
    session : str
    must_change_password : bool
        Until that is done nothing else is allowed.
    needs_totp : bool
        The password was right; log in again with a code from the app.
    device : str
        A secret that the client keeps and shows at its next log-in, so that strangers' failures do not count against
        it. Empty after a refresh.
    """

    access: str
    refresh: str
    expires_in: int
    session: str
    must_change_password: bool
    needs_totp: bool
    device: str = ""


class LoggingIn:
    """Logs in and refreshes.

    Attributes
    ----------
    access_seconds : int
        Life of an access token; shorter where the session ends earlier.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        jwt: JWTManager,
        passwords: Passwords,
        sessions: Sessions,
        guessing: Guessing,
        codes: OneTimeCodes,
        revocations: Revocations,
        *,
        access_seconds: int,
    ) -> None:
        self._database = database
        self._audit = audit
        self._jwt = jwt
        self._passwords = passwords
        self._sessions = sessions
        self._guessing = guessing
        self._codes = codes
        self._revocations = revocations
        self.access_seconds = access_seconds

    def log_in(
        self, name: str, password: str, *, address: str, device: str, code: str, label: str, request_id: str
    ) -> Tokens:
        """Log in by password, and by a code if the user has set that up.

        Raises
        ------
        NotAuthenticated
            If name, password or code is not right, or the user is disabled; it does not say which.
        LimitReached
            If there were too many failures.
        InvalidRequest
            If the password is longer than any can be.
        """
        check_length(password)
        # Half a character is in nobody's name, and no database takes it.
        name = name.casefold()[:64].encode("utf-8", "replace").decode()
        said = AuditEvent(LOG_IN, "refused", "", address, request_id)
        attempt = self._begin(name, address, device, said)
        row = self._called(name)
        said = _by(said, row)
        if not self._passwords.verify(row.password_hash if row else None, password):
            raise self._refused(said, "name" if row is None else "password")
        if row is None or row.disabled:
            raise self._refused(said, "disabled")
        if row.totp_confirmed and not code:
            self._audit.note(_with(said, why="code needed"))
            return Tokens("", "", 0, "", row.must_change_password, needs_totp=True)
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(row.password_hash) else None
        tokens = self._open(row, attempt, said, (device, code, label), renewed)
        if tokens is None:
            raise self._refused(said, "code, or changed meanwhile")
        self._revocations.forget()
        return tokens

    @again_after_deadlock
    def refresh(self, token: str, *, address: str, request_id: str) -> Tokens:
        """Exchange a refresh token for the next pair.

        Raises
        ------
        NotAuthenticated
            If it is unknown, its session ended, or it was exchanged before; the last ends the session.
        """
        row = None
        with self._database.transaction() as connection:
            exchange = self._sessions.exchange(connection, token)
            if exchange.user_id:
                row = connection.execute(select(users).where(users.c.id == exchange.user_id)).one()
            if row is not None and exchange.token and not row.disabled:
                return self._tokens(connection, row, exchange.session, exchange.token)
            event = _refused_refresh(exchange, row, address, request_id)
            if exchange.outcome == "reuse":  # a theft is recorded with what was done about it
                self._audit.record(connection, event)
        if exchange.outcome != "reuse":
            self._audit.note(event)
        if exchange.outcome != "unknown":  # what anybody may send must not cost every caller a look
            self._revocations.forget()
        raise NotAuthenticated("Not logged in, or not any more; log in and try again.")

    def begin_session(
        self, connection: Connection, row: Row[Any], address: str, label: str, device: str
    ) -> Tokens:
        """Begin a session for a user who has proven who they are."""
        session, refresh = self._sessions.begin(connection, row.id, address, label)
        known = self._guessing.remember_device(connection, row.id, device)
        return self._tokens(connection, row, session, refresh, known)

    @again_after_deadlock
    def _begin(self, name: str, address: str, device: str, said: AuditEvent) -> Attempt:
        with self._database.transaction() as connection:
            attempt = self._guessing.begin(connection, name, address, device)
        if isinstance(attempt, Attempt):
            return attempt
        self._audit.note(_with(_by(said, self._called(name)), why="too many failures"))
        raise too_many(attempt)

    def _called(self, name: str) -> Row[Any] | None:
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
        # Some servers compare without blanks at the end, and each spelling is counted as an account of its own.
        return row if row is not None and row.name == name else None

    @again_after_deadlock
    def _open(
        self,
        seen: Row[Any],
        attempt: Attempt,
        said: AuditEvent,
        sent: tuple[str, str, str],
        renewed: str | None,
    ) -> Tokens | None:
        with self._database.transaction() as connection:
            return self._opened(connection, seen, attempt, said, sent, renewed)

    def _opened(
        self,
        connection: Connection,
        seen: Row[Any],
        attempt: Attempt,
        said: AuditEvent,
        sent: tuple[str, str, str],
        renewed: str | None,
    ) -> Tokens | None:
        device, code, label = sent
        row = connection.execute(select(users).where(users.c.id == seen.id).with_for_update()).one()
        if row.version != seen.version or row.totp_confirmed != seen.totp_confirmed:
            return None
        if row.totp_confirmed and not self._codes.accept(connection, row.id, row.totp_secret, code):
            return None
        if renewed is not None:
            connection.execute(update(users).where(users.c.id == row.id).values(password_hash=renewed))
        self._guessing.succeeded(connection, attempt)
        tokens = self.begin_session(connection, row, said.address, label, device)
        details = {
            "session": tokens.session,
            "known_device": attempt.known_device,
            "second_factor": row.totp_confirmed,
        }
        done = AuditEvent(LOG_IN, "done", row.name, said.address, said.request_id, f"user:{row.id}", details)
        self._audit.record(connection, done)
        return tokens

    def _tokens(
        self, connection: Connection, row: Row[Any], session: str, refresh: str, device: str = ""
    ) -> Tokens:
        seconds = max(min(self.access_seconds, self._sessions.seconds_left(connection, session)), 1)
        access = self._jwt.issue(row.id, session, version=row.version, seconds=seconds)
        return Tokens(access, refresh, seconds, session, row.must_change_password, False, device)

    def _refused(self, said: AuditEvent, why: str) -> NotAuthenticated:
        self._audit.note(_with(said, why=why))
        return NotAuthenticated(_WRONG)


def _by(event: AuditEvent, row: Row[Any] | None) -> AuditEvent:
    """Name the user, if there is one: what is nobody's name may be a password in the wrong field."""
    return event if row is None else replace(event, actor=row.name)


def _with(event: AuditEvent, **details: object) -> AuditEvent:
    return AuditEvent(
        event.action, event.outcome, event.actor, event.address, event.request_id, details=details
    )


def _refused_refresh(exchange: Exchange, row: Row[Any] | None, address: str, request_id: str) -> AuditEvent:
    action = "session.reuse" if exchange.outcome == "reuse" else REFRESH
    why = exchange.outcome if row is None or not row.disabled else "disabled"
    target = f"user:{row.id}" if row is not None else ""
    name = row.name if row is not None else ""
    return AuditEvent(
        action, "refused", name, address, request_id, target, {"why": why, "session": exchange.session}
    )
