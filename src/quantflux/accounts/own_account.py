"""What users do with their own accounts: sessions, password, second factor, API keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row

from quantflux.accounts.api_keys import ApiKey, ApiKeys
from quantflux.accounts.audit.events import AuditEvent
from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.guessing import Attempt, Guessing, too_many
from quantflux.accounts.logging_in import LoggingIn, Tokens
from quantflux.accounts.one_time_codes import OneTimeCodes
from quantflux.accounts.passwords import Passwords, check_length, check_new
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.accounts.revocation import Revocations
from quantflux.accounts.sessions import Session, Sessions
from quantflux.accounts.user import row_of_user
from quantflux.accounts.users import Users
from quantflux.core.errors import Conflict, Forbidden, InvalidRequest, NotAuthenticated, NotFound
from quantflux.database import Database
from quantflux.database.deadlocks import again_after_deadlock


@dataclass(frozen=True, slots=True)
class Setup:
    """A second factor to be set up: the secret to type in, and the address that a QR code holds."""

    secret: str
    address: str


class OwnAccount:
    """What a logged-in user may do to their own account. An API key may do none of it.

    `address` and `request_id` say where from, for the audit log.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        passwords: Passwords,
        sessions: Sessions,
        api_keys: ApiKeys,
        guessing: Guessing,
        codes: OneTimeCodes,
        revocations: Revocations,
        users: Users,
        logging_in: LoggingIn,
    ) -> None:
        self._database = database
        self._audit = audit
        self._passwords = passwords
        self._sessions = sessions
        self._api_keys = api_keys
        self._guessing = guessing
        self._codes = codes
        self._revocations = revocations
        self._users = users
        self._logging_in = logging_in

    def sessions(self, user_id: int) -> list[Session]:
        """Return where a user is logged in, oldest first."""
        with self._database.reading() as connection:
            return self._sessions.listed(connection, user_id)

    @again_after_deadlock
    def log_out(self, who: Principal, *, address: str = "", request_id: str = "") -> None:
        """End the session that a token belongs to."""
        _require_token(who)
        with self._database.transaction() as connection:
            self._sessions.end(connection, who.session, who.user_id, "log out")
            self._record(connection, who, "session.log_out", address, request_id, session=who.session)
        self._revocations.forget()

    @again_after_deadlock
    def log_out_everywhere(self, who: Principal, *, address: str = "", request_id: str = "") -> int:
        """End all of a user's sessions and forget their devices; return how many sessions there were."""
        _require_token(who)
        with self._database.transaction() as connection:
            count = self._sessions.end_all(connection, who.user_id, "log out all")
            self._guessing.forget_devices(connection, who.user_id)
            self._record(connection, who, "session.log_out_everywhere", address, request_id, sessions=count)
        self._revocations.forget()
        return count

    @again_after_deadlock
    def end_session(self, who: Principal, session: str, *, address: str = "", request_id: str = "") -> None:
        """End one of one's own sessions; `NotFound` if it is nobody's or somebody else's."""
        _require_token(who)
        with self._database.transaction() as connection:
            if not self._sessions.end(connection, session, who.user_id, "log out"):
                raise NotFound("there is no such session of yours")
            self._record(connection, who, "session.end", address, request_id, session=session)
        self._revocations.forget()

    @again_after_deadlock
    def change_password(
        self, who: Principal, present: str, wanted: str, *, address: str = "", request_id: str = ""
    ) -> Tokens:
        """Change one's password: all sessions end, and the one that is returned begins.

        Raises
        ------
        NotAuthenticated
            If the present password is not right.
        LimitReached
            If that happened too often.
        InvalidRequest
            If the new one is too short, too common, or the present one.
        """
        row = self._proven(who, present, address, request_id)
        check_new(wanted, row.name)
        if wanted == present:
            raise InvalidRequest("the new password is the present one; valid is another")
        kept = self._passwords.hash(wanted)
        with self._database.transaction() as connection:
            self._unchanged(connection, row)
            self._users.set_password(connection, row.id, kept)
            self._users.end_access(connection, row.id, "password")
            fresh = row_of_user(connection, row.id)
            tokens = self._logging_in.begin_session(connection, fresh, address, "", "")
            self._record(connection, who, "user.change_password", address, request_id)
        self._revocations.forget()
        return tokens

    def set_up_totp(self, who: Principal, password: str, *, address: str = "", request_id: str = "") -> Setup:
        """Make the secret of a second factor. It is asked for from when `confirm_totp` was given a code on.

        Raises
        ------
        NotAuthenticated
            If the password is not right.
        Conflict
            If there is one already.
        """
        row = self._proven(who, password, address, request_id)
        if row.totp_confirmed:
            raise Conflict("a second factor is set up already; remove it first")
        secret = self._codes.new_secret()
        with self._database.transaction() as connection:
            self._unchanged(connection, row)
            self._users.set_totp(connection, row.id, secret, confirmed=False)
        return Setup(secret, self._codes.address(secret, row.name))

    @again_after_deadlock
    def confirm_totp(self, who: Principal, code: str, *, address: str = "", request_id: str = "") -> Tokens:
        """Take the first code of a new second factor: all sessions end, and the one that is returned begins.

        Raises
        ------
        NotAuthenticated
            If the code is not right.
        Conflict
            If none was being set up.
        """
        _require_token(who)
        attempt = self._attempt(who, "code", address, request_id)
        with self._database.transaction() as connection:
            row = row_of_user(connection, who.user_id, hold=True)
            if row.totp_confirmed or not row.totp_secret:
                raise Conflict("no second factor is being set up")
            if not self._codes.accept(connection, row.id, row.totp_secret, code):
                raise self._refused(who, "code", address, request_id)
            self._guessing.succeeded(connection, attempt)
            self._users.set_totp(connection, row.id, row.totp_secret, confirmed=True)
            tokens = self._renewed(connection, row, address)
            self._record(connection, who, "user.confirm_totp", address, request_id)
        self._revocations.forget()
        return tokens

    @again_after_deadlock
    def remove_totp(
        self, who: Principal, password: str, code: str, *, address: str = "", request_id: str = ""
    ) -> Tokens:
        """Do without the second factor: all sessions end, and the one that is returned begins.

        Raises
        ------
        NotAuthenticated
            If the password or the code is not right.
        Conflict
            If there is none.
        """
        row = self._proven(who, password, address, request_id)
        attempt = self._attempt(who, "code", address, request_id)
        with self._database.transaction() as connection:
            self._unchanged(connection, row)
            if not row.totp_confirmed:
                raise Conflict("no second factor is set up")
            if not self._codes.accept(connection, row.id, row.totp_secret, code):
                raise self._refused(who, "code", address, request_id)
            self._guessing.succeeded(connection, attempt)
            self._users.set_totp(connection, row.id, "", confirmed=False)
            tokens = self._renewed(connection, row, address)
            self._record(connection, who, "user.remove_totp", address, request_id)
        self._revocations.forget()
        return tokens

    def create_api_key(
        self,
        who: Principal,
        name: str,
        scopes: Iterable[Permission],
        expires: datetime,
        *,
        address: str = "",
        request_id: str = "",
    ) -> tuple[ApiKey, str]:
        """Make an API key and return it with its text, which is shown this once. See `ApiKeys.create`."""
        _require_token(who)
        with self._database.transaction() as connection:
            row = self._users.row_of_actor(connection, who, hold=True)
            key, text = self._api_keys.create(connection, row.id, name, scopes, who.permissions, expires)
            self._record(
                connection, who, "api_key.add", address, request_id, key_id=key.id, scopes=sorted(key.scopes)
            )
        return key, text

    def api_keys(self, user_id: int) -> list[ApiKey]:
        """Return a user's keys, oldest first."""
        with self._database.reading() as connection:
            return self._api_keys.listed(connection, user_id)

    def revoke_api_key(self, who: Principal, public: str, *, address: str = "", request_id: str = "") -> None:
        """Revoke one of one's own keys; `NotFound` if it is nobody's or somebody else's."""
        _require_token(who)
        with self._database.transaction() as connection:
            if not self._api_keys.revoke(connection, public, who.user_id):
                raise NotFound("there is no such API key of yours")
            self._record(connection, who, "api_key.revoke", address, request_id, key_id=public)
        self._revocations.forget()

    def _renewed(self, connection: Connection, row: Row[Any], address: str) -> Tokens:
        self._users.end_access(connection, row.id, "password")
        return self._logging_in.begin_session(connection, row_of_user(connection, row.id), address, "", "")

    def _proven(self, who: Principal, password: str, address: str, request_id: str) -> Row[Any]:
        """Return the user's row if they know the present password; counted as a log-in is."""
        _require_token(who)
        check_length(password)
        attempt = self._attempt(who, "session", address, request_id)
        with self._database.reading() as connection:
            row = row_of_user(connection, who.user_id)
        if not self._passwords.verify(row.password_hash, password):
            raise self._refused(who, "password", address, request_id)
        with self._database.transaction() as connection:
            self._guessing.succeeded(connection, attempt)
        return row

    @again_after_deadlock
    def _attempt(
        self, who: Principal, kind: Literal["session", "code"], address: str, request_id: str
    ) -> Attempt:
        # Counted apart from log-ins: a thief of a session cannot try on, and strangers do not stand in the way.
        whose = who.session if kind == "session" else str(who.user_id)
        with self._database.transaction() as connection:
            attempt = self._guessing.begin_in_session(connection, kind, whose)
        if isinstance(attempt, Attempt):
            return attempt
        self._note_refusal(who, "too many failures", address, request_id)
        raise too_many(attempt)

    def _refused(
        self, who: Principal, what: Literal["password", "code"], address: str, request_id: str
    ) -> NotAuthenticated:
        self._note_refusal(who, what, address, request_id)
        said = "The present password is not right." if what == "password" else "The code is not right."
        return NotAuthenticated(said)

    def _note_refusal(self, who: Principal, why: str, address: str, request_id: str) -> None:
        # Whoever sits at a session that is not theirs is seen here, and nowhere else.
        target = f"user:{who.user_id}"
        self._audit.note(
            AuditEvent("user.prove", "refused", who.name, address, request_id, target, {"why": why})
        )

    @staticmethod
    def _unchanged(connection: Connection, seen: Row[Any]) -> None:
        row = row_of_user(connection, seen.id, hold=True)
        if row.version != seen.version or row.disabled:
            raise Conflict("the account was changed meanwhile; log in again")

    def _record(
        self,
        connection: Connection,
        who: Principal,
        action: str,
        address: str,
        request_id: str,
        **details: object,
    ) -> None:
        target = f"user:{who.user_id}"
        self._audit.record(
            connection, AuditEvent(action, "done", who.name, address, request_id, target, details)
        )


def _require_token(who: Principal) -> None:
    if who.via != "token":
        raise Forbidden("This needs a log-in; an API key cannot do it.", Permission.ACCOUNT_OWN)
