"""What the backtest commands print: key figures, prices of rules, refused orders, sweeps, replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from quantflux.cli.output import add_row, answers, counted, notes, size_of, table

if TYPE_CHECKING:
    from rich.table import Table

    from quantflux.backtest.runs.record import Replay
    from quantflux.backtest.study import Study
    from quantflux.backtest.sweeps.sweep import Sweep

_KEY = {
    "annual return": ("annual_return", "+.1%"),
    "volatility": ("volatility", ".1%"),
    "Sharpe": ("sharpe", ".2f"),
    "Sortino": ("sortino", ".2f"),
    "Calmar": ("calmar", ".2f"),
    "largest drawdown": ("max_drawdown", ".1%"),
    "worst day": ("worst_day", "+.1%"),
    "days up": ("positive_days", ".0%"),
}
"""Key figures of an account: label, attribute of `Performance`, how it is written."""


def print_study(study: Study) -> None:
    """Show a backtest."""
    days = f"{study.times[0]} .. {study.times[-1]}, {counted(study.performance.days, 'day')}"
    answers.print(f"[bold cyan]{_escaped(study.name)}[/]  {days}", soft_wrap=True)
    for part in (_key(study), _beside(study), _rules(study), _refusals(study)):
        if part is not None:
            answers.print(part)
            answers.print()
    if study.refusals:
        notes.print("not bought and not sold: in 10,000 yuan")


def _key(study: Study) -> Table:
    others = [benchmark.name for benchmark in study.benchmarks]
    made = table("", "strategy", *others, right=("strategy", *others))
    accounts = [study.performance, *(benchmark.performance for benchmark in study.benchmarks)]
    for label, (name, form) in _KEY.items():
        add_row(made, label, *(_written(getattr(account, name), form) for account in accounts))
    return made


def _beside(study: Study) -> Table:
    """Show what only the strategy has: how it stands to its benchmark, what it traded, how much may be luck."""
    facts = {
        "final value": f"{study.equity[-1]:,.0f} yuan",
        "turnover a year": f"{_written(study.turnover, '.1f')}x",
        "costs a year": _written(study.cost_drag, ".2%"),
        "names held": f"{study.exposure.names.mean():.0f}",
        "not by chance": f"{_written(study.luck.deflated, '.0%')} given {counted(study.luck.trials, 'trial')}",
    }
    beside = study.comparison
    if beside is not None and study.benchmark is not None:
        facts |= {
            f"ahead of {study.benchmark.name} a year": _written(beside.excess_return, "+.1%"),
            "information ratio": _written(beside.information_ratio, ".2f"),
            "beta": _written(beside.beta, ".2f"),
            "months ahead": _written(beside.months_ahead, ".0%"),
        }
    made = table("", " ", right=(" ",))
    made.show_header = False
    for label, text in facts.items():
        add_row(made, label, text)
    return made


def _rules(study: Study) -> Table | None:
    if study.ladder is None:
        return None
    from quantflux.backtest.report.texts import RULES

    made = table("rule", "took a year", "leaves", right=("took a year", "leaves"))
    add_row(made, "without any", "", _written(study.ladder.ideal, "+.2%"))
    for rung in study.ladder.rungs:
        add_row(made, RULES[rung.rule].en, _written(rung.cost, "+.2%"), _written(rung.annual_return, "+.2%"))
    return made


def _refusals(study: Study) -> Table | None:
    if not study.refusals:
        return None
    from quantflux.backtest.report.texts import REASONS

    right = ("buys", "sells", "not bought", "not sold")
    made = table("orders not filled, or cut", *right, right=right)
    for each in study.refusals:
        bought, sold = (f"{yuan / 1e4:,.0f}" for yuan in (each.bought_less, each.sold_less))
        add_row(made, REASONS[each.reason].en, f"{each.buys:,}", f"{each.sells:,}", bought, sold)
    return made


def print_comparison(studies: Sequence[Study]) -> None:
    """Show runs side by side, one a line."""
    right = (
        "annual return",
        "ahead",
        "volatility",
        "Sharpe",
        "drawdown",
        "not by chance",
        "turnover",
        "costs",
    )
    made = table("run", *right, right=right)
    for study in studies:
        found, beside = study.performance, study.comparison
        add_row(
            made,
            study.name,
            _written(found.annual_return, "+.1%"),
            "-" if beside is None else _written(beside.excess_return, "+.1%"),
            _written(found.volatility, ".1%"),
            _written(found.sharpe, ".2f"),
            _written(found.max_drawdown, ".1%"),
            _written(study.luck.deflated, ".0%"),
            f"{_written(study.turnover, '.1f')}x",
            _written(study.cost_drag, ".2%"),
        )
    answers.print(made)
    begun = {study.name: str(study.times[0]) for study in studies}
    if len(set(begun.values())) > 1:
        told = ", ".join(f"{name} {day}" for name, day in begun.items())
        notes.print(
            f"figures are of each run's own days, which begin with its first decision: {told}",
            markup=False,
            soft_wrap=True,
        )


def print_differences(names: Sequence[str], differing: Mapping[str, Sequence[Any]]) -> None:
    """Show in which keys run files differ."""
    if not differing:
        notes.print("the run files say the same, names aside")
        return
    made = table("what differs", *names)
    for key, values in differing.items():
        add_row(made, key, *("-" if value is None else str(value) for value in values))
    answers.print(made)


def print_sweep(sweep: Sweep, most: int) -> None:
    """Show the best sets of a sweep, and what failed."""
    from quantflux.backtest.sweeps.grid import written
    from quantflux.backtest.sweeps.output import figures_of

    right = ("Sharpe", "not by chance", "annual", "volatility", "drawdown", "turnover", "costs")
    keys = _shortened(sweep.keys)
    made = table("set", *keys, *right, right=("set", *keys, *right))
    for each in sweep.done[:most]:
        told = figures_of(each)
        add_row(
            made,
            f"{each.number}",
            *(written(each.values[key]) for key in sweep.keys),
            _written(told["sharpe"], ".2f"),
            _written(told["deflated"], ".0%"),
            _written(told["annual_return"], "+.1%"),
            _written(told["volatility"], ".1%"),
            _written(told["max_drawdown"], ".1%"),
            f"{_written(told['turnover'], '.1f')}x",
            _written(told["cost_drag"], ".2%"),
        )
    answers.print(made)
    if len(sweep.done) > most:
        notes.print(f"and {counted(len(sweep.done) - most, 'more set')}; --csv FILE has them all")
    _print_failed(sweep)
    processes = f"{sweep.processes} process{'es' if sweep.processes > 1 else ''}"
    notes.print(
        f"{counted(len(sweep.done), 'set')} of {len(sweep.results):,} done in {processes}{_memory(sweep)}; "
        "not by chance: given that the best of them all was picked"
    )


def _print_failed(sweep: Sweep) -> None:
    from quantflux.backtest.sweeps.grid import written
    from quantflux.backtest.sweeps.sweep import NOT_RUN

    left = 0
    for each in sweep.failed:
        if each.problem == NOT_RUN:
            left += 1
            continue
        values = ", ".join(f"{key} = {written(value)}" for key, value in each.values.items())
        notes.print(f"set {each.number} ({values}): {each.problem}", markup=False, soft_wrap=True)
    if left:
        notes.print(f"{counted(left, 'set')} not run")


def _shortened(keys: Sequence[str]) -> list[str]:
    """Return keys without the tables around them, where what is left says which is meant.

    Examples
    --------
    >>> _shortened(["policy.top", "score.factors.1.weight", "score.factors.2.weight"])
    ['top', 'score.factors.1.weight', 'score.factors.2.weight']
    """
    last = [key.rpartition(".")[2] for key in keys]
    return [short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)]


def _memory(sweep: Sweep) -> str:
    if sweep.processes == 1:
        return ""
    return f", {size_of(sweep.shared_bytes)} shared and up to {size_of(sweep.process_bytes)} for each"


def print_replay(replay: Replay) -> None:
    """Show whether a replay is identical, and what differs."""
    count = len(replay.then.arrays)
    if replay.is_identical:
        answers.print(f"[green]identical[/]: {counted(count, 'result')}, bit for bit")
    else:
        bad = sum(each.kind == "result" for each in replay.differences)
        answers.print(f"[bold red]it differs[/]: {counted(bad, 'result')} of {count}")
    causes = [each for each in replay.differences if each.kind != "result"]
    if causes:
        made = table("changed since", "", "then", "now")
        for each in causes:
            add_row(made, each.kind, each.what, each.then[:60], each.now[:60])
        answers.print(made)
    if replay.is_identical:
        return
    if not causes:
        notes.print(
            "code, data, expressions and files are the same: a policy of its own may not be deterministic, or the "
            "machine calculates otherwise"
        )
    answers.print(
        "differing results: " + ", ".join(e.what for e in replay.differences if e.kind == "result"),
        markup=False,
        soft_wrap=True,
    )
    made = table("figure", "then", "now", right=("then", "now"))
    for name in ("annual_return", "sharpe", "max_drawdown", "final_equity"):
        then, now = replay.then.metrics.get(name), replay.now.metrics.get(name)
        add_row(made, name, *("-" if value is None else f"{value:.10g}" for value in (then, now)))
    answers.print(made)


def _written(value: float, form: str) -> str:
    return format(value, form) if isfinite(value) else "-"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
