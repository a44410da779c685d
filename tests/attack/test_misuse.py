"""Guessing behind spoofed addresses, answers kept for others, secrets in what is written down."""

from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest

from tests.api.conftest import PASSWORD
from tests.attack.target import ADDRESS, ANONYMOUS, Target, User, at, attacked
from tests.attack.target import ROLES as NAMES

_FORWARDED = (
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
)


def test_spoofed_addresses_buy_no_more_guesses(tmp_path: Path, tried: Counter[str]) -> None:
    """All guesses come from one address, whatever they say of it; the user's own one stays open."""
    with attacked(tmp_path) as target:
        victim = target.new_user("viewer")
        body = {"name": victim.name, "password": PASSWORD}
        known = target.send("POST", "/api/v2/auth/login", body=body, address=ADDRESS).json()["device"]
        answers = Counter[int]()
        for number in range(1_000):
            name = _FORWARDED[number % len(_FORWARDED)]
            spoofed = f"198.51.{number // 250}.{number % 250}"
            value = f"for={spoofed}" if name == "forwarded" else spoofed
            body = {"name": victim.name, "password": f"guess {number} of many"}
            reply = target.send(
                "POST", "/api/v2/auth/login", body=body, headers={name: value}, address="203.0.113.66"
            )
            answers[reply.status] += 1
            tried["guesses behind spoofed addresses"] += 1
        assert set(answers) <= {401, 429}
        assert answers[401] <= 20, answers  # the rest was not even looked at
        body = {"name": victim.name, "password": PASSWORD, "device": known}
        assert target.send("POST", "/api/v2/auth/login", body=body, address=ADDRESS).status == 200


_KEPT = (
    "/api/v2/bars/600001.SH?start=2024-01-02&end=2024-03-01",
    "/api/v2/bars?symbols=600001.SH,300002.SZ&start=2024-01-02&end=2024-02-01",
    "/api/v2/cross-sections/2024-03-01",
    "/api/v2/panels?fields=close&start=2024-01-02&end=2024-02-01",
    "/api/v2/instruments",
    "/api/v2/instruments/600001.SH",
    "/api/v2/calendar?start=2024-01-02&end=2024-02-01",
    "/api/v2/datasets",
    "/api/v2/datasets/stock_daily_basic/rows?start=2024-01-02&end=2024-01-10",
    "/api/v2/data/status",
    "/api/v2/data/coverage",
    "/api/v2/factors/values?factors=reversal_20&start=2024-03-01&end=2024-03-10",
    "/api/v2/factors?owner=me",
    "/api/v2/jobs",
    "/api/v2/account",
    "/api/v2/backtests",
)


def test_kept_answers_are_those_that_are_not_kept(target: Target, tried: Counter[str]) -> None:
    """For each pair of users: what the second is told after the first asked is what they are told of an empty cache."""
    for address in _KEPT:
        path, _, query = address.partition("?")
        ask = lambda role: target.send("GET", path, query=query.encode(), by=role)  # noqa: E731, B023
        alone = {}
        for role in NAMES:
            target.run(target.platform.cache.clear())
            alone[role] = ask(role)
        assert alone["admin"].status == 200, f"{address}: {alone['admin'].body!r}"
        for first in NAMES:
            for second in NAMES:
                target.run(target.platform.cache.clear())
                ask(first)
                reply = ask(second)
                assert reply.status == alone[second].status, f"{address}: {first}, {second}"
                assert reply.without_id == alone[second].without_id, f"{address}: {first}, {second}"
                tried["answers kept for others"] += 1


def test_etags_let_nobody_in(target: Target, tried: Counter[str]) -> None:
    """Who may not ask is told nothing of what has not changed."""
    for address in _KEPT[:4]:
        path, _, query = address.partition("?")
        tag = target.send("GET", path, query=query.encode(), by="viewer").headers["etag"]
        for role in (ANONYMOUS, "auditor"):
            reply = target.send("GET", path, query=query.encode(), headers={"if-none-match": tag}, by=role)
            assert reply.status == (401 if role == ANONYMOUS else 403)
            tried["answers kept for others"] += 1


# ---- secrets and logs -----------------------------------------------------------------------------

_CANARY = "canary of a password that nobody may read"
_CONTROL = "x\r\nSet-Cookie: a=b\x1b[31m\x00\u2028end"


def _forms(secret: bytes) -> set[bytes]:
    """Return what a secret looks like when it is written down: as it is, or in an encoding."""
    coded = {base64.b64encode(secret), base64.urlsafe_b64encode(secret)}
    shown = {secret, secret.hex().encode(), secret.hex().upper().encode(), quote(secret).encode()}
    shown |= {quote_plus(secret).encode(), repr(secret)[2:-1].encode()}
    return shown | coded | {each.rstrip(b"=") for each in coded}


def _found(secrets: Mapping[str, bytes], text: bytes) -> list[str]:
    """Return the names of secrets that stand in a text in some form."""
    assert all(len(secret) >= 16 for secret in secrets.values()), "short ones are found by chance"
    return [name for name, secret in secrets.items() if any(form in text for form in _forms(secret))]


def _keys_of(data: Path) -> dict[str, bytes]:
    """Return the keys of an installation, which stand in their files in base64, and what stands there."""
    texts = {path.name: path.read_bytes().strip() for path in (data / "secrets").iterdir()}
    assert {"signing", "audit"} <= texts.keys()
    decoded = {f"{name}, decoded": base64.b64decode(text, validate=True) for name, text in texts.items()}
    return texts | decoded


def _whole_log(target: Target, user: User) -> list[bytes]:
    """Return all pages of the audit log."""
    target.platform.audit.flush()
    pages, after, entries = [], 0, 0
    while after is not None:
        query = urlencode({"limit": 10, "after": after}).encode()
        reply = target.send("GET", "/api/v2/audit", query=query, headers=user.headers)
        assert reply.status == 200
        pages.append(reply.body)
        entries += len(reply.json()["items"])
        after = reply.json()["next"]
    assert entries >= target.platform.audit.verify().entries - len(pages)
    return pages


def test_secrets_stay_out_of_what_is_written_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tried: Counter[str]
) -> None:
    """Passwords, tokens and keys: in bodies, headers and queries of every route; then everything is searched.

    That is: replies, logs, metrics, the audit log, and the files of the installation but for its keys.
    """
    caplog.set_level(logging.DEBUG)
    with attacked(tmp_path) as target:
        user, secrets = _with_secrets(target)
        known = secrets | _keys_of(tmp_path)
        told: list[bytes] = []
        for body in _bodies(user.name, user.refresh):
            for path in (
                "/api/v2/auth/login",
                "/api/v2/auth/refresh",
                "/api/v2/account/password",
                "/api/v2/account/totp",
            ):
                told.append(target.send("POST", path, body=body, headers=user.headers).body)
        key = secrets["API key"].decode()
        for method, route in target.routes:
            if "auth" in route.path or "logout" in route.path:
                continue
            for header in (
                {"x-api-key": key},
                {"x-api-key": _CANARY},
                {"authorization": f"Bearer {_CANARY}"},
                {"authorization": f"Bearer {secrets['access token'].decode()}x"},
            ):
                body = None if method == "GET" else {"password": _CANARY, "token": key}
                query = urlencode({"token": _CANARY, "password": key}).encode()
                told.append(target.send(method, at(route), query=query, headers=header, body=body).body)
                told.append(target.send(method, at(route), headers=header, body=body).body)
                tried["secrets"] += 2
        operator = target.user("admin")
        for path in (
            "/metrics",
            "/health",
            "/api/v2/system/config",
            "/api/v2/system/health",
            "/api/v2/users",
            "/api/v2/account/sessions",
            "/api/v2/account/api-keys",
            "/openapi.json",
        ):
            reply = target.send("GET", path, headers=operator.headers)
            assert reply.status == 200, path
            told.append(reply.body)
        told += (pages := _whole_log(target, operator))
        assert len(pages) > 1
    told.append(caplog.text.encode())
    assert not _found(known, b"\n".join(told))
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.parent.name != "secrets"]
    kept = b"\n".join(p.read_bytes() for p in files)
    assert user.name.encode() in kept
    assert not _found(known, kept)


def _with_secrets(target: Target) -> tuple[User, dict[str, bytes]]:
    """Return a user and what only they were told, once: by sessions that were refreshed, an API key, a second user."""
    user = target.new_user("admin")
    until = (target.platform.clock.now() + timedelta(days=1)).isoformat()
    asked = {"name": "key", "scopes": ["market:read"], "expires_at": until}
    again = user.headers | {"idempotency-key": "the same again"}
    key = target.send("POST", "/api/v2/account/api-keys", body=asked, headers=again).json()["text"]
    body = {"name": "somebody.else", "role": "viewer"}
    made = target.send("POST", "/api/v2/users", body=body, headers=again)
    assert made.status == 201, made.body
    body = {"name": user.name, "password": PASSWORD}
    first = target.send("POST", "/api/v2/auth/login", body=body).json()
    second = target.send(
        "POST", "/api/v2/auth/refresh", body={"refresh_token": first["refresh_token"]}
    ).json()
    third = target.send(
        "POST", "/api/v2/auth/refresh", body={"refresh_token": second["refresh_token"]}
    ).json()
    return user, {
        "password": _CANARY.encode(),
        "user's password": PASSWORD.encode(),
        "password given": made.json()["password"].encode(),
        "API key": key.encode(),
        "API key's secret": key.split("_", 2)[2].encode(),
        "access token": user.access.encode(),
        "refresh token": user.refresh.encode(),
        "device": first["device"].encode(),
        **{
            f"{kind} {number}": each[kind].encode()
            for number, each in enumerate((first, second, third))
            for kind in ("access_token", "refresh_token")
        },
    }


def test_secrets_that_are_written_down_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tried: Counter[str]
) -> None:
    with attacked(tmp_path) as target:
        _, secrets = _with_secrets(target)
        known = secrets | _keys_of(tmp_path)
    for name, secret in known.items():
        for form in _forms(secret):
            assert name in _found(known, b"before " + form + b" after"), (name, form)
            tried["harm that must be noticed"] += 1
        logging.getLogger("quantflux.attacked").warning("told %r", secret)
        assert name in _found(known, caplog.text.encode()), name
        caplog.clear()
    assert not _found(known, b"nothing of them")


def _bodies(name: str, refresh: str) -> list[dict[str, str]]:
    return [
        {"name": name, "password": _CANARY},
        {"name": _CANARY, "password": _CANARY},
        {"refresh_token": _CANARY},
        {"refresh_token": refresh, "extra": _CANARY},
        {"current_password": _CANARY, "new_password": _CANARY},
        {"current_password": PASSWORD, "new_password": _CANARY, "extra": "1"},
        {"password": _CANARY, "code": _CANARY},
    ]


def test_control_characters_do_not_reach_logs_or_headers(
    target: Target, caplog: pytest.LogCaptureFixture, tried: Counter[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    text = _CONTROL.encode("utf-8")
    for name in (
        b"user-agent",
        b"x-request-id",
        b"x-forwarded-for",
        b"referer",
        b"origin",
        b"accept",
        b"if-none-match",
    ):
        for path in (
            "/health/live",
            "/api/v2/account",
            f"/{quote(_CONTROL)}",
            f"/api/v2/bars/{quote(_CONTROL)}",
        ):
            reply = target.send(
                "GET", path, headers=[(name, text)], query=quote(_CONTROL).encode(), by="viewer"
            )
            assert reply.status < 500
            assert not any("\r" in v or "\n" in v or "\x1b" in v for v in reply.headers.values())
            assert "set-cookie" not in reply.headers
            tried["control characters"] += 1
    body = {"name": _CONTROL, "password": _CONTROL.replace("\x00", "")}
    assert target.send("POST", "/api/v2/auth/login", body=body).status in (400, 401, 422)
    body["name"] = body["name"].replace("\x00", "")
    assert target.send("POST", "/api/v2/auth/login", body=body).status in (401, 422)
    target.platform.audit.flush()
    for record in caplog.records:
        if record.name.startswith("quantflux"):
            line = record.getMessage()
            assert not any(c in line for c in "\r\n\x1b\x00"), repr(line)
    assert json.loads(target.send("GET", "/api/v2/audit", by="admin").body)
