"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

from typing import Annotated

import typer

from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol

StartOption = Annotated[
    str | None, typer.Option("--start", metavar="DATE", help="First day, such as 2024-01-02.")
]
EndOption = Annotated[str | None, typer.Option("--end", metavar="DATE", help="Last day, included.")]
FieldsOption = Annotated[
    str | None, typer.Option("--fields", metavar="A,B", help="Columns, separated by commas; all if left out.")
]
SymbolsOption = Annotated[
    str | None,
    typer.Option("--symbols", metavar="A,B", help="Symbols, separated by commas; all if left out."),
]


def split(text: str | None) -> list[str] | None:
    """Return the parts of a text separated by commas.

    Examples
    --------
    >>> split("open, close"), split(None)
    (['open', 'close'], None)
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise InvalidRequest(
            f"name at least one, separated by commas, was given {text!r}; leave it out for all"
        )
    return parts


def parsed_symbols(text: str | None) -> tuple[str, ...] | None:
    """Return canonical symbols, sorted.

    Examples
    --------
    >>> parsed_symbols("sz000001, 600519")
    ('000001.SZ', '600519.SH')
    """
    parts = split(text)
    return None if parts is None else tuple(sorted({parse_symbol(part) for part in parts}))
