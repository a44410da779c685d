"""Backtests over HTTP: run, compare, sweep, and records that only their owner sees."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import AsRole
from tests.api.v2.research.conftest import Done

PATH = "/api/v2/backtests"
RUN: dict[str, Any] = {
    "name": "fallen",
    "start": "2024-01-02",
    "score": "reversal_20",
    "policy": {"kind": "ranked", "top": 6},
}


@pytest.fixture(scope="module")
def ran(as_role: AsRole, done: Done) -> Any:
    """A backtest of the researcher's."""
    client = as_role("researcher")
    return done(client, client.post(PATH, json=RUN))


def test_a_run_prices_the_rules_and_is_kept(as_role: AsRole, ran: Any) -> None:
    client = as_role("researcher")

    record = client.get(f"{PATH}/{ran['id']}").json()
    listed = client.get(PATH).json()

    assert ran["study"]["rules"] is not None and ran["trials"] >= 1
    assert client.get(f"{PATH}/{ran['id']}/study").json() == ran["study"]
    assert record["metrics"]["final_equity"] == ran["study"]["series"]["equity"][-1]
    assert "folder" not in record and record["owner"].startswith("user:")
    assert ran["id"] in [each["id"] for each in listed["items"]]


def test_nobody_else_sees_a_record(as_role: AsRole, ran: Any) -> None:
    trader, admin, viewer = as_role("trader"), as_role("admin"), as_role("viewer")

    for path in ("", "/study"):
        assert trader.get(f"{PATH}/{ran['id']}{path}").status_code == 404
        assert admin.get(f"{PATH}/{ran['id']}{path}").status_code == 200
        assert viewer.get(f"{PATH}/{ran['id']}{path}").status_code == 403
    assert trader.post(f"{PATH}/{ran['id']}/replay").status_code == 404
    assert trader.get(PATH).json()["items"] == []
    assert trader.get(PATH, params={"everybody": "true"}).status_code == 403
    everybody = admin.get(PATH, params={"everybody": "true"}).json()["items"]
    assert ran["id"] in [each["id"] for each in everybody]


@pytest.mark.parametrize(
    "name", ["..%2F..%2Ftrials.db", "..", "%2Fetc%2Fpasswd", "no-such-record", "a" * 150]
)
def test_an_id_is_no_path(as_role: AsRole, ran: Any, name: str) -> None:
    client = as_role("admin")

    for path in ("", "/study"):
        assert client.get(f"{PATH}/{name}{path}").status_code in (404, 307)


def test_a_record_is_run_again_bit_for_bit(as_role: AsRole, ran: Any, done: Done) -> None:
    for role in ("researcher", "admin"):
        client = as_role(role)
        assert done(client, client.post(f"{PATH}/{ran['id']}/replay"))["identical"] is True


def test_runs_are_compared_and_swept(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")
    fewer = {**RUN, "name": "fewer", "policy": {"kind": "ranked", "top": 3}}

    compared = done(client, client.post(f"{PATH}/compare", json={"runs": [RUN, fewer]}))
    swept = done(client, client.post(f"{PATH}/sweep", json={**RUN, "sweep": {"policy.top": [3, 6]}}))

    assert compared["differing"] == {"policy.top": [6, 3]}
    sharpe = {result["values"]["policy.top"]: result["sharpe"] for result in swept["results"]}
    told = [study["performance"]["sharpe"] for study in compared["studies"]]
    assert [sharpe[6], sharpe[3]] == pytest.approx(told)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            "",
            {"policy": {"kind": "python", "class": "f.py:Leaky"}},
            "policy.class: a request cannot name a file",
        ),
        (
            "",
            {"policy": {"kind": "weights", "file": "../w.csv"}},
            "policy.file: a request cannot name a file",
        ),
        ("", {**RUN, "universe": {"file": "/etc/passwd"}}, "universe.file: a request cannot name a file"),
        (
            "/sweep",
            {**RUN, "sweep": {"universe.file": ["x.csv"]}},
            "universe.file: a request cannot name a file",
        ),
        (
            "/compare",
            {"runs": [RUN, {"policy": {"kind": "orders", "file": "o"}}]},
            "policy.file: a request cannot",
        ),
        ("", {**RUN, "policy": {"kind": "ranked", "tpo": 6}}, "policy.tpo: is unknown; did you mean top?"),
        ("", {**RUN, "owner": "user:1"}, "owner: is unknown"),
        ("/compare", {"runs": [RUN]}, "runs: found a list; valid is at least 2 of them"),
        ("/compare", {"runs": [RUN, RUN]}, "two runs are called 'fallen'"),
        ("/compare", {"runs": [RUN, RUN], "owner": "user:1"}, "owner: is unknown"),
        ("/sweep", RUN, "has no [sweep]"),
    ],
)
def test_a_mistake_is_named_before_anything_runs(as_role: AsRole, path: str, body: Any, said: str) -> None:
    answer = as_role("researcher").post(f"{PATH}{path}", json=body)

    assert answer.status_code == 422 and said in answer.json()["detail"]


def test_a_run_that_the_data_do_not_allow_fails_with_its_reason(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")

    told = done(client, client.post(PATH, json={**RUN, "score": "reversl_20"}), "failed")

    assert told["code"] == "not_found" and "similar: reversal_20" in told["detail"]
