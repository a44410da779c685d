"""Documents over a network say what files say, but for the names of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from quantflux.backtest.runs.files import example as run_example
from quantflux.backtest.runs.run_file import RunFile
from quantflux.core.documents import parse_document
from quantflux.core.errors import InvalidRequest
from quantflux.learning.specification import ModelSpec
from quantflux.learning.specification import example as model_example
from quantflux.portfolio.files import example as portfolio_example
from quantflux.portfolio.portfolio_file import PortfolioFile
from quantflux.scoring.files import example as score_example
from quantflux.scoring.request import ScoreRequest, ScreenRequest
from quantflux.work.documents import (
    model_document,
    portfolio_document,
    run_document,
    score_document,
    screen_document,
    sweep_sets,
)

RANKED = {"score": "reversal_20", "policy": {"kind": "ranked", "top": 5}}
HELD = {"holdings": {"cash": 1.0}}

NAMING_FILES: list[tuple[Callable[[Mapping[str, Any]], Any], dict[str, Any], str]] = [
    (run_document, {"policy": {"kind": "python", "class": "leaky.py:Leaky"}}, "policy.class"),
    (run_document, {"policy": {"kind": "python", "class": "../../x.py:X"}}, "policy.class"),
    (run_document, {"policy": {"kind": "weights", "file": "/etc/passwd"}}, "policy.file"),
    (run_document, {"policy": {"kind": "orders", "file": "../orders.csv"}}, "policy.file"),
    (run_document, {**RANKED, "universe": {"file": "/dev/stdin"}}, "universe.file"),
    (portfolio_document, {"capital": 1, "universe": {"file": "a.csv"}}, "universe.file"),
    (portfolio_document, {"capital": 1, "benchmark": "/etc/hosts.csv"}, "benchmark"),
    (portfolio_document, {"holdings": {"file": "held.csv"}}, "holdings.file"),
    (portfolio_document, {"capital": 1, "expected_returns": {"file": "x.csv"}}, "expected_returns.file"),
]


@pytest.mark.parametrize(("read", "values", "key"), NAMING_FILES)
def test_a_document_that_names_a_file_is_refused(
    read: Callable[[Mapping[str, Any]], Any], values: dict[str, Any], key: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"{key}: a request cannot name a file; give "):
        read(values)


def _fields(model: type[BaseModel], seen: set[type] | None = None) -> Iterator[str]:
    """Yield the keys of a model and of all sections inside it."""
    known = set() if seen is None else seen
    if model in known:
        return
    known.add(model)
    for name, info in model.model_fields.items():
        yield f"{model.__name__}.{info.alias or name}"
        for leaf in _leaves(info.annotation):
            if isinstance(leaf, type) and issubclass(leaf, BaseModel):
                yield from _fields(leaf, known)


def _leaves(annotation: Any) -> list[Any]:
    parts = get_args(annotation)
    return [leaf for part in parts for leaf in _leaves(part)] if parts else [annotation]


def test_no_other_key_of_a_document_sounds_like_a_file() -> None:
    models = (RunFile, PortfolioFile, ModelSpec, ScoreRequest, ScreenRequest)
    keys = {key for model in models for key in _fields(model)}

    sounding = {
        key for key in keys if key.rpartition(".")[2] in ("file", "path", "folder", "class", "url", "csv")
    }

    assert sounding == {
        "Universe.file",
        "Forecast.file",
        "Held.file",
        "WeightsPolicy.file",
        "OrdersPolicy.file",
        "PythonPolicy.class",
    }
    assert len(keys) > 100  # the walk sees the sections inside


@pytest.mark.parametrize(
    "sweep",
    [
        {"universe.file": ["/etc/passwd"]},
        {"universe": {"file": ["a.csv"]}},
        {"policy": [{"kind": "python", "class": "leaky.py:Leaky"}, {"kind": "ranked", "top": 3}]},
    ],
)
def test_a_sweep_cannot_vary_its_way_to_a_file(sweep: dict[str, Any]) -> None:
    run = run_document({**RANKED, "sweep": sweep})

    with pytest.raises(InvalidRequest, match="a request cannot name a file"):
        sweep_sets(run)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (run_document, run_example()),
        (portfolio_document, portfolio_example()),
        (model_document, model_example()),
        (score_document, score_example()),
    ],
)
def test_the_examples_of_files_are_valid_requests(
    read: Callable[[Mapping[str, Any]], BaseModel], text: str
) -> None:
    assert read(parse_document(text).values)


def test_a_mistake_is_named_with_its_key() -> None:
    with pytest.raises(InvalidRequest, match=r"the run: policy\.tpo: is unknown; did you mean top"):
        run_document({"score": "size", "policy": {"kind": "ranked", "tpo": 5}})
    with pytest.raises(InvalidRequest, match=r"the screen: wher: is unknown; did you mean where"):
        screen_document({"wher": "close > 5"})


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (run_document, {**RANKED, "universe": {"symbols": ["600519.SH"] * 100_001}}),
        (portfolio_document, {**HELD, "parameters": {"x": [[0.0] * 1000] * 101}}),
        (model_document, {"id": "x", "features": ["close"] * 100_001}),
        (score_document, {"factors": [{"factor": "size", "weight": 1.0}] * 50_000}),
        (screen_document, {"show": ["size"] * 100_001}),
    ],
)
def test_a_document_of_too_many_values_is_not_read(
    read: Callable[[Mapping[str, Any]], Any], values: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest, match="holds more than 100,000 values"):
        read(values)


def test_lists_that_cost_time_for_each_entry_are_short() -> None:
    many = ["reversal_20"] * 501

    for read, values in (
        (score_document, {"factors": many}),
        (screen_document, {"show": many}),
        (portfolio_document, {"capital": 1.0, "expected_returns": {"score": many}}),
        (run_document, {**RANKED, "score": many}),
    ):
        with pytest.raises(InvalidRequest, match=r"valid is at most (500|100) of them"):
            read(values)
