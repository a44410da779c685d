"""`AuthManager`: the one door to who somebody is and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from quantflux.accounts.api_keys import ApiKey, ApiKeys
from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.authentication import Authenticator
from quantflux.accounts.guessing import Guessing
from quantflux.accounts.logging_in import LoggingIn, Tokens
from quantflux.accounts.one_time_codes import OneTimeCodes
from quantflux.accounts.own_account import OwnAccount, Setup
from quantflux.accounts.passwords import Passwords
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.accounts.revocation import Revocations
from quantflux.accounts.sessions import Session, Sessions
from quantflux.accounts.tokens import JWTManager
from quantflux.accounts.users import Users
from quantflux.core.clock import Clock
from quantflux.core.errors import Forbidden, NotFound
from quantflux.database import Database
from quantflux.database.deadlocks import again_after_deadlock

SWEEP_SECONDS = 3600.0

_SEES_ALL = {Permission.JOBS_OWN: Permission.JOBS_ALL}
"""Permissions to what is one's own, and those to everybody's."""


class AuthManager:
    """Authenticates requests, logs in and out, and keeps accounts.

    Parameters
    ----------
    database : Database
    audit : AuditLog
    jwt : JWTManager
    clock : Clock
    passwords : Passwords, optional
        At another cost than the usual, for tests.
    access_seconds : int
        How long an access token is valid.
    idle_seconds : int
        How long a session may go without a refresh.
    session_seconds : int
        How long a session may last at most.
    max_sessions : int
        Of one user; the oldest ends.
    require_totp : bool
        Whether administrators may do nothing before they have a second factor.

    Attributes
    ----------
    users : Users
    own : OwnAccount
        What the methods below hand on to, from `sessions` on.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        jwt: JWTManager,
        clock: Clock,
        *,
        passwords: Passwords | None = None,
        access_seconds: int = 600,
        idle_seconds: int = 1800,
        session_seconds: int = 43_200,
        max_sessions: int = 5,
        require_totp: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._revocations = Revocations(database, clock)
        passwords = passwords or Passwords()
        self._guessing, codes = Guessing(clock), OneTimeCodes(clock)
        self._sessions = Sessions(
            self._revocations,
            jwt.derive("refresh"),
            clock,
            idle_seconds=idle_seconds,
            longest_seconds=session_seconds,
            most=max_sessions,
        )
        keys = ApiKeys(self._revocations, clock)
        self.users = Users(
            database, audit, passwords, self._sessions, keys, self._guessing, self._revocations, clock
        )
        self._logging_in = LoggingIn(
            database, audit, jwt, passwords, self._sessions, self._guessing, codes, self._revocations,
            access_seconds=access_seconds,
        )  # fmt: skip
        self.own = OwnAccount(
            database, audit, passwords, self._sessions, keys, self._guessing, codes, self._revocations,
            self.users, self._logging_in,
        )  # fmt: skip
        self._authenticator = Authenticator(
            database, audit, jwt, self._sessions, keys, self._revocations, clock, require_totp=require_totp
        )
        self._next_sweep = clock.monotonic() + SWEEP_SECONDS

    def apply(
        self,
        *,
        access_seconds: int,
        idle_seconds: int,
        session_seconds: int,
        max_sessions: int,
        require_totp: bool,
    ) -> None:
        """Take over what may change while running. Sessions that have begun keep their latest end."""
        self._logging_in.access_seconds = access_seconds
        self._sessions.idle_seconds = idle_seconds
        self._sessions.longest_seconds = session_seconds
        self._sessions.most = max_sessions
        if self._authenticator.require_totp != require_totp:
            self._authenticator.require_totp = require_totp
            self._authenticator.forget()

    def recall(self, authorization: str | None, api_key: str | None) -> Principal | None:
        """Return who asks if that is known without a look into the database.

        For an event loop, which must not wait; None means: ask `authenticate_request` in a thread.
        """
        return self._authenticator.recall(authorization, api_key)

    def authenticate_request(
        self, authorization: str | None, api_key: str | None, *, address: str
    ) -> Principal:
        """Return who asks.

        Parameters
        ----------
        authorization : str or None
            The header, `Bearer <access token>`.
        api_key : str or None
            The header X-API-Key. Both at once are refused.
        address : str
            Of the client, for the audit log.

        Raises
        ------
        NotAuthenticated
            With one message whatever was wrong.
        StoreError
            If the database is away and nothing recent is known.
        """
        return self._authenticator.authenticate(authorization, api_key, address=address)

    def reauthenticate(self, principal: Principal) -> Principal:
        """Return a principal with the rights of now, for work that was asked for earlier.

        Raises
        ------
        NotAuthenticated
            If the user is disabled or gone, or the API key revoked.
        """
        return self._authenticator.still(principal)

    def authorize_resource(
        self, principal: Principal, permission: Permission, *, owner: str | None = None
    ) -> None:
        """Refuse what somebody may not do, or may not see.

        Parameters
        ----------
        owner : str, optional
            Whose the thing is, as `Principal.owner` writes it. Left out for what is nobody's.

        Raises
        ------
        Forbidden
            If the permission is missing.
        NotFound
            If it is somebody else's: that it exists is nobody's business either.
        """
        if permission not in principal.permissions:
            raise Forbidden(f"This needs the permission {permission.value}.", permission.value)
        if owner is None or owner == principal.owner:
            return
        wider = _SEES_ALL.get(permission, Permission.USERS_MANAGE)
        if wider not in principal.permissions:
            raise NotFound("There is nothing by that name.")

    def log_in(
        self,
        name: str,
        password: str,
        *,
        address: str,
        device: str = "",
        code: str = "",
        label: str = "",
        request_id: str = "",
    ) -> Tokens:
        """Log in by password, and by a code if the user has set that up.

        Parameters
        ----------
        device : str
            `Tokens.device` of an earlier log-in from the same client.
        code : str
            Six digits; without them the answer may say that it `needs_totp`.
        label : str
            What the client calls itself, for the list of sessions.

        Raises
        ------
        NotAuthenticated
            If name, password or code is not right, or the user is disabled; it does not say which.
        LimitReached
            If there were too many failures.
        InvalidRequest
            If the password is longer than any can be.
        """
        self._sweep_if_due()
        return self._logging_in.log_in(
            name, password, address=address, device=device, code=code, label=label, request_id=request_id
        )

    def refresh(self, refresh_token: str, *, address: str, request_id: str = "") -> Tokens:
        """Exchange a refresh token for the next pair of tokens. Each is taken once.

        A client whose reply was lost may send the same token again within ten seconds and gets the same refresh
        token. One that comes back later is in two hands: its session ends.

        Raises
        ------
        NotAuthenticated
            If it is unknown, its session ended, or it was exchanged before.
        """
        return self._logging_in.refresh(refresh_token, address=address, request_id=request_id)

    def log_out(self, principal: Principal, *, address: str = "", request_id: str = "") -> None:
        """End the session that a token belongs to. Its access tokens are refused within seconds, everywhere."""
        self.own.log_out(principal, address=address, request_id=request_id)

    def log_out_everywhere(self, principal: Principal, *, address: str = "", request_id: str = "") -> int:
        """End all of a user's sessions and forget their devices; return how many sessions there were."""
        return self.own.log_out_everywhere(principal, address=address, request_id=request_id)

    def sessions(self, user_id: int) -> list[Session]:
        """Return where a user is logged in, oldest first."""
        return self.own.sessions(user_id)

    def end_session(
        self, principal: Principal, session: str, *, address: str = "", request_id: str = ""
    ) -> None:
        """End one of one's own sessions; see `OwnAccount.end_session`."""
        self.own.end_session(principal, session, address=address, request_id=request_id)

    def change_password(
        self, principal: Principal, present: str, wanted: str, *, address: str = "", request_id: str = ""
    ) -> Tokens:
        """Change one's own password; see `OwnAccount.change_password`."""
        return self.own.change_password(principal, present, wanted, address=address, request_id=request_id)

    def set_up_totp(
        self, principal: Principal, password: str, *, address: str = "", request_id: str = ""
    ) -> Setup:
        """Make the secret of a second factor; see `OwnAccount.set_up_totp`."""
        return self.own.set_up_totp(principal, password, address=address, request_id=request_id)

    def confirm_totp(
        self, principal: Principal, code: str, *, address: str = "", request_id: str = ""
    ) -> Tokens:
        """Take the first code of a new second factor; see `OwnAccount.confirm_totp`."""
        return self.own.confirm_totp(principal, code, address=address, request_id=request_id)

    def remove_totp(
        self, principal: Principal, password: str, code: str, *, address: str = "", request_id: str = ""
    ) -> Tokens:
        """Do without the second factor; see `OwnAccount.remove_totp`."""
        return self.own.remove_totp(principal, password, code, address=address, request_id=request_id)

    def create_api_key(
        self,
        principal: Principal,
        name: str,
        scopes: Iterable[Permission],
        expires: datetime,
        *,
        address: str = "",
        request_id: str = "",
    ) -> tuple[ApiKey, str]:
        """Make an API key and return it with its text, which is shown this once; see `ApiKeys.create`."""
        return self.own.create_api_key(
            principal, name, scopes, expires, address=address, request_id=request_id
        )

    def api_keys(self, user_id: int) -> list[ApiKey]:
        """Return a user's API keys, oldest first."""
        return self.own.api_keys(user_id)

    def revoke_api_key(
        self, principal: Principal, public: str, *, address: str = "", request_id: str = ""
    ) -> None:
        """Revoke one of one's own API keys; see `OwnAccount.revoke_api_key`."""
        self.own.revoke_api_key(principal, public, address=address, request_id=request_id)

    def first_start(self) -> str | None:
        """Make the administrator `admin` if there is no user at all, and return the password to be printed, once."""
        return self.users.first_start()

    @again_after_deadlock
    def sweep(self) -> None:
        """Drop what ended long ago. Log-ins do it every hour."""
        with self._database.transaction() as connection:
            self._sessions.sweep(connection)
            self._guessing.sweep(connection)
            self._revocations.sweep(connection)

    def _sweep_if_due(self) -> None:
        now = self._clock.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self.sweep()
