"""Parameter sets: every combination once, in the order of an odometer, and nothing that makes no run."""

from __future__ import annotations

from typing import Any

import pytest

from quantflux.backtest.runs.files import run_file_of, run_of_values
from quantflux.backtest.sweeps.grid import parameter_sets
from quantflux.core.documents import parse_document
from quantflux.core.errors import InvalidRequest


def sets_of(sweep: dict[str, Any]) -> list[dict[str, Any]]:
    base = {
        "score": ["reversal_20", {"factor": "close", "weight": 2}],
        "policy": {"kind": "ranked", "top": 50},
    }
    return [dict(each.values) for each in parameter_sets(run_of_values({**base, "sweep": sweep}, "run"))]


def refusal(sweep: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        sets_of(sweep)
    return str(caught.value)


def test_the_last_key_changes_fastest() -> None:
    found = sets_of({"policy.top": [20, 40], "schedule": ["weekly", 5]})

    assert found == [
        {"policy.top": 20, "schedule": "weekly"},
        {"policy.top": 20, "schedule": 5},
        {"policy.top": 40, "schedule": "weekly"},
        {"policy.top": 40, "schedule": 5},
    ]


def test_quoted_and_unquoted_keys_are_the_same() -> None:
    text = 'score = "a"\npolicy = { kind = "ranked", top = 5 }\n[sweep]\n'

    quoted, unquoted = (
        parameter_sets(run_file_of(parse_document(text + line)))
        for line in ('"policy.top" = [2, 3]', "policy.top = [2, 3]")
    )

    assert quoted == unquoted
    assert [each.run.policy.top for each in quoted if each.run.policy.kind == "ranked"] == [2, 3]


def test_ranges_include_both_ends_and_stay_round() -> None:
    found = sets_of({"execution": {"participation": {"from": 0.05, "to": 0.2, "step": 0.05}}})
    assert [each["execution.participation"] for each in found] == [0.05, 0.1, 0.15, 0.2]

    found = sets_of({"policy.top": {"from": 30, "to": 10, "step": -10}})
    assert [each["policy.top"] for each in found] == [30, 20, 10]


def test_places_in_lists_count_from_one() -> None:
    base = {"score": ["a", {"factor": "b", "weight": 2}], "policy": {"kind": "ranked", "top": 5}}

    (made,) = parameter_sets(run_of_values({**base, "sweep": {"score.factors.2.weight": [7]}}, "run"))

    assert made.run.score is not None
    assert [factor.weight for factor in made.run.score.factors] == [1.0, 7.0]
    assert made.label == "score.factors.2.weight = 7"


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({}, "run has no [sweep]"),
        ({"policy.top": []}, "sweep.policy.top: found an empty list; valid is a list of values, or a table"),
        ({"policy.top": 5}, "sweep.policy.top: found 5; valid is a list of values"),
        ({"policy.top": {"from": 1, "to": 5}}, "sweep.policy.top: found a table with from, to; valid is"),
        ({"policy.top": {"from": 1, "to": 5, "step": -1}}, "a step of -1 does not lead from 1 to 5"),
        ({"policy.top": {"from": 1, "to": "5", "step": 1}}, 'from, to and step are numbers; found 1, "5", 1'),
        ({"policy.tpo": [1]}, "policy.tpo: is unknown; did you mean top?"),
        ({"policy.top": [1, 0]}, "policy.top: found 0; valid is at least 1"),
        (
            {"score.factors.3.weight": [1]},
            "sweep.score.factors.3.weight: found 3; valid is a place from 1 to 2",
        ),
        ({"capital.a": [1]}, "capital is no table, so it has no key a"),
        ({"policy.top": list(range(1, 200)), "policy.buffer": list(range(200))}, "199 x 200 = 39,800 sets"),
    ],
)
def test_what_makes_no_sets_is_refused(sweep: dict[str, Any], said: str) -> None:
    assert said in refusal(sweep)
