"""What requests take, and how they refuse what makes no sense."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from quantflux.core.documents import parse_document
from quantflux.core.errors import InvalidRequest
from quantflux.scoring.files import example, read_score_request, score_request, screen_request
from quantflux.scoring.request import ScoreRequest, weighed


def test_the_example_is_valid_with_and_without_its_comments() -> None:
    told = parse_document(example()).into(ScoreRequest)

    assert told.method == "equal" and told.selection.per_industry == 5
    code = re.compile(r"# (\[\w+\]|\w+ = )")
    lines = [line[2:] if code.match(line) else line for line in example().splitlines()]
    values = dict(parse_document("\n".join(lines).replace('industries = ["..."]', "")).values)
    trailing, models = values.pop("trailing"), values.pop("models")
    assert score_request(values).filters.boards == ("main", "chinext")
    assert score_request(values | {"method": "icir", "trailing": trailing}).trailing.horizon == 5
    del values["factors"]
    blended = score_request(values | {"method": "model", "models": models}).models
    assert blended is not None and blended.blend == "rank"


def test_a_file_is_read_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text('date = 2024-06-03\nfactors = ["size", {factor = "value"}]\n')
    (tmp_path / "two.yaml").write_text(
        "date: 2024-06-03\nfactors: size\ntrailing: {window: 60}\nmethod: ic\n"
    )

    one, two = read_score_request(tmp_path / "one.toml"), read_score_request(tmp_path / "two.yaml")

    assert one.day == two.day == date(2024, 6, 3) and one.name == "one"
    assert [each.factor for each in one.factors] == ["size", "value"]
    assert two.trailing.window == 60 and two.trailing.needed == 30


def test_requests_do_not_change(tmp_path: Path) -> None:
    told = score_request({"factors": ["size"]})

    with pytest.raises(ValueError, match="frozen"):
        told.method = "ic"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "factors are missing"),
        ({"factors": []}, "factors are missing"),
        (
            {"factors": ["size"], "method": "ml"},
            "method: found \"ml\"; valid is one of 'equal', 'weighted', 'ic'",
        ),
        ({"factors": ["size"], "method": "weighted"}, "needs a weight for each factor"),
        ({"factors": [{"factor": "size", "weight": 0}], "method": "weighted"}, "not all of them 0"),
        ({"factors": [{"factor": "size", "weight": 1}]}, "weights are used by the method weighted only"),
        (
            {"factors": [{"factor": "size", "orientation": 0}]},
            "factors.1.orientation: found 0; valid is one of 1, -1",
        ),
        ({"factors": [{"factor": "size", "weight": "2"}]}, 'factors.1.weight: found "2"; valid is a number'),
        (
            {"factors": ["size"], "trailing": {"window": 60}},
            "trailing is used by the methods ic and icir only",
        ),
        (
            {"factors": ["size"], "method": "ic", "trailing": {"window": 20, "least": 30}},
            "least up to window",
        ),
        ({"factors": ["size"], "models": {"ids": ["a"]}}, "models are used by the method model only"),
        ({"factors": ["size"], "method": "model", "models": {"ids": ["a"]}}, "leave factors out"),
        ({"method": "model"}, "needs models with their ids"),
        ({"method": "model", "models": {"ids": ["a", "a"]}}, "named twice"),
        ({"method": "model", "models": {"ids": ["a"], "blend": "weighted"}}, "which needs them"),
        (
            {"method": "model", "models": {"ids": ["a", "b"], "blend": "weighted", "weights": [1]}},
            "each of 2 models",
        ),
        ({"factors": ["size"], "filters": {"least_score": 2, "most_score": 1}}, "least up to most"),
        (
            {"factors": ["size"], "filters": {"boards": ["nasdaq"]}},
            'filters.boards.1: found "nasdaq"; valid is one',
        ),
        (
            {"factors": ["size"], "filters": {"exclude": ["nobody"]}},
            'filters.exclude.1: found "nobody"; valid is a',
        ),
        ({"factors": ["size"], "selection": {"top": 0}}, "selection.top: found 0; valid is at least 1"),
        ({"factors": ["size"], "least_share": 0}, "least_share: found 0; valid is above 0"),
        ({"factors": ["size"], "winsorize": 3}, "winsorize: is unknown; did you mean winsorise?"),
    ],
)
def test_mistakes_are_named_with_their_key(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        score_request(values)

    assert message in str(refused.value)


def test_a_screen_has_no_scores_to_filter() -> None:
    with pytest.raises(InvalidRequest, match="a screen has none"):
        screen_request({"where": "close > 1", "filters": {"least_percentile": 50}})


def test_each_factor_has_a_weight_and_each_weight_a_factor() -> None:
    with pytest.raises(InvalidRequest, match="weights: value has none"):
        weighed(["size", "value"], {"size": 1.0})
    with pytest.raises(InvalidRequest, match="weights: sice is none of the factors, which are size"):
        weighed(["size"], {"size": 1.0, "sice": 2.0})
