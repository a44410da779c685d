"""How long work will take, told before it starts: seconds, right within a factor of three or so.

Factors have a quote of their own (`FactorEngine.quote`). The other figures were measured on two cores, with 200 names
over 970 days, and are taken to grow with the cells (days times names).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from quantflux.core.errors import NotFound
from quantflux.data.contract import day_of
from quantflux.data.schema import DAILY

if TYPE_CHECKING:
    from quantflux.backtest.runs.run_file import RunFile
    from quantflux.learning.specification import ModelSpec
    from quantflux.platform import Platform
    from quantflux.portfolio.portfolio_file import PortfolioFile
    from quantflux.scoring.request import ScoreRequest

_JUDGED = 5e-7  # s a cell and factor
_SIMULATED = 5e-7  # s a cell and run
_RULES = 9  # runs that pricing the rules of the market takes, the real one included
_SCORED = 2e-7  # s a cell and factor
_FITTED = {  # s a cell learnt from and feature, with the usual parameters
    "ridge": 1.5e-7,
    "lasso": 1e-6,
    "elastic_net": 1e-6,
    "lightgbm": 1.5e-6,
    "xgboost": 1.5e-6,
    "catboost": 1.7e-6,
    "random_forest": 3e-5,
    "mlp": 1.2e-5,
}
_ROUNDS = ("n_estimators", "max_iter")
_SLOW_METHODS = {"equal": 2.0, "risk_parity": 3.0, "hrp": 2.0}  # s for 200 names; whole lots are most of it
_START = 0.5  # s that anything takes


def market_size(platform: Platform, start: date | None = None, end: date | None = None) -> tuple[int, int]:
    """Return how many days and names there may be bars of.

    Raises
    ------
    NotFound
        If there are no daily bars.
    """
    span = platform.store.span(DAILY)
    if span is None:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    first = max(span.first, start or span.first)
    last = min(span.last, end or span.last)
    days = platform.calendar.count(day_of(first), day_of(last)) if first <= last else 0
    return days, len(platform.data.symbols(DAILY))


def factors_seconds(platform: Platform, names: Sequence[str]) -> float:
    """Return how long bringing factors up to date takes; 0 if they are."""
    from quantflux.factors.stored import Course  # noqa: PLC0415 - brings the compiler

    decision = platform.factors.explain(names)
    if decision.course is Course.CURRENT:
        return 0.0
    quoted = platform.factors.quote(names)
    left = max(quoted.rows - decision.keep_rows, 0) / max(quoted.rows, 1)
    return _START + quoted.seconds * left


def evaluation_seconds(
    platform: Platform, names: Sequence[str], start: date | None, end: date | None
) -> float:
    """Return how long judging factors takes, computing them included."""
    days, symbols = market_size(platform, start, end)
    count = len(platform.factors.registry.select(names))
    return factors_seconds(platform, names) + _START + count * days * symbols * _JUDGED


def training_seconds(platform: Platform, spec: ModelSpec, times: int = 1) -> float:
    """Return how long training a model `times` times takes, fold by fold.

    Raises
    ------
    InvalidRequest
        If the days do not suffice for its split.
    """
    from quantflux.learning.splits import splitter_of  # noqa: PLC0415

    days, symbols = market_size(platform, spec.universe.start, spec.universe.end)
    folds = splitter_of(spec.split).split(days, spec.label.horizon)
    learnt = sum(len(fold.train) for fold in folds) + max(len(fold.train) for fold in folds)
    each = sum(_fit_rate(kind, parameters) for kind, parameters in _members(spec))
    return _START + times * learnt * symbols * _features(platform, spec) * each


def model_evaluation_seconds(platform: Platform) -> float:
    """Return how long judging a model again takes."""
    days, symbols = market_size(platform)
    return _START + 3 * days * symbols * _JUDGED


def backtest_seconds(platform: Platform, runs: Sequence[RunFile], *, rules: bool) -> float:
    """Return how long backtests take."""
    total = _START
    for run in runs:
        days, symbols = market_size(platform, run.start, run.end)
        formulas = 2 if run.score is None else len(run.score.factors)
        total += days * symbols * (_SIMULATED * (_RULES if rules else 1) + formulas * _SCORED)
    return total


def score_seconds(platform: Platform, request: ScoreRequest) -> float:
    """Return how long a score takes: its trailing window of every factor."""
    _, symbols = market_size(platform)
    registry = platform.factors.registry
    count = sum(
        len(registry.library(each.factor)) if each.factor in registry.libraries() else 1
        for each in request.factors
    )
    days = 250 + (request.trailing.window if request.method in ("ic", "icir") else 0)
    return count * days * symbols * _SCORED


def portfolio_seconds(platform: Platform, file: PortfolioFile) -> float:
    """Return how long finding a portfolio takes; with a covariance of all names, it grows with their square."""
    names = len(file.universe.symbols) or market_size(platform)[1]
    part = names / 200
    seconds = _START + _SLOW_METHODS.get(file.method, 0.5) * part
    if file.risk.model not in ("factor", "statistical"):
        seconds += 0.2 * part * part
    counted = file.constraints.names is not None or file.constraints.position is not None
    return seconds * (10 if counted else 1)


def _members(spec: ModelSpec) -> list[tuple[str, dict[str, object]]]:
    if spec.kind == "ensemble":
        return [(member.kind, member.parameters) for member in spec.members]
    return [(spec.kind, spec.parameters)]


def _fit_rate(kind: str, given: dict[str, object]) -> float:
    """Return seconds a cell and feature: more rounds than usual take longer."""
    from quantflux.learning.models.families import complete, defaults  # noqa: PLC0415 - brings the library

    rate = _FITTED[kind]
    if not given:
        return rate
    usual, wanted = defaults(kind), complete(kind, given)
    for name in _ROUNDS:
        if name in usual:
            rate *= max(float(wanted[name]) / float(usual[name]), 0.1)
    return rate


def _features(platform: Platform, spec: ModelSpec) -> int:
    registry = platform.factors.registry
    return sum(
        len(registry.library(name)) if name in registry.libraries() else 1 for name in spec.features.names
    )
