"""`quantflux factor evaluate` and `check`: is a factor any good, and does it see the future?"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quantflux.cli.context import opened, settings_of
from quantflux.cli.factor_compute import NamesArgument, tell_left_out, told
from quantflux.cli.options import EndOption, StartOption, split
from quantflux.cli.output import add_row, answers, counted, notes, progress_bars, table
from quantflux.core.errors import InvalidRequest

if TYPE_CHECKING:
    from quantflux.expressions.leaks import LeakCheck
    from quantflux.factors.evaluation import FactorReport


def evaluate(
    context: typer.Context,
    names: NamesArgument,
    start: StartOption = None,
    end: EndOption = None,
    horizon: Annotated[int, typer.Option("--horizon", min=1, help="Days a position is held.")] = 5,
    quantiles: Annotated[int, typer.Option("--quantiles", min=2, max=100, help="Groups of names.")] = 5,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="A,B", help="Factors or libraries to correlate with, if there is one NAME."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write an HTML report; a folder for several factors."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON instead of tables.")
    ] = False,
) -> None:
    """Judge factors: on paper, and as one can trade, with costs."""
    from quantflux.factors.evaluation import EvaluationPlan, Evaluator
    from quantflux.factors.market_data import load_market
    from quantflux.factors.orientation import oriented, turned_round

    plan = EvaluationPlan(horizon=horizon, quantiles=quantiles)
    with opened(settings_of(context)) as platform:
        engine = platform.factors
        tell_left_out(engine, names)
        chosen = engine.registry.select(names)
        if against is not None and len(chosen) > 1:
            raise InvalidRequest(f"--against compares one factor with others, {len(chosen)} were named")
        loaded = load_market(platform.data, start, end)
        with told() as hooks:
            values = oriented(engine.compute(names, start, end, hooks=hooks), chosen, loaded.market)
            _tell_turned_round(turned_round(chosen, values))
            others = split(against)
            beside = None
            if others is not None:
                selected = engine.registry.select(others)
                beside = oriented(engine.compute(others, start, end, hooks=hooks), selected, loaded.market)
                _tell_turned_round(turned_round(selected, beside))
        evaluator = Evaluator(loaded.market, plan, industries=loaded.industries)
        with progress_bars() as bars:
            reports = [
                evaluator.report(name, values[name], beside)
                for name in bars.track(values, description="factors judged")
            ]
    if report is not None:
        _write_reports(reports, report)
    if as_json:
        sys.stdout.write("[" + ",\n".join(found.to_json() for found in reports) + "]\n")
        return
    print_reports(reports)


def _tell_turned_round(names: Sequence[str]) -> None:
    if names:
        listed = ", ".join(names)
        notes.print(f"turned round, as less of it is better: {listed}", markup=False, soft_wrap=True)


def _write_reports(reports: Sequence[FactorReport], target: Path) -> None:
    from quantflux.factors.report import write_factor_report

    single = len(reports) == 1 and target.suffix == ".html"
    for found in reports:
        path = target if single else target / f"{found.name}.html"
        write_factor_report(found, path)
        notes.print(f"report {path}", markup=False, soft_wrap=True)


def print_reports(reports: Sequence[FactorReport]) -> None:
    """Show what became of each factor, paper beside tradable."""
    from quantflux.factors.evaluation.results import mean_of

    columns = (
        "RankIC paper",
        "tradable",
        "ICIR",
        "t",
        "long-short",
        "after costs",
        "monotone",
        "turnover",
        "covered",
    )
    made = table("factor", *columns, "verdict", right=columns)
    for found in reports:
        paper, real = found.paper, found.tradable
        book = real.portfolios
        figures = {
            "+.4f": (paper.rank_ic_mean, real.rank_ic_mean),
            ".2f": (real.icir,),
            ".1f": (real.t_value,),
            "+.1%": (book.gross.annual, book.net.annual),
            "+.2f": (real.monotonicity,),
            ".0%": (float(real.turnover[-1]), mean_of(real.coverage)),
        }
        cells = ["-" if isnan(x) else format(x, form) for form, values in figures.items() for x in values]
        add_row(made, found.name, *cells, found.verdict.value)
    answers.print(made)
    plan = reports[0].plan
    notes.print(
        f"{len(reports[0].times):,} days, {plan.horizon} days held, {plan.quantiles} quantiles; returns are a year's, "
        "of the highest quantile minus the lowest; tradable: investable names, bought at the next open unless locked"
    )


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
    from quantflux.factors.formula import meaning
    from quantflux.factors.leaks import check_on_data, check_python_on_data

    with opened(settings_of(context)) as platform:
        if ".py:" in what:
            found = check_python_on_data(_function(what), tuple(split(fields) or ()), platform.data)
        else:
            node = meaning(platform.factors.registry, what).node
            back = lookback_of(node)
            notes.print(f"looks back {'over all rows' if back is None else counted(back, 'row')}")
            found = check_on_data(node, platform.data)
    _print_check(found)
    if found.leak is not None:
        raise typer.Exit(1)


def _print_check(found: LeakCheck) -> None:
    compared = f"{found.values:,} values compared at {found.cuts} cuts, by truncation and by perturbation"
    if found.leak is None:
        rows = counted(found.horizon, "row")
        ahead = f"It looks {rows} ahead, as its leads say. " if found.horizon else ""
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
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # somebody's own code may raise anything
        raise InvalidRequest(f"{file} cannot be loaded: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise InvalidRequest(f"{file} has no function {name!r}")
    return function  # type: ignore[no-any-return]
