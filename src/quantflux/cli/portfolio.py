"""`quantflux portfolio`: finds weights, says why and what they cost, and turns them into orders."""

from __future__ import annotations

import json
import math
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.examples import ForceOption, TargetArgument, write_example
from quantflux.cli.output import answers, counted, notes
from quantflux.cli.portfolio_tables import (
    print_binding,
    print_orders,
    print_proposal,
    print_risk,
    print_statistics,
)
from quantflux.core.errors import Infeasible, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantflux.portfolio.portfolio_file import PortfolioFile
    from quantflux.portfolio.service import PortfolioService, Proposal

app = typer.Typer(
    no_args_is_help=True, help="Find portfolios from portfolio files, explain them, and trade them."
)

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A portfolio file, .toml or .yaml; see: quantflux portfolio init"),
]
HoldingsOption = Annotated[
    Path | None,
    typer.Option(
        "--holdings", metavar="CSV", help="What is held now: symbol, shares. Instead of the file's."
    ),
]
CashOption = Annotated[float | None, typer.Option("--cash", min=0, help="Yuan in cash, beside --holdings.")]
DateOption = Annotated[
    str | None,
    typer.Option("--date", metavar="DATE", help="Decide at the close of this day. Instead of the file's."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write it as .html, .csv or .json too, by the ending."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of tables.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="How many names to show.")]


@app.command()
def init(file: TargetArgument = Path("portfolio.toml"), force: ForceOption = False) -> None:
    """Write a portfolio file with comments, to begin with."""
    from quantflux.portfolio.files import example

    write_example(file, example(), "solve it with: quantflux portfolio optimise", force=force)


@app.command()
def optimise(
    context: typer.Context,
    file: FileArgument,
    holdings: HoldingsOption = None,
    cash: CashOption = None,
    day: DateOption = None,
    output: OutputOption = None,
    top: TopOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Find the weights of a portfolio file, in whole lots."""
    _check_output(output, {".html", ".csv", ".json"})
    told = _told(file, holdings, cash, day)
    with opened(settings_of(context)) as platform:
        proposal = _solved(platform.portfolios, told, file.parent, as_json=as_json)
    if output is not None:
        _write(proposal, output)
    if as_json:
        _print_json(proposal.to_dict())
        return
    print_statistics(proposal)
    print_proposal(proposal, top)
    print_binding(proposal.binding)
    _print_notes(proposal)


@app.command()
def explain(
    context: typer.Context,
    file: FileArgument,
    holdings: HoldingsOption = None,
    cash: CashOption = None,
    day: DateOption = None,
    top: TopOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Say why a portfolio is as it is: what limits cost and where its risk comes from; or why there is none.

    Ends with 1 if no weights meet all limits.
    """
    told = _told(file, holdings, cash, day)
    with opened(settings_of(context)) as platform:
        service = platform.portfolios
        proposal = _solved(service, told, file.parent, as_json=as_json)
        with _working("pricing limits"):
            priced = service.prices(proposal)
    if as_json:
        _print_json(proposal.to_dict() | {"prices": [asdict(price) for price in priced]})
        return
    print_statistics(proposal)
    print_binding(proposal.binding, priced)
    print_risk(proposal, top)
    _print_notes(proposal)


@app.command()
def rebalance(
    context: typer.Context,
    file: FileArgument,
    holdings: HoldingsOption = None,
    cash: CashOption = None,
    day: DateOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the orders as .csv or .json.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the orders from what is held to the portfolio, with their fees, and what cannot be traded."""
    _check_output(output, {".csv", ".json"})
    told = _told(file, holdings, cash, day)
    with opened(settings_of(context)) as platform:
        proposal = _solved(platform.portfolios, told, file.parent, as_json=as_json)
    if output is not None:
        _write_orders(proposal, output)
    if as_json:
        plain = proposal.to_dict()
        kept = {
            key: plain[key]
            for key in ("name", "date", "orders", "refusals", "fees", "fees_bp", "turnover", "cash")
        }
        sys.stdout.write(json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
        return
    print_orders(proposal)
    _print_notes(proposal)


def _told(file: Path, holdings: Path | None, cash: float | None, day: str | None) -> PortfolioFile:
    """Return what the file says, with what the command line says instead."""
    from quantflux.data.contract import day_of
    from quantflux.data.request import parse_when
    from quantflux.portfolio.files import read_portfolio_file
    from quantflux.portfolio.portfolio_file import Held

    told = read_portfolio_file(file)
    if day is not None:
        when = parse_when(day, "--date")
        told = told.model_copy(update={"day": None if when is None else day_of(when)})
    if holdings is None and cash is None:
        return told
    if cash is not None and not math.isfinite(cash):
        raise InvalidRequest(f"--cash: found {cash}; valid is yuan from 0")
    held = told.holdings or Held()
    if holdings is not None:
        held = Held(file=str(holdings.absolute()), cash=held.cash)
    if cash is not None:
        held = held.model_copy(update={"cash": cash})
    return told.model_copy(update={"holdings": held, "capital": None})


def _solved(service: PortfolioService, told: PortfolioFile, folder: Path, *, as_json: bool) -> Proposal:
    """Return the proposal; where there is none, print why, and end with 1."""
    with _working("loading"):
        case = service.prepare(told, folder)
    if case.slow:
        notes.print(f"note: {case.slow}", markup=False, soft_wrap=True)
    try:
        with _working("solving"):
            return service.optimise(case)
    except Infeasible as error:
        with _working("looking for the conflict"):
            found = service.diagnose(case)
        if found.feasible:
            raise
        notes.print(f"[bold red]error:[/] {told.name}: no weights meet all limits", soft_wrap=True)
        if as_json:
            _print_json({"name": told.name, "diagnosis": found.to_dict()})
        else:
            answers.print(str(found), markup=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _print_json(plain: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(plain, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


@contextmanager
def _working(what: str) -> Iterator[None]:
    """Show what takes time, on a terminal."""
    if not notes.is_terminal:
        yield
        return
    with notes.status(what):
        yield


def _check_output(output: Path | None, endings: set[str]) -> None:
    if output is not None and output.suffix.lower() not in endings:
        raise InvalidRequest(
            f"--output is written by its ending; valid are {', '.join(sorted(endings))}, was {output}"
        )


def _write(proposal: Proposal, output: Path) -> None:
    from quantflux.portfolio.report import write_portfolio_report

    output.parent.mkdir(parents=True, exist_ok=True)
    match output.suffix.lower():
        case ".html":
            write_portfolio_report(proposal, output)
        case ".json":
            output.write_text(
                json.dumps(proposal.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
        case _:
            _write_csv(proposal.to_dict()["lots"], output)
    notes.print(f"written {output}", markup=False, soft_wrap=True)


def _write_orders(proposal: Proposal, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    rows = proposal.orders.to_table().to_pylist()
    if output.suffix.lower() == ".json":
        output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    else:
        _write_csv(rows, output, tuple(proposal.orders.to_table().column_names))
    notes.print(f"{counted(len(rows), 'order')} written to {output}", markup=False, soft_wrap=True)


def _write_csv(rows: list[dict[str, object]], output: Path, columns: tuple[str, ...] = ()) -> None:
    import csv

    with output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns or tuple(rows[0] if rows else ()))
        writer.writeheader()
        writer.writerows(rows)


def _print_notes(proposal: Proposal) -> None:
    for note in proposal.notes:
        notes.print(f"note: {note}", markup=False, soft_wrap=True)
