"""Writes the commented file that a group of commands begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantflux.cli.output import answers
from quantflux.core.errors import InvalidRequest

TargetArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")]


def write_example(file: Path, text: str, following: str, *, force: bool) -> None:
    """Write an example, and say what comes next.

    Parameters
    ----------
    file : Path
    text : str
        TOML.
    following : str
        Such as "run it with: quantflux backtest run", before the file's name.
    force : bool

    Raises
    ------
    InvalidRequest
        If the file is there and nobody said `force`, or it does not end with .toml.
    """
    if file.suffix.lower() != ".toml":
        raise InvalidRequest(f"the example is TOML, so its file ends with .toml; was {file}")
    if file.exists() and not force:
        raise InvalidRequest(f"{file} is there already; give --force to replace it")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    answers.print(f"{file} written; {following} {file}", markup=False, soft_wrap=True)
