"""Whether the server lives, is ready, how its parts are, and what it measures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request, Response
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.api.access import Need, Services, admit, comes_from, public
from quantflux.api.errors import Problem
from quantflux.api.routing import Router
from quantflux.core.errors import QuantfluxError, StoreUnavailable
from quantflux.observability.metrics import exposition
from quantflux.platform import Platform

router = Router(prefix="", tags=["health"])

_READING = Need(Permission.SYSTEM_READ, RouteKind.READ)
_FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """How a part of the platform is.

    Attributes
    ----------
    name : str
    up : bool
    detail : str
        For operators alone.
    milliseconds : float
        How long it took to answer.
    needed : bool
        Whether nothing works without it.
    """

    name: str
    up: bool
    detail: str
    milliseconds: float
    needed: bool


@router.get("/health/live", dependencies=[public()], summary="Does the process answer")
async def live() -> Response:
    """Answer as long as the process can answer at all."""
    return _json({"status": "ok"})


@router.get(
    "/health/ready",
    dependencies=[public()],
    summary="Can the process be sent requests",
    responses={503: {"description": "Not now: it is stopping, or a part that everything needs is away."}},
)
async def ready(request: Request, services: Services) -> Response:
    """Answer 200 if requests should come here."""
    if request.app.edge.draining:
        raise Problem(503, "stopping", "This process is stopping.", {"Retry-After": "1"})
    if not all(part.up for part in await parts(request, services) if part.needed):
        raise Problem(503, "not_ready", "A part that everything needs is away.", {"Retry-After": "5"})
    return _json({"status": "ok"})


@router.get("/health", dependencies=[public()], summary="How the parts are")
async def health(request: Request, services: Services) -> Response:
    """Say which parts answer. Why one does not is told to operators, at /api/v2/system/health."""
    found = await parts(request, services)
    return _json({"status": status_of(found), "parts": {part.name: _word(part) for part in found}})


@router.get("/metrics", dependencies=[public()], summary="Metrics for Prometheus", include_in_schema=False)
async def metrics(request: Request, services: Services) -> Response:
    """Show all metrics to the networks that may see them, and to operators."""
    if not comes_from(request.scope, services.settings.server.metrics_networks):
        await admit(request.scope, _READING)
    shown = await run_in_threadpool(exposition)
    return Response(shown, media_type="text/plain; version=0.0.4; charset=utf-8")


async def parts(request: Request, platform: Platform) -> list[Part]:
    """Return how the parts are, or were at most two seconds ago: who asks often must not load them.

    All who ask meanwhile wait for the same look, so that a part that does not answer holds one thread and not all.
    """
    state = request.app.state
    at, found = getattr(state, "health", (0.0, []))
    if time.monotonic() - at > _FRESH_SECONDS:
        if getattr(state, "looking", None) is None:
            state.looking = asyncio.create_task(_look_anew(state, platform))
        found = await asyncio.shield(state.looking)  # who goes away takes the answer from nobody else
    return list(found)


async def _look_anew(state: State, platform: Platform) -> list[Part]:
    try:
        found = await run_in_threadpool(_look, platform)
        state.health = (time.monotonic(), found)
        return found
    finally:
        state.looking = None


def status_of(found: list[Part]) -> str:
    """Return "ok", "degraded" if only parts are away that one can do without, or "down"."""
    if all(part.up for part in found):
        return "ok"
    return "degraded" if all(part.up for part in found if part.needed) else "down"


def _look(platform: Platform) -> list[Part]:
    def cache() -> str:
        stats = platform.cache.stats()
        if stats.up is False:
            raise StoreUnavailable("the shared tier does not answer; this process's memory is used")
        return stats.backend

    return [
        _part("database", lambda: _database(platform), needed=True),
        _part("store", lambda: f"{platform.store.name}, version {platform.data.version()}", needed=True),
        _part("cache", cache, needed=False),
    ]


def _database(platform: Platform) -> str:
    with platform.database.reading() as connection:
        connection.execute(text("SELECT 1"))
    return platform.database.dialect


def _part(name: str, ask: Callable[[], str], *, needed: bool) -> Part:
    began = time.perf_counter()
    try:
        detail, up = ask(), True
    except (QuantfluxError, OSError) as failure:
        detail, up = f"{type(failure).__name__}: {failure}"[:300], False
    return Part(name, up, detail, round((time.perf_counter() - began) * 1000, 3), needed)


def _word(part: Part) -> str:
    return "up" if part.up else "down"


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
