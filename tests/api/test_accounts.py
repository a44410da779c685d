"""Log-in, one's own account, users, the audit log and the system, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from fastapi import FastAPI

from quantflux.accounts.permissions import ROLES, Role
from quantflux.accounts.principal import LOCAL
from quantflux.core.errors import StoreUnavailable
from quantflux.platform import Platform
from tests.api.conftest import AsRole, TestClient

NEW = "seven boats at dawn"


@pytest.fixture
def somebody(platform: Platform, request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return the name and the given password of a new researcher."""
    name = f"user{abs(hash(request.node.nodeid)) % 10**9}"
    return name, platform.users.add(LOCAL, name, Role.RESEARCHER)[1]


def log_in(client: TestClient, name: str, password: str, **more: str) -> dict[str, object]:
    answer = client.post("/api/v2/auth/login", json={"name": name, "password": password, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(tokens: dict[str, object]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def settled(client: TestClient, somebody: tuple[str, str]) -> dict[str, object]:
    """Log in and choose a password."""
    name, given = somebody
    answer = client.post(
        "/api/v2/account/password",
        json={"current_password": given, "new_password": NEW},
        headers=bearer(log_in(client, name, given)),
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_wrong_name_and_a_wrong_password_look_the_same(
    anonymous: TestClient, somebody: tuple[str, str]
) -> None:
    answers = [
        anonymous.post("/api/v2/auth/login", json={"name": name, "password": "not the password"})
        for name in (somebody[0], "nobody-at-all")
    ]

    first, second = ({k: v for k, v in a.json().items() if k != "request_id"} for a in answers)
    assert [a.status_code for a in answers] == [401, 401]
    assert first == second


def test_a_given_password_must_be_changed_first(anonymous: TestClient, somebody: tuple[str, str]) -> None:
    tokens = log_in(anonymous, *somebody)

    assert tokens["must_change_password"] is True
    refused = anonymous.get("/api/v2/jobs", headers=bearer(tokens))
    assert refused.status_code == 403
    assert "POST /api/v2/account/password" in refused.json()["detail"]
    assert anonymous.get("/api/v2/jobs", headers=bearer(settled(anonymous, somebody))).status_code == 200


def test_a_refresh_token_is_taken_once(anonymous: TestClient, somebody: tuple[str, str]) -> None:
    tokens = settled(anonymous, somebody)

    answer = anonymous.post("/api/v2/auth/refresh", json={"refresh_token": tokens["refresh_token"]})

    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != tokens["refresh_token"]
    assert anonymous.get("/api/v2/account", headers=bearer(answer.json())).status_code == 200
    assert anonymous.post("/api/v2/auth/refresh", json={"refresh_token": "x"}).status_code == 401


def test_a_log_out_ends_the_session(anonymous: TestClient, somebody: tuple[str, str]) -> None:
    tokens = settled(anonymous, somebody)
    other = log_in(anonymous, somebody[0], NEW)

    answer = anonymous.post("/api/v2/auth/logout", headers=bearer(tokens))

    assert answer.status_code == 204
    assert "storage" in answer.headers["clear-site-data"]
    assert anonymous.get("/api/v2/account", headers=bearer(tokens)).status_code == 401
    assert anonymous.get("/api/v2/account", headers=bearer(other)).status_code == 200
    assert anonymous.post("/api/v2/auth/logout-everywhere", headers=bearer(other)).status_code == 204
    assert anonymous.get("/api/v2/account", headers=bearer(other)).status_code == 401


def test_sessions_are_listed_and_ended_by_their_user_alone(
    anonymous: TestClient, as_role: AsRole, somebody: tuple[str, str]
) -> None:
    tokens = settled(anonymous, somebody)
    other = log_in(anonymous, somebody[0], NEW, label="tablet")

    listed = anonymous.get("/api/v2/account/sessions", headers=bearer(tokens)).json()
    foreign = as_role("viewer").delete(f"/api/v2/account/sessions/{other['session']}")
    own = anonymous.delete(f"/api/v2/account/sessions/{other['session']}", headers=bearer(tokens))

    assert {(each["label"], each["current"]) for each in listed} == {("", True), ("tablet", False)}
    assert (foreign.status_code, own.status_code) == (404, 204)
    assert anonymous.get("/api/v2/account", headers=bearer(other)).status_code == 401


def test_a_second_factor(anonymous: TestClient, somebody: tuple[str, str]) -> None:
    tokens = settled(anonymous, somebody)
    setup = anonymous.post("/api/v2/account/totp", json={"password": NEW}, headers=bearer(tokens)).json()
    code = pyotp.TOTP(setup["secret"]).now()

    confirmed = anonymous.post("/api/v2/account/totp/confirm", json={"code": code}, headers=bearer(tokens))
    without = log_in(anonymous, somebody[0], NEW)
    again = anonymous.post("/api/v2/auth/login", json={"name": somebody[0], "password": NEW, "code": code})

    assert confirmed.status_code == 200, confirmed.text
    assert without["needs_totp"] is True and without["access_token"] == ""
    assert again.status_code == 401, "a code counts once"


def test_an_api_key_may_do_its_part_and_nothing_with_the_account(
    anonymous: TestClient, somebody: tuple[str, str]
) -> None:
    tokens = settled(anonymous, somebody)
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    asked = {"name": "nightly", "scopes": ["jobs:own"], "expires_at": until}

    made = anonymous.post("/api/v2/account/api-keys", json=asked, headers=bearer(tokens))
    beyond = anonymous.post(
        "/api/v2/account/api-keys", json=asked | {"scopes": ["audit:read"]}, headers=bearer(tokens)
    )
    key = {"X-API-Key": made.json()["text"]}

    assert made.status_code == 201
    assert beyond.status_code in (403, 422)
    assert anonymous.get("/api/v2/jobs", headers=key).status_code == 200
    assert anonymous.get("/api/v2/factors", headers=key).status_code == 403
    assert anonymous.get("/api/v2/account", headers=key).status_code == 403
    assert anonymous.get("/api/v2/jobs", headers=key | bearer(tokens)).status_code == 401
    public = made.json()["key"]["id"]
    assert anonymous.delete(f"/api/v2/account/api-keys/{public}", headers=bearer(tokens)).status_code == 204
    assert anonymous.get("/api/v2/jobs", headers=key).status_code == 401


def test_who_one_is(as_role: AsRole) -> None:
    shown = as_role("auditor").get("/api/v2/account").json()

    assert shown["role"] == "auditor"
    assert set(shown["permissions"]) == set(ROLES[Role.AUDITOR])


def test_an_administrator_keeps_users(as_role: AsRole, anonymous: TestClient) -> None:
    admin = as_role("admin")

    made = admin.post("/api/v2/users", json={"name": "zhao.yun", "role": "viewer"})
    user = made.json()["user"]
    place = made.headers["location"]
    twice = admin.post("/api/v2/users", json={"name": "zhao.yun", "role": "viewer"})
    tokens = log_in(anonymous, "zhao.yun", made.json()["password"])
    trader = admin.put(f"{place}/role", json={"role": "trader"})
    disabled = admin.post(f"{place}/disable")
    after = anonymous.get("/api/v2/account", headers=bearer(tokens))
    enabled = admin.post(f"{place}/enable")
    reset = admin.post(f"{place}/reset-password")

    assert (made.status_code, twice.status_code) == (201, 409)
    assert place == f"/api/v2/users/{user['id']}"
    assert (trader.json()["role"], disabled.json()["disabled"], enabled.json()["disabled"]) == (
        "trader",
        True,
        False,
    )
    assert after.status_code == 401
    assert log_in(anonymous, "zhao.yun", reset.json()["password"])["must_change_password"] is True
    assert admin.get(place).json()["role"] == "trader"
    assert admin.get("/api/v2/users/999999").status_code == 404


@pytest.mark.parametrize("extra", ["id", "disabled", "must_change_password", "version", "password_hash"])
def test_what_is_only_shown_cannot_be_set(as_role: AsRole, extra: str) -> None:
    answer = as_role("admin").post("/api/v2/users", json={"name": "mass", "role": "viewer", extra: 1})

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == f"body.{extra}"


def test_the_last_administrator_stays(as_role: AsRole) -> None:
    admin = as_role("admin")
    me = admin.get("/api/v2/account").json()["id"]

    assert admin.post(f"/api/v2/users/{me}/disable").status_code == 409


def test_users_come_in_pages(as_role: AsRole) -> None:
    admin = as_role("admin")
    as_role("viewer")

    first = admin.get("/api/v2/users?limit=1")
    target = first.headers["link"].split(">")[0].removeprefix("<")
    second = admin.get(target)

    assert first.json()["next"] == 1 and first.json()["total"] >= 2
    assert first.json()["items"][0]["name"] < second.json()["items"][0]["name"]


def test_what_is_done_and_refused_stands_in_the_log(as_role: AsRole, platform: Platform) -> None:
    as_role("viewer").get("/api/v2/users", headers={"X-Request-ID": "refused-1"})
    as_role("admin").post(
        "/api/v2/users", json={"name": "logged", "role": "viewer"}, headers={"X-Request-ID": "added-001"}
    )
    platform.audit.flush()

    answer = as_role("auditor").get("/api/v2/audit", params={"limit": 1000})
    found = {entry["request_id"]: entry for entry in answer.json()["items"]}
    reads = (
        as_role("auditor")
        .get("/api/v2/audit", params={"action": "audit.read", "limit": 1000})
        .json()["items"]
    )

    assert {"added-001", "refused-1"} <= found.keys(), answer.text[-3000:]
    added, refused = found["added-001"], found["refused-1"]
    assert (added["action"], added["outcome"], added["actor"]) == ("user.add", "done", "some-admin")
    assert (refused["action"], refused["outcome"], refused["target"]) == (
        "access",
        "refused",
        "GET /api/v2/users",
    )
    assert refused["details"]["permission"] == "users:manage"
    assert reads, "that the log was read stands in it as well"
    assert as_role("auditor").get("/api/v2/audit/verification").json()["sound"] is True


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        ("admin", "POST", "/api/v2/users", {"name": "unrecorded", "role": "viewer"}),
        ("auditor", "GET", "/api/v2/audit", None),
        ("operator", "POST", "/api/v2/system/cache/clear", {}),
        ("operator", "POST", "/api/v2/system/config/reload", None),
    ],
)
def test_without_a_record_nothing_privileged_is_done(
    platform: Platform,
    as_role: AsRole,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    method: str,
    path: str,
    body: dict[str, str] | None,
) -> None:
    client, viewer = as_role(role), as_role("viewer")

    def away(*_: object) -> int:
        raise StoreUnavailable("the audit log is away")

    monkeypatch.setattr(platform.audit, "record", away)

    answer = client.request(method, path, json=body)

    assert answer.status_code == 503
    assert "unrecorded" not in {user.name for user in platform.users.list()}
    assert viewer.get("/api/v2/system/version").status_code == 200, "reading goes on"


def test_the_configuration_is_shown_without_secrets(api: FastAPI, as_role: AsRole) -> None:
    shown = as_role("operator").get("/api/v2/system/config").json()
    settings = {each["key"]: each for each in shown["settings"]}

    assert settings["server.port"]["value"] == "8000" and settings["server.port"]["needs_restart"] is True
    assert settings["accounts.signing_keys"]["value"] == ""


def test_the_system_tells_its_operators(as_role: AsRole) -> None:
    operator = as_role("operator")

    health = operator.get("/api/v2/system/health").json()
    cache = operator.get("/api/v2/system/cache").json()
    reload = operator.post("/api/v2/system/config/reload").json()
    cleared = operator.post("/api/v2/system/cache/clear", json={"kind": "results"}).json()

    assert health["status"] == "ok"
    assert {part["name"] for part in health["parts"]} == {"database", "store", "cache"}
    assert (cache["backend"], cache["up"]) == ("memory", None) and set(cache["kinds"]) >= {
        "realtime",
        "results",
    }
    assert reload["changed"] == [] and cleared["dropped"] == 0


def test_health_tells_strangers_no_more_than_up_and_down(
    platform: Platform, api: FastAPI, anonymous: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> int:
        raise StoreUnavailable("canary-of-the-inside")

    monkeypatch.setattr(platform.data, "version", away)
    api.state.health = (0.0, [])

    health, ready = anonymous.get("/health"), anonymous.get("/health/ready")
    api.state.health = (0.0, [])

    assert health.json() == {"status": "down", "parts": {"database": "up", "store": "down", "cache": "up"}}
    assert ready.status_code == 503 and int(ready.headers["retry-after"]) > 0
    assert "canary" not in health.text + ready.text
