"""Users: who there is, in which role, and what an administrator does to them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from quantflux.accounts.api_keys import ApiKey, ApiKeys
from quantflux.accounts.audit.events import AuditEvent
from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.guessing import Guessing
from quantflux.accounts.passwords import Passwords, check_new
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import LOCAL, Principal
from quantflux.accounts.revocation import Revocations
from quantflux.accounts.sessions import EndReason, Sessions
from quantflux.accounts.tokens import refusal
from quantflux.accounts.user import User, row_of_user, user_of
from quantflux.core.clock import Clock
from quantflux.core.errors import Conflict, Forbidden, InvalidRequest, NotFound
from quantflux.database import Database
from quantflux.database.tables.accounts import users
from quantflux.database.times import to_micros

FIRST_NAME = "admin"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]", re.ASCII)


class Users:
    """Adds users and changes what they may do. Every change is audited in its own transaction.

    Whoever acts needs `users:manage`; the command line has it. `address` and `request_id` say where from, for the
    audit log.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        passwords: Passwords,
        sessions: Sessions,
        api_keys: ApiKeys,
        guessing: Guessing,
        revocations: Revocations,
        clock: Clock,
    ) -> None:
        self._database = database
        self._audit = audit
        self._passwords = passwords
        self._sessions = sessions
        self._api_keys = api_keys
        self._guessing = guessing
        self._revocations = revocations
        self._clock = clock

    def list(self) -> tuple[User, ...]:
        """Return all users by name."""
        with self._database.reading() as connection:
            return tuple(user_of(row) for row in connection.execute(select(users).order_by(users.c.name)))

    def get(self, user: int | str) -> User:
        """Return a user by id or name; `NotFound` if there is none."""
        with self._database.reading() as connection:
            return user_of(row_of_user(connection, user))

    def add(
        self,
        actor: Principal,
        name: str,
        role: Role,
        password: str | None = None,
        *,
        address: str = "",
        request_id: str = "",
    ) -> tuple[User, str]:
        """Add a user.

        Parameters
        ----------
        password : str, optional
            A random one unless given. Either must be changed at the first log-in.

        Returns
        -------
        tuple of User and str
            With the password, to be told to the user; it is kept nowhere.

        Raises
        ------
        Forbidden
            If `actor` may not.
        InvalidRequest
            If the name or the password is not valid.
        Conflict
            If somebody is called that.
        """
        _require_manager(actor)
        if not _NAME.fullmatch(name):
            raise InvalidRequest(
                f"a user's name has 3 to 64 characters of a-z, 0-9, dot, dash and underscore, and begins and ends "
                f"with a letter or digit; was {name!r:.80}"
            )
        if password is not None:
            check_new(password, name)
        chosen = password or random_password()
        kept = self._passwords.hash(chosen)
        try:
            with self._database.transaction() as connection:
                self._require_still(connection, actor)
                user = self._insert(connection, name, role, kept)
                self._record(
                    connection, actor, "user.add", user, address, request_id, after=user.state, role=role
                )
        except IntegrityError:
            raise Conflict(f"somebody is called {name!r} already") from None
        return user, chosen

    def set_role(
        self, actor: Principal, user: int | str, role: Role, *, address: str = "", request_id: str = ""
    ) -> User:
        """Give a user another role. Takes effect within seconds, also for who is logged in.

        Raises
        ------
        Conflict
            If this is the last administrator who can log in.
        """
        with self._changing(actor, user, "user.set_role", address, request_id, role=role) as (
            connection,
            before,
        ):
            if before.role is Role.ADMIN and role is not Role.ADMIN:
                self._require_another_admin(connection, before)
            self._change(connection, before.id, role=role.value)
        return self.get(before.id)

    def disable(self, actor: Principal, user: int | str, *, address: str = "", request_id: str = "") -> User:
        """Keep a user out: their sessions end, their keys are refused until they are enabled again.

        Raises
        ------
        Conflict
            If this is the last administrator who can log in.
        """
        with self._changing(actor, user, "user.disable", address, request_id) as (connection, before):
            if before.role is Role.ADMIN:
                self._require_another_admin(connection, before)
            self._change(connection, before.id, disabled=True)
            self._sessions.end_all(connection, before.id, "by admin")
        return self.get(before.id)

    def enable(self, actor: Principal, user: int | str, *, address: str = "", request_id: str = "") -> User:
        """Let a user in again who was disabled."""
        with self._changing(actor, user, "user.enable", address, request_id) as (connection, before):
            self._change(connection, before.id, disabled=False)
        return self.get(before.id)

    def reset_password(
        self, actor: Principal, user: int | str, *, address: str = "", request_id: str = ""
    ) -> str:
        """Give a user a random password, which they must change, and return it.

        Ends their sessions, revokes their API keys, and forgets their devices and their second factor: whoever asks
        for this may have lost them all.
        """
        chosen = random_password()
        kept = self._passwords.hash(chosen)
        with self._changing(actor, user, "user.reset_password", address, request_id) as (connection, before):
            self._change(
                connection,
                before.id,
                password_hash=kept,
                must_change_password=True,
                password_changed_at=to_micros(self._clock.now()),
                totp_secret="",
                totp_confirmed=False,
            )
            self.end_access(connection, before.id, "by admin")
            self._api_keys.revoke_all(connection, before.id)
        return chosen

    def add_api_key(
        self,
        actor: Principal,
        user: int | str,
        name: str,
        scopes: Iterable[Permission],
        expires: datetime,
        *,
        address: str = "",
        request_id: str = "",
    ) -> tuple[ApiKey, str]:
        """Make an API key for a user and return it with its text, shown this once. See `ApiKeys.create`."""
        wanted = frozenset(scopes)
        details = {"scopes": sorted(wanted)}
        with self._changing(actor, user, "api_key.add", address, request_id, **details) as (
            connection,
            owner,
        ):
            return self._api_keys.create(connection, owner.id, name, wanted, ROLES[owner.role], expires)

    def revoke_api_key(
        self, actor: Principal, user: int | str, public: str, *, address: str = "", request_id: str = ""
    ) -> None:
        """Revoke a user's API key; `NotFound` if they have none of that name."""
        with self._changing(actor, user, "api_key.revoke", address, request_id, key=public) as (
            connection,
            owner,
        ):
            if not self._api_keys.revoke(connection, public, owner.id):
                raise NotFound(f"{owner.name} has no API key {public!r:.40}")

    def first_start(self) -> str | None:
        """Make the administrator `admin` if there is no user at all, and return the password to be printed, once."""
        with self._database.reading() as connection:
            if connection.scalar(select(func.count()).select_from(users)):
                return None
        try:
            return self.add(LOCAL, FIRST_NAME, Role.ADMIN)[1]
        except Conflict:  # another process was first, and prints it
            return None

    def row_of_actor(self, connection: Connection, actor: Principal, *, hold: bool = False) -> Row[Any]:
        """Return the row of a user who acts by a token, looked at anew: what is remembered may be seconds old.

        Raises
        ------
        NotAuthenticated
            If the user is disabled or gone, or the session ended.
        """
        wanted = select(users).where(users.c.id == actor.user_id)
        row = connection.execute(wanted.with_for_update() if hold else wanted).one_or_none()
        if row is None or row.disabled:
            raise refusal("user")
        if not self._sessions.is_alive(connection, actor.session, actor.user_id):
            raise refusal("session")
        return row

    def end_access(self, connection: Connection, user_id: int, reason: EndReason) -> None:
        """End a user's sessions and forget their devices."""
        self._sessions.end_all(connection, user_id, reason)
        self._guessing.forget_devices(connection, user_id)

    def set_password(self, connection: Connection, user_id: int, kept: str) -> None:
        """Store the hash of a password that the user chose, and void what was given before."""
        now = to_micros(self._clock.now())
        self._change(
            connection, user_id, password_hash=kept, must_change_password=False, password_changed_at=now
        )

    def set_totp(self, connection: Connection, user_id: int, secret: str, *, confirmed: bool) -> None:
        """Store the secret of a second factor; voids what was given before once it is confirmed or removed."""
        values = {"totp_secret": secret, "totp_confirmed": confirmed}
        if confirmed or not secret:
            self._change(connection, user_id, **values)
        else:
            connection.execute(update(users).where(users.c.id == user_id).values(**values))

    @contextmanager
    def _changing(
        self, actor: Principal, user: int | str, action: str, address: str, request_id: str, **details: object
    ) -> Iterator[tuple[Connection, User]]:
        _require_manager(actor)
        with self._database.transaction() as connection:
            self._require_still(connection, actor)
            before = user_of(row_of_user(connection, user, hold=True))
            yield connection, before
            after = user_of(row_of_user(connection, before.id))
            self._record(
                connection, actor, action, before, address, request_id, before.state, after.state, **details
            )
        self._revocations.forget()

    def _change(self, connection: Connection, user_id: int, **values: Any) -> None:
        mine = users.c.id == user_id
        connection.execute(update(users).where(mine).values(version=users.c.version + 1, **values))
        version = connection.scalar(select(users.c.version).where(mine)) or 0
        self._revocations.of_user(connection, user_id, version)

    def _insert(self, connection: Connection, name: str, role: Role, kept: str) -> User:
        now = to_micros(self._clock.now())
        connection.execute(
            insert(users).values(
                name=name,
                role=role.value,
                password_hash=kept,
                must_change_password=True,
                disabled=False,
                version=1,
                created_at=now,
                password_changed_at=now,
                totp_secret="",
                totp_confirmed=False,
                totp_step=0,
            )
        )
        return user_of(row_of_user(connection, name))

    def _require_still(self, connection: Connection, actor: Principal) -> None:
        if actor.via == "command":
            return
        row = self.row_of_actor(connection, actor)
        if Permission.USERS_MANAGE not in ROLES[Role(row.role)]:
            raise Forbidden("This needs the permission users:manage.", Permission.USERS_MANAGE)

    def _require_another_admin(self, connection: Connection, user: User) -> None:
        admins = select(users.c.id).where(users.c.role == Role.ADMIN.value, users.c.disabled.is_(False))
        others = [each for each in connection.scalars(admins.with_for_update()) if each != user.id]
        if not user.disabled and not others:
            raise Conflict(f"{user.name} is the last administrator who can log in; make another one first")

    def _record(
        self,
        connection: Connection,
        actor: Principal,
        action: str,
        user: User,
        address: str,
        request_id: str,
        before: str = "",
        after: str = "",
        **details: object,
    ) -> None:
        event = AuditEvent(
            action, "done", actor.name, address, request_id, f"user:{user.id}", {"name": user.name, **details},
            before, after,
        )  # fmt: skip
        self._audit.record(connection, event)


def random_password() -> str:
    """Return 120 random bits as letters, digits, dash and underscore."""
    return secrets.token_urlsafe(15)


def _require_manager(actor: Principal) -> None:
    if Permission.USERS_MANAGE not in actor.permissions:
        raise Forbidden("This needs the permission users:manage.", Permission.USERS_MANAGE)
