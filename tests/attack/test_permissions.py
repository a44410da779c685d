"""Every route by every role and by keys of a single scope; what belongs to others; fields that nobody may set."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.api.access import Need
from quantflux.database.tables import metadata
from quantflux.jobs.told import Told
from quantflux.work.catalogue import KINDS
from tests.attack.target import ANONYMOUS, Target, User, at
from tests.attack.target import ROLES as NAMES

NONSENSE = b"{"
_ENDS_ITSELF = ("/api/v2/auth/logout", "/api/v2/auth/logout-everywhere")


def test_every_route_says_who_may_call_it(target: Target) -> None:
    for route in target.app.routes:
        assert isinstance(getattr(route, "need", None), Need), route


def test_roles_are_let_in_by_the_table(target: Target, tried: Counter[str]) -> None:
    for method, route in target.routes:
        need = route.need
        if need.permission is None:
            continue
        for role in NAMES:
            may = role != ANONYMOUS and need.permission in ROLES[Role(role)]
            if may and route.path in _ENDS_ITSELF:
                continue
            reply = target.send(method, at(route), body=None if method == "GET" else NONSENSE, by=role)
            _judge(reply.status, may, 401 if role == ANONYMOUS else 403, f"{role}: {method} {route.path}")
            tried["permissions: routes by role"] += 1


def test_keys_open_what_their_one_scope_opens(target: Target, tried: Counter[str]) -> None:
    keys = {scope: key for scope in Permission if (key := _key(target, scope))}
    assert set(Permission) - set(keys) == _OF_PERSONS  # those are never a key's
    for method, route in target.routes:
        need = route.need
        if need.permission is None:
            continue
        for scope, key in keys.items():
            body = None if method == "GET" else NONSENSE
            reply = target.send(method, at(route), headers={"x-api-key": key}, body=body)
            _judge(reply.status, scope is need.permission, 403, f"{scope}: {method} {route.path}")
            tried["permissions: routes by scope of a key"] += 1


_OF_PERSONS = {Permission.ACCOUNT_OWN, Permission.USERS_MANAGE}


def _judge(status: int, may: bool, refusal: int, what: str) -> None:
    if may:
        assert status not in (401, 403) and status < 500, f"{what}: {status}"
    else:
        assert status == refusal, f"{what}: {status}"


def _key(target: Target, scope: Permission) -> str:
    until = (target.platform.clock.now() + timedelta(days=1)).isoformat()
    body = {"name": f"only {scope}", "scopes": [scope], "expires_at": until}
    reply = target.send("POST", "/api/v2/account/api-keys", body=body, by="admin")
    if reply.status == 422:
        return ""
    return str(reply.json()["text"])


# ---- what belongs to somebody ------------------------------------------------------------------


@pytest.fixture(scope="module")
def belongings(target: Target) -> dict[str, Any]:
    """What a researcher has: a job with a result, a session, a key, a factor and the record of a backtest."""
    owner = target.new_user("researcher")
    sent = {"headers": owner.headers}
    factor = {"id": "of_the_owner", "expression": "close / open"}
    assert target.send("POST", "/api/v2/factors", body=factor, **sent).status == 201
    job = target.send("POST", "/api/v2/factors/compute", body={"factors": ["of_the_owner"]}, **sent).json()[
        "id"
    ]
    until = (target.platform.clock.now() + timedelta(days=1)).isoformat()
    asked = {"name": "theirs", "scopes": ["market:read"], "expires_at": until}
    key = target.send("POST", "/api/v2/account/api-keys", body=asked, **sent).json()
    session = target.send("GET", "/api/v2/account/sessions", **sent).json()
    sessions = session["items"] if isinstance(session, dict) else session
    run = {"name": "theirs", "score": "reversal_20", "policy": {"kind": "ranked", "top": 3, "least": 1}}
    payload = {"run": run, "rules": False, "owner": f"user:{owner.id}"}
    record = KINDS["backtests.run"].run(target.platform, payload, Told())["id"]
    return {
        "owner": owner,
        "job": job,
        "key": key["key"]["id"],
        "session": sessions[0]["id"],
        "record": record,
    }


def _cases(belongings: dict[str, Any]) -> list[tuple[str, str, Permission | None]]:
    """Return method, path, and the permission with which others may see it too."""
    job, record = f"/api/v2/jobs/{belongings['job']}", f"/api/v2/backtests/{belongings['record']}"
    return [
        ("GET", job, Permission.JOBS_ALL),
        ("GET", f"{job}/result", Permission.JOBS_ALL),
        ("POST", f"{job}/cancel", Permission.JOBS_ALL),
        ("GET", record, Permission.JOBS_ALL),
        ("GET", f"{record}/study", Permission.JOBS_ALL),
        ("POST", f"{record}/replay", Permission.JOBS_ALL),
        ("DELETE", f"/api/v2/account/sessions/{belongings['session']}", None),
        ("DELETE", f"/api/v2/account/api-keys/{belongings['key']}", None),
        ("DELETE", "/api/v2/factors/of_the_owner", None),
    ]


def test_nobody_gets_at_what_belongs_to_others(
    target: Target, belongings: dict[str, Any], tried: Counter[str]
) -> None:
    for role in NAMES:
        permissions = frozenset() if role == ANONYMOUS else ROLES[Role(role)]
        for method, path, opener in _cases(belongings):
            if opener in permissions:
                continue  # an operator's or administrator's, which the audit log holds
            body = None if method == "GET" else {}
            reply = target.send(method, path, body=None if path.endswith("cancel") else body, by=role)
            if role == ANONYMOUS:
                assert reply.status == 401, path
            else:
                # 403 where the whole kind is closed to the role, and for factors, which all may see
                assert reply.status in (403, 404), f"{role}: {method} {path}: {reply.status} {reply.body!r}"
                if reply.status == 403 and "factors" not in path:
                    assert reply.json()["permission"] not in permissions
            tried["permissions: what belongs to others"] += 1
    _still_there(target, belongings)


def test_lists_show_ones_own_alone(target: Target, belongings: dict[str, Any], tried: Counter[str]) -> None:
    for path in ("/api/v2/jobs", "/api/v2/backtests", "/api/v2/account/sessions", "/api/v2/account/api-keys"):
        for role in ("trader", "viewer", "admin"):
            reply = target.send("GET", path, by=role)
            assert reply.status in (200, 403)
            assert str(belongings["job"]) not in reply.body.decode()
            assert str(belongings["record"]) not in reply.body.decode()
            assert str(belongings["key"]) not in reply.body.decode()
            tried["permissions: what belongs to others"] += 1


def test_somebody_elses_factor_is_not_redefined(target: Target, belongings: dict[str, Any]) -> None:
    taken = {"id": "of_the_owner", "expression": "volume"}
    for role in ("researcher", "admin"):
        assert target.send("POST", "/api/v2/factors", body=taken, by=role).status == 409
        v1 = {"factor_id": "of_the_owner", "factor_name": "x", "factor_type": "x", "factor_formula": "volume"}
        assert target.send("POST", "/api/ml-factor/factors/custom", body=v1, by=role).status >= 400
    _still_there(target, belongings)


def _still_there(target: Target, belongings: dict[str, Any]) -> None:
    owner: User = belongings["owner"]
    job = target.send("GET", f"/api/v2/jobs/{belongings['job']}", headers=owner.headers).json()
    assert job["state"] == "queued" and not job["cancel_asked"]
    factor = target.send("GET", "/api/v2/factors/of_the_owner", headers=owner.headers).json()
    assert factor["expression"] == "close / open"
    keys = target.send("GET", "/api/v2/account/api-keys", headers=owner.headers).body.decode()
    assert belongings["key"] in keys


# ---- fields that nobody may set ------------------------------------------------------------------


def _stored_fields() -> list[str]:
    """Return the names of all columns of our own tables, and some that frameworks have."""
    columns = {column.name for table in metadata.tables.values() for column in table.columns}
    return sorted(
        columns | {"is_admin", "owner_id", "permissions", "__class__", "_id", "admin", "$set", "constructor"}
    )


def test_no_body_takes_a_field_of_what_is_stored(target: Target, tried: Counter[str]) -> None:
    """Each field is added to a body that is good without it, and then refused: nothing is set on the side."""
    schemas = target.app.openapi()["components"]["schemas"]
    bodies = 0
    for path, operations in target.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if not path.startswith("/api/v2") or "requestBody" not in operation:
                continue
            good, known = _good(operation, schemas)
            bodies += 1
            for field in set(_stored_fields()) - known:
                where = path.replace("{", "").replace("}", "")
                reply = target.send(method.upper(), where, body=good | {field: "1"}, by="admin")
                assert reply.status == 422, (
                    f"{method} {path} took {field}: {reply.status} {reply.body[:300]!r}"
                )
                tried["mass assignment"] += 1
    assert bodies >= 20


def _good(operation: dict[str, Any], schemas: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    content = operation["requestBody"]["content"]["application/json"]
    schema = content["schema"]
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "examples" in content:
        good = next(iter(content["examples"].values()))["value"]
    else:
        good = (schema.get("examples") or [{}])[0]
    return dict(good), set(schema.get("properties", ()))


def test_version_1_ignores_fields_that_are_not_its_own(target: Target, tried: Counter[str]) -> None:
    """Its clients always sent what they liked: it is taken, and sets nothing."""
    user = target.new_user("researcher")
    body = {
        "factor_id": "mine_alone",
        "factor_name": "x",
        "factor_type": "x",
        "factor_formula": "close / open",
    }
    extra = {name: "user:1" for name in _stored_fields() if name not in body}
    reply = target.send("POST", "/api/ml-factor/factors/custom", body=body | extra, headers=user.headers)
    tried["mass assignment"] += len(extra)

    assert reply.status == 200, reply.body
    shown = target.send("GET", "/api/v2/factors/mine_alone", headers=user.headers).json()
    assert shown["owner"] == f"user:{user.id}" and shown["version"] == 1
