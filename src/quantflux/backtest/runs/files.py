"""Reads run files, TOML or YAML, into `RunFile`. Every mistake is named with its key and what would be valid."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from quantflux.backtest.runs.run_file import RunFile
from quantflux.core.documents import Document, read_document


def read_run_file(path: Path) -> RunFile:
    """Read a run file; the files that it names are looked for beside it.

    Raises
    ------
    InvalidRequest
        If it cannot be read, or listing every problem: file, key, what was found and what would be valid.
    """
    return run_file_of(read_document(path), path.parent)


def run_file_of(document: Document, folder: Path = Path()) -> RunFile:
    """Return what a document says, as a run whose files stand in `folder`.

    Examples
    --------
    >>> from quantflux.core.documents import parse_document
    >>> text = '''
    ... name = "Reversal"
    ... score = "reversal_20"
    ... [policy]
    ... kind = "ranked"
    ... top = 50
    ... '''
    >>> run_file_of(parse_document(text)).policy.top
    50
    >>> run_file_of(parse_document(text.replace("top", "tpo")))
    Traceback (most recent call last):
    ...
    quantflux.core.errors.InvalidRequest: the document: policy.tpo: is unknown; did you mean top?
    """
    run = document.into(RunFile)
    if not run.name:
        run = run.model_copy(update={"name": Path(document.name).stem})
    return run.in_folder(folder)


def run_of_values(values: Mapping[str, Any], called: str, folder: Path = Path()) -> RunFile:
    """Return a run from values as `RunFile.content` gives them; `called` is what messages call them."""
    return run_file_of(Document(called, "", values), folder)


def example() -> str:
    """Return a run file with comments, in TOML, to begin with."""
    return files("quantflux.backtest.runs").joinpath("example.toml").read_text("utf-8")
