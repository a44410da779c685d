"""What texts mean that name factors or are expressions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.expressions import parse
from quantflux.factors.formula import formula
from quantflux.factors.registry import FactorRegistry


@pytest.fixture
def registry() -> FactorRegistry:
    return FactorRegistry(None, FixedClock(datetime(2024, 1, 2, tzinfo=UTC)))


def test_a_name_means_its_factor_and_which_way_is_better(registry: FactorRegistry) -> None:
    registry.define("cheap", "close / delay(close, 5)", orientation=-1)

    found = formula(registry, "cheap", "score")

    assert found.node is parse("close / delay(close, 5)")
    assert found.orientation == -1


def test_a_field_means_itself_and_an_expression_what_it_says(registry: FactorRegistry) -> None:
    assert formula(registry, "close", "score").node is parse("close")
    assert formula(registry, "1 - close / open", "score").orientation == 1


def test_the_canonical_text_holds_no_names(registry: FactorRegistry) -> None:
    registry.define("gain", "close / open")

    told = formula(registry, "gain * 2", "score").told

    assert told["text"] == formula(registry, "close / open * 2", "score").told["text"]
    assert told["digest"] == parse("close / open * 2").digest


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("no_such", NotFound, r"score\.1: .*no_such"),
        ("ts_men(close, 5)", InvalidRequest, r"score\.1: .*did you mean ts_mean"),
        ("lead(close, 2)", InvalidRequest, r"score\.1: looks 2 rows ahead"),
    ],
)
def test_what_is_no_formula_is_refused_where_it_stands(
    registry: FactorRegistry, text: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        formula(registry, text, "score.1")
