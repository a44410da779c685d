"""Requests that may be sent again: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

A route that changes something takes `key: IdempotencyKey` in its signature; the router does the rest. For a day, and
for one user and route:

1. The first request with a key is carried out, and its answer kept if it succeeded.
2. The same request again gets the kept answer, byte for byte, with `Idempotency-Replayed: true`.
3. Another request with that key is refused, 422; one that comes while the first is worked on, too, 409.
4. A request that was refused or failed changed nothing and leaves its key free.

If the process dies between the change and its answer, the same request is carried out again half a minute later. So
changes whose doubling would hurt are found out by what they change: a job by its key, a user by the name.
Never for routes whose answer holds a secret: it would lie in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import orjson
from fastapi import Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool

from quantflux.api.errors import Problem
from quantflux.api.exchange import exchange_of
from quantflux.core.clock import Clock
from quantflux.core.errors import StoreError
from quantflux.database.engine import Database
from quantflux.database.tables.requests import requests
from quantflux.database.times import to_micros

logger = logging.getLogger(__name__)

KEPT = timedelta(hours=24)
_LEASE = timedelta(seconds=30)
_RENEW_SECONDS = 10.0
_LARGEST_ANSWER = 4_000_000
_KEPT_HEADERS = ("content-type", "location", "etag", "link")
_PURGED_AT_ONCE = 500
_PURGE_ONE_IN = 100


class KeyHeader:
    """The dependency behind `IdempotencyKey`; gives the key, or "" if the request has none."""

    async def __call__(
        self,
        key: Annotated[
            str,
            Header(
                alias="Idempotency-Key",
                description="Chosen by the caller, 1 to 200 visible ASCII characters: the same request sent again "
                "with it within a day is carried out once and answered alike.",
                max_length=200,
            ),
        ] = "",
    ) -> str:
        """Return the key of a request whose route has looked at it."""
        return key


IdempotencyKey = Annotated[str, Depends(KeyHeader())]
"""In the signature of a route that changes something: makes the route repeatable, and gives the key."""


def repeatable(dependant: Dependant) -> bool:
    """Whether a route takes `IdempotencyKey`."""
    return isinstance(dependant.call, KeyHeader) or any(repeatable(part) for part in dependant.dependencies)


async def once(request: Request, route: str, run: Callable[[Request], Awaitable[Response]]) -> Response:
    """Carry a request out, unless its key says that this was done already.

    Parameters
    ----------
    request : Request
        Whose caller was let in.
    route : str
        Template of the path.
    run : callable
        Carries it out.

    Raises
    ------
    Problem
        422 if the key is no key or was used for another request, 409 if that is being worked on.
    StoreUnavailable
        If the database cannot say; nothing was done.
    """
    key = _key_of(request)
    principal = exchange_of(request.scope).principal
    if not key or principal is None:
        return await run(request)
    platform = request.app.state.platform
    kept = KeptAnswers(platform.database, platform.clock)
    asked = await _asked(request, principal.owner, route, key)
    found = await run_in_threadpool(kept.claim, asked)
    if isinstance(found, Response):
        return found
    async with _holding(kept, asked, found):
        response = await run(request)
        if response.status_code >= 400 or not isinstance(getattr(response, "body", None), bytes):
            await run_in_threadpool(kept.release, asked, found)
        else:
            await _keep(kept, asked, found, response)
        return response


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with a key: `id` is the digest of user, route and key, `fingerprint` of everything else."""

    id: str
    owner: str
    route: str
    fingerprint: str


class KeptAnswers:
    """The table of requests that carried a key."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim(self, asked: Asked) -> str | Response:
        """Take a request on, and return the name of the claim; or return the answer that was kept.

        Raises
        ------
        Problem
            422 if the key was used for another request, 409 if this one is being worked on.
        """
        if secrets.randbelow(_PURGE_ONE_IN) == 0:
            self.purge()
        claim = secrets.token_hex(16)
        try:
            with self._database.transaction() as connection:
                return self._claim(connection, asked, claim) or claim
        except IntegrityError:
            raise _at_work() from None

    def _claim(self, connection: Connection, asked: Asked, claim: str) -> Response | None:
        now = self._clock.now()
        fresh = {
            "owner": asked.owner,
            "route": asked.route[:200],
            "fingerprint": asked.fingerprint,
            "claim": claim,
            "claimed_until": to_micros(now + _LEASE),
            "created_at": to_micros(now),
            "status": None,
            "headers": None,
            "body": None,
        }
        this = requests.c.id == asked.id
        row = connection.execute(select(requests).where(this).with_for_update()).one_or_none()
        if row is None:
            connection.execute(insert(requests).values(id=asked.id, **fresh))
            return None
        if row.created_at <= to_micros(now - KEPT):
            connection.execute(update(requests).where(this).values(fresh))
            return None
        if row.fingerprint != asked.fingerprint:
            raise Problem(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; use a new one.",
            )
        if row.status is not None:
            return _replay(row.status, row.headers, row.body)
        if row.claimed_until > to_micros(now):
            raise _at_work()
        connection.execute(update(requests).where(this).values(fresh))
        return None

    def renew(self, asked: Asked, claim: str) -> None:
        """Say that the request is still worked on."""
        until = to_micros(self._clock.now() + _LEASE)
        with self._database.transaction() as connection:
            connection.execute(update(requests).where(_mine(asked, claim)).values(claimed_until=until))

    def keep(self, asked: Asked, claim: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Keep the answer; a body above 4 MB is not kept, only that the request was carried out."""
        values = {
            "claim": "",
            "status": status,
            "headers": orjson.dumps(headers),
            "body": body if len(body) <= _LARGEST_ANSWER else None,
        }
        with self._database.transaction() as connection:
            connection.execute(update(requests).where(_mine(asked, claim)).values(values))

    def release(self, asked: Asked, claim: str) -> None:
        """Free the key of a request that changed nothing."""
        with self._database.transaction() as connection:
            connection.execute(delete(requests).where(_mine(asked, claim)))

    def purge(self) -> int:
        """Remove what is older than a day, some hundred at a time; return how many that were."""
        old = requests.c.created_at <= to_micros(self._clock.now() - KEPT)
        with self._database.reading() as connection:
            gone = connection.execute(select(requests.c.id).where(old).limit(_PURGED_AT_ONCE)).scalars().all()
        if gone:
            with self._database.transaction() as connection:
                connection.execute(delete(requests).where(requests.c.id.in_(gone), old))
        return len(gone)


def _mine(asked: Asked, claim: str) -> ColumnElement[bool]:
    return (requests.c.id == asked.id) & (requests.c.claim == claim)


@asynccontextmanager
async def _holding(kept: KeptAnswers, asked: Asked, claim: str) -> AsyncIterator[None]:
    """Renew the claim while the block runs; free the key if it raises."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with contextlib.suppress(StoreError):
                await run_in_threadpool(kept.renew, asked, claim)

    renewing = asyncio.create_task(renew())
    try:
        yield
    except BaseException:
        with contextlib.suppress(StoreError):  # then the lease runs out
            await run_in_threadpool(kept.release, asked, claim)
        raise
    finally:
        renewing.cancel()


async def _keep(kept: KeptAnswers, asked: Asked, claim: str, response: Response) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    try:
        await run_in_threadpool(kept.keep, asked, claim, response.status_code, headers, bytes(response.body))
    except StoreError as failure:  # the change is made, and whoever asked for it shall know
        logger.warning("the answer to a repeatable request could not be kept: %s", failure)


def _replay(status: int, headers: bytes, body: bytes | None) -> Response:
    if body is None:
        raise Problem(
            409, "answer_not_kept", "This request was carried out; its answer was too large to be kept."
        )
    return Response(body, status, {**orjson.loads(headers), "idempotency-replayed": "true"})


def _at_work() -> Problem:
    return Problem(
        409, "idempotency_in_progress", "This request is being worked on; ask again.", {"Retry-After": "1"}
    )


def _key_of(request: Request) -> str:
    given = request.headers.getlist("idempotency-key")
    if not given:
        return ""
    key = given[0]
    if len(given) > 1 or not 1 <= len(key) <= 200 or not all("!" <= character <= "~" for character in key):
        raise Problem(
            422,
            "invalid_idempotency_key",
            "Idempotency-Key must stand once and have 1 to 200 visible ASCII characters.",
        )
    return key


async def _asked(request: Request, owner: str, route: str, key: str) -> Asked:
    identity = "\n".join((owner, request.method, route, key))
    content = hashlib.sha256()
    for part in (request.scope["path"].encode(), request.scope["query_string"], await request.body()):
        content.update(b"%d\n" % len(part))
        content.update(part)
    return Asked(hashlib.sha256(identity.encode()).hexdigest(), owner, route, content.hexdigest())
