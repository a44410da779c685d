"""Reads requests from files, TOML or YAML, and from plain values. Every mistake is named with its key."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from quantflux.core.documents import Document, read_document
from quantflux.scoring.request import ScoreRequest, ScreenRequest


def read_score_request(path: Path) -> ScoreRequest:
    """Read a score file.

    Raises
    ------
    InvalidRequest
        If it cannot be read, or listing every problem: file, key, what was found and what would be valid.
    """
    found = read_document(path).into(ScoreRequest)
    return found if found.name else found.model_copy(update={"name": path.stem})


def score_request(values: Mapping[str, Any], name: str = "the request") -> ScoreRequest:
    """Return the request that plain values describe, checked as strictly as a file.

    Examples
    --------
    >>> score_request({"factors": ["reversal_20"], "date": "2024-06-03"}).day
    datetime.date(2024, 6, 3)
    >>> score_request({"factors": ["reversal_20"], "methd": "ic"})
    Traceback (most recent call last):
    ...
    quantflux.core.errors.InvalidRequest: the request: methd: is unknown; did you mean method?
    """
    return Document(name, "", values).into(ScoreRequest)


def screen_request(values: Mapping[str, Any], name: str = "the request") -> ScreenRequest:
    """Return the screen that plain values describe, checked as strictly as a file."""
    return Document(name, "", values).into(ScreenRequest)


def example() -> str:
    """Return a score file with comments, in TOML, to begin with."""
    return files("quantflux.scoring").joinpath("example.toml").read_text("utf-8")
