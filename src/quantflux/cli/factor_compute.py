"""`quantflux factor compute` and `explain`: values, how long they take, and why they are computed again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.options import EndOption, StartOption, SymbolsOption, parsed_symbols
from quantflux.cli.output import add_row, answers, counted, notes, progress_bars, size_of, table
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    import numpy as np

    from quantflux.config import Settings
    from quantflux.core.panel import Panel
    from quantflux.expressions.program.quote import Quote
    from quantflux.factors.engine import FactorEngine
    from quantflux.factors.stored import Decision, Hooks

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Factors or libraries, such as alpha158 or ROC20.")
]
MemoryOption = Annotated[
    str | None,
    typer.Option("--max-memory", metavar="SIZE", help="Most memory to hold, such as 3G or 800M."),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads; one for each processor if left out.")
]

_SHOWN_FACTORS, _SHOWN_SYMBOLS = 8, 10


def compute(
    context: typer.Context,
    names: NamesArgument,
    start: StartOption = None,
    end: EndOption = None,
    symbols: SymbolsOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Stream all values into a .parquet file."),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Write values, ranks and z-scores into the store.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    max_memory: MemoryOption = None,
    threads: ThreadsOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it takes, and stop.")] = False,
) -> None:
    """Compute factors over all data, or what is new since the last time, and show the last day."""
    from quantflux.factors.engine import span_of

    settings = tuned(settings_of(context), max_memory, threads)
    wanted = parsed_symbols(symbols)
    span_of(start, end)  # refuses what makes no sense before anything is computed
    if output is not None:
        _check_output(output, alone=wanted is None and not save, force=force)
    with opened(settings) as platform:
        engine = platform.factors
        tell_left_out(engine, names)
        if dry_run:
            _print_decision(engine.explain(names))
            print_quote(engine.quote(names), "everything anew: ")
            return
        begun = time.perf_counter()
        if output is not None:
            with told() as hooks:
                rows = engine.export(names, output, start, end, hooks=hooks)
            size, taken = size_of(output.stat().st_size), _duration(time.perf_counter() - begun)
            answers.print(f"{rows:,} rows in {output} ({size}), {taken}", markup=False, soft_wrap=True)
            return
        with told() as hooks:
            done = engine.update(names, hooks=hooks)
        _print_decision(done.decision)
        if done.rows_computed:
            taken = _duration(time.perf_counter() - begun)
            notes.print(f"{counted(done.rows_computed, 'day')} computed, {taken}", markup=False)
        if save:
            receipt = engine.save(names, start, end)
            saved = "nothing to save in that span"
            if receipt is not None:
                saved = f"{receipt.rows:,} values saved in {receipt.dataset}, version {receipt.version}"
            answers.print(saved, markup=False, soft_wrap=True)
        panel = engine.last_day(names, start, end, wanted)
    _print_panel(panel)


def _check_output(output: Path, *, alone: bool, force: bool) -> None:
    from quantflux.factors.parquet import check_target

    if not alone:
        raise InvalidRequest(
            "--output computes all symbols into a file and stores nothing; leave --symbols and --save out"
        )
    check_target(output)
    if output.exists() and not force:
        raise InvalidRequest(f"{output} is there already; give --force to replace it")


def explain(context: typer.Context, names: NamesArgument) -> None:
    """Say what the next `compute` will compute again, and why; and what is stored."""
    from quantflux.data.panels import day_from

    with opened(settings_of(context)) as platform:
        engine = platform.factors
        _print_decision(engine.explain(names))
        made = table("stored", "days", "until", "size", "why it was computed last", right=("days", "size"))
        for meta, size in engine.stored():
            more = f" and {len(meta.names) - 2} more" if len(meta.names) > 2 else ""
            shown = ", ".join(meta.names[:2]) + more
            until = str(day_from(meta.days[-1]))
            add_row(made, shown, f"{len(meta.days):,}", until, size_of(size), meta.reason)
        if made.row_count:
            answers.print(made)


def tuned(settings: Settings, max_memory: str | None, threads: int | None) -> Settings:
    """Return settings with what the command line says of memory and threads."""
    changes: dict[str, int] = {}
    if max_memory is not None:
        changes["max_memory_bytes"] = bytes_of(max_memory)
    if threads is not None:
        changes["threads"] = threads
    return settings.model_copy(update={"factors": settings.factors.model_copy(update=changes)})


def bytes_of(text: str) -> int:
    """Return a size in bytes.

    Examples
    --------
    >>> bytes_of("3G"), bytes_of("800M"), bytes_of("1.5 GB")
    (3000000000, 800000000, 1500000000)
    """
    short = text.strip().upper().removesuffix("B").strip()
    scale = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(short[-1:], 1.0)
    number = short[:-1] if scale > 1 else short
    try:
        size = float(number) * scale
    except ValueError:
        size = 0.0
    if not 3e8 <= size < 1e15:
        raise InvalidRequest(f"--max-memory must be a size of at least 300M, such as 3G, was {text!r:.40}")
    return int(size)


def tell_left_out(engine: FactorEngine, names: list[str]) -> None:
    """Say which factors of the libraries named cannot be computed, and what they lack."""
    by_reason: dict[str, list[str]] = {}
    for factor, reason in engine.left_out(names).items():
        by_reason.setdefault(reason, []).append(factor)
    for reason, factors in by_reason.items():
        notes.print(f"left out, {reason}: {', '.join(factors)}", markup=False, soft_wrap=True)


@contextmanager
def told() -> Iterator[Hooks]:
    """Show a quote, then bars while kernels compile and rows are computed."""
    from quantflux.factors.stored import Hooks

    with progress_bars() as bars:
        compiling = bars.add_task("compiling kernels", total=None, visible=False)
        running = bars.add_task("days computed", total=None, visible=False)

        def compiled(done: int, total: int) -> None:
            bars.update(compiling, completed=done, total=total, visible=done < total)

        def progress(done: int, total: int) -> None:
            bars.update(running, completed=done, total=total, visible=True)

        yield Hooks(quoted=print_quote, compiled=compiled, progress=progress)


def print_quote(quote: Quote, before: str = "") -> None:
    """Say what a computation will take."""
    counts = " x ".join(
        counted(number, what)
        for number, what in (
            (quote.expressions, "factor"),
            (quote.rows, "day"),
            (quote.symbols, "symbol"),
        )
    )
    notes.print(
        f"{before}{counts} = {counted(quote.values, 'value')}; about {_duration(quote.seconds)} on "
        f"{counted(quote.shape.threads, 'thread')}, {size_of(quote.bytes)} of memory for the run",
        markup=False,
        soft_wrap=True,
    )


def _duration(seconds: float) -> str:
    """Write a time for people.

    Examples
    --------
    >>> [_duration(seconds) for seconds in (0.004, 1.26, 74.6, 600.0)]
    ['0.01 s', '1.3 s', '75 s', '10 min']
    """
    if seconds < 0.1:
        return f"{max(seconds, 0.01):.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 300 else f"{seconds / 60:.0f} min"


def _print_decision(decision: Decision) -> None:
    answers.print(f"{decision.course}: {decision.reason}", markup=False, soft_wrap=True)


def _print_panel(panel: Panel) -> None:
    """Show the last day: how many values each factor has and how they spread, then the first symbols."""
    import numpy as np

    if len(panel) == 0:
        notes.print("no days in that span")
        return
    names = list(panel)
    made = table(
        "factor",
        "values",
        "missing",
        "lowest",
        "median",
        "highest",
        right=("values", "missing", "lowest", "median", "highest"),
    )
    for name in names[: 4 * _SHOWN_FACTORS]:
        row = panel[name][-1]
        known = row[~np.isnan(row)]
        spread = [f"{v:,.5g}" for v in np.quantile(known, (0, 0.5, 1))] if len(known) else ["-"] * 3
        add_row(made, name, f"{len(known):,}", f"{row.size - len(known):,}", *spread)
    answers.print(f"[bold cyan]{panel.times[-1]}[/]")
    answers.print(made)
    if len(names) > 4 * _SHOWN_FACTORS:
        notes.print(f"and {len(names) - 4 * _SHOWN_FACTORS} more factors; --output FILE.parquet has them all")
    if panel.shape[1] <= _SHOWN_SYMBOLS:
        _print_symbols(panel, names[:_SHOWN_FACTORS])


def _print_symbols(panel: Panel, names: list[str]) -> None:
    made = table("symbol", *names, right=names)
    for column, symbol in enumerate(panel.symbols.tolist()):
        add_row(made, symbol, *(_number(panel[name][-1, column]) for name in names))
    answers.print(made)


def _number(value: np.floating) -> str:
    return "-" if isnan(value) else f"{value:,.5g}"
