"""One user, as others may see them, and the row of the table that they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from quantflux.accounts.permissions import Role
from quantflux.core.errors import NotFound
from quantflux.database.tables.accounts import users
from quantflux.database.times import from_micros


@dataclass(frozen=True, slots=True)
class User:
    """A user, without what proves who they are.

    Attributes
    ----------
    id : int
    name : str
        Lower case.
    role : Role
    disabled : bool
    must_change_password : bool
        Until they have, they may do nothing else.
    has_totp : bool
        Whether log-in asks for a second factor.
    version : int
        Counted up by whatever voids access given before.
    created_at, password_changed_at : datetime
    """

    id: int
    name: str
    role: Role
    disabled: bool
    must_change_password: bool
    has_totp: bool
    version: int
    created_at: datetime
    password_changed_at: datetime

    @property
    def state(self) -> str:
        """A digest of what an administrator can change, for the audit log."""
        text = f"{self.role}|{self.disabled}|{self.must_change_password}|{self.has_totp}|{self.version}"
        return hashlib.sha256(text.encode()).hexdigest()


def user_of(row: Row[Any]) -> User:
    """Return a user from a row of the table."""
    return User(
        row.id,
        row.name,
        Role(row.role),
        row.disabled,
        row.must_change_password,
        row.totp_confirmed,
        row.version,
        from_micros(row.created_at),
        from_micros(row.password_changed_at),
    )


def row_of_user(connection: Connection, user: int | str, *, hold: bool = False) -> Row[Any]:
    """Return a user's row by id or name, held until the transaction ends if wanted."""
    column = users.c.id if isinstance(user, int) else users.c.name
    wanted = select(users).where(column == user)
    row = connection.execute(wanted.with_for_update() if hold else wanted).one_or_none()
    if row is None:
        raise NotFound(
            f"no user is called {user!r:.80}" if isinstance(user, str) else f"there is no user {user}"
        )
    return row
