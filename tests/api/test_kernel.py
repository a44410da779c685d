"""The kernel: order of checks, shapes of errors, headers."""

from __future__ import annotations

from tests.api.conftest import AsRole, TestClient


def test_live(anonymous: TestClient) -> None:
    answer = anonymous.get("/health/live")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_unknown_path_is_a_problem_document(anonymous: TestClient) -> None:
    answer = anonymous.get("/nowhere", headers={"X-Request-ID": "abcdefgh-1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "no_such_path"
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "abcdefgh-1"


def test_head_is_get_without_its_body(as_role: AsRole, anonymous: TestClient) -> None:
    client, told = (
        as_role("viewer"),
        ("content-type", "content-length", "etag", "cache-control", "vary", "link"),
    )
    path = "/api/v2/instruments?limit=2"

    whole, head = client.get(path), client.head(path)

    assert head.status_code == 200 and head.content == b""
    assert {name: head.headers[name] for name in told} == {name: whole.headers[name] for name in told}
    assert client.head(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert [client.head(other).status_code for other in ("/nowhere", "/api/v2/scores")] == [404, 405]
    assert anonymous.head(path).status_code == 401 and anonymous.head("/health/live").status_code == 200
