"""Requests with an Idempotency-Key are carried out once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Response
from starlette.testclient import TestClient

from quantflux.accounts.permissions import Permission, Role
from quantflux.accounts.principal import Principal
from quantflux.api.access import needs
from quantflux.api.app import create_app
from quantflux.api.bodies import Body
from quantflux.api.errors import Problem
from quantflux.api.idempotency import Asked, IdempotencyKey, KeptAnswers
from quantflux.api.routing import Router
from quantflux.core.clock import FixedClock
from quantflux.core.errors import Conflict, StoreUnavailable
from quantflux.platform import Platform
from tests.api.conftest import AsRole

Caller = Annotated[Principal, needs(Permission.ACCOUNT_OWN)]


class Order(Body):
    """What the probe takes."""

    n: int
    outcome: str = "done"


class Probe:
    """A resource whose changes are counted."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.keys: list[str] = []
        self.hold: threading.Event | None = None
        self.begun = threading.Event()

    def router(self) -> Router:
        router = Router(prefix="/probe", tags=["probe"])

        @router.post("/{place}", status_code=201)
        def change(
            caller: Caller, place: str, order: Order, response: Response, key: IdempotencyKey
        ) -> dict[str, Any]:
            self.keys.append(key)
            self.begun.set()
            if self.hold is not None:
                assert self.hold.wait(10)
            if order.outcome == "conflict":
                raise Conflict("no")
            if order.outcome == "broken":
                raise ZeroDivisionError
            self.done.append(order.n)
            response.headers["Location"] = f"/probe/{place}/{len(self.done)}"
            response.headers["X-Other"] = "not kept"
            return {"count": len(self.done), "by": caller.name}

        @router.post("")
        def plain(caller: Caller, order: Order) -> dict[str, int]:
            self.done.append(order.n)
            return {"count": len(self.done)}

        return router


@pytest.fixture
def probe() -> Probe:
    """The resource."""
    return Probe()


@pytest.fixture
def client_of(platform: Platform, probe: Probe, as_role: AsRole) -> AsRole:
    """Clients of an application that has the resource."""
    app: FastAPI = create_app(platform)
    app.router.routes.extend(probe.router().routes)

    def client(role: str) -> TestClient:
        shown = {"Authorization": as_role(role).headers["Authorization"] if role in set(Role) else "Bearer x"}
        return TestClient(app, headers=shown, raise_server_exceptions=False)

    return client


_KEYS = iter(f"key-{number}" for number in range(1000))


@pytest.fixture
def key() -> dict[str, str]:
    """A header with a key that no test used."""
    return {"Idempotency-Key": next(_KEYS)}


def test_the_same_request_is_carried_out_once_and_answered_alike(
    client_of: AsRole, probe: Probe, key: dict[str, str]
) -> None:
    client = client_of("trader")
    first = client.post("/probe/a", json={"n": 1}, headers=key)
    again = client.post("/probe/a", json={"n": 1}, headers=key)

    assert probe.done == [1]
    assert probe.keys == [key["Idempotency-Key"]]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("content-type", "location"):
        assert again.headers[name] == first.headers[name]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


def test_without_a_key_each_request_counts(client_of: AsRole, probe: Probe) -> None:
    for _ in range(2):
        assert client_of("trader").post("/probe/a", json={"n": 1}).status_code == 201

    assert probe.done == [1, 1]
    assert probe.keys == ["", ""]


@pytest.mark.parametrize("other", [{"json": {"n": 2}}, {"url": "/probe/b"}, {"content": b'{"n":1 }'}])
def test_another_request_with_the_key_is_refused(
    client_of: AsRole, probe: Probe, key: dict[str, str], other: dict[str, Any]
) -> None:
    client = client_of("trader")
    same = {"url": "/probe/a", "content": b'{"n":1}', "headers": key | {"Content-Type": "application/json"}}
    client.post(**same)
    changed = {**same, **other}
    if "json" in other:
        del changed["content"]

    refused = client.post(**changed)

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert refused.headers["content-type"] == "application/problem+json"
    assert probe.done == [1]


def test_keys_are_a_users_own(client_of: AsRole, probe: Probe, key: dict[str, str]) -> None:
    answers = [
        client_of(role).post("/probe/a", json={"n": 1}, headers=key).json() for role in ("trader", "viewer")
    ]

    assert [answer["by"] for answer in answers] == ["some-trader", "some-viewer"]
    assert probe.done == [1, 1]


def test_one_that_comes_meanwhile_is_told_to_wait(
    client_of: AsRole, probe: Probe, key: dict[str, str]
) -> None:
    probe.hold = threading.Event()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client_of("trader").post, "/probe/a", json={"n": 1}, headers=key)
        assert probe.begun.wait(10)
        meanwhile = client_of("trader").post("/probe/a", json={"n": 1}, headers=key)
        other = client_of("trader").post("/probe/a", json={"n": 2}, headers=key)
        probe.hold.set()
        answered = first.result(10)

    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency_in_progress")
    assert "retry-after" in meanwhile.headers
    assert other.status_code == 422
    assert (answered.status_code, probe.done) == (201, [1])


def test_many_at_once_change_once(client_of: AsRole, probe: Probe, key: dict[str, str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        tries = [
            pool.submit(client_of("trader").post, "/probe/a", json={"n": 1}, headers=key) for _ in range(40)
        ]
        codes = {attempt.result(30).status_code for attempt in tries}

    assert probe.done == [1]
    assert codes <= {201, 409}
    assert 201 in codes


@pytest.mark.parametrize(("outcome", "status"), [("conflict", 409), ("broken", 500)])
def test_a_request_that_changed_nothing_frees_its_key(
    client_of: AsRole, probe: Probe, key: dict[str, str], outcome: str, status: int
) -> None:
    client = client_of("trader")

    assert client.post("/probe/a", json={"n": 1, "outcome": outcome}, headers=key).status_code == status
    assert client.post("/probe/a", json={"n": "x"}, headers=key).status_code == 422
    assert client.post("/probe/a", json={"n": 1}, headers=key).status_code == 201
    assert probe.done == [1]


@pytest.mark.parametrize("bad", ["", " ", "x" * 201, "a b", "ключ".encode(), "tab\there"])
def test_a_key_that_is_none_is_refused(client_of: AsRole, probe: Probe, bad: str | bytes) -> None:
    refused = client_of("trader").post("/probe/a", json={"n": 1}, headers={"Idempotency-Key": bad})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_idempotency_key")
    assert probe.done == []


def test_two_keys_are_no_key(client_of: AsRole, probe: Probe) -> None:
    shown = client_of("trader").headers["Authorization"]
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Authorization", shown)]

    assert client_of("trader").post("/probe/a", json={"n": 1}, headers=headers).status_code == 422
    assert probe.done == []


def test_a_route_without_the_word_ignores_the_key(
    client_of: AsRole, probe: Probe, key: dict[str, str]
) -> None:
    for _ in range(2):
        assert client_of("trader").post("/probe", json={"n": 1}, headers=key).status_code == 200

    assert probe.done == [1, 1]


def test_nobody_gets_an_answer_without_logging_in(
    client_of: AsRole, probe: Probe, key: dict[str, str]
) -> None:
    client_of("trader").post("/probe/a", json={"n": 1}, headers=key)

    assert client_of("nobody").post("/probe/a", json={"n": 1}, headers=key).status_code == 401


def test_without_the_table_nothing_is_done(
    client_of: AsRole, probe: Probe, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> str:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(KeptAnswers, "claim", away)
        refused = client_of("trader").post("/probe/a", json={"n": 1}, headers=key)
    assert (refused.status_code, probe.done) == (503, [])

    with monkeypatch.context() as patch:
        patch.setattr(KeptAnswers, "keep", away)
        done = client_of("trader").post("/probe/a", json={"n": 1}, headers=key)
    assert (done.status_code, probe.done) == (201, [1])  # what is done is not called failed


def test_the_key_stands_in_the_description(client_of: AsRole) -> None:
    described = client_of("trader").app.openapi()["paths"]  # type: ignore[attr-defined]
    parameters = described["/probe/{place}"]["post"]["parameters"]

    assert {p["name"]: p["required"] for p in parameters if p["in"] == "header"} == {"Idempotency-Key": False}


ASKED = Asked("1" * 64, "user:1", "/probe", "2" * 64)


@pytest.fixture
def kept(platform: Platform) -> tuple[KeptAnswers, FixedClock]:
    """The table by a clock that the test moves; each test begins a week after the one before."""
    clock = FixedClock(datetime(2024, 6, 3, tzinfo=UTC))
    kept = KeptAnswers(platform.database, clock)
    kept._database = platform.database
    clock.advance(7 * 86_400 * next(_WEEKS))
    return kept, clock


_WEEKS = iter(range(1000))


def test_a_dead_process_blocks_its_key_for_half_a_minute(kept: tuple[KeptAnswers, FixedClock]) -> None:
    answers, clock = kept
    dead = answers.claim(ASKED)
    assert isinstance(dead, str)
    clock.advance(20)
    answers.renew(ASKED, dead)
    clock.advance(29)
    with pytest.raises(Problem, match="being worked on"):
        answers.claim(ASKED)

    clock.advance(2)
    successor = answers.claim(ASKED)
    assert isinstance(successor, str)
    answers.keep(ASKED, dead, 201, {}, b"late")
    answers.release(ASKED, dead)
    with pytest.raises(Problem, match="being worked on"):
        answers.claim(ASKED)
    answers.keep(ASKED, successor, 200, {}, b"")
    replayed = answers.claim(ASKED)
    assert isinstance(replayed, Response)
    assert (replayed.status_code, replayed.body) == (200, b"")


def test_an_answer_is_kept_for_a_day(kept: tuple[KeptAnswers, FixedClock]) -> None:
    answers, clock = kept
    claim = answers.claim(ASKED)
    assert isinstance(claim, str)
    answers.keep(ASKED, claim, 201, {"location": "/x"}, b"{}")
    clock.advance(86_399)
    answers.purge()
    assert isinstance(answers.claim(ASKED), Response)

    clock.advance(1)
    assert isinstance(answers.claim(ASKED), str)
    clock.advance(86_400)
    assert answers.purge() >= 1
    assert answers.purge() == 0


def test_an_answer_too_large_to_keep_is_not_given_again(kept: tuple[KeptAnswers, FixedClock]) -> None:
    answers, _ = kept
    claim = answers.claim(ASKED)
    assert isinstance(claim, str)
    answers.keep(ASKED, claim, 201, {}, b"x" * 4_000_001)

    with pytest.raises(Problem, match="too large") as refused:
        answers.claim(ASKED)
    assert refused.value.status_code == 409
