"""Some limits held, others loosened at a price: the least that has to give for weights to exist.

Every limit that may give gets a slack of 0 or more, counted in weight (`Demand.scale`); the sum of all slacks is made
as small as can be. It is 0 exactly when the limits can hold together. A name too many counts as 1 % of weight, and what
is traded of names that may not be traded counts tenfold.

Linear problems go to HiGHS, also those with whole numbers of names; those with a limit of risk to Clarabel. Both
together are beyond these solvers; see `selection`.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from quantflux.core.errors import Infeasible
from quantflux.portfolio.constraints import NoTrade
from quantflux.portfolio.demands import LeastSize, NameCount, RiskLimit, Rows, Turnover
from quantflux.portfolio.doctor.limits import Limit
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.solving import CHAINS, run

ENOUGH = 1e-6
"""A total of slacks below this is none: what an optimiser's result may overstep (in weight)."""

_A_NAME = 0.01  # what one name too many counts as, in weight
_UNLOCKED = 10.0  # what trading a name that may not be traded counts more: mostly it cannot be had at all


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The least that has to give.

    Attributes
    ----------
    total : float
        Sum of all slacks, in weight, some counting more than others.
    slacks : tuple of array or None
        Of each limit; None of those that were held.
    weights : array of shape (N,)
    pressure : tuple of array
        Of each limit, how hard each of its rows presses (its dual value); empty with whole numbers.
    """

    total: float
    slacks: tuple[np.ndarray | None, ...]
    weights: np.ndarray
    pressure: tuple[np.ndarray, ...]


def relax(problem: Problem, limits: Sequence[Limit], elastic: Set[int]) -> Relaxed | None:
    """Return the least total by which some limits have to give while the others hold; None if that is no way.

    Parameters
    ----------
    problem : Problem
    limits : sequence of Limit
        All that count; others of the problem are left out.
    elastic : set of int
        Places of those that may give.
    """
    try:
        return _Programme(problem, limits, elastic).solved()
    except Infeasible:
        return None


def _price_of(limit: Limit) -> float:
    if isinstance(limit.demand, NameCount):
        return _A_NAME
    return _UNLOCKED if isinstance(limit.constraint, NoTrade) else 1.0


class _Programme:
    def __init__(self, problem: Problem, limits: Sequence[Limit], elastic: Set[int]) -> None:
        self._limits = limits
        self._x = cp.Variable(len(problem.symbols))
        self._slacks = [
            cp.Variable(limit.slacks, nonneg=True) if i in elastic else None for i, limit in enumerate(limits)
        ]
        self._trades: tuple[Any, Any] | None = None
        self._rules: list[Any] = []
        self._whole = any(limit.whole for limit in limits)
        self._held = cp.Variable(len(problem.symbols), boolean=True) if self._whole else None
        if self._whole:  # such limits are for long-only portfolios
            self._rules += [self._x <= self._held, self._x >= 0]
        self._of_limit = [self._kept(limit, self._slack(i)) for i, limit in enumerate(limits)]

    def solved(self) -> Relaxed:
        """Solve it; `Infeasible` if the limits that are held clash."""
        price: Any = cp.Constant(0.0)
        for limit, slack in zip(self._limits, self._slacks, strict=True):
            if slack is not None:
                price = price + cp.sum(slack) * _price_of(limit)
        rules = [*self._rules, *(rule for each in self._of_limit for rule in each)]
        programme = cp.Problem(cp.Minimize(price), rules)
        chain = "whole" if self._whole else "linear" if programme.is_lp() else "convex"
        run(programme, CHAINS[chain])
        return self._result(float(programme.value))

    def _result(self, total: float) -> Relaxed:
        slacks = tuple(None if s is None else np.maximum(np.asarray(s.value), 0.0) for s in self._slacks)
        return Relaxed(
            total,
            slacks,
            np.asarray(self._x.value, dtype=np.float64),
            tuple(() if self._whole else self._pressures()),
        )

    def _pressures(self) -> list[np.ndarray]:
        found = []
        for limit, rules in zip(self._limits, self._of_limit, strict=True):
            count = len(limit.rows)
            values = [np.abs(np.atleast_1d(rule.dual_value)) for rule in rules if rule.dual_value is not None]
            fitting = [value for value in values if value.shape == (count,)]
            found.append(
                sum(fitting, np.zeros(count))
                if fitting
                else np.full(count, max((v.max() for v in values), default=0.0))
            )
        return found

    def _slack(self, place: int) -> Any:
        slack = self._slacks[place]
        return 0.0 if slack is None else slack

    def _kept(self, limit: Limit, slack: Any) -> list[Any]:
        demand = limit.demand
        match demand:
            case Rows():
                return self._rows(limit, demand, slack)
            case Turnover():
                return [cp.sum(traded) <= demand.most + slack for traded in self._traded(demand)]
            case RiskLimit():
                return [cp.norm(self._spread(demand)) <= (demand.most / demand.scale[0] + slack)]
            case NameCount():
                return [cp.sum(self._held) <= demand.most + slack]
            case LeastSize():
                return [self._x >= cp.multiply(demand.least, self._held) - slack]

    def _rows(self, limit: Limit, demand: Rows, slack: Any) -> list[Any]:
        rows = limit.rows
        size = demand.scale[rows]
        value = demand.matrix[rows].multiply((1.0 / size)[:, None]).tocsr() @ self._x
        made = []
        if limit.above:
            made.append(value <= demand.upper[rows] / size + slack)
        if limit.below:
            made.append(value >= demand.lower[rows] / size - slack)
        return made

    def _traded(self, demand: Turnover) -> tuple[Any, Any]:
        if self._trades is None:
            bought, sold = (cp.Variable(len(demand.current), nonneg=True) for _ in range(2))
            self._rules.append(self._x - demand.current == bought - sold)
            self._trades = bought, sold
        return self._trades

    def _spread(self, demand: RiskLimit) -> Any:
        """Return a vector whose length is the standard deviation, in the scale of the demand."""
        apart = self._x if demand.centre is None else self._x - demand.centre
        moves = cp.Variable(len(demand.risk.root()))
        self._rules.append(moves == (demand.risk.root() / demand.scale[0]) @ apart)
        deviation = np.sqrt(demand.risk.diagonal) / demand.scale[0]
        return cp.hstack([moves, cp.multiply(deviation, apart)]) if deviation.any() else moves
