"""The running system, for its operators: health, configuration without secrets, cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import Request
from starlette.concurrency import run_in_threadpool

import quantflux
from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.auditing import record
from quantflux.api.bodies import Answer, Body
from quantflux.api.errors import Problem
from quantflux.api.health import parts, status_of
from quantflux.api.routing import Router
from quantflux.config import ConfigManager

router = Router(prefix="/api/v2/system", tags=["system"])

Reader = Annotated[Principal, needs(Permission.SYSTEM_READ)]
Manager = Annotated[Principal, needs(Permission.SYSTEM_MANAGE, RouteKind.WRITE)]
Kind = Literal["realtime", "hot_stocks", "results", "user_queries"]


class VersionShown(Answer):
    """What answers."""

    version: str
    api: str


class PartShown(Answer):
    """How a part is; without a `needed` one nothing works."""

    name: str
    up: bool
    detail: str
    milliseconds: float
    needed: bool


class HealthShown(Answer):
    """How all parts are, at most two seconds ago."""

    status: Literal["ok", "degraded", "down"]
    parts: list[PartShown]


class SettingShown(Answer):
    """A setting as people may see it: secrets are masked."""

    key: str
    value: str
    default: str
    origin: str
    description: str
    valid: str
    unit: str
    needs_restart: bool


class ConfigShown(Answer):
    """The settings in force. `pending_restart` were changed but wait for a restart; `error` says what is wrong with a
    file that was not taken over."""

    environment: str
    generation: int
    pending_restart: list[str]
    error: str
    settings: list[SettingShown]


class ReloadShown(Answer):
    """What a reload did in the process that answered; the others notice a changed file by themselves."""

    changed: list[str]
    needs_restart: list[str]
    generation: int


class KindShown(Answer):
    """Lookups of one kind since the process started, by how they ended."""

    seconds: float
    hits: int
    shared: int
    stale: int
    misses: int


class CacheShown(Answer):
    """The cache of the process that answered; `up` says whether its shared tier is in use, null where there is none."""

    backend: str
    up: bool | None
    entries: int
    bytes: int
    most_bytes: int
    kinds: Mapping[str, KindShown]
    evictions: Mapping[str, int]
    errors: Mapping[str, int]


class Clear(Body):
    """What to drop: one kind, or everything."""

    kind: Kind | None = None


class Cleared(Answer):
    """How many entries were dropped."""

    dropped: int


@router.get("/version", summary="What answers")
async def version(caller: Annotated[Principal, needs(Permission.DATA_READ)]) -> VersionShown:
    """Return the version of the server."""
    return VersionShown(version=quantflux.__version__, api="v2")


@router.get("/health", summary="How the parts are, and why")
async def health(request: Request, services: Services, caller: Reader) -> HealthShown:
    """Return each part with what it says."""
    found = await parts(request, services)
    shown = [PartShown(**{name: getattr(part, name) for name in PartShown.model_fields}) for part in found]
    return HealthShown.model_validate({"status": status_of(found), "parts": shown})


@router.get("/config", summary="The settings in force")
def config(request: Request, caller: Reader) -> ConfigShown:
    """Return every setting with its origin; secrets are masked."""
    manager = _manager(request)
    shown = [
        SettingShown(
            key=each.setting.key,
            value=each.shown,
            default=each.setting.shown(each.setting.default),
            origin=str(each.origin),
            description=each.setting.description,
            valid=each.setting.valid,
            unit=each.setting.unit,
            needs_restart=each.setting.restart,
        )
        for each in manager.explain_all()
    ]
    return ConfigShown(
        environment=manager.current.environment,
        generation=manager.generation,
        pending_restart=list(manager.pending_restart),
        error=str(manager.last_error or ""),
        settings=shown,
    )


@router.post(
    "/config/reload",
    summary="Read the configuration again",
    responses={409: {"description": "The configuration is wrong; the one before stays in force."}},
)
def reload(request: Request, services: Services, caller: Manager) -> ReloadShown:
    """Read the configuration again and take over what may change while running."""
    manager = _manager(request)
    record(request, services, caller, "config.reload", "")
    report = manager.reload()
    if report.error is not None:
        said = "; ".join(report.error.problems) or str(report.error)
        raise Problem(409, "configuration", f"The configuration before stays in force: {said}")
    return ReloadShown(
        changed=list(report.changed),
        needs_restart=list(report.needs_restart),
        generation=report.generation,
    )


@router.get("/cache", summary="What the cache does")
async def cache(services: Services, caller: Reader) -> CacheShown:
    """Return lookups, sizes and errors."""
    stats = services.cache.stats()
    told = {name: getattr(stats, name) for name in CacheShown.model_fields if name != "kinds"}
    kinds = {
        kind: KindShown(**{name: getattr(each, name) for name in KindShown.model_fields})
        for kind, each in stats.kinds.items()
    }
    return CacheShown(kinds=kinds, **told)


@router.post("/cache/clear", summary="Empty the cache")
async def clear(request: Request, services: Services, caller: Manager, what: Clear) -> Cleared:
    """Drop entries of this process and of the shared tier."""
    await run_in_threadpool(record, request, services, caller, "cache.clear", what.kind or "everything")
    return Cleared(dropped=await services.cache.clear(what.kind))


def _manager(request: Request) -> ConfigManager:
    manager: ConfigManager | None = request.app.state.manager
    if manager is None:
        raise Problem(501, "not_installed", "This application was not started from a configuration.")
    return manager
