"""`quantflux data status` and `compact`: what is there, and tidying up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.output import add_row, answers, size_of, table

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
