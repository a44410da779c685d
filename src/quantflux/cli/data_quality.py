"""`quantflux data quality`: what the rules found, judging stored rows again, and letting quarantined ones in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.findings import print_findings
from quantflux.cli.options import SymbolsOption, parsed_symbols
from quantflux.cli.output import add_row, answers, notes, table

if TYPE_CHECKING:
    from quantflux.platform import Platform


def quality(
    context: typer.Context,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Only this dataset.")] = None,
    symbols: SymbolsOption = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only findings of this rule.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Most findings to list.")] = 20,
    audit: Annotated[bool, typer.Option("--audit", help="Judge the stored rows again first.")] = False,
    scrub: Annotated[
        bool, typer.Option("--scrub", help="Compare the stored rows with the record of what was stored.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Scrub, and take rows that are not on record for right.")
    ] = False,
    release: Annotated[
        list[int] | None,
        typer.Option(
            "--release", metavar="FINDING", help="Let a quarantined row in after all; needs --reason."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is let in.")] = "",
) -> None:
    """Show what the quality rules found: counts by rule, or the findings of a symbol or rule."""
    from quantflux.data.schema import dataset as dataset_named

    if dataset is not None:
        dataset_named(dataset)
    if release:
        _release(context, dataset, release, reason)
        return
    if scrub or adopt:
        _scrub(context, dataset, rows, adopt=adopt)
        return
    if audit:
        _audit(context, dataset)
        return
    _list(context, dataset, parsed_symbols(symbols), rule, rows)


def _list(
    context: typer.Context, dataset: str | None, symbols: tuple[str, ...] | None, rule: str | None, rows: int
) -> None:
    """Print counts by rule, or the findings of some symbols or one rule."""
    from quantflux.data.quality import rule as rule_named

    if rule is not None:
        rule_named(rule)
    with opened(settings_of(context)) as platform:
        counts = platform.ledger.counts(dataset)
        findings = platform.ledger.findings(dataset, symbols=symbols, rule=rule, limit=rows)
        _print_runs(platform, dataset)
    if counts.is_empty():
        answers.print("No findings.")
        return
    if symbols is None and rule is None:
        made = table(
            "dataset",
            "rule",
            "severity",
            "findings",
            "symbols",
            "first",
            "last",
            right=("findings", "symbols"),
        )
        for row in counts.iter_rows():
            add_row(made, *(f"{v:,}" if isinstance(v, int) else str(v or "-") for v in row))
        answers.print(made)
        notes.print("list them with --rule RULE or --symbols SYMBOL", style="dim")
        return
    made = table("finding", "symbol", "at", "rule", "severity", "what", "raw values")
    for finding in findings.iter_rows(named=True):
        add_row(
            made,
            str(finding["finding"]),
            finding["symbol"] or "-",
            finding["at"] or finding["day"] or "-",
            finding["rule"],
            "released" if finding["released"] else finding["severity"],
            finding["detail"],
            finding["raw"] or "",
        )
    answers.print(made)


def _audit(context: typer.Context, dataset: str | None) -> None:
    """Run every rule over the stored bars and note what they find."""
    from quantflux.data.quality import audit_dataset
    from quantflux.data.schema import DAILY, FIRST_TRADING_DAY, MINUTE
    from quantflux.data.schema import dataset as dataset_named

    with opened(settings_of(context)) as platform:
        today = platform.clock.now().date()
        for data in [dataset_named(dataset)] if dataset else [DAILY, MINUTE]:
            if platform.store.span(data) is None:
                continue
            report = audit_dataset(
                platform.store,
                data,
                sessions=platform.calendar.sessions(FIRST_TRADING_DAY, today),
                clock=platform.clock,
                ledger=platform.ledger,
            )
            verdict = (
                "clean" if report.clean else f"{report.quarantined:,} rows would be quarantined on import"
            )
            answers.print(f"{data.name}: {report.rows:,} rows judged, {verdict}", soft_wrap=True)
            print_findings(report)


def _scrub(context: typer.Context, dataset: str | None, rows: int, *, adopt: bool) -> None:
    """List the symbol-days whose rows are not as the store acknowledged them; exit code 1 if there are any."""
    from quantflux.core.errors import Unsupported
    from quantflux.data.contract import CanScrub
    from quantflux.data.schema import dataset as dataset_named
    from quantflux.data.schema import datasets

    made = table("dataset", "symbol", "day", "rows")
    total = 0
    with opened(settings_of(context)) as platform:
        store = platform.store
        if not isinstance(store, CanScrub):
            raise Unsupported(f"the store {store.name} keeps no record to compare with; influxdb does")
        for data in [dataset_named(dataset)] if dataset else datasets().values():
            found = store.scrub(data, adopt=adopt)
            verdict = f"{len(found):,} symbol-days differ" if found else "as recorded"
            answers.print(f"{data.name}: {verdict}")
            for item in found[: max(0, rows - total)]:
                add_row(made, data.name, item.symbol, str(item.day), item.kind)
            total += len(found)
    if not total:
        return
    answers.print(made)
    if total > made.row_count:
        notes.print(f"{total - made.row_count:,} more; list them with --rows {total}", style="dim")
    answers.print(
        "Missing and differing rows are mended by importing these days again, or by quantflux data sync --full. "
        "Rows that are right but not on record are put there by --adopt.",
        soft_wrap=True,
    )
    raise typer.Exit(1)


def _release(context: typer.Context, dataset: str | None, findings: list[int], reason: str) -> None:
    from quantflux.data.quality import release_rows
    from quantflux.data.schema import DAILY
    from quantflux.data.schema import dataset as dataset_named

    with opened(settings_of(context)) as platform:
        data = dataset_named(dataset) if dataset else DAILY
        receipt = release_rows(platform.ledger, platform.store, data, findings, reason)
    answers.print(f"{receipt.rows} rows of {receipt.dataset} released into version {receipt.version}")


def _print_runs(platform: Platform, dataset: str | None) -> None:
    """List the latest imports and downloads: where the rows come from."""
    runs = platform.ledger.runs(dataset, limit=5)
    if not runs:
        return
    made = table("run", "kind", "dataset", "source", "started", "rows stored", right=("run", "rows stored"))
    for run in runs:
        stored = run.facts.get("rows_stored")
        state = f"{stored:,}" if isinstance(stored, int) else ("-" if run.finished else "cut short")
        add_row(made, str(run.run), run.kind, run.dataset, run.source, run.started[:19], state)
    answers.print(made)
    answers.print()
