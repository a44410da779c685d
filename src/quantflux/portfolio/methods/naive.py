"""Weights by a formula, without an objective: equal, inverse volatility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.checking import breaches
from quantflux.portfolio.constraints import Budget
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.solving import finish


def equal(problem: Problem) -> Portfolio:
    """Give every name the same weight.

    Raises
    ------
    InvalidRequest
        If equal weights break a constraint; a formula has no way to meet it.

    Examples
    --------
    >>> equal(Problem(("A", "B", "C", "D"))).held()
    {'A': 0.25, 'B': 0.25, 'C': 0.25, 'D': 0.25}
    """
    return prescribed(problem, np.ones(len(problem.symbols)), "equal")


def inverse_volatility(problem: Problem) -> Portfolio:
    """Give every name a weight in proportion to 1 / volatility. Needs a risk model.

    Raises
    ------
    InvalidRequest
        If the weights break a constraint; a formula has no way to meet it.
    """
    return prescribed(problem, 1 / positive_volatilities(problem, "inverse_volatility"), "inverse_volatility")


def positive_volatilities(problem: Problem, method: str) -> np.ndarray:
    """Return the daily volatility of each name, or say which has none."""
    volatility = problem.risk_for(method).volatilities
    if (still := np.flatnonzero(~(volatility > 0))).size:
        names = ", ".join(problem.symbols[i] for i in still[:5])
        raise InvalidRequest(f"{method} needs names that move; the risk model has no variance for {names}")
    return np.asarray(volatility)


def prescribed(
    problem: Problem,
    shares: np.ndarray,
    method: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    status: str = "closed form",
    solver: str | None = None,
    notes: Sequence[str] = (),
) -> Portfolio:
    """Invest as much as the budget allows in given proportions, if that keeps all constraints.

    Raises
    ------
    InvalidRequest
        If it does not; the message says which are broken.
    """
    weights = in_budget(problem, shares)
    if broken := breaches(problem, weights):
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        raise InvalidRequest(
            f"{method} has no freedom to meet constraints, and its weights break {'; '.join(broken[:3])}{more}. Take "
            "them as the benchmark of `tracking` to get the nearest portfolio that meets all"
        )
    if problem.costs:
        notes = (*notes, "costs are counted, but this method does not weigh them")
    return finish(
        problem, weights, method=method, parameters=parameters, status=status, solver=solver, notes=notes
    )


def in_budget(problem: Problem, shares: np.ndarray) -> np.ndarray:
    """Return weights in proportion to `shares`, shape (N,), that add up to the most that the budget allows."""
    most = min(budget.most for budget in problem.in_force if isinstance(budget, Budget))
    if most <= 0:
        raise InvalidRequest(f"weights by a formula need a budget above 0, the most was {most:g}")
    return np.asarray(shares / shares.sum() * most)
