"""Version 2 of the API: a module a resource, each with its `router`."""

from __future__ import annotations

from importlib import import_module

from quantflux.api.routing import Router

RESOURCES: tuple[str, ...] = (
    "bars",  # first, since the routes are looked through in this order
    "auth",
    "account",
    "users",
    "audit",
    "system",
    "jobs",
    "instruments",
    "calendar",
    "panels",
    "aggregates",
    "datasets",
    "exports",
    "data_status",
    "quality",
    "factors",
    "models",
    "predictions",
    "scores",
    "screens",
    "portfolios",
    "backtests",
)
"""The modules of this package that have a router, one a line and in the order of the documentation."""


def routers() -> list[Router]:
    """Return the routers of all resources."""
    return [import_module(f"{__name__}.{name}").router for name in RESOURCES]
