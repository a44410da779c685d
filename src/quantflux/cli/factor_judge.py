"""`quantflux factor evaluate` and `check`: is a factor any good, and does it see the future?"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.options import split
from quantflux.cli.output import answers, notes
from quantflux.core.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from quantflux.expressions.leaks import LeakCheck
    from quantflux.expressions.nodes import Node
    from quantflux.factors.registry import FactorRegistry


def check(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A factor, an expression, a label with lead(x, rows), or FILE.py:FUNCTION."
        ),
    ],
    fields: Annotated[
        str, typer.Option("--fields", metavar="A,B", help="What a Python function reads.")
    ] = "open,high,low,close,volume",
) -> None:
    """Take the future away and change it: does any earlier value change? Ends with 1 if so."""
    from quantflux.expressions.nodes import lookback_of
    from quantflux.factors.leaks import check_on_data, check_python_on_data

    with opened(settings_of(context)) as platform:
        if ".py:" in what:
            found = check_python_on_data(_function(what), tuple(split(fields) or ()), platform.data)
        else:
            node = _named_or_written(platform.factors.registry, what)
            back = lookback_of(node)
            notes.print(f"looks back {'over all rows' if back is None else f'{back} rows'}")
            found = check_on_data(node, platform.data)
    _print_check(found)
    if found.leak is not None:
        raise typer.Exit(1)


def _named_or_written(registry: FactorRegistry, what: str) -> Node:
    """Return a factor by name; else read the text as an expression, in which labels may look ahead."""
    import quantflux.expressions.labels  # noqa: F401 - `lead` becomes known

    try:
        return registry.get(what).node
    except NotFound:
        if what.replace(".", "").isidentifier():
            raise
        return registry.parse(what)


def _print_check(found: LeakCheck) -> None:
    compared = f"{found.values:,} values compared at {found.cuts} cuts, by truncation and by perturbation"
    if found.leak is None:
        ahead = f"It looks {found.horizon} rows ahead, as its leads say. " if found.horizon else ""
        answers.print(f"[green]no leak[/]. {ahead}{compared}")
        return
    leak = found.leak
    answers.print("[bold red]it sees the future[/]")
    answers.print(f"  first in      {leak.node}", markup=False, soft_wrap=True)
    answers.print(f"  value of      {leak.symbol} on {leak.time}")
    answers.print(f"  known until   {leak.known_until} ({leak.test})")
    answers.print(f"  with future   {leak.with_future:.10g}")
    answers.print(f"  without       {leak.without_future:.10g}")


def _function(what: str) -> Callable[..., Any]:
    """Load a function from a Python file of the user's own."""
    file, _, name = what.rpartition(":")
    path = Path(file)
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise InvalidRequest(f"{file} is not a Python file; write FILE.py:FUNCTION")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise InvalidRequest(f"{file} has no function {name!r}")
    return function  # type: ignore[no-any-return]
