"""Who may call a route: each declares it in its signature, and the gate asks before anything else is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from quantflux.accounts.audit import ACCESS, LIMIT, AuditEvent
from quantflux.accounts.limits.address import is_clients_own
from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import Principal
from quantflux.api.exchange import Exchange, exchange_of
from quantflux.core.errors import Forbidden, LimitReached, NotAuthenticated
from quantflux.core.hosts import Network, lies_in, network_of, split_list
from quantflux.platform import Platform


@dataclass(frozen=True)
class Need:
    """What a route asks of its caller. As a dependency it gives the `Principal` that the gate let through.

    Attributes
    ----------
    permission : Permission or None
        None for the few routes that answer without log-in.
    kind : RouteKind
        Which rate limit counts it.
    of_v1 : bool
        Whether it is a route of version 1, which networks can be let in to without log-in.
    """

    permission: Permission | None
    kind: RouteKind
    of_v1: bool = False

    async def __call__(self, request: Request) -> Principal | None:
        """Return the principal of a request that passed the gate."""
        return exchange_of(request.scope).principal


def needs(permission: Permission, kind: RouteKind = RouteKind.READ) -> Any:
    """Declare that a route needs a permission.

    Examples
    --------
    >>> Caller = Annotated[Principal, needs(Permission.MARKET_READ)]
    """
    return Depends(Need(permission, kind))


def needs_v1(permission: Permission, kind: RouteKind = RouteKind.READ) -> Any:
    """Declare what `needs` does for a route of version 1: callers from `v1.open_to` need no log-in."""
    return Depends(Need(permission, kind, of_v1=True))


def public(kind: RouteKind = RouteKind.READ) -> Any:
    """Declare that a route answers without log-in: `dependencies=[public()]`."""
    return Depends(Need(None, kind))


def declared(dependant: Dependant) -> Need | None:
    """Return what a route declared, itself or through what it depends on.

    Raises
    ------
    TypeError
        If it declared more than one.
    """
    found = {*_needs_of(dependant)}
    if len(found) > 1:
        raise TypeError(f"{dependant.path} declares {len(found)} needs; a route has exactly one")
    return next(iter(found), None)


def _needs_of(dependant: Dependant) -> list[Need]:
    own = [dependant.call] if isinstance(dependant.call, Need) else []
    return own + [need for part in dependant.dependencies for need in _needs_of(part)]


async def platform_of(request: Request) -> Platform:
    """Return the platform behind the application."""
    return cast("Platform", request.app.state.platform)


V1_CALLER = Principal(0, "v1", Role.RESEARCHER, ROLES[Role.VIEWER] | ROLES[Role.RESEARCHER], "network")
"""Whoever calls a route of version 1 from a network that it is open to."""

Services = Annotated[Platform, Depends(platform_of)]
"""The platform's services, in the signature of a route."""


def credentials(scope: Scope) -> tuple[str | None, str | None]:
    """Return the headers Authorization and X-API-Key of a request.

    Raises
    ------
    NotAuthenticated
        If one of them stands twice: two parties could read two different callers.
    """
    authorization = key = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if authorization is not None:
                raise NotAuthenticated("Log in: the credentials were not accepted.")
            authorization = value.decode("latin-1")
        elif name == b"x-api-key":
            if key is not None:
                raise NotAuthenticated("Log in: the credentials were not accepted.")
            key = value.decode("latin-1")
    return authorization, key


async def admit(scope: Scope, need: Need) -> None:
    """Let a request through, or raise; leaves principal and allowance in its `Exchange`.

    A credential that was seen a moment ago is known without leaving the event loop; any other is looked up in a thread.

    Raises
    ------
    NotAuthenticated, Forbidden, LimitReached
    """
    exchange = exchange_of(scope)
    platform: Platform = scope["app"].state.platform
    if need.permission is None:
        _count(platform, exchange, need.kind, "")
        return
    try:
        authorization, key = credentials(scope)
    except NotAuthenticated:
        _count(platform, exchange, need.kind, "")
        raise
    if need.of_v1 and authorization is None and key is None and _is_open(scope, platform):
        exchange.principal = V1_CALLER
        _count(platform, exchange, need.kind, f"network:{exchange.address}")
        _check(V1_CALLER, need.permission)
        return
    principal = platform.accounts.recall(authorization, key)
    if principal is None:
        _count(platform, exchange, need.kind, "")  # before the look-up: guessing is counted, and costs little
        authenticate = platform.accounts.authenticate_request
        principal = await run_in_threadpool(authenticate, authorization, key, address=exchange.address)
    exchange.principal = principal
    _count(platform, exchange, need.kind, principal.owner)
    _check(principal, need.permission)


def note_refusal(scope: Scope, refusal: Forbidden | LimitReached) -> None:
    """Tell the audit log that somebody asked for what they may not have, or too often.

    Credentials that were not accepted are told by whoever looked at them.
    """
    exchange = exchange_of(scope)
    platform: Platform = scope["app"].state.platform
    who = exchange.principal
    target = f"{scope['method']} {exchange.route}"
    details: dict[str, object]
    if isinstance(refusal, Forbidden):
        action, details = ACCESS, {"permission": refusal.permission}
    else:
        action, details = LIMIT, {"limit": exchange.allowance.name if exchange.allowance else ""}
    name = who.name if who else ""
    platform.audit.note(
        AuditEvent(action, "refused", name, exchange.address, exchange.request_id, target, details)
    )


def _check(principal: Principal, permission: Permission) -> None:
    if permission not in principal.permissions:
        raise Forbidden(
            f"This needs the permission {permission.value}{_way_to(principal, permission)}.", permission.value
        )


def _way_to(principal: Principal, permission: Permission) -> str:
    """Say what lies between a caller and a right that their role has."""
    if permission not in ROLES[principal.role]:
        return ""
    if principal.via == "api_key":
        return (
            ", which is not among the scopes of this API key; or its user has yet to log in and change the first "
            "password, or to set up the second factor that administrators need"
        )
    if principal.via == "token":
        return (
            ", which you get once you have changed your password (POST /api/v2/account/password) or set up the second "
            "factor that administrators need (POST /api/v2/account/totp): see GET /api/v2/account"
        )
    return ""


def comes_from(scope: Scope, networks: str) -> bool:
    """Whether a request comes from one of some networks, written with commas, as far as that can be known."""
    rules = scope["app"].edge.rules
    address = exchange_of(scope).address
    return lies_in(address, _networks(networks)) and is_clients_own(scope, rules.trusted)


def _is_open(scope: Scope, platform: Platform) -> bool:
    """Whether version 1 is open to a request. A page of another site asks from its reader's place: it is not."""
    if (b"sec-fetch-site", b"cross-site") in scope["headers"]:
        return False
    return comes_from(scope, platform.settings.v1.open_to)


@lru_cache(maxsize=8)
def _networks(text: str) -> tuple[Network, ...]:
    return tuple(network_of(part) for part in split_list(text))


def _count(platform: Platform, exchange: Exchange, kind: RouteKind, user: str) -> None:
    allowance = platform.limiter.check(kind, user, exchange.address)
    exchange.allowance = allowance
    if not allowance.allowed:
        raise LimitReached(
            f"More than {allowance.limit} requests of this kind in a minute; try again later.",
            allowance.retry_after,
        )
