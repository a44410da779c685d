"""Finds the routes that a path may mean by how it begins, instead of looking through all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import APIRouter
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

_DEPTHS = (3, 2)  # parts of a path, such as /api/v2/bars; the longest beginning that some route has decides


class RouteIndex:
    """Gives each request to a router of the few routes that its path can match, in the order of all.

    Parameters
    ----------
    everything : APIRouter
        Answers paths that begin as no route does, and all that is no HTTP.

    Examples
    --------
    >>> router = APIRouter()
    >>> for path in ("/api/v2/bars/{symbol}", "/api/v2/{other}", "/api/v2/jobs"):
    ...     _ = router.get(path)(lambda: None)
    >>> index = RouteIndex(router)
    >>> [route.path for route in index.router_of("/api/v2/bars/600519.SH").routes]
    ['/api/v2/bars/{symbol}', '/api/v2/{other}']
    """

    def __init__(self, everything: APIRouter) -> None:
        self._everything = everything
        begun = [(_fixed(route), route) for route in everything.routes]
        self._routers = {
            beginning: _router(route for fixed, route in begun if _agree(fixed, beginning))
            for depth in _DEPTHS
            for beginning in {fixed[:depth] for fixed, _ in begun if len(fixed) >= depth}
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        router = self.router_of(scope["path"]) if scope["type"] == "http" else self._everything
        await router(scope, receive, send)

    def router_of(self, path: str) -> APIRouter:
        """Return the router that has every route which a path can match."""
        parts = tuple(path.split("/", _DEPTHS[0] + 1)[1:])
        for depth in _DEPTHS:
            found = self._routers.get(parts[:depth])
            if found is not None:
                return found
        return self._everything


def _fixed(route: BaseRoute) -> tuple[str, ...]:
    """Return the parts of a route's path before the first that is not the same for all requests."""
    parts = getattr(route, "path", "").split("/")[1:]
    placeholders = (place for place, part in enumerate(parts) if "{" in part)
    return tuple(parts[: next(placeholders, len(parts))])


def _agree(fixed: Sequence[str], beginning: Sequence[str]) -> bool:
    return all(one == other for one, other in zip(fixed, beginning, strict=False))


def _router(routes: Iterable[BaseRoute]) -> APIRouter:
    made = APIRouter(redirect_slashes=False)
    made.routes.extend(routes)
    return made
