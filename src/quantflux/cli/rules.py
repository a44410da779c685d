"""`quantflux rules show`: the rules in force on a day."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from quantflux.cli.output import add_row, answers, notes, table

if TYPE_CHECKING:
    from quantflux.rules.book import Entry

app = typer.Typer(no_args_is_help=True, help="Show the rules of the exchanges, by board and date.")


@app.callback()
def group() -> None:
    """Keep `show` a command of its own, for all that the group has no other."""


@app.command()
def show(
    day: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Such as 2020-08-24; today if left out.")
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", metavar="BOARD", help="Only of main, chinext, star, bse or b_share."),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", metavar="SYMBOL", help="Only what concerns this symbol.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show every rule in force on a day, since when it holds, and who says so."""
    from quantflux.core.symbols import parse_symbol
    from quantflux.rules.book import rules_on

    asked = _day(day)
    entries = rules_on(asked, board, parse_symbol(symbol) if symbol else None)
    if as_json:
        typer.echo(json.dumps([_as_json(entry) for entry in entries], indent=2, ensure_ascii=False))
        return
    _print(entries, asked)


def _day(text: str | None) -> date:
    import numpy as np

    from quantflux.core.axes import moment_of
    from quantflux.core.clock import SHANGHAI, SystemClock

    if text is None:
        return SystemClock().now().astimezone(SHANGHAI).date()
    day: date = moment_of(text, np.dtype("datetime64[D]"), end_of_day=False).astype(object)
    return day


def _print(entries: list[Entry], day: date) -> None:
    """Print the rules as one table whose sources stand below it, each once, under a number."""
    if not entries:
        answers.print(f"No rule is known for {day}.")
        return
    numbers = {source: i for i, source in enumerate(dict.fromkeys(e.source for e in entries), start=1)}
    made = table(
        "rule", "of", "in force", "since", "source", title=f"Rules on {day}", right=("since", "source")
    )
    before = ""
    for entry in entries:
        ends = f" (until {entry.until})" if entry.until else ""
        add_row(
            made,
            Text(entry.rule if entry.rule != before else "", style="bold"),
            entry.scope,
            entry.text + ends,
            str(entry.since),
            str(numbers[entry.source]),
        )
        before = entry.rule
    answers.print(made)
    answers.print()
    sources = table("", "source", right=("",))
    for source, number in numbers.items():
        add_row(sources, str(number), source)
    answers.print(sources)
    notes.print("of one board or symbol: --board star, --symbol 600519; of another day: --date 2015-06-15")


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        "rule": entry.rule,
        "of": entry.scope,
        "text": entry.text,
        "values": dict(entry.values),
        "since": str(entry.since),
        "until": str(entry.until) if entry.until else None,
        "source": entry.source,
    }
