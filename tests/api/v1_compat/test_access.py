"""Who may call version 1's routes, in which shape they refuse, and what an empty installation answers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from quantflux.accounts.permissions import Permission
from quantflux.api.app import create_app
from quantflux.api.v1_compat import routing
from quantflux.api.v1_compat.asked import Asked
from quantflux.api.v1_compat.routes import FACTORS, PAGES, STOCKS
from quantflux.platform import Platform
from tests.api.conftest import AsRole, TestClient, settings_in, with_cheap_passwords
from tests.api.v1_compat.conftest import Call

EVERY = STOCKS + FACTORS + PAGES
INSIDE, OUTSIDE = ("10.1.2.3", 5000), ("192.0.2.9", 5000)


def opened(folder: Path, **v1: Any) -> Platform:
    platform = Platform.open(settings_in(folder, v1=v1, store={"name": "memory"}))
    with_cheap_passwords(platform)
    return platform


def test_all_routes_of_the_reference_are_there() -> None:
    assert (len(STOCKS), len(FACTORS), len(PAGES)) == (10, 19, 7)
    assert len({(each.method, each.path) for each in EVERY}) == 36


def test_the_documentation_names_parameters_bodies_and_rights(empty: TestClient) -> None:
    paths = empty.app.openapi()["paths"]  # type: ignore[attr-defined]
    for each in EVERY:
        told = paths[each.path][each.method.lower()]
        named = {(one["in"], one["name"]) for one in told["parameters"]}
        assert (("path", "ts_code") in named) == ("{ts_code}" in each.path)
        assert {name for place, name in named if place == "query"} == set(each.query)
        assert ("requestBody" in told) == (each.method == "POST")
        assert told["summary"]
        assert told["x-permission"] == each.permission


@pytest.mark.parametrize("route", EVERY, ids=lambda route: f"{route.method} {route.path}")
def test_nobody_is_let_in_without_logging_in(as_role: AsRole, route: Any) -> None:
    client = as_role("viewer")
    path = route.path.replace("{ts_code}", "600519.SH")
    for headers in ({"Authorization": "Bearer x"}, {"Authorization": ""}, {"X-API-Key": "qf_x_y"}):
        answer = client.request(route.method, path, json={}, headers={"Authorization": ""} | headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"]
        told = answer.json()
        assert set(told) == ({"error"} if "ml-factor" in path else {"code", "message", "data"})


@pytest.mark.parametrize(
    "path", ["models/create", "models/train", "factors/custom", "backtest/run", "strategies/save"]
)
def test_viewers_may_not_change_or_compute(call: Call, path: str) -> None:
    told = call("POST", f"/api/ml-factor/{path}", {}, status=403, role="viewer")
    assert set(told) == {"error"}


def test_auditors_read_no_market(call: Call) -> None:
    assert call("GET", "/api/stocks", status=403, role="auditor")["code"] == 403


def test_changes_stand_in_the_audit_log(factor: Call, platform: Platform) -> None:
    factor("strategies/save", {"name": "audited", "config": {"top_n": 1}})
    platform.audit.flush()
    (entry,) = (
        each for each in platform.audit.entries(action="strategy.save") if each.event.target == "audited"
    )
    assert (entry.event.outcome, entry.event.actor) == ("done", "some-researcher")


def test_a_network_is_let_in_with_the_rights_of_researchers(tmp_path: Path) -> None:
    with opened(tmp_path, open_to="10.0.0.0/8") as platform:
        app = create_app(platform)
        inside, outside = TestClient(app, client=INSIDE), TestClient(app, client=OUTSIDE)
        assert inside.get("/api/industries").json() == {"code": 200, "message": "成功", "data": []}
        saved = inside.post("/api/ml-factor/strategies/save", json={"name": "x", "config": {"top_n": 1}})
        assert saved.status_code == 200
        assert outside.get("/api/industries").status_code == 401
        assert inside.get("/api/industries", headers={"Authorization": "Bearer x"}).status_code == 401
        assert inside.get("/api/v2/instruments").status_code == 401
        spoofed = outside.get("/api/industries", headers={"X-Forwarded-For": "10.1.2.3"})
        assert spoofed.status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_who_comes_through_a_proxy_that_nobody_named_is_not_from_its_network(
    tmp_path: Path, header: str
) -> None:
    # The proxy stands inside, and the whole world behind it.
    with opened(tmp_path, open_to="10.0.0.0/8") as platform:
        client = TestClient(create_app(platform), client=INSIDE)

        assert client.get("/api/industries", headers={header: "192.0.2.9"}).status_code == 401
        assert client.get("/api/industries").status_code == 200


def test_a_page_of_another_site_does_not_borrow_its_readers_network(tmp_path: Path) -> None:
    with opened(tmp_path, open_to="10.0.0.0/8") as platform:
        client = TestClient(create_app(platform), client=INSIDE)

        assert client.get("/api/industries", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 401
        assert client.get("/api/industries", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_they_can_be_switched_off(tmp_path: Path) -> None:
    with opened(tmp_path, enabled=False) as platform:
        client = TestClient(create_app(platform))
        assert all(
            client.request(each.method, each.path.replace("{ts_code}", "600519.SH")).status_code == 404
            for each in EVERY
        )


@pytest.mark.parametrize("route", EVERY, ids=lambda route: f"{route.method} {route.path}")
def test_an_empty_installation_fails_nowhere(empty: TestClient, route: Any) -> None:
    path = route.path.replace("{ts_code}", "600519.SH")
    for body in ({}, dict(route.example or {})):
        answer = empty.request(route.method, path, json=body if route.method == "POST" else None)
        assert answer.status_code < 500, answer.text


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with opened(tmp_path_factory.mktemp("empty"), open_to="10.0.0.0/8") as platform:
        yield TestClient(create_app(platform), client=INSIDE)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": "x"}', "text/plain", 415),
        (b'{"trade_date": {"a": 1}}', "application/json", 400),
        (b'{"trade_date": "2024-01-31", "top_n": 1e400}', "application/json", 400),
    ],
)
def test_bodies_that_are_none_are_refused_in_the_shape_of_v1(
    as_role: AsRole, content: bytes, kind: str, status: int
) -> None:
    answer = as_role("researcher").post(
        "/api/ml-factor/scoring/factor-based", content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


def test_what_takes_too_long_is_given_up(
    platform: Platform, as_role: AsRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []

    def endless(asked: Asked) -> dict[str, Any]:
        """Wait until nobody waits any more."""
        told.append(asked.give_up.wait(30))
        return {}

    monkeypatch.setattr(routing, "LONG_SECONDS", 0.05)
    app = create_app(platform)
    route = routing.Translation("GET", "/api/ml-factor/endless", endless, Permission.MARKET_READ, long=True)
    app.router.routes.extend(routing.router_of((route,)).routes)
    client = TestClient(app, headers=as_role("viewer").headers)
    answer = client.get(route.path)
    assert answer.status_code == 503
    assert "/api/v2" in answer.json()["error"]
    assert int(answer.headers["retry-after"]) > 0
    while not told:
        threading.Event().wait(0.01)
    assert told == [True]
