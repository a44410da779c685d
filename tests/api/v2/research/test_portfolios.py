"""Portfolios over HTTP: at once or as a job, and why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from quantflux.platform import Platform
from quantflux.work.documents import portfolio_document
from tests.api.conftest import AsRole
from tests.api.v2.research.conftest import LAST, Done

PATH = "/api/v2/portfolios"
ASKED: dict[str, Any] = {
    "capital": 1e7,
    "method": "minimum_variance",
    "risk": {"model": "shrunk", "window": 100},
    "constraints": {"weights": 0.1},
}


def test_a_small_portfolio_is_found_at_once(as_role: AsRole, platform: Platform) -> None:
    found = as_role("researcher").post(f"{PATH}/optimise", json=ASKED)

    service = platform.portfolios
    expected = service.optimise(service.prepare(portfolio_document(ASKED))).portfolio.held()
    assert found.status_code == 200 and found.json()["portfolio"]["weights"] == pytest.approx(
        expected, abs=1e-4
    )


def test_who_does_not_want_to_wait_gets_a_job_with_the_same_answer(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")

    waited = client.post(f"{PATH}/optimise", json=ASKED).json()
    later = done(client, client.post(f"{PATH}/optimise", json=ASKED, params={"wait": "false"}))

    assert later["portfolio"]["weights"] == pytest.approx(waited["portfolio"]["weights"], abs=1e-6)


def test_limits_that_count_names_make_a_job(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")
    counted = ASKED | {"constraints": {"weights": 0.3, "names": 6}}

    found = done(client, client.post(f"{PATH}/optimise", json=counted))

    assert 0 < len(found["portfolio"]["weights"]) <= 6


def test_no_portfolio_is_explained_with_what_has_to_give(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")
    impossible = ASKED | {"constraints": {"weights": 0.01}}

    refused = client.post(f"{PATH}/optimise", json=impossible)
    later = done(client, client.post(f"{PATH}/optimise?wait=false", json=impossible), "failed")
    told = client.post(f"{PATH}/diagnose", json=impossible).json()

    assert refused.status_code == 422 and refused.json()["code"] == "infeasible"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["diagnosis"]["changes"] == told["changes"] != []
    assert "bounds: let single weights go up to" in refused.json()["detail"]
    assert later["code"] == "infeasible" and "no weights meet all limits" in later["detail"]
    assert told["feasible"] is False


def test_limits_have_their_price(as_role: AsRole) -> None:
    found = as_role("researcher").post(f"{PATH}/explain", json=ASKED).json()

    assert any(price["constraint"] == "bounds" for price in found["prices"])


def test_orders_are_for_traders(as_role: AsRole) -> None:
    held = {key: value for key, value in ASKED.items() if key != "capital"}
    held |= {"holdings": {"shares": {"600001": 1000}, "cash": 5e6}}

    orders = as_role("trader").post(f"{PATH}/rebalance", json=held)

    assert orders.status_code == 200 and orders.json()["date"] == str(LAST) and orders.json()["orders"]
    for role in ("researcher", "viewer", "operator"):
        assert as_role(role).post(f"{PATH}/rebalance", json=held).status_code == 403


def test_the_same_key_is_carried_out_once(as_role: AsRole) -> None:
    client = as_role("researcher")
    once = {"Idempotency-Key": "portfolio-1"}

    one, two = (client.post(f"{PATH}/optimise?wait=false", json=ASKED, headers=once) for _ in range(2))
    other = client.post(f"{PATH}/optimise?wait=false", json=ASKED | {"capital": 2e7}, headers=once)

    assert one.json()["id"] == two.json()["id"] and one.headers["location"] == two.headers["location"]
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (
            ASKED | {"constraints": {"wieghts": 0.1}},
            422,
            "constraints.wieghts: is unknown; did you mean weights?",
        ),
        ({"holdings": {"file": "/etc/passwd"}}, 422, "holdings.file: a request cannot name a file"),
        (ASKED | {"benchmark": "../index.csv"}, 422, "benchmark: a request cannot name a file"),
        (ASKED | {"expected_returns": {"score": ["reversl_20"]}}, 404, "expected_returns.score.1"),
        (ASKED | {"universe": ["600519.SH"]}, 404, "600519.SH"),
        ({}, 422, "capital is missing"),
    ],
)
def test_a_mistake_is_named(as_role: AsRole, body: dict[str, Any], status: int, said: str) -> None:
    answer = as_role("researcher").post(f"{PATH}/optimise", json=body)

    assert answer.status_code == status and said in answer.json()["detail"]
