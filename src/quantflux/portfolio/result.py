"""A portfolio that was found: weights, how they were found, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from quantflux.portfolio.demands import TINY, turnover
from quantflux.portfolio.problem import Problem


@dataclass(frozen=True)
class Statistics:
    """What weights come to. Daily; None where the problem lacks what the number needs.

    Attributes
    ----------
    names : int
        Names held.
    effective_names : float
        1 over the sum of squared shares in what is invested: 100 for 100 equal weights.
    invested, cash : float
        Sum of weights, and what is left of 1.
    largest : float
        Largest weight.
    expected_return : float or None
        Before costs, a day.
    risk : float or None
        Standard deviation of the daily return.
    tracking_error : float or None
        Standard deviation of the daily return over the benchmark.
    turnover : float or None
        The larger of what is bought and what is sold.
    cost : float or None
        Of getting there from the current weights, once, as a fraction of capital.
    """

    names: int
    effective_names: float
    invested: float
    cash: float
    largest: float
    expected_return: float | None
    risk: float | None
    tracking_error: float | None
    turnover: float | None
    cost: float | None


@dataclass(frozen=True, eq=False)
class Portfolio:
    """Weights that a method found for a problem.

    Attributes
    ----------
    symbols : tuple of str, length N
    weights : array of float64, shape (N,)
        Fractions of capital; exactly 0 where nothing is held.
    method : str
    parameters : mapping
        With which the method was called.
    status : str
        "optimal", or "closed form" where no solver was needed.
    solver : str or None
        Which solver ran.
    fallback : str or None
        Which solver was to run and why another did; None when the first one did.
    statistics : Statistics
    binding : tuple of str
        The limits at which the weights stand, in words; those of single names are left out.
    notes : tuple of str
        What a reader must know: a choice that was made by a heuristic, a constraint that bends a method's idea.
    """

    symbols: tuple[str, ...]
    weights: np.ndarray
    method: str
    status: str
    solver: str | None
    fallback: str | None
    statistics: Statistics
    parameters: Mapping[str, Any] = field(default_factory=dict)
    binding: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def held(self) -> dict[str, float]:
        """Weights of the names that are held, largest first."""
        order = np.argsort(-self.weights, kind="stable")
        return {self.symbols[i]: float(self.weights[i]) for i in order if self.weights[i] != 0}

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON: weights of the names that are held, largest first."""
        return {
            "method": self.method,
            "parameters": {name: _plain(value) for name, value in self.parameters.items()},
            "status": self.status,
            "solver": self.solver,
            "fallback": self.fallback,
            "statistics": asdict(self.statistics),
            "binding": list(self.binding),
            "notes": list(self.notes),
            "weights": self.held(),
        }


def statistics(problem: Problem, weights: np.ndarray) -> Statistics:
    """Work out what weights come to in a problem."""
    invested, squares = float(weights.sum()), float(weights @ weights)
    expected, risk, benchmark, current = (
        problem.expected_returns,
        problem.risk,
        problem.benchmark,
        problem.current,
    )
    return Statistics(
        names=int(np.count_nonzero(np.abs(weights) > TINY)),
        effective_names=float(np.abs(weights).sum() ** 2 / squares) if squares else 0.0,
        invested=invested,
        cash=1.0 - invested,
        largest=float(weights.max()),
        expected_return=None if expected is None else float(expected @ weights),
        risk=None if risk is None else math.sqrt(max(risk.variance(weights), 0.0)),
        tracking_error=None
        if risk is None or benchmark is None
        else math.sqrt(max(risk.variance(weights - benchmark), 0.0)),
        turnover=None if current is None else turnover(weights, current),
        cost=problem.cost(weights) if problem.costs else None,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else repr(value)
