"""Models and predictions over HTTP: from a document to production and to what is predicted."""

from __future__ import annotations

from typing import Any

import pytest

from quantflux.platform import Platform
from tests.api.conftest import AsRole
from tests.api.v2.research.conftest import LAST, Done

PATH, SAYS = "/api/v2/models", "/api/v2/predictions"
MODEL: dict[str, Any] = {
    "id": "first",
    "kind": "ridge",
    "features": {"names": ["reversal_20"], "scale": "standard", "missing": "median"},
    "label": {"horizon": 3},
    "split": {"train": 400, "valid": 20, "test": 100},
}


@pytest.fixture(scope="module")
def trained(as_role: AsRole, done: Done) -> Any:
    """A model of the researcher's."""
    client = as_role("researcher")
    return done(client, client.post(PATH, json={"model": MODEL}))


def test_a_trained_model_is_a_candidate_of_who_asked(as_role: AsRole, trained: Any) -> None:
    client = as_role("viewer")

    listed = client.get(PATH, params={"text": "ridge"}).json()["items"]
    whole = client.get(f"{PATH}/first", params={"version": 1}).json()

    assert {each["actor"] for each in listed if each["id"] == "first"} == {"some-researcher"}
    assert trained["version"]["stage"] == "candidate"
    assert whole["figures"]["rank_ic"] == trained["version"]["figures"]["rank_ic"]
    assert "folder" not in whole
    assert client.get(f"{PATH}/first/versions").json()["total"] >= 1
    assert client.get(f"{PATH}/first/history").json()[0]["reason"] == "trained"
    for unknown in ("nope", "nope/versions", "nope/history", "nope/health"):
        assert client.get(f"{PATH}/{unknown}").status_code == 404


def test_nobody_trains_the_model_of_another(as_role: AsRole, trained: Any) -> None:
    client = as_role("admin")

    assert client.post(PATH, json={"model": MODEL}).status_code == 409
    assert client.post(f"{PATH}/first/retrain").status_code == 409


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": {**MODEL, "kind": "rigde"}}, "did you mean ridge?"),
        ({"model": {**MODEL, "id": "../../etc"}}, "id: found"),
        ({"model": {**MODEL, "label": {"horizn": 3}}}, "label.horizn: is unknown"),
        ({"model": MODEL, "actor": "root"}, "actor: is unknown"),
        ({"model": {**MODEL, "id": "far", "split": {"train": 9000}}}, "days"),
        ({"model": 5}, "model: found 5; valid is a table"),
    ],
)
def test_a_mistake_in_a_document_is_named(as_role: AsRole, body: dict[str, Any], said: str) -> None:
    answer = as_role("researcher").post(PATH, json=body)

    assert answer.status_code == 422 and said in answer.json()["detail"]


def test_who_may_not_train_promotes_and_who_may_not_promote_trains(
    as_role: AsRole, trained: Any, platform: Platform
) -> None:
    researcher, operator = as_role("researcher"), as_role("operator")
    path = f"{PATH}/first/versions/1/promote"

    assert operator.post(PATH, json={"model": MODEL}).status_code == 403
    assert researcher.post(path, json={"reason": "mine"}).status_code == 403
    assert operator.post(path, json={}).status_code == 422  # no reason
    before = platform.audit.entries(limit=1000, action="model.promote")
    done = operator.post(path, json={"reason": "better than nothing"})

    assert done.json()["stage"] == "production"
    entries = platform.audit.entries(limit=1000, action="model.promote")
    assert len(entries) == len(before) + 1 and entries[-1].event.actor == "some-operator"
    history = researcher.get(f"{PATH}/first/history").json()
    assert (history[-1]["actor"], history[-1]["reason"]) == ("some-operator", "better than nothing")
    assert operator.post(path, json={"reason": "again"}).status_code == 422
    platform.audit.flush()
    newest = platform.audit.entries(limit=1000, action="model.promote", outcome="failed")[-1].event
    assert newest.target == "first version 1" and newest.details["reason"] == "again"


def test_training_anew_is_set_beside_production(as_role: AsRole, trained: Any, done: Done) -> None:
    client = as_role("researcher")

    found = done(client, client.post(f"{PATH}/first/retrain"))
    told = client.get(f"{PATH}/first/compare", params={"champion": 1}).json()

    assert found["version"]["version"] == 2 and found["version"]["stage"] == "candidate"
    assert told["recommendation"] in ("keep", "undecided")
    assert client.get(f"{PATH}/first/compare", params={"champion": 2}).status_code == 422


def test_a_version_is_judged_and_explained(as_role: AsRole, trained: Any, done: Done) -> None:
    client = as_role("viewer")

    judged = done(client, client.post(f"{PATH}/first/evaluate", json={"version": 1}))
    drift = client.get(f"{PATH}/first/drift").json()
    said = client.get(f"{PATH}/first/explanation", params={"symbols": "600001.SH", "version": 1}).json()

    assert judged["figures"]["rank_ic"] == pytest.approx(trained["version"]["figures"]["rank_ic"])
    assert [each["feature"] for each in drift["features"]] == ["reversal_20"]
    parts = said["explained"][0]
    total = parts["base"] + sum(part["contribution"] for part in parts["parts"])
    assert parts["prediction"] == pytest.approx(total)
    assert client.get(f"{PATH}/first/explanation").json()["strongest"][0]["feature"] == "reversal_20"
    assert client.get(f"{PATH}/first/health").json()["state"] in ("unknown", "ok", "watch", "alarm")


def test_parameters_are_searched(as_role: AsRole, done: Done) -> None:
    client = as_role("researcher")
    asked = {"model": {**MODEL, "id": "searched"}, "trials": 2, "space": {"alpha": [0.1, 10.0]}}

    found = done(client, client.post(f"{PATH}/tune", json=asked))

    assert len(found["trials"]) == 2


def test_predictions_are_computed_until_they_are_stored(as_role: AsRole, trained: Any) -> None:
    viewer, researcher = as_role("viewer"), as_role("researcher")
    asked = {"date": str(LAST), "format": "rows"}

    before = viewer.get(f"{SAYS}/first", params=asked)
    saved = researcher.post(f"{SAYS}/first", json={"date": str(LAST)})
    after = viewer.get(f"{SAYS}/first", params=asked)

    assert before.json()["source"] == "computed" and after.json()["source"] == "stored"
    assert saved.json()["predictions"] == before.json()["rows"] > 20
    one, two = ([(r["symbol"], r["predicted_return"]) for r in a.json()["data"]] for a in (before, after))
    assert dict(one) == pytest.approx(dict(two)) and [v for _, v in two] == sorted(
        (v for _, v in two), reverse=True
    )
    assert viewer.post(f"{SAYS}/first", json={"date": str(LAST)}).status_code == 403
    scored = viewer.post("/api/v2/scores", json={"method": "model", "models": {"ids": ["first"]}})
    assert scored.status_code == 200 and scored.json()["method"] == "model"
    some = viewer.get(f"{SAYS}/first", params=asked | {"symbols": "600001"}).json()
    assert [row["symbol"] for row in some["data"]] == ["600001.SH"]
    assert viewer.get(f"{SAYS}/first", headers={"If-None-Match": "*"}).status_code == 304


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"date": "2024-01-01"}, 422),
        ({"date": "soon"}, 422),
        ({"date": "2030-01-02"}, 404),
        ({"version": 99}, 404),
    ],
)
def test_no_day_gets_the_answer_of_another(
    as_role: AsRole, trained: Any, asked: dict[str, Any], status: int
) -> None:
    assert as_role("viewer").get(f"{SAYS}/first", params=asked).status_code == status
