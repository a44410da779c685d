"""`quantflux data import` and `sync`: bring files and vendors' bars in, and say what became of every row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import TaskID

from quantflux.cli.context import opened, settings_of
from quantflux.cli.findings import print_findings
from quantflux.cli.options import EndOption, StartOption, SymbolsOption, parsed_symbols
from quantflux.cli.output import answers, notes, progress_bars
from quantflux.core.clock import trading_date
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    import numpy as np

    from quantflux.data.sources.files import ImportPlan, ImportReport
    from quantflux.data.sources.sync import SyncReport
    from quantflux.platform import Platform

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV or Parquet files.")]


def import_file(
    context: typer.Context,
    files: FilesArgument,
    layout: Annotated[
        str | None, typer.Option("--layout", help="The file's layout, if it cannot be told.")
    ] = None,
    volume_unit: Annotated[str | None, typer.Option("--volume-unit", help="shares or lots.")] = None,
    amount_unit: Annotated[
        str | None, typer.Option("--amount-unit", help="yuan, thousand or ten-thousand.")
    ] = None,
    adjustment: Annotated[
        str | None,
        typer.Option(
            "--adjustment", help="How prices are adjusted: raw, multiplicative, subtractive, rounded."
        ),
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of a file that names none.")] = None,
    factors: Annotated[
        bool, typer.Option("--factors", help="The files hold adjustment factors for bars stored already.")
    ] = False,
    actions: Annotated[
        bool, typer.Option("--actions", help="The files hold dividends, share distributions, rights issues.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, store nothing.")] = False,
) -> None:
    """Import CSV or Parquet files; their layout, units and adjustment are recognised and checked."""
    from quantflux.data.sources.files import ImportOptions, inspect_file

    if factors:
        _import_factors(context, files, dry_run=dry_run)
        return
    if actions:
        _import_actions(context, files, symbol, dry_run=dry_run)
        return

    options = ImportOptions(
        layout=layout, volume_unit=volume_unit, amount_unit=amount_unit, adjustment=adjustment, symbol=symbol
    )
    settings = settings_of(context)
    with opened(settings) as platform:
        _warn_of_forgetting(platform)
        for path in files:
            plan = inspect_file(path, options)
            _print_plan(plan)
            _print_report(_run(platform, plan, dry_run=dry_run))


def _import_factors(context: typer.Context, files: list[Path], *, dry_run: bool) -> None:
    from quantflux.data.sources.files import import_factors

    with opened(settings_of(context)) as platform:
        for path in files:
            done = import_factors(path, platform.store, ledger=platform.ledger, dry_run=dry_run)
            verb = "would change" if dry_run else "changed"
            answers.print(
                f"{path.name}: {verb} the factor of {done.bars_changed:,} bars, "
                f"{done.bars_unchanged:,} had it already, "
                f"{done.bars_without:,} are not in the file, {done.rows_refused:,} of its rows cannot be read",
                soft_wrap=True,
                markup=False,
            )


def _import_actions(context: typer.Context, files: list[Path], symbol: str | None, *, dry_run: bool) -> None:
    from quantflux.data.sources.files import import_actions

    with opened(settings_of(context)) as platform:
        _warn_of_forgetting(platform)
        for path in files:
            done = import_actions(path, platform.store, clock=platform.clock, symbol=symbol, dry_run=dry_run)
            verb = "would store" if dry_run else "stored"
            span = f"{done.span.first} .. {done.span.last}" if done.span else "no days"
            answers.print(
                f"{path.name}: {done.layout}; {verb} {done.stored:,} corporate actions of {done.symbols:,} symbols, "
                f"{span}; {done.unchanged:,} were there already, {done.planned:,} of its rows are plans only, "
                f"{done.rows_refused:,} cannot be read",
                soft_wrap=True,
                markup=False,
            )


def sync(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="akshare, baostock or tushare.")],
    symbols: SymbolsOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Every share the vendor lists.")] = False,
    start: StartOption = None,
    end: EndOption = None,
    minutes: Annotated[
        bool, typer.Option("--minutes", help="Minute bars, where the vendor has them.")
    ] = False,
    actions: Annotated[
        bool, typer.Option("--actions", help="Dividends, share distributions and rights issues.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Fetch again what is stored already.")] = False,
) -> None:
    """Download what is missing from a vendor; a run that is cut short goes on where it stopped."""
    from quantflux.data.contract import day_of
    from quantflux.data.request import parse_when
    from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, MINUTE
    from quantflux.data.sources.sync import sync as run_sync

    if minutes and actions:
        raise InvalidRequest("--minutes and --actions are two downloads; give one of them at a time")
    settings = settings_of(context)
    dataset = MINUTE if minutes else CORPORATE_ACTIONS if actions else DAILY
    with opened(settings) as platform, closing(platform.open_source(source)) as vendor:
        chosen = parsed_symbols(symbols)
        if everything:
            chosen = tuple(sorted(listing.symbol for listing in vendor.listings()))
        if chosen is None:
            chosen = tuple(platform.data.symbols(DAILY if actions else dataset))
        if not chosen:
            raise InvalidRequest("nothing to update yet: name --symbols A,B or give --all")
        first, last = parse_when(start, "start"), parse_when(end, "end")
        with _progress() as progress:
            report = run_sync(
                vendor,
                platform.store,
                chosen,
                date(1990, 12, 19) if first is None else day_of(first),
                trading_date(platform.clock.now()) if last is None else day_of(last),
                dataset=dataset,
                sessions=_sessions(platform),
                clock=platform.clock,
                ledger=platform.ledger,
                full=full,
                progress=progress,
            )
    _print_sync(report)
    if report.failed:
        raise typer.Exit(1)


def _warn_of_forgetting(platform: Platform) -> None:
    if platform.store.name == "memory":
        notes.print("warning: the memory store forgets everything when this command ends", style="yellow")


def _run(platform: Platform, plan: ImportPlan, *, dry_run: bool) -> ImportReport:
    from quantflux.data.sources.files import run_import

    with _progress() as progress:
        return run_import(
            plan,
            platform.store,
            sessions=_sessions(platform),
            clock=platform.clock,
            ledger=platform.ledger,
            dry_run=dry_run,
            progress=progress,
        )


def _sessions(platform: Platform) -> np.ndarray:
    """Return every trading day that rows may be dated."""
    return platform.calendar.sessions(date(1990, 12, 19), date(platform.clock.now().year + 1, 12, 31))


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a callback that draws one bar for each phase it is told of."""
    with progress_bars() as bars:
        tasks: dict[str, TaskID] = {}

        def advance(phase: str, done: int, total: int | None) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(f"{phase:<6}", total=total)
            bars.update(tasks[phase], completed=done, total=total)

        yield advance


def _print_plan(plan: ImportPlan) -> None:
    answers.print(f"[bold]{plan.path.name}[/]", soft_wrap=True)
    facts = {
        "layout": "; ".join(plan.reasons),
        "dataset": plan.dataset.name,
        "units": f"volume in {plan.units.volume}, amount in {plan.units.amount}",
        "prices": f"{plan.adjustment} ({plan.adjustment_reason})",
        "ignored": ", ".join(plan.ignored),
    }
    for name, value in facts.items():
        if value:
            answers.print(f"  {name:<9}{value}", soft_wrap=True, markup=False)


def _print_report(report: ImportReport) -> None:
    verb = "would store" if report.dry_run else "stored"
    span = f"{report.span.first} .. {report.span.last}" if report.span else "no days"
    answers.print(
        f"  {verb} {report.rows_stored:,} rows of {report.symbols:,} symbols, {span}; "
        f"{report.rows_unchanged:,} were there already, {report.rows_quarantined:,} quarantined; "
        f"{report.seconds:.1f} s",
        soft_wrap=True,
    )
    print_findings(report.quality)
    if report.quality.by_rule and not report.dry_run:
        notes.print("see them with: quantflux data quality", style="dim")
    for warning in report.warnings:
        notes.print(f"warning: {warning}", style="yellow", soft_wrap=True, markup=False)


def _print_sync(report: SyncReport) -> None:
    answers.print(
        f"{report.source}: {report.rows_stored:,} rows stored of {report.rows_fetched:,} fetched, "
        f"{report.requested:,} symbols asked for, {report.rows_quarantined:,} rows quarantined; {report.seconds:.1f} s",
        soft_wrap=True,
    )
    if report.resumed:
        answers.print(f"  {report.resumed:,} symbols were done by an earlier run")
    for what, found in (("no rows", report.empty), ("history restated", report.restated)):
        if found:
            answers.print(
                f"  {what}: {', '.join(found[:10])}{' ...' if len(found) > 10 else ''}", soft_wrap=True
            )
    print_findings(report.quality)
    for symbol, reason in list(report.failed.items())[:10]:
        notes.print(f"failed: {symbol}: {reason}", style="red", soft_wrap=True, markup=False)
