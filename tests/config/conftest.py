"""Keeps the developer's own configuration out of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quantflux.config import ConfigRequest, Loaded, load


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with an empty home and none of our variables set."""
    empty = tmp_path / "cwd"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


LoadText = Callable[..., Loaded]


@pytest.fixture
def load_text(tmp_path: Path) -> LoadText:
    """Load a TOML text, with variables and overrides."""

    def load_it(text: str, *overrides: str, **variables: str) -> Loaded:
        path = tmp_path / "user.toml"
        path.write_text(text)
        return load(ConfigRequest(path=path, overrides=overrides), variables)

    return load_it
