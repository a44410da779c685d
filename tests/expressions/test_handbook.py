"""The page of the operators is written from the operators."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantflux.expressions import handbook
from quantflux.expressions.nodes import OPERATORS

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == handbook.page(), (
        "write it again: quantflux factor operators --markdown > docs/operators.md"
    )


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"field", "constant", "lead"}))
def test_every_operator_is_on_the_page_with_a_definition(name: str) -> None:
    listed = {operator for _, found in handbook.by_family() for operator in found}

    assert OPERATORS[name] in listed
    assert len(handbook.definition(OPERATORS[name])) >= 3
