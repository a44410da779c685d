"""Jobs over HTTP: whose they are, pages, stopping, results."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from fastapi import Request, Response
from sqlalchemy import delete
from starlette.testclient import TestClient

from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import LOCAL, Principal
from quantflux.api.accepted import submit
from quantflux.api.exchange import KEY, Exchange
from quantflux.api.v2 import jobs as routes
from quantflux.core.errors import Forbidden
from quantflux.database.tables.jobs import job_results
from quantflux.database.tables.jobs import jobs as table
from quantflux.jobs import Jobs
from quantflux.jobs.job import Progress
from quantflux.platform import Platform
from quantflux.work.contract import Work
from tests.api.conftest import AsRole

Ask = Callable[..., str]
WORK = Work("test.run", Permission.BACKTESTS_RUN, lambda *_: {})


@pytest.fixture
def ledger(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """The platform's ledger, empty, in a world with one kind of work."""
    monkeypatch.setattr(routes, "KINDS", {WORK.name: WORK})
    with platform.database.transaction() as connection:
        connection.execute(delete(job_results))
        connection.execute(delete(table))
    return platform.jobs


@pytest.fixture
def ask(ledger: Jobs, platform: Platform, as_role: AsRole) -> Ask:
    """Ask for a job as the user of a role and return its id: `ask("researcher", n=1)`."""

    def asked(role: str, **payload: Any) -> str:
        as_role(role)  # makes the user
        user = platform.users.get(f"some-{role}").id
        return ledger.submit("test.run", payload, f"user:{user}", user).id

    return asked


def finish(ledger: Jobs, document: bytes) -> None:
    claim = ledger.claims.claim("r", ["test.run"])
    assert claim is not None
    assert ledger.claims.finish(claim, document, Progress(1, 1, ""))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/jobs"),
        ("GET", "/api/v2/jobs/{id}"),
        ("GET", "/api/v2/jobs/{id}/result"),
        ("POST", "/api/v2/jobs/{id}/cancel"),
    ],
)
def test_who_may(
    ledger: Jobs, ask: Ask, anonymous: TestClient, as_role: AsRole, method: str, path: str
) -> None:
    path = path.format(id=ask("researcher"))

    assert anonymous.request(method, path).status_code == 401
    assert as_role("auditor").request(method, path).status_code == 403
    if "/jobs/" in path:
        assert as_role("viewer").request(method, path).status_code == 404  # somebody else's


def test_a_job_as_it_is_shown(ledger: Jobs, ask: Ask, as_role: AsRole) -> None:
    job = ask("researcher", policy="equal", n=3)
    shown = as_role("researcher").get(f"/api/v2/jobs/{job}").json()

    assert shown["payload"] == {"policy": "equal", "n": 3}
    assert (shown["state"], shown["runs"], shown["result"], shown["error"]) == ("queued", 0, None, None)
    assert "user_id" not in shown
    assert "api_key" not in shown
    assert as_role("operator").get(f"/api/v2/jobs/{job}").json() == shown


def test_the_list_is_ones_own_unless_one_may_see_all(ledger: Jobs, ask: Ask, as_role: AsRole) -> None:
    mine, other = ask("researcher"), ask("viewer")

    def ids(role: str, query: str = "") -> list[str]:
        answer = as_role(role).get(f"/api/v2/jobs{query}")
        assert answer.status_code == 200
        return [job["id"] for job in answer.json()["items"]]

    assert ids("researcher") == [mine]
    assert ids("operator") == []
    assert ids("operator", "?everybody=true") == [other, mine]
    refused = as_role("researcher").get("/api/v2/jobs?everybody=true")
    assert (refused.status_code, refused.json()["permission"]) == (403, "jobs:all")


def test_pages_are_linked(ledger: Jobs, ask: Ask, as_role: AsRole) -> None:
    made = [ask("researcher", n=n) for n in range(5)]
    client, path = as_role("researcher"), "/api/v2/jobs?limit=2&state=queued"
    seen: list[str] = []

    while path:
        answer = client.get(path)
        seen += [job["id"] for job in answer.json()["items"]]
        path = answer.links["next"]["url"] if answer.links else ""

    assert seen == made[::-1]


@pytest.mark.parametrize(
    "query", ["state=lost", "limit=0", "limit=100000", "after=-1", "owner=user:1", "state=done&state=done"]
)
def test_wrong_parameters_are_refused(as_role: AsRole, query: str) -> None:
    answer = as_role("researcher").get(f"/api/v2/jobs?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_cancelling(ledger: Jobs, ask: Ask, as_role: AsRole) -> None:
    job = ask("researcher")
    client = as_role("researcher")

    assert client.post(f"/api/v2/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/api/v2/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert client.get(f"/api/v2/jobs/{job}/cancel").status_code == 405


def test_an_operator_stops_anybodys_job_and_it_is_written_down(
    ask: Ask, as_role: AsRole, platform: Platform
) -> None:
    job = ask("researcher")

    assert as_role("operator").post(f"/api/v2/jobs/{job}/cancel").json()["state"] == "cancelled"
    (entry,) = platform.audit.entries(action="job.cancel")
    assert (entry.event.actor, entry.event.target) == ("some-operator", f"job:{job}")


@pytest.mark.parametrize("size", [10, 16_000_001])
def test_a_result_is_fetched_once(ledger: Jobs, ask: Ask, as_role: AsRole, size: int) -> None:
    job = ask("researcher")
    client, document = as_role("researcher"), orjson.dumps({"x": "y" * size})
    early = client.get(f"/api/v2/jobs/{job}/result")
    finish(ledger, document)

    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    assert client.get(f"/api/v2/jobs/{job}").json()["result"] == f"/api/v2/jobs/{job}/result"
    answer = client.get(f"/api/v2/jobs/{job}/result")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == document
    again = client.get(f"/api/v2/jobs/{job}/result", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_result_is_for_those_who_may_ask_for_such_work(
    ledger: Jobs, ask: Ask, as_role: AsRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    demoted, of_researcher = ask("viewer"), ask("researcher")  # a viewer's: asked for before a demotion
    finish(ledger, b"{}")
    finish(ledger, b"{}")

    def answer(role: str, job: str) -> tuple[int, str | None]:
        found = as_role(role).get(f"/api/v2/jobs/{job}/result")
        return found.status_code, found.json().get("permission")

    assert answer("viewer", demoted) == (403, "backtests:run")
    assert as_role("viewer").get(f"/api/v2/jobs/{demoted}").status_code == 200  # still theirs
    assert answer("researcher", of_researcher) == (200, None)
    assert [answer("operator", job) for job in (demoted, of_researcher)] == [(200, None), (200, None)]
    monkeypatch.setattr(routes, "KINDS", {})  # work that this release does not know
    assert answer("researcher", of_researcher) == (403, "jobs:all")
    assert answer("operator", of_researcher) == (200, None)


def test_a_narrow_key_reads_no_result(
    ledger: Jobs, ask: Ask, as_role: AsRole, platform: Platform, anonymous: TestClient
) -> None:
    job = ask("researcher")
    finish(ledger, b"{}")
    until = platform.clock.now() + timedelta(days=1)

    def status(*scopes: Permission) -> int:
        _, key = platform.users.add_api_key(LOCAL, "some-researcher", "a key", scopes, until)
        return anonymous.get(f"/api/v2/jobs/{job}/result", headers={"X-API-Key": key}).status_code

    assert status(Permission.JOBS_OWN) == 403
    assert status(Permission.JOBS_OWN, Permission.BACKTESTS_RUN) == 200


def test_a_failure_is_shown(ledger: Jobs, ask: Ask, as_role: AsRole) -> None:
    job = ask("researcher")
    claim = ledger.claims.claim("r", ["test.run"])
    assert claim is not None
    ledger.claims.fail(claim, "unknown_symbol", "bars holds no row of 1.SH.")

    shown = as_role("researcher").get(f"/api/v2/jobs/{job}").json()

    assert (shown["state"], shown["error"]) == (
        "failed",
        {"code": "unknown_symbol", "detail": "bars holds no row of 1.SH."},
    )


def test_accepted_work_answers_202_with_its_job(ledger: Jobs, platform: Platform) -> None:
    role = Role.RESEARCHER
    caller = Principal(2, "ann", role, ROLES[role], "api_key", key="0a1b")
    request, response = Request({"type": "http", KEY: Exchange("req-12345678", "127.0.0.1", 0)}), Response()

    shown = submit(platform, WORK, {"n": 1}, caller, request, response, key="K")

    assert (response.status_code, response.headers["location"]) == (202, f"/api/v2/jobs/{shown.id}")
    job = ledger.get(shown.id)
    assert (job.owner, job.api_key, job.request_id) == ("user:2", "0a1b", "req-12345678")
    assert submit(platform, WORK, {"n": 1}, caller, request, response, key="K").id == shown.id


def test_work_beyond_ones_rights_is_not_accepted(ledger: Jobs, platform: Platform) -> None:
    caller = Principal(1, "bob", Role.VIEWER, ROLES[Role.VIEWER], "token")

    with pytest.raises(Forbidden):
        submit(platform, WORK, {}, caller, Request({"type": "http"}), Response())
    assert ledger.list() == []
