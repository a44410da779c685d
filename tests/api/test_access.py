"""Who may call what: every route declares it, and the table of roles decides."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.api.access import Need, needs, public
from quantflux.api.routing import Route, Router
from tests.api.conftest import AsRole, TestClient

PUBLIC = {
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",  # asks for itself: networks, or a permission
    "/docs",  # the same: as the settings say
    "/openapi.json",
    "/api/v2/auth/login",
    "/api/v2/auth/refresh",
}
"""What answers without log-in. Nothing joins this list by accident."""


def routes_of(api: FastAPI) -> list[APIRoute]:
    found = [route for route in api.routes if isinstance(route, APIRoute)]
    assert len(found) > 40
    return found


def test_every_route_declares_exactly_one_need(api: FastAPI) -> None:
    for route in api.routes:
        assert isinstance(getattr(route, "need", None), Need), f"{route} does not say who may call it"


def test_only_the_listed_routes_are_public(api: FastAPI) -> None:
    found = {route.path for route in routes_of(api) if route.need.permission is None}

    assert found == PUBLIC


def test_reading_never_changes_anything(api: FastAPI) -> None:
    for route in routes_of(api):
        if route.methods <= {"GET", "HEAD"}:
            assert route.need.kind is not RouteKind.WRITE, route.path


def test_a_route_without_a_need_cannot_be_made() -> None:
    router = Router(prefix="/x", tags=["x"])

    with pytest.raises(TypeError, match="does not say who may call it"):
        router.add_api_route("/y", lambda: None)


def test_a_route_with_two_needs_cannot_be_made() -> None:
    router = Router(prefix="/x", tags=["x"])

    with pytest.raises(TypeError, match="declares 2 needs"):
        router.add_api_route("/y", lambda: None, dependencies=[public(), needs(Permission.MARKET_READ)])


def _cases(api: FastAPI) -> list[tuple[str, str, Need]]:
    return [
        (method, re.sub(r"\{[^}]*\}", "1", route.path), route.need)
        for route in routes_of(api)
        for method in sorted(route.methods - {"HEAD"})
        if route.need.permission is not None
    ]


def test_nobody_gets_in_without_a_log_in(api: FastAPI, anonymous: TestClient) -> None:
    for method, path, _ in _cases(api):
        answer = anonymous.request(method, path, content=b"{", headers={"Content-Type": "application/json"})

        assert answer.status_code == 401, f"{method} {path}"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        if path.startswith("/api/v2/"):  # errors of version 1 have its own shape
            assert answer.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("role", list(Role))
def test_roles_are_let_in_by_the_table(api: FastAPI, as_role: AsRole, role: Role) -> None:
    """A role passes the gate of exactly the routes whose permission it has.

    What the route then says of the nonsense that it is sent is its own matter, as long as it is not 403; routes that
    would end the session of the test itself are not called by those who may.
    """
    client = as_role(role)
    for method, path, need in _cases(api):
        may = need.permission in ROLES[role]
        if may and (path.startswith("/api/v2/auth/logout") or "sessions" in path):
            continue
        asked = path.replace("/users/1", "/users/999999")  # changing one's own account ends the session, too
        answer = client.request(method, asked, content=b"{", headers={"Content-Type": "application/json"})

        if may:
            assert answer.status_code not in (401, 403), f"{role}: {method} {path}"
            assert answer.status_code < 500, f"{role}: {method} {path}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{role}: {method} {path}"
            if path.startswith("/api/v2/"):
                assert answer.json()["permission"] == need.permission


def test_routes_of_our_own_kind_only(api: FastAPI) -> None:
    assert all(isinstance(route, Route) for route in routes_of(api) if route.path.startswith("/api/v2"))
