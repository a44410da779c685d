"""An `AuthManager` over a database of its own, with cheap passwords and a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.logging_in import Tokens
from quantflux.accounts.manager import AuthManager
from quantflux.accounts.passwords import Passwords
from quantflux.accounts.permissions import Role
from quantflux.accounts.principal import LOCAL, Principal
from quantflux.accounts.tokens import JWTManager
from quantflux.core.clock import FixedClock
from quantflux.database import Database

KEY, KID = bytes(range(32)), "k1"
PASSWORD = "rain over nine hills"
ADDRESS = "192.0.2.7"


@dataclass
class Desk:
    """Accounts under test and what they are made of."""

    accounts: AuthManager
    database: Database
    audit: AuditLog
    jwt: JWTManager
    clock: FixedClock

    def add(self, name: str, role: Role = Role.RESEARCHER, password: str = PASSWORD) -> Tokens:
        """Add a user who has changed their first password, and return their tokens."""
        _, first = self.accounts.users.add(LOCAL, name, role)
        who = self.who(self.accounts.log_in(name, first, address=ADDRESS))
        return self.accounts.change_password(who, first, password, address=ADDRESS)

    def log_in(self, name: str, password: str = PASSWORD, *, address: str = ADDRESS, **more: str) -> Tokens:
        """Log in."""
        return self.accounts.log_in(name, password, address=address, **more)

    def who(self, tokens: Tokens) -> Principal:
        """Return whom an access token stands for."""
        return self.accounts.authenticate_request(f"Bearer {tokens.access}", None, address=ADDRESS)

    def by_key(self, text: str) -> Principal:
        """Return whom an API key stands for."""
        return self.accounts.authenticate_request(None, text, address=ADDRESS)

    def events(self, action: str | None = None) -> list[tuple[str, str, str]]:
        """Return action, outcome and actor of what was audited."""
        self.audit.flush()
        found = self.audit.entries(action=action, limit=10_000)
        return [(e.event.action, e.event.outcome, e.event.actor) for e in found]

    def another_process(self, **limits: int | bool) -> Desk:
        """Return the same accounts as a second process has them, on the same database."""
        manager = AuthManager(
            self.database, self.audit, self.jwt, self.clock, passwords=cheap_passwords(), **limits
        )
        return Desk(manager, self.database, self.audit, self.jwt, self.clock)

    def close(self) -> None:
        """Release files."""
        self.audit.close()
        self.database.close()


def cheap_passwords() -> Passwords:
    """Return a hasher that takes no time to speak of."""
    return Passwords(rounds=1, memory_kib=8)


def desk_of(url: str, folder: Path, clock: FixedClock) -> Desk:
    """Return accounts on a database."""
    database = Database.open(url, wait_seconds=30)
    audit = AuditLog(database, bytes(32), folder / "head.json", clock)
    jwt = JWTManager({KID: KEY}, "quantflux", "quantflux-api", clock)
    return Desk(
        AuthManager(database, audit, jwt, clock, passwords=cheap_passwords()), database, audit, jwt, clock
    )
