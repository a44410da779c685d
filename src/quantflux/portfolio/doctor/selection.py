"""Limits of risk beside limits on the number of names: no exact solver is at hand, so what has to give is searched for.

The optimiser's heuristic (`portfolio.selection`) makes risk as small as it can for the names allowed. What it reaches
is what a limit of risk has to allow (`_risk_remedy`); with how many names, or how small positions, it reaches the
limit is found by halving (`_number_remedy`). Every remedy comes with weights that were checked; a smaller one may do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cvxpy as cp
import numpy as np

from quantflux.core.errors import OptimisationError
from quantflux.portfolio.demands import NameCount, RiskLimit
from quantflux.portfolio.doctor.conflicts import Clash, Conflict, Remedy, loosened_problem
from quantflux.portfolio.doctor.limits import Limit
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.solving import Aim, solve
from quantflux.portfolio.unknowns import Unknowns

_HALVINGS = 8
_MET = 1e-6  # of the risk of a name
_A_NAME = 0.01  # what one name more counts as, in weight


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search found: the conflict, and the cheapest change with weights that meet all limits then."""

    conflict: Conflict
    changes: tuple[str, ...]
    total: float
    relaxed: Problem
    weights: np.ndarray | None


@dataclass(frozen=True, eq=False)
class _Option:
    remedy: Remedy
    relaxed: Problem
    weights: np.ndarray


def search(problem: Problem, limits: Sequence[Limit]) -> Searched | None:
    """Return what has to give where risk and whole numbers clash; None if weights that meet all limits are found."""
    risks = [limit for limit in limits if isinstance(limit.demand, RiskLimit)]
    wholes = [limit for limit in limits if limit.whole]
    excess, weights = _least_excess(problem, risks)
    if excess <= _MET:
        return None
    found = [
        option for option in (_risk_remedy(problem, limits, risks, excess, weights),) if option is not None
    ]
    found += [
        option for limit in wholes if (option := _number_remedy(problem, limits, risks, limit)) is not None
    ]
    found.sort(key=lambda option: option.remedy.amount)
    clashes = tuple(Clash(limit.constraint.name, limit.words()) for limit in (*risks, *wholes))
    best = found[0] if found else None
    return Searched(
        Conflict(clashes, tuple(option.remedy for option in found)),
        () if best is None else (str(best.remedy),),
        np.inf if best is None else best.remedy.amount,
        problem if best is None else best.relaxed,
        None if best is None else best.weights,
    )


def _least_excess(problem: Problem, risks: Sequence[Limit]) -> tuple[float, np.ndarray | None]:
    """Return by how much the limits of risk are overstepped at least, in the risk of a name, and by which weights."""
    bounded = {id(limit.constraint) for limit in risks}
    free = replace(problem, constraints=tuple(c for c in problem.in_force if id(c) not in bounded))

    def aim(unknowns: Unknowns) -> Aim:
        spreads: list[Any] = [
            cp.norm(unknowns.spread(limit.demand.centre)) - limit.demand.most / unknowns.unit
            for limit in risks
            if isinstance(limit.demand, RiskLimit)
        ]
        return Aim(cp.max(cp.hstack(spreads)), unknowns.unit, "risk above its limit")

    try:
        found = solve(free, aim, method="least risk")
    except OptimisationError:
        return np.inf, None
    excess = max(float(limit.demand.breach(found.weights)[0] / limit.demand.scale[0]) for limit in risks)
    return excess, found.weights


def _risk_remedy(
    problem: Problem,
    limits: Sequence[Limit],
    risks: Sequence[Limit],
    excess: float,
    weights: np.ndarray | None,
) -> _Option | None:
    if weights is None:
        return None
    slacks = [np.array([excess]) if limit in risks else None for limit in limits]
    relaxed = loosened_problem(problem, limits, slacks)
    words = "; ".join(limit.change_words(relaxed.demands[limit.place][1], weights) for limit in risks)
    names = ", ".join(limit.constraint.name for limit in risks)
    return _Option(Remedy(names, words, excess * len(risks)), relaxed, weights)


def _number_remedy(
    problem: Problem, limits: Sequence[Limit], risks: Sequence[Limit], limit: Limit
) -> _Option | None:
    demand = limit.demand
    count = len(problem.symbols)
    most = float(count - demand.most) if isinstance(demand, NameCount) else 1.0
    best: _Option | None = None
    low, high = 0.0, most
    for step in range(_HALVINGS + 1):
        slack = high if step == 0 else (low + high) / 2
        slack = float(np.floor(slack)) if isinstance(demand, NameCount) else slack
        if step and isinstance(demand, NameCount) and slack <= low:
            break
        slacks = [np.array([slack]) if other is limit else None for other in limits]
        relaxed = loosened_problem(problem, limits, slacks)
        excess, weights = _least_excess(relaxed, risks)
        if excess <= _MET and weights is not None:
            wider = relaxed.demands[limit.place][1]
            words = limit.change_words(wider, weights)
            price = _A_NAME if isinstance(demand, NameCount) else 1.0
            best, high = _Option(Remedy(limit.constraint.name, words, slack * price), relaxed, weights), slack
        elif step == 0:
            return None
        else:
            low = slack
    return best
