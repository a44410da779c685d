"""The page about scoring: what it imports is there, and it names every key of a file and every method."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from quantflux.core.documents import Section
from quantflux.scoring.request import (
    Filters,
    Ingredient,
    Method,
    Models,
    ScoreRequest,
    Selection,
    Trailing,
    Universe,
)

PAGE = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")


def test_what_it_imports_is_there() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    wanted = [
        (node.module, alias.name)
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]

    assert wanted
    assert all(hasattr(import_module(module), name) for module, name in wanted)


@pytest.mark.parametrize(
    "section", [ScoreRequest, Ingredient, Trailing, Models, Universe, Filters, Selection]
)
def test_every_key_is_described(section: type[Section]) -> None:
    keys = [info.alias or name for name, info in section.model_fields.items()]

    missing = [key for key in keys if not re.search(rf"`\[?{key}\]?`|\b{key} = ", PAGE)]
    # A factor's own keys stand in one example, where its name has no mark of code.
    assert [key for key in missing if f"{{{key} = " not in PAGE] == []


def test_every_method_is_described() -> None:
    assert [name for name in get_args(Method) if f"| `{name}` |" not in PAGE] == []
