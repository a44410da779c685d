"""The most return over the risk-free rate for each unit of risk."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantflux.core.errors import Infeasible, InvalidRequest
from quantflux.portfolio.constraints import Budget
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.solving import Aim, solve
from quantflux.portfolio.unknowns import Unknowns
from quantflux.portfolio.vectors import finite_number

_LEAST_SCALE = 1e-6  # weighs the size of the scale beside a variance of about 1


def maximum_sharpe(problem: Problem, *, risk_free: float = 0.0) -> Portfolio:
    """Maximise the Sharpe ratio, (expected return - risk_free - costs) / standard deviation, under all constraints.

    The ratio is not concave, but the problem becomes convex in y = k w, where k > 0 is unknown too: among all y with
    an excess return of at least 1 that of the least variance is w times k. Each constraint is multiplied by k.

    Where the budget leaves room for cash, or is 0, the ratio is the same for any size; the largest positions that the
    constraints allow are taken.

    Parameters
    ----------
    problem : Problem
        With expected returns and a risk model.
    risk_free : float
        A day, what cash earns: 0.02 a year are 0.02 / 244.

    Raises
    ------
    Unbounded
        If positions of any size are allowed.
    Infeasible
        If no weights meet all constraints, or none of those that do earns more than cash: then the ratio has no best
        value that would mean anything.

    References
    ----------
    Schaible (1974), "Parameter-free convex equivalent and dual programs of fractional programming problems",
    Zeitschrift fuer Operations Research 18: 187-196.
    """
    problem.risk_for("maximum_sharpe")
    excess = problem.returns_for("maximum_sharpe") - finite_number("risk_free", risk_free)
    if not (excess != 0).any():
        raise InvalidRequest("maximum_sharpe needs an expected return that differs from risk_free")
    unit = float(np.abs(excess).max())
    # Where the sum of weights does not fix the size of the positions, the largest are those of the least scale.
    any_size = all(c.least < c.most or c.most == 0 for c in problem.in_force if isinstance(c, Budget))

    def ratio(unknowns: Unknowns) -> Aim:
        earned = unknowns.linear(excess / unit) - unknowns.cost() / unit
        goal: Any = unknowns.variance()
        if any_size:
            goal += _LEAST_SCALE * unknowns.scale
        return Aim(goal, (unknowns.unit / unit) ** 2, "1 / squared Sharpe ratio", (earned >= 1,))

    def most_return(unknowns: Unknowns) -> Aim:
        return Aim(unknowns.cost() / unit - unknowns.linear(excess / unit), unit, "minus the excess return")

    parameters = {"risk_free": risk_free}
    try:
        return solve(problem, ratio, method="maximum_sharpe", parameters=parameters, homogeneous=True)
    except Infeasible as failure:
        richest = solve(problem, most_return, method="maximum_sharpe").weights
        earned = float(excess @ richest) - problem.cost(richest) / (problem.holding_days or 1.0)
        if earned > 0:
            raise
        raise Infeasible(
            f"no portfolio that meets the constraints earns more than risk_free; the best earns {earned:.3g} a day "
            "beside it, after costs",
            failure.status,
        ) from None
