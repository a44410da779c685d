"""The pages about rules and backtests: what their Python imports is there."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["backtest.md", "rules.md", "portfolio.md"])
def test_what_a_page_imports_is_there(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    wanted = [
        (node.module, alias.name)
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]

    assert wanted
    missing = [(module, name) for module, name in wanted if not hasattr(import_module(module), name)]
    assert missing == []
