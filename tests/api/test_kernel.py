"""The kernel: order of checks, shapes of errors, headers."""

from __future__ import annotations

from starlette.testclient import TestClient


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
