"""Documents that came over a network: the words of our files, read by the same models, but they name no file.

A file may name others beside it: lists in CSV, a policy in Python. Whoever sends a request is not at the server's disk,
so such names are refused here before anything looks at them. Everything else that a document can say is data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quantflux.backtest.runs.files import run_of_values
from quantflux.backtest.runs.run_file import RunFile
from quantflux.backtest.sweeps.grid import ParameterSet, parameter_sets
from quantflux.core.documents import Document
from quantflux.core.errors import InvalidRequest
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.portfolio.files import portfolio_file_of
from quantflux.portfolio.portfolio_file import PortfolioFile
from quantflux.scoring.files import score_request, screen_request
from quantflux.scoring.request import ScoreRequest, ScreenRequest

MOST_VALUES = 100_000
"""Keys, numbers and texts of one document; a file has at most 1 MB."""


def model_document(values: Mapping[str, Any]) -> ModelSpec:
    """Return the model that values describe; raises what `specification_of` does."""
    _check_size("the model", values)
    return specification_of(values)


def score_document(values: Mapping[str, Any]) -> ScoreRequest:
    """Return the score that values describe; raises what `score_request` does."""
    _check_size("the score", values)
    return score_request(values, "the score")


def screen_document(values: Mapping[str, Any]) -> ScreenRequest:
    """Return the screen that values describe; raises what `screen_request` does."""
    _check_size("the screen", values)
    return screen_request(values, "the screen")


def portfolio_document(values: Mapping[str, Any]) -> PortfolioFile:
    """Return the portfolio that values describe.

    Raises
    ------
    InvalidRequest
        Listing every problem, or if it names a file.

    Examples
    --------
    >>> portfolio_document({"capital": 1e6, "method": "equal"}).name
    'the portfolio'
    >>> portfolio_document({"holdings": {"file": "/etc/passwd"}})
    Traceback (most recent call last):
    ...
    quantflux.core.errors.InvalidRequest: the portfolio: holdings.file: a request cannot name a file; give \
holdings.shares, the shares by symbol
    """
    _check_size("the portfolio", values)
    found = portfolio_file_of(Document("the portfolio", "", values))
    _refuse("the portfolio", _files_of_portfolio(found))
    return found


def run_document(values: Mapping[str, Any]) -> RunFile:
    """Return the backtest that values describe.

    Raises
    ------
    InvalidRequest
        Listing every problem, or if it names a file.

    Examples
    --------
    >>> run_document({"policy": {"kind": "python", "class": "leaky.py:Leaky"}})
    Traceback (most recent call last):
    ...
    quantflux.core.errors.InvalidRequest: the run: policy.class: a request cannot name a file; give a policy of kind \
ranked or signals
    """
    _check_size("the run", values)
    found = run_of_values(values, "the run")
    _refuse("the run", _files_of_run(found))
    return found


def sweep_sets(run: RunFile) -> tuple[ParameterSet, ...]:
    """Return the parameter sets of a run's sweep; raises what `parameter_sets` does, and if one names a file."""
    sets = parameter_sets(run)
    for each in sets:  # what a sweep varies may be the very key that names a file
        _refuse(f"the sweep, set {each.number}", _files_of_run(each.run))
    return sets


def _check_size(called: str, values: Mapping[str, Any]) -> None:
    """Refuse a document before its checks, which take time for each value, if it has too many."""
    level: list[Any] = [values]
    seen = 0
    while level:
        deeper: list[Any] = []
        for each in level:
            if isinstance(each, Mapping | list):
                deeper.extend(each.values() if isinstance(each, Mapping) else each)
        seen += len(deeper)
        if seen > MOST_VALUES:
            raise InvalidRequest(
                f"{called}: holds more than {MOST_VALUES:,} values, the most a request may have"
            )
        level = deeper


def _refuse(called: str, named: Iterator[tuple[str, str]]) -> None:
    lines = [f"{key}: a request cannot name a file; give {instead}" for key, instead in named]
    if lines:
        raise InvalidRequest(f"{called}: {'; '.join(lines)}")


def _files_of_portfolio(told: PortfolioFile) -> Iterator[tuple[str, str]]:
    """Yield each key that names a file, and what to give instead."""
    if told.universe.file:
        yield "universe.file", "universe.symbols, a list"
    if told.holdings is not None and told.holdings.file:
        yield "holdings.file", "holdings.shares, the shares by symbol"
    if told.expected_returns is not None and told.expected_returns.file:
        yield "expected_returns.file", "expected_returns.values, the returns by symbol"
    if told.benchmark not in ("", "equal", "cap"):
        yield "benchmark", "equal or cap"


def _files_of_run(told: RunFile) -> Iterator[tuple[str, str]]:
    """Yield each key that names a file, and what to give instead."""
    if told.universe.file:
        yield "universe.file", "universe.symbols, a list"
    if told.policy.kind == "python":
        yield "policy.class", "a policy of kind ranked or signals"
    elif told.policy.kind in ("weights", "orders"):
        yield "policy.file", "a policy of kind ranked or signals"
