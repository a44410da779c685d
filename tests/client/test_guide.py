"""The examples of the guide run, one after the other, against a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import quantflux

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"


def test_its_examples_run(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    code = "\n".join(blocks).replace("http://127.0.0.1:8000", url)
    names: dict[str, object] = {}

    exec(compile(code, str(GUIDE), "exec"), names)

    printed = capsys.readouterr().out
    client, values = names["client"], names["values"]
    assert isinstance(client, quantflux.Client)
    client.close()
    assert len(blocks) == 7
    assert "factors.compute: done" in printed and "600999.SH" in printed
    assert len(values) > 20  # type: ignore[arg-type]
