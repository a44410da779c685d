"""Scores and screens over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from quantflux.platform import Platform
from quantflux.scoring.files import score_request
from tests.api.conftest import AsRole

SCORE: dict[str, Any] = {"factors": ["reversal_20", "size"], "selection": {"top": 5}}


def test_the_best_names_are_those_of_the_service(as_role: AsRole, platform: Platform) -> None:
    found = as_role("viewer").post("/api/v2/scores", json=SCORE)

    expected = platform.scoring.select(score_request(SCORE)).to_dict()
    assert found.json()["top_stocks"] == expected["top_stocks"]


def test_the_same_score_is_computed_once_until_a_factor_changes(
    as_role: AsRole, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, researcher = as_role("viewer"), as_role("researcher")
    researcher.post("/api/v2/factors", json={"id": "changing", "expression": "close / delay(close, 2)"})
    asked = SCORE | {"factors": ["changing"]}

    first = client.post("/api/v2/scores", json=asked)
    with monkeypatch.context() as patch:
        patch.setattr("quantflux.work.scores.choose", lambda *_: pytest.fail("computed again"))
        again = client.post("/api/v2/scores", json=dict(reversed(asked.items())))
    researcher.post("/api/v2/factors", json={"id": "changing", "expression": "-volume"})
    other = client.post("/api/v2/scores", json=asked)

    assert first.content == again.content and first.headers["etag"] == again.headers["etag"]
    assert other.json()["top_stocks"] != first.json()["top_stocks"]


def test_a_new_factor_changes_the_answers_that_it_has_a_part_in_and_no_others(as_role: AsRole) -> None:
    client, researcher = as_role("viewer"), as_role("researcher")
    researcher.post("/api/v2/factors", json={"id": "one_of_all", "expression": "close / delay(close, 3)"})

    def tags() -> list[str]:
        asked = (["reversal_20"], ["user"], ["0 - one_of_all"])
        answers = [client.post("/api/v2/scores", json=SCORE | {"factors": factors}) for factors in asked]
        assert [answer.status_code for answer in answers] == [200] * 3
        return [answer.headers["etag"] for answer in answers]

    before = tags()
    researcher.post("/api/v2/factors", json={"id": "another_of_all", "expression": "open / close"})
    with_another = tags()
    researcher.post("/api/v2/factors", json={"id": "one_of_all", "expression": "close / delay(close, 4)"})
    redefined = tags()

    assert [a == b for a, b in zip(before, with_another, strict=True)] == [True, False, True]
    assert [a == b for a, b in zip(with_another, redefined, strict=True)] == [True, False, False]


def test_one_name_and_all_industries_are_explained(as_role: AsRole) -> None:
    client = as_role("viewer")
    best = client.post("/api/v2/scores", json=SCORE).json()["top_stocks"][0]

    name = client.post(f"/api/v2/scores/contributions/{best['symbol']}", json=SCORE).json()
    sectors = client.post("/api/v2/scores/sectors", json=SCORE, params={"top": 1}).json()

    assert name["rank"] == 1 and set(name["factor_contributions"]) == {"reversal_20", "size"}
    assert sectors["trade_date"] == name["trade_date"]
    assert client.post("/api/v2/scores/contributions/600519.SH", json=SCORE).status_code == 404


def test_a_screen_finds_what_meets_its_conditions(as_role: AsRole) -> None:
    asked = {"where": "close > ts_mean(close, 20)", "show": ["reversal_20"], "sort": "reversal_20", "top": 3}

    found = as_role("viewer").post("/api/v2/screens", json=asked).json()

    values = [row["reversal_20"] for row in found["stocks"]]
    assert len(values) == 3 and values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("scores", {"factors": ["size"], "methd": "ic"}, 422, "methd: is unknown; did you mean method?"),
        ("scores", {"factors": ["reversl_20"]}, 404, "similar: reversal_20"),
        ("scores", {"factors": ["close +"]}, 422, "column 8"),
        ("scores", {"factors": ["size"], "date": "2030-01-01"}, 404, "2030-01-01"),
        ("scores", {"factors": ["lead(close, 2)"]}, 422, "looks 2 rows ahead"),
        ("screens", {"where": "close > "}, 422, "column"),
        ("screens", [], 422, ""),
        ("scores/sectors?top=0", SCORE, 422, ""),
    ],
)
def test_a_mistake_is_named(as_role: AsRole, path: str, body: Any, status: int, said: str) -> None:
    answer = as_role("viewer").post(f"/api/v2/{path}", json=body)

    assert answer.status_code == status and said in answer.json()["detail"]


def test_auditors_see_no_scores(as_role: AsRole) -> None:
    assert as_role("auditor").post("/api/v2/scores", json=SCORE).status_code == 403
    assert as_role("auditor").post("/api/v2/screens", json={}).status_code == 403
