"""What a model learnt of the demonstration's factors, on the terminal."""

from __future__ import annotations

from collections.abc import Collection
from math import isnan

from rich.console import Console
from rich.table import Table
from rich.text import Text

from quantflux.cli.demo.results import Taught
from quantflux.cli.output import add_row, counted, table
from quantflux.learning.evaluation import Evaluation, reason_of
from quantflux.learning.service import TrainedModel

_SHOWN = 6
_CLEAR = 0.5  # of a rank correlation: below, which way it works depends on the rest
_FIGURES = (
    ("rank_ic", "RankIC", "+.4f"),
    ("t_value", "t", ".1f"),
    ("long_short_net", "long-short a year, after costs", "+.1%"),
    ("top_excess", "the best names, beyond all, a year", "+.1%"),
)


def print_learnt(console: Console, taught: Taught, planted: Collection[str]) -> None:
    """Print what a model found out of sample, beside what luck finds, and which names it likes best."""
    made = taught.model
    if made is None:
        console.print(Text(f"No model: {taught.why}"))
        return
    console.print(_figures(made))
    console.print(Text(f"  {reason_of(made.evaluation).en}", style="dim"), soft_wrap=True)
    if made.control is not None:
        console.print(Text(f"  Shuffled labels: {reason_of(made.control).en}", style="dim"), soft_wrap=True)
    console.print()
    console.print(_features(made, planted))
    if taught.chosen is not None:
        best = [row["symbol"] for row in taught.chosen.rows[:_SHOWN]]
        day = taught.chosen.scores.day
        console.print(Text(f"  likes best at the close of {day}: {', '.join(best)}"))


def _figures(made: TrainedModel) -> Table:
    right = ["model", "shuffled labels"]
    told = table(
        "",
        *right,
        title=f"A model of these factors, {counted(len(made.folds), 'fold')}, out of sample",
        right=right,
    )
    for key, label, form in _FIGURES:
        add_row(told, label, _figure(made.evaluation, key, form), _figure(made.control, key, form))
    control = "" if made.control is None else made.control.verdict.value
    add_row(told, "verdict", made.evaluation.verdict.value, control)
    return told


def _figure(found: Evaluation | None, key: str, form: str) -> str:
    value = float("nan") if found is None else found.figures.get(key, float("nan"))
    return "-" if isnan(value) else format(value, form)


def _features(made: TrainedModel, planted: Collection[str]) -> Table:
    explanation = made.explanation
    total = float(explanation.strength.sum()) or 1.0
    names = ["what it looks at", "share", "more of it"]
    told = table(*names, *(["planted alpha"] if planted else []), right=["share"])
    for place in explanation.strongest(_SHOWN):
        name, direction = explanation.names[place], float(explanation.direction[place])
        cells = [name, f"{explanation.strength[place] / total:.0%}", way_of(direction)]
        if planted:
            cells.append("planted" if name in planted else "not planted")
        add_row(told, *cells)
    return told


def way_of(direction: float) -> str:
    """Say which way a feature moves predictions.

    Examples
    --------
    >>> way_of(0.9), way_of(-0.7), way_of(0.1)
    ('is better', 'is worse', 'it depends')
    """
    if isnan(direction) or abs(direction) < _CLEAR:
        return "it depends"
    return "is better" if direction > 0 else "is worse"
