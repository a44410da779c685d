"""What binding limits cost: the portfolio is found again with each of them a little looser.

That works for every method and every kind of limit. Where the objective is known, its change divided by the change of
the limit is the limit's dual value (shadow price).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quantflux.core.errors import OptimisationError
from quantflux.portfolio.constraints import Budget
from quantflux.portfolio.demands import LeastSize, NameCount, Rows
from quantflux.portfolio.doctor.conflicts import loosened_problem
from quantflux.portfolio.doctor.limits import (
    EXPOSURE,
    NAMES,
    RETURN,
    RISK,
    WEIGHT,
    Limit,
    limits_of,
)
from quantflux.portfolio.methods import optimise
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.year import ROOT_OF_YEAR, TRADING_DAYS

_AT_LIMIT = 1e-5  # of the scale of a row
_PART = 0.1  # of a step by which a limit is loosened, so that the difference is nearly the slope

_STEPS = {
    WEIGHT: (0.01, "1 %"),
    RISK: (0.01 / ROOT_OF_YEAR, "1 % a year"),
    RETURN: (0.01 / TRADING_DAYS, "1 % a year"),
    EXPOSURE: (0.1, "0.1"),
    NAMES: (1.0, "1 name"),
}


@dataclass(frozen=True)
class Price:
    """What one binding limit costs.

    Attributes
    ----------
    constraint, words : str
        Which limit.
    names : int
        How many of its rows bind; 1 unless it limits many names at once.
    step : str
        By how much it is loosened for the changes below, in words; they are scaled up from a tenth of it.
    expected_return, risk, tracking_error : float or None
        How the portfolio's change, of a year, as fractions; None where the problem lacks what they need.
    utility : float or None
        How the objective changes, a day: return minus half the risk aversion times variance minus costs. Never below
        0 but for noise. None for methods with another objective.
    """

    constraint: str
    words: str
    names: int
    step: str
    expected_return: float | None
    risk: float | None
    tracking_error: float | None
    utility: float | None


def prices(problem: Problem, portfolio: Portfolio, *, most: int = 20) -> tuple[Price, ...]:
    """Return what the limits cost at which a portfolio stands, in the order of the constraints.

    Parameters
    ----------
    problem : Problem
        That was solved.
    portfolio : Portfolio
        What the method found.
    most : int
        Limits to look at; each takes one more solution.

    Returns
    -------
    tuple of Price
        Without limits that are never loosened (short positions, credit).
    """
    limits = limits_of(problem)
    binding = [(limit, rows) for limit in limits if (rows := _binding(limit, portfolio.weights)) is not None]
    found = [
        price
        for limit, rows in binding[:most]
        if (price := _price(problem, portfolio, limits, limit, rows)) is not None
    ]
    return tuple(found)


def binding_limits(problem: Problem, weights: np.ndarray) -> tuple[str, ...]:
    """Say at which limits weights stand, in words; those that are never loosened, and exact ones, are left out."""
    told = []
    for limit in limits_of(problem):
        rows = _binding(limit, weights)
        if rows is not None and not (limit.below and limit.above):
            count = f" ({int(rows.sum())} names)" if rows.sum() > 1 else ""
            told.append(f"{limit.constraint.name}: {limit.words(rows)}{count}")
    return tuple(told)


def _binding(limit: Limit, weights: np.ndarray) -> np.ndarray | None:
    """Return which rows of a limit bind; None if it does not, or is never loosened."""
    if limit.hard or isinstance(limit.constraint, Budget) or isinstance(limit.demand, LeastSize):
        return None
    at = limit.demand.breach(weights) > -_AT_LIMIT * limit.demand.scale
    if isinstance(limit.demand, Rows):
        at = at[limit.rows] & (_side(limit, limit.demand, weights) if limit.below != limit.above else True)
    return at if at.any() else None


def _side(limit: Limit, demand: Rows, weights: np.ndarray) -> np.ndarray:
    values = (demand.matrix @ weights)[limit.rows]
    edge = (demand.upper if limit.above else demand.lower)[limit.rows]
    return np.asarray(np.abs(values - edge) <= _AT_LIMIT * demand.scale[limit.rows])


def _price(
    problem: Problem, portfolio: Portfolio, limits: Sequence[Limit], limit: Limit, rows: np.ndarray
) -> Price | None:
    step, words = _STEPS[limit.scale]
    part = 1.0 if isinstance(limit.demand, NameCount) else _PART
    slack = np.full(limit.slacks, part * step) / limit.demand.scale[limit.rows[: limit.slacks]]
    looser = loosened_problem(problem, limits, [slack if other is limit else None for other in limits])
    try:
        other = optimise(looser, portfolio.method, **dict(portfolio.parameters))
    except OptimisationError:
        return None
    before, after = portfolio.statistics, other.statistics
    utilities = _utility(problem, portfolio), _utility(looser, other)
    return Price(
        limit.constraint.name,
        limit.words(rows),
        int(rows.sum()),
        words,
        _change(before.expected_return, after.expected_return, TRADING_DAYS / part),
        _change(before.risk, after.risk, ROOT_OF_YEAR / part),
        _change(before.tracking_error, after.tracking_error, ROOT_OF_YEAR / part),
        _change(*utilities, 1 / part),
    )


def _change(before: float | None, after: float | None, times: float) -> float | None:
    return None if before is None or after is None else (after - before) * times


def _utility(problem: Problem, portfolio: Portfolio) -> float | None:
    told: dict[str, Any] = dict(portfolio.parameters)
    figures = portfolio.statistics
    if portfolio.method not in {"mean_variance", "factor_neutral"} or figures.expected_return is None:
        return None
    aversion = float(told.get("risk_aversion") or 0.0)
    relative = bool(told.get("active") or told.get("relative"))
    risk = figures.tracking_error if relative else figures.risk
    paid = (figures.cost or 0.0) / (problem.holding_days or 1.0)
    return figures.expected_return - aversion / 2 * (risk or 0.0) ** 2 - paid
