"""What v1 kept in tables of its own and version 2 has no place for: one JSON file each, in a folder a kind.

Definitions of models that are not trained yet, what a page called a factor, saved strategies, figures of trainings.
Several processes may write: a file is replaced as a whole, and the last one wins.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantflux.core.errors import Conflict, StoreUnavailable
from quantflux.platform import Platform

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_MOST = 10_000


class Book:
    """Rows of one kind, by name.

    Parameters
    ----------
    folder : Path
        Made when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, platform: Platform, kind: str) -> Book:
        """Return the rows of a kind that an installation keeps."""
        return cls(platform.settings.data_dir / "v1" / kind)

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a row, None if there is none."""
        path = self._path(name)
        if path is None:
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        return found

    def all(self) -> dict[str, dict[str, Any]]:
        """Return all rows, by name and sorted."""
        paths = sorted(self._folder.glob("*.json"))
        return {path.stem: json.loads(path.read_bytes()) for path in paths}

    def put(self, name: str, row: Mapping[str, Any]) -> None:
        """Write a row, in place of the one that was there.

        Raises
        ------
        Conflict
            If there are too many.
        StoreUnavailable
            If it cannot be written.
        """
        path = self._path(name)
        if path is None:
            raise ValueError(f"no row can be called {name!r:.60}")  # callers check names first
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not path.exists() and sum(1 for _ in self._folder.glob("*.json")) >= _MOST:
                raise Conflict(
                    f"there are {_MOST:,} of this kind already; delete some in {self._folder.name}"
                )
            handle, fresh = tempfile.mkstemp(dir=self._folder, suffix=".new")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dict(row), file, ensure_ascii=False)
            Path(fresh).replace(path)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be written: {error.strerror or error}") from error

    def _path(self, name: str) -> Path | None:
        return self._folder / f"{name}.json" if _NAME.fullmatch(name) else None
