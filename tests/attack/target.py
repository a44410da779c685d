"""An application to attack: called in this process without a socket, by users of every role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pyarrow as pa
from fastapi.routing import APIRoute
from sqlalchemy import delete

from quantflux.accounts.limits import Budget
from quantflux.accounts.permissions import Role
from quantflux.accounts.principal import LOCAL
from quantflux.api.app import create_app
from quantflux.config import ConfigManager
from quantflux.core.clock import Clock
from quantflux.core.errors import NotAuthenticated
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, DAILY_BASIC, INSTRUMENTS, Dataset
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.database.tables.jobs import jobs
from quantflux.platform import Platform
from tests.api.conftest import PASSWORD, settings_in, with_cheap_passwords

ANONYMOUS = "anonymous"
ROLES = (ANONYMOUS, *(role.value for role in Role))
ADDRESS = "192.0.2.9"
_NUMBERS = count()


@dataclass(frozen=True)
class Reply:
    """What came back; headers by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def without_id(self) -> bytes:
        """The body without the request id, the one thing in which two refusals may differ."""
        return self.body.replace(self.headers["x-request-id"].encode(), b"")


@dataclass(frozen=True)
class User:
    """Somebody who is logged in."""

    name: str
    id: int
    role: str
    access: str
    refresh: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access}"}


class Target:
    """An application over a platform, which stays the caller's.

    Long work is written down and never begun: nothing runs jobs here. `tidy` forgets what waits.
    """

    def __init__(self, platform: Platform, manager: ConfigManager | None = None) -> None:
        self.platform = platform
        self.app = create_app(platform, manager=manager or ConfigManager(environ={}))
        self._loop = asyncio.new_event_loop()
        self._users: dict[str, User] = {}

    def close(self) -> None:
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()

    @property
    def routes(self) -> list[tuple[str, APIRoute]]:
        """Method and route of everything that the application answers."""
        return [
            (method, route)
            for route in self.app.routes
            if isinstance(route, APIRoute)
            for method in sorted(route.methods - {"HEAD"})
        ]

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | bytes = b"",
        headers: Mapping[str, str] | Iterable[tuple[bytes, bytes]] = (),
        body: bytes | Mapping[str, Any] | None = None,
        by: str = "",
        address: str = ADDRESS,
    ) -> Reply:
        """Send a request, `by` a user of a role; a mapping as body is sent as JSON. The path stands percent-encoded or
        not, as it is to be sent."""
        sent = (
            [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers.items()]
            if isinstance(headers, Mapping)
            else list(headers)
        )
        if by and by != ANONYMOUS:
            sent += [(n.encode(), v.encode()) for n, v in self.user(by).headers.items()]
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            sent.append((b"content-length", b"%d" % len(raw)))
            if not any(name == b"content-type" for name, _ in sent):
                sent.append((b"content-type", b"application/json"))
        question = query if isinstance(query, bytes) else urlencode(query).encode()
        return self.run(self._exchange(method, path, question, sent, raw, address))

    def user(self, role: str) -> User:
        """Return a user of a role who is logged in now, whatever attacks have made of the one before."""
        known = self._users.get(role)
        if known is None or not self.admits(known):
            self._users[role] = self.new_user(role)
        return self._users[role]

    def admits(self, user: User) -> bool:
        """Whether a user's token is good and their role unchanged."""
        try:
            found = self.platform.accounts.authenticate_request(
                user.headers["authorization"], None, address=ADDRESS
            )
        except NotAuthenticated:
            return False
        return found.role == user.role

    def new_user(self, role: str) -> User:
        """Make a user who has chosen a password, and log them in."""
        accounts = self.platform.accounts
        made, given = accounts.users.add(LOCAL, f"{role}-{next(_NUMBERS)}", Role(role))
        first = accounts.log_in(made.name, given, address=ADDRESS)
        caller = accounts.authenticate_request(f"Bearer {first.access}", None, address=ADDRESS)
        tokens = accounts.change_password(caller, given, PASSWORD, address=ADDRESS)
        return User(made.name, made.id, role, tokens.access, tokens.refresh)

    def run(self, waiting: Coroutine[Any, Any, Any]) -> Any:
        """Wait for what is asynchronous."""
        return self._loop.run_until_complete(waiting)

    def tidy(self) -> None:
        """Forget the work that waits, as queues have an end."""
        with self.platform.database.transaction() as connection:
            connection.execute(delete(jobs))

    async def _exchange(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        address: str,
    ) -> Reply:
        raw_path = path.encode("latin-1")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": _decoded(path),
            "raw_path": raw_path,
            "root_path": "",
            "query_string": query,
            "headers": [(b"host", b"test"), *headers],
            "client": (address, 50_000),
            "server": ("test", 80),
        }
        told: list[dict[str, Any]] = []
        incoming = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in incoming:
                return message
            await asyncio.Event().wait()  # the client stays until it has its answer
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            told.append(message)

        await self.app(scope, receive, send)
        start = told[0]
        names = {n.decode("latin-1"): v.decode("latin-1") for n, v in start["headers"]}
        return Reply(start["status"], names, b"".join(each.get("body", b"") for each in told[1:]))


def _decoded(path: str) -> str:
    """Return a path as servers hand it on: percent-decoded, what is no UTF-8 replaced."""
    return unquote(path, errors="replace")


def at(route: APIRoute, **values: str) -> str:
    """Return a route's path with values in it, percent-encoded; `1` where none is given."""
    path = route.path_format
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", quote(values.get(name, "1"), safe=""))
    return path


@cache
def market() -> dict[Dataset, pa.Table]:
    """Eight companies over half a year."""
    made = SyntheticMarket(seed=3, companies=8, start=date(2024, 1, 2), end=date(2024, 6, 28))
    ((daily, basic),) = made.tables()
    return {
        DAILY: daily,
        DAILY_BASIC: basic,
        INSTRUMENTS: made.instruments(),
        CORPORATE_ACTIONS: made.corporate_actions(),
    }


class Unlimited(Budget):
    """A budget that is never used up, so that attacks reach what lies behind it; one request's bound stays."""

    def spend(self, owner: str, seconds: float) -> None:
        super().spend(f"{owner}-{next(_NUMBERS)}", seconds)


@contextmanager
def attacked(
    folder: Path,
    clock: Clock | None = None,
    *,
    work_seconds: float = 300.0,
    without: frozenset[Dataset] = frozenset(),
    **sections: Any,
) -> Iterator[Target]:
    """Open a platform over the market with limits out of the way, and an application over it."""
    settings = settings_in(folder, **sections)
    limits = settings.limits.model_copy(update={"work_seconds": work_seconds})
    with Platform.open(settings.model_copy(update={"limits": limits}), clock) as platform:
        for dataset in market().keys() - without:
            platform.data.write(dataset, market()[dataset])
        with_cheap_passwords(platform)
        platform.users.add(
            LOCAL, "first-of-all", Role.VIEWER
        )  # user 1, whom attacks on `/users/1` may change
        platform.__dict__["budget"] = Unlimited(work_seconds, 86_400, platform.clock)
        target = Target(platform)
        yield target
        target.close()
