"""A real server in a process of its own, and a key to it."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx
from tests.services.process import ServerProcess, free_port

from quantflux.accounts.logging_in import Tokens
from quantflux.accounts.manager import AuthManager
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import LOCAL, Principal
from quantflux.config import Settings
from quantflux.platform import Platform

_HERE = "127.0.0.1"

NO_LIMITS = tuple(
    f"limits.{name}_per_minute=10000000" for name in ("reads", "work", "writes", "address", "logins", "total")
)
"""A load run is one user at one address: it shall meet the server, not what keeps one user from having it all."""


def make_key(folder: Path) -> str:
    """Return an API key of a researcher of an installation, made as people make one: log in, change the password."""
    with Platform.open(Settings(data_dir=folder)) as platform:
        platform.accounts.first_start()
        _, password = platform.users.add(LOCAL, "load", Role.RESEARCHER)
        accounts, own = platform.accounts, secrets.token_urlsafe(24)
        tokens = accounts.log_in("load", password, address=_HERE)
        tokens = accounts.change_password(_caller(accounts, tokens), password, own)
        tomorrow = platform.clock.now() + timedelta(days=1)
        scopes = ROLES[Role.RESEARCHER] - {Permission.ACCOUNT_OWN}
        _, key = accounts.create_api_key(_caller(accounts, tokens), "load", scopes, tomorrow)
        return key


def _caller(accounts: AuthManager, tokens: Tokens) -> Principal:
    return accounts.authenticate_request(f"Bearer {tokens.access}", None, address=_HERE)


class Served(ServerProcess):
    """`quantflux serve` over an installation.

    Parameters
    ----------
    folder : Path
        The data folder.
    settings : sequence of str
        `KEY=VALUE`.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        words = [f"data_dir={folder}", "logging.level=WARNING", *NO_LIMITS, *settings]
        options = [word for setting in words for word in ("--set", setting)]
        command = [sys.executable, "-m", "quantflux", *options, "serve", "--port", str(port)]
        super().__init__(command, folder / "server.log", self._is_ready)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=1.0).status_code == 200
        except httpx.HTTPError:
            return False


@contextlib.contextmanager
def served(folder: Path, *settings: str) -> Iterator[Served]:
    """Start a server and stop it again."""
    server = Served(folder, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
