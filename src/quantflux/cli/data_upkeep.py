"""`quantflux data status`, `quality` and `compact`: what is there, whether it can be trusted, and tidying up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.findings import print_findings
from quantflux.cli.options import SymbolsOption, parsed_symbols
from quantflux.cli.output import add_row, answers, notes, size_of, table

if TYPE_CHECKING:
    from quantflux.platform import Platform


def status(context: typer.Context) -> None:
    """Show every dataset: rows, symbols, span, version and size."""
    from quantflux.data.contract import ReportsBytes
    from quantflux.data.schema import datasets

    with opened(settings_of(context)) as platform:
        store = platform.store
        answers.print(f"store   {store.ping()}", soft_wrap=True)
        answers.print(f"panels  {_panel_line(platform)}", soft_wrap=True)
        made = table(
            "dataset", "symbols", "first", "last", "version", "size", right=("symbols", "version", "size")
        )
        for dataset in datasets().values():
            span = store.span(dataset)
            if span is None:
                continue
            size = size_of(store.stored_bytes(dataset)) if isinstance(store, ReportsBytes) else "-"
            symbols = f"{len(platform.data.symbols(dataset)):,}"
            add_row(
                made,
                dataset.name,
                symbols,
                str(span.first),
                str(span.last),
                str(store.version(dataset)),
                size,
            )
        if made.row_count:
            answers.print(made)
        else:
            answers.print("No data yet. Try: quantflux data import FILE, or quantflux demo")


def _panel_line(platform: Platform) -> str:
    if platform.panels is None:
        return "switched off (panels.enabled)"
    return f"{size_of(platform.panels.stored_bytes())} in {platform.panels.root}"


def quality(
    context: typer.Context,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Only this dataset.")] = None,
    symbols: SymbolsOption = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only findings of this rule.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Most findings to list.")] = 20,
    audit: Annotated[bool, typer.Option("--audit", help="Judge the stored rows again first.")] = False,
    release: Annotated[
        list[int] | None,
        typer.Option(
            "--release", metavar="FINDING", help="Let a quarantined row in after all; needs --reason."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is let in.")] = "",
) -> None:
    """Show what the quality rules found: counts by rule, or the findings of a symbol or rule."""
    from quantflux.data.quality import rule as rule_named

    if release:
        _release(context, dataset, release, reason)
        return
    if audit:
        _audit(context, dataset)
        return
    chosen = parsed_symbols(symbols)
    if rule is not None:
        rule_named(rule)
    with opened(settings_of(context)) as platform:
        counts = platform.ledger.counts(dataset)
        findings = platform.ledger.findings(dataset, symbols=chosen, rule=rule, limit=rows)
        _print_runs(platform, dataset)
    if counts.is_empty():
        answers.print("No findings.")
        return
    if chosen is None and rule is None:
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


def compact(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(metavar="DATASET", help="One dataset; all if left out.")
    ] = None,
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=0, help="Days of earlier versions to keep readable.")
    ] = 7,
) -> None:
    """Rewrite small files into large ones and forget old versions. Rows do not change."""
    from quantflux.data.schema import datasets

    with opened(settings_of(context)) as platform:
        names = (
            [dataset] if dataset else [n for n, d in datasets().items() if platform.store.span(d) is not None]
        )
        made = table("dataset", "files", "size", right=("files", "size"))
        for name in names:
            done = platform.data.compact(name, keep_history=timedelta(days=keep_days))
            add_row(
                made,
                name,
                f"{done.files_before} -> {done.files_after}",
                f"{size_of(done.bytes_before)} -> {size_of(done.bytes_after)}",
            )
        answers.print(made)
