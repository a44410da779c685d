"""How the command speaks: one console for answers, one for notes, and the few shapes that all commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200
"""Columns of a table that goes to a file or pipe, where no terminal sets them."""

answers = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
"""Standard output: what was asked for."""

notes = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPE_WIDTH)
"""Standard error: progress, notes and errors, so that answers can be piped."""


def fail(message: str, *, code: int = 1) -> None:
    """Print one line on standard error and leave with a non-zero code."""
    notes.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    sys.exit(code)


def table(*columns: str, title: str | None = None, right: Sequence[str] = ()) -> Table:
    """Return an empty table in the house style; the columns in `right` are aligned to the right."""
    made = Table(
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
        title_style="bold cyan",
    )
    for name in columns:
        made.add_column(
            name, justify="right" if name in right else "left", no_wrap=name in right, overflow="fold"
        )
    return made


def add_row(made: Table, *cells: str | Text) -> None:
    """Add a row; texts are shown as they are, brackets and all."""
    made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Show progress bars on standard error; nothing when it is not a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,
    ) as bars:
        yield bars


def counted(number: int, what: str) -> str:
    """Write a number of things for people.

    Examples
    --------
    >>> counted(1, "day"), counted(2430, "day")
    ('1 day', '2,430 days')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def size_of(count: float) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> size_of(999), size_of(257_400_000)
    ('999 B', '257.4 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")
