"""The application: the kernel put together, over one `Platform`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

import quantflux
from quantflux.api import docs, errors, health, v1_compat, v2
from quantflux.api.edge import Edge, EdgeRules
from quantflux.api.head import HeadAsGet
from quantflux.api.route_index import RouteIndex
from quantflux.api.warming import UsualQuestions
from quantflux.config import ConfigManager, Settings
from quantflux.core.hosts import network_of, split_list
from quantflux.platform import Platform

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token: POST /api/v2/auth/login.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of the account."},
}


class Application(FastAPI):
    """FastAPI with our edge around it in place of the layers that it would put there."""

    edge: Edge

    def __init__(self, rules: EdgeRules, **options: Any) -> None:
        super().__init__(**options)
        self._rules = rules

    def build_middleware_stack(self) -> ASGIApp:
        """Return the edge around the routes. An error of a route becomes an answer inside; all others in the edge."""
        inner = AsyncExitStackMiddleware(HeadAsGet(RouteIndex(self.router)))
        self.edge = Edge(ExceptionMiddleware(inner, handlers=self.exception_handlers), self._rules)
        return self.edge

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, in which every route that needs a log-in says so."""
        if self.openapi_schema is None:
            made = super().openapi()
            made.setdefault("components", {})["securitySchemes"] = _SCHEMES
            for route in self.routes:
                need = getattr(route, "need", None)
                if isinstance(route, APIRoute) and need is not None and need.permission is not None:
                    for method in route.methods or ():
                        operation = made["paths"].get(route.path_format, {}).get(method.lower())
                        if operation is not None:
                            operation["security"] = [{"bearer": []}, {"key": []}]
                            operation["x-permission"] = need.permission.value
        assert self.openapi_schema is not None  # noqa: S101 - set by super().openapi()
        return self.openapi_schema


def create_app(
    platform: Platform, lifespan: Lifespan | None = None, manager: ConfigManager | None = None
) -> Application:
    """Return the HTTP application over a platform.

    Parameters
    ----------
    platform : Platform
        Stays open as long as the application answers; who opened it closes it.
    lifespan : callable, optional
        What runs beside the application from its start to its end.
    manager : ConfigManager, optional
        Where the platform's settings come from; without it they are neither shown nor reloaded.
    """
    app = Application(
        edge_rules(platform.settings),
        title="quantflux",
        version=quantflux.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan or _nothing,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.platform = platform
    app.state.usual = UsualQuestions()
    app.state.manager = manager
    errors.install(app)
    old = v1_compat.routers() if platform.settings.v1.enabled else []
    for router in (health.router, docs.router, *v2.routers(), *old):
        # Appended, not included: FastAPI would wrap them in a layer that is looked through on every request.
        app.router.routes.extend(router.routes)
    return app


def edge_rules(settings: Settings) -> EdgeRules:
    """Return what the edge goes by, as plain values."""
    server = settings.server
    return EdgeRules(
        max_requests=server.max_requests,
        max_body=server.max_body_bytes,
        max_upload=server.max_upload_bytes,
        trusted=tuple(network_of(part) for part in split_list(server.trusted_proxies)),
        origins=tuple(split_list(server.origins)),
    )


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


_DESCRIPTION = """
Market data, factors, models, scores, portfolios and backtests over HTTP.

Log in with `POST /api/v2/auth/login` and send `Authorization: Bearer <access token>`, or send an API key in
`X-API-Key`. Errors are problem documents (RFC 9457) with a stable `code` and the `request_id` that leads to the log.
Long work answers 202 and the address of a job.
"""
