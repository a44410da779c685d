"""Factors over HTTP: define, compute, read, judge."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest

from quantflux.platform import Platform
from quantflux.work import quotes
from tests.api.conftest import AsRole
from tests.api.v2.research.conftest import LAST, Done

PATH = "/api/v2/factors"
MINE = {"id": "mine", "expression": "close / delay(close, 3) - 1", "better": "less"}


def test_nobody_reads_factors_without_logging_in(as_role: AsRole) -> None:
    client = as_role("viewer")
    client.headers.pop("Authorization")

    assert client.get(PATH).status_code == 401


def test_factors_are_listed_by_library_owner_and_text_in_pages(as_role: AsRole) -> None:
    client = as_role("viewer")

    first = client.get(PATH, params={"library": "alpha158", "limit": 100})
    rest = client.get(first.headers["link"].partition(">")[0].strip("<"))

    assert first.json()["total"] == 158
    ids = [each["id"] for page in (first, rest) for each in page.json()["items"]]
    assert len(set(ids)) == 158 and rest.json()["next"] is None
    found = client.get(PATH, params={"text": "REVERSAL", "library": "classic"}).json()["items"]
    assert [each["id"] for each in found] == ["reversal_20"]
    assert client.get(PATH, params={"owner": "user:99"}).json()["items"] == []
    assert client.get(PATH, params={"library": "none"}).status_code == 404


def test_a_factor_tells_what_it_reads(as_role: AsRole) -> None:
    found = as_role("viewer").get(f"{PATH}/classic.reversal_20").json()

    assert found["reads"] == ["close"] and found["looks_back"] == 20 and len(found["digest"]) == 32
    assert as_role("viewer").get(f"{PATH}/reversl_20").json()["code"] == "not_found"


def test_operators_are_explained(as_role: AsRole) -> None:
    found = as_role("viewer").get(f"{PATH}/operators", params={"text": "ts_mean"}).json()

    assert "ts_mean(x, window, least=window)" in [each["usage"] for each in found]


def test_a_definition_belongs_to_who_made_it(as_role: AsRole, platform: Platform) -> None:
    one, two = as_role("researcher"), as_role("admin")

    made = one.post(PATH, json=MINE)
    again = one.post(PATH, json=MINE | {"expression": "close / delay(close, 4) - 1"})

    assert made.status_code == 201 and again.json()["version"] == 2
    assert made.json()["owner"].startswith("user:") and made.json()["better"] == "less"
    assert two.post(PATH, json=MINE).status_code == 409
    assert two.delete(f"{PATH}/mine").status_code == 403
    assert two.get(f"{PATH}/mine", params={"version": 1}).json()["expression"] == MINE["expression"]
    assert "mine" in [f["id"] for f in one.get(PATH, params={"owner": "me"}).json()["items"]]
    assert one.delete(f"{PATH}/mine").status_code == 204
    assert one.get(f"{PATH}/user.mine").status_code == 404
    platform.audit.flush()
    actions = [entry.event.action for entry in platform.audit.entries(limit=1000)]
    assert actions.count("factor.define") >= 2 and "factor.retire" in actions


def test_the_libraries_cannot_be_changed(as_role: AsRole) -> None:
    client = as_role("admin")

    assert client.delete(f"{PATH}/classic.reversal_20").status_code == 403
    taken = client.post(PATH, json=MINE | {"id": "reversal_20"})
    assert taken.status_code == 422 and "taken by the library classic" in taken.json()["detail"]


def test_a_mistake_in_an_expression_is_shown_where_it_is(as_role: AsRole) -> None:
    answer = as_role("researcher").post(PATH, json=MINE | {"expression": "close / dlay(close, 3)"})

    told = answer.json()
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert told["code"] == "invalid_expression" and (told["column"], told["width"]) == (9, 4)
    assert told["detail"].endswith("^~~~") and "delay" in told["detail"]


@pytest.mark.parametrize("key", ["owner", "version", "library", "source"])
def test_nobody_says_whose_a_factor_is(as_role: AsRole, key: str) -> None:
    answer = as_role("researcher").post(PATH, json=MINE | {key: "1"})

    assert answer.status_code == 422 and answer.json()["problems"][0]["field"].endswith(key)


def test_viewers_define_and_compute_nothing(as_role: AsRole) -> None:
    client = as_role("viewer")

    for path, body in (("", MINE), ("/compute", {"factors": ["size"]}), ("/check", {"expression": "close"})):
        assert client.post(f"{PATH}{path}", json=body).status_code == 403


def test_no_python_file_is_checked(as_role: AsRole) -> None:
    client = as_role("researcher")

    for text in ("f.py:leaky", "../f.py:leaky", "/tmp/f.py:leaky"):
        assert client.post(f"{PATH}/check", json={"expression": text}).status_code == 422
    label = client.post(f"{PATH}/check", json={"expression": "lead(close, 5) / close - 1"}).json()
    assert label["leaks"] is False and label["looks_ahead"] == 5


def test_factors_are_computed_as_a_job(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")

    found = done(client, client.post(f"{PATH}/compute", json={"factors": ["ta"]}))

    assert found["course"] in ("computed", "current") and len(found["factors"]) == 44


def test_a_request_that_would_take_too_long_is_refused_before_it_starts(
    as_role: AsRole, platform: Platform
) -> None:
    client = as_role("trader")
    asked = {"factors": ["reversal_20"]}
    seconds = quotes.evaluation_seconds(platform, ["reversal_20"], None, None)
    try:
        platform.budget.apply(seconds / 2, 3600.0)
        refused = client.post(f"{PATH}/evaluate", json=asked)
        platform.budget.apply(300.0, 1.5 * seconds)
        first, spent = (client.post(f"{PATH}/evaluate", json=asked) for _ in range(2))
    finally:
        platform.budget.apply(300.0, 3600.0)

    assert refused.status_code == 422 and "estimated to take" in refused.json()["detail"]
    assert first.status_code == 202
    assert spent.status_code == 429 and int(spent.headers["retry-after"]) >= 1


def test_judging_a_factor_is_a_job(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")

    found = done(client, client.post(f"{PATH}/evaluate", json={"factors": ["reversal_20"]}))

    assert found["reports"][0]["name"] == "reversal_20" and found["reports"][0]["days"] > 700


def test_values_are_what_the_engine_computes_in_every_form(as_role: AsRole, platform: Platform) -> None:
    client = as_role("viewer")
    asked = {"factors": "reversal_20,size", "start": "2025-12-01", "symbols": "000001.SZ,600001.SH"}
    expected = platform.factors.compute(
        ["reversal_20", "size"], "2025-12-01", None, ["000001.SZ", "600001.SH"]
    )

    columns = client.get(f"{PATH}/values", params=asked).json()
    csv = client.get(f"{PATH}/values", params=asked | {"format": "csv"}).text
    arrow = client.get(f"{PATH}/values", params=asked | {"format": "arrow"}).content

    assert columns["times"] == [str(day) for day in expected.times] and columns["times"][-1] == str(LAST)
    assert columns["symbols"] == ["000001.SZ", "600001.SH"]
    for name in ("reversal_20", "size"):
        got = np.array(columns["fields"][name], dtype=np.float64)
        assert got == pytest.approx(expected[name].astype(np.float64), rel=1e-6, nan_ok=True)
    assert csv.splitlines()[0] == "symbol,trade_date,reversal_20,size"
    table = pa.ipc.open_stream(io.BytesIO(arrow)).read_all()
    assert table["reversal_20"].to_pylist() == pytest.approx(
        [v for v in expected["reversal_20"].T.ravel().tolist() if v == v]
    )


def test_values_come_with_a_tag_that_follows_what_a_factor_means(as_role: AsRole) -> None:
    viewer, researcher = as_role("viewer"), as_role("researcher")
    researcher.post(PATH, json=MINE | {"id": "moving"})
    asked = {"factors": "moving", "start": "2025-12-30"}

    first = viewer.get(f"{PATH}/values", params=asked)
    again = viewer.get(f"{PATH}/values", params=asked, headers={"If-None-Match": first.headers["etag"]})
    researcher.post(PATH, json=MINE | {"id": "moving", "expression": "close"})
    other = viewer.get(f"{PATH}/values", params=asked, headers={"If-None-Match": first.headers["etag"]})

    assert again.status_code == 304 and other.status_code == 200
    assert other.json()["fields"] != first.json()["fields"]


def test_a_read_does_not_wait_for_a_long_computation(
    as_role: AsRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.work.quotes.factors_seconds", lambda *_: 60.0)

    answer = as_role("viewer").get(f"{PATH}/values", params={"factors": "alpha101", "start": "2025-12-30"})

    assert answer.status_code == 409 and "POST /api/v2/factors/compute" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"factors": "reversl_20"}, 404),
        ({"factors": "reversal_20", "symbols": "600519.SH"}, 404),
        ({"factors": "reversal_20", "start": "2025-12-31", "end": "2025-01-01"}, 422),
        ({"factors": "reversal_20", "start": "yesterday"}, 422),
        ({"factors": "reversal_20,,size"}, 422),
        ({"factors": "alpha158"}, 422),  # too many values for one answer
        ({"factors": "reversal_20", "format": "pickle"}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_answered_is_said(as_role: AsRole, asked: dict[str, str], status: int) -> None:
    assert as_role("viewer").get(f"{PATH}/values", params=asked).status_code == status
