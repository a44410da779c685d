"""The edge: what every answer has, and what is never let through."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Response
from starlette.types import Message, Receive, Scope, Send

from quantflux.api.access import public
from quantflux.api.app import create_app
from quantflux.api.edge import Edge, EdgeRules
from quantflux.api.errors import TABLE
from quantflux.api.headers import SECURITY
from quantflux.api.routing import Router
from quantflux.core.errors import StoreUnavailable
from quantflux.core.hosts import network_of
from quantflux.observability.metrics import registry
from quantflux.platform import Platform
from tests.api import handbook
from tests.api.conftest import AsRole, TestClient, settings_in, with_cheap_passwords

REQUEST_ID = re.compile(r"[0-9a-f]{16}")


@pytest.fixture(scope="module")
def broken(platform: Platform) -> Iterator[TestClient]:
    """A client of an application with routes that fail."""
    router = Router(prefix="/broken", tags=["broken"])

    @router.get("/bug", dependencies=[public()])
    async def bug() -> None:
        raise ZeroDivisionError("canary-of-the-inside")

    @router.get("/store", dependencies=[public()])
    async def store() -> None:
        raise StoreUnavailable("mysql://canary-of-the-inside:3306 refused")

    @router.get("/policy", dependencies=[public()])
    async def policy() -> Response:
        return Response(
            b"", headers={"Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"}
        )

    app = create_app(platform)
    app.router.routes.extend(router.routes)
    with TestClient(app) as client:
        yield client


def test_every_answer_has_the_security_headers(anonymous: TestClient, broken: TestClient) -> None:
    answers = [
        anonymous.get("/health"),
        anonymous.get("/nowhere"),
        anonymous.get("/api/v2/bars"),
        anonymous.post("/health"),
        anonymous.post("/api/v2/auth/login", content=b"{", headers={"Content-Type": "application/json"}),
        anonymous.request("TRACE", "/health"),
        broken.get("/broken/bug"),
        broken.get("/broken/store"),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 401, 405, 400, 405, 500, 503]
    for answer in answers:
        for name, value in SECURITY:
            assert answer.headers[name.decode()] == value.decode()
        assert answer.headers["cache-control"] == "no-store"
        assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])
        assert "server" not in answer.headers
        assert "strict-transport-security" not in answer.headers


def test_an_answer_may_bring_its_own_policies(broken: TestClient) -> None:
    answer = broken.get("/broken/policy")

    assert answer.headers.get_list("cache-control") == ["private, no-cache"]
    assert answer.headers.get_list("content-security-policy") == ["sandbox"]


@pytest.mark.parametrize("path", ["/broken/bug", "/broken/store"])
def test_a_failure_tells_nothing_of_the_inside(
    broken: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    answer = broken.get(path)

    assert "canary" not in answer.text and "Traceback" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    told = [r for r in caplog.records if answer.headers["x-request-id"] in r.getMessage() and r.exc_info]
    assert len(told) == 1, "the log leads from the request id to the cause"


def test_a_store_that_is_away_says_when_to_come_back(broken: TestClient) -> None:
    answer = broken.get("/broken/store")

    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT"])
@pytest.mark.parametrize("path", ["/health", "/nowhere", "/api/v2/users"])
def test_some_methods_are_never_answered(anonymous: TestClient, method: str, path: str) -> None:
    assert anonymous.request(method, path).status_code == 405


def test_a_wrong_method_says_which_are_right(anonymous: TestClient) -> None:
    answer = anonymous.delete("/health")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("abcdefgh", True),
        ("a1-b2.c3_D4" * 5, True),
        ("short", False),
        ("x" * 65, False),
        ("abcdefgh\x1b[31m", False),
        ('abcdefgh","user":"root', False),
        ("abcd efgh", False),
    ],
)
def test_a_request_id_is_taken_if_well_formed(anonymous: TestClient, given: str, taken: bool) -> None:
    answer = anonymous.get("/health/live", headers={"X-Request-ID": given.encode("latin-1")})

    assert (answer.headers["x-request-id"] == given) is taken


def test_the_access_log_is_a_line_of_json_without_secrets(
    as_role: AsRole, caplog: pytest.LogCaptureFixture
) -> None:
    client = as_role("viewer")
    token = client.headers["authorization"].split()[1]
    with caplog.at_level(logging.INFO, logger="quantflux.access"):
        answer = client.get(
            "/api/v2/system/version?token=canary-in-query", headers={"X-Request-ID": "find-me-1"}
        )
        client.get("/a%0d%0aforged%1b[31m%c2%9b")

    lines = [record.getMessage() for record in caplog.records if record.name == "quantflux.access"]
    assert answer.status_code == 422
    first = json.loads(lines[0])
    assert first["request_id"] == "find-me-1"
    assert (first["method"], first["path"], first["status"]) == ("GET", "/api/v2/system/version", 422)
    assert first["user"].startswith("user:") and first["ms"] > 0 and first["bytes"] == len(answer.content)
    for line in lines:
        assert token not in line and "canary" not in line
        assert line.isprintable()


def test_a_body_beyond_the_cap_is_refused_before_it_is_read(as_role: AsRole, platform: Platform) -> None:
    most = platform.settings.server.max_body_bytes
    client = as_role("admin")
    headers = {"Content-Type": "application/json"}

    announced = client.post("/api/v2/users", content=b" " * (most + 1), headers=headers)
    chunked = client.post("/api/v2/users", content=_chunks(most + 1), headers=headers)

    assert (announced.status_code, announced.json()["code"]) == (413, "body_too_large")
    assert str(most) in announced.json()["detail"]
    assert chunked.status_code == 413


def _chunks(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 1_000_000):
        yield b" " * 1_000_000


@pytest.mark.parametrize(
    "path", ["/api/v2/system/version?no_such=1", "/health?a=1", "/api/v2/users?limit=1&limit=2"]
)
def test_unknown_and_repeated_parameters_are_refused(as_role: AsRole, path: str) -> None:
    answer = as_role("admin").get(path)

    assert answer.status_code == 422
    assert answer.json()["code"] in ("unknown_parameter", "repeated_parameter")


@pytest.mark.parametrize("query", ["limit=%ff", "limit=%00", "a=1&" * 200])
def test_a_query_that_is_none_is_refused(as_role: AsRole, query: str) -> None:
    assert as_role("admin").get(f"/api/v2/users?{query}").status_code in (400, 422)


@pytest.mark.parametrize("value", ["0", "-1", "1001", "1e3", "NaN", "", "9" * 5000])
def test_page_limits(as_role: AsRole, value: str) -> None:
    answer = as_role("admin").get("/api/v2/users", params={"limit": value})

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "query.limit"


def test_two_credentials_are_one_too_many(as_role: AsRole) -> None:
    client = as_role("viewer")
    token = client.headers["authorization"]

    twice = client.get("/api/v2/system/version", headers=[("Authorization", token), ("Authorization", token)])

    assert twice.status_code == 401


# What follows drives the edge itself, without an application behind it.


async def call(
    edge: Edge, *, headers: Any = (), method: str = "GET", receive: Receive | None = None, **more: Any
) -> Any:
    scope: Scope = {
        "type": "http", "method": method, "path": "/x", "raw_path": b"/x", "query_string": b"",
        "headers": list(headers), "client": ("192.0.2.1", 1), "scheme": "http", **more,
    }  # fmt: skip
    sent: list[Message] = []

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await edge(scope, receive or nothing, send)
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:])


def rules(**changed: Any) -> EdgeRules:
    return EdgeRules(**{"max_requests": 8, "max_body": 1000, "max_upload": 2000, **changed})


async def plain(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def test_a_process_without_room_sheds_and_recovers() -> None:
    async def scenario() -> None:
        let_go = asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await let_go.wait()
            await plain(scope, receive, send)

        edge = Edge(slow, rules(max_requests=3))
        running = [asyncio.create_task(call(edge)) for _ in range(3)]
        await asyncio.sleep(0)

        status, headers, body = await call(edge)
        let_go.set()
        alive = await call(edge, path="/health/live")

        assert (status, headers["retry-after"], json.loads(body)["code"]) == (503, "1", "busy")
        assert [answer[0] for answer in await asyncio.gather(*running)] == [200] * 3
        assert alive[0] == 200
        assert (await call(edge))[0] == 200 and edge.running == 0

    asyncio.run(scenario())


def test_a_body_that_comes_too_slowly_is_cut() -> None:
    async def reads(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass

    async def never() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    edge = Edge(reads, rules(body_seconds=0.01))
    status, headers, body = asyncio.run(call(edge, method="POST", receive=never))

    assert (status, json.loads(body)["code"], headers["Connection".lower()]) == (
        408,
        "body_too_slow",
        "close",
    )


@pytest.mark.parametrize(
    ("more", "secure"),
    [
        ({"scheme": "https"}, True),
        ({}, False),
        ({"headers": [(b"x-forwarded-proto", b"https")]}, False),
        ({"headers": [(b"x-forwarded-proto", b"https")], "client": ("10.0.0.1", 1)}, True),
    ],
)
def test_https_is_asked_for_where_it_is_spoken(more: dict[str, Any], secure: bool) -> None:
    edge = Edge(plain, rules(trusted=(network_of("10.0.0.0/8"),)))

    _, headers, _ = asyncio.run(call(edge, **more))

    assert ("strict-transport-security" in headers) is secure


def test_other_origins_may_call_if_they_are_listed() -> None:
    edge = Edge(plain, rules(origins=("https://desk.example",)))
    asked = (b"access-control-request-method", b"GET")

    status, headers, _ = asyncio.run(call(edge, headers=[(b"origin", b"https://desk.example")]))
    before, granted, _ = asyncio.run(
        call(edge, method="OPTIONS", headers=[(b"origin", b"https://desk.example"), asked])
    )
    _, stranger, _ = asyncio.run(call(edge, headers=[(b"origin", b"https://evil.example")]))
    refused, refusal, _ = asyncio.run(
        call(edge, method="OPTIONS", headers=[(b"origin", b"https://evil.example"), asked])
    )

    assert (status, before, refused) == (200, 204, 403)
    assert headers["access-control-allow-origin"] == "https://desk.example" and headers["vary"] == "Origin"
    assert "Authorization" in granted["access-control-allow-headers"]
    for each in (headers, granted, stranger, refusal):
        assert "access-control-allow-credentials" not in each
        assert each.get("access-control-allow-origin") != "*"
    assert "access-control-allow-origin" not in stranger and "access-control-allow-origin" not in refusal


def test_without_listed_origins_nothing_is_granted(anonymous: TestClient) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}

    assert anonymous.options("/api/v2/bars", headers=headers).status_code == 403
    assert "access-control-allow-origin" not in anonymous.get("/health", headers=headers).headers


def test_an_answer_while_stopping_ends_its_connection() -> None:
    edge = Edge(plain, rules())
    edge.draining = True

    assert asyncio.run(call(edge))[1]["connection"] == "close"


def test_what_breaks_after_the_answer_began_is_not_answered_twice() -> None:
    async def breaks(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(call(Edge(breaks, rules())))


def test_refusals_are_counted_by_codes_that_nobody_can_invent(
    anonymous: TestClient, as_role: AsRole, api: FastAPI
) -> None:
    def counted() -> dict[str, float]:
        samples = (sample for family in registry.collect() for sample in family.samples)
        return {s.labels["code"]: s.value for s in samples if s.name == "quantflux_requests_refused_total"}

    viewer, before = as_role("viewer"), counted()
    anonymous.get("/api/v2/users")
    anonymous.get("/api/v2/users", headers={"Authorization": "Bearer evil-label"})
    viewer.get("/api/v2/users")
    viewer.get("/api/v2/bars/EVIL.LABEL")
    viewer.get("/evil-label?evil=label")
    viewer.post("/api/v2/auth/login", content=b"x" * 10, headers={"Content-Type": "evil/label"})
    viewer.get("/api/v2/instruments")
    after = counted()

    grown = {code: after[code] - before.get(code, 0) for code in after if after[code] > before.get(code, 0)}
    assert grown["not_authenticated"] == 2 and grown["forbidden"] == 1
    assert sum(grown.values()) == 6
    said = {code for _, code in handbook.problem_codes()} | {verdict.code for verdict in TABLE.values()}
    assert set(after) <= said | {"bad_request", "headers_too_slow", "headers_too_large"}


def test_docs_and_metrics_are_guarded(
    api: FastAPI, platform: Platform, as_role: AsRole, anonymous: TestClient
) -> None:
    outside = TestClient(api, client=("203.0.113.9", 1))
    inside = TestClient(api, client=("127.0.0.1", 1))

    assert anonymous.get("/docs").status_code == 401
    assert anonymous.get("/openapi.json").status_code == 401
    assert outside.get("/metrics").status_code == 401
    assert as_role("viewer").get("/metrics").status_code == 403
    assert as_role("operator").get("/metrics").status_code == 200
    assert "quantflux_requests_total{" in inside.get("/metrics").text
    # The world, through a proxy on this machine that the settings do not name.
    assert inside.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401


def test_docs_load_nothing_from_anywhere(as_role: AsRole) -> None:
    answer = as_role("viewer").get("/docs")

    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|https?://", answer.text)
    assert "/api/v2/bars/{symbol}" in answer.text


def test_docs_can_be_public_or_off(api: FastAPI, platform: Platform, anonymous: TestClient) -> None:
    settings = platform.settings
    try:
        for wanted, status in (("public", 200), ("off", 404)):
            server = settings.server.model_copy(update={"docs": wanted})
            platform.settings = settings.model_copy(update={"server": server})

            assert anonymous.get("/docs").status_code == anonymous.get("/openapi.json").status_code == status
    finally:
        platform.settings = settings


async def drips(_: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await plain(_, receive, send)


def test_a_body_that_drips_in_is_cut_although_no_piece_of_it_is_late() -> None:
    async def one_byte() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    edge = Edge(drips, rules(body_seconds=0.1, max_body=10_000_000))
    status, _, body = asyncio.run(asyncio.wait_for(call(edge, method="POST", receive=one_byte), 5.0))

    assert (status, json.loads(body)["code"]) == (408, "body_too_slow")
    assert edge.running == 0


def test_a_large_body_at_a_modest_pace_is_taken() -> None:
    pieces = iter([b"x" * 10_000] * 20)  # takes four times body_seconds, at some 500 kB a second

    async def steady() -> Message:
        await asyncio.sleep(0.02)
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    edge = Edge(drips, rules(body_seconds=0.1, slowest_body=50_000, max_body=10_000_000))

    assert asyncio.run(call(edge, method="POST", receive=steady))[0] == 200


def test_two_credentials_are_counted_like_any_guess(tmp_path: Path) -> None:
    limits = {"address_per_minute": 3}
    with Platform.open(settings_in(tmp_path, limits=limits, store={"name": "memory"})) as small:
        with_cheap_passwords(small)
        client = TestClient(create_app(small))
        twice = [("Authorization", "Bearer x"), ("Authorization", "Bearer y")]
        statuses = [client.get("/api/v2/system/version", headers=twice).status_code for _ in range(5)]

    assert statuses == [401, 401, 401, 429, 429]
