"""Small expected losses in the tail: conditional value at risk over scenarios."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.solving import Aim, solve
from quantflux.portfolio.unknowns import Unknowns
from quantflux.portfolio.vectors import finite_number


def cvar(problem: Problem, *, confidence: float = 0.95, risk_aversion: float | None = None) -> Portfolio:
    """Minimise the mean loss of the worst days, or maximise return minus risk aversion times that loss.

    Each day of the scenarios is as likely as any other. With a loss L_t = -(returns of day t) @ w the conditional
    value at risk is the least value over a of  a + mean(max(L - a, 0)) / (1 - confidence), so that the problem is
    linear. Costs, spread over the days of holding, are added.

    Parameters
    ----------
    problem : Problem
        With returns as scenarios; with expected returns too if `risk_aversion` is given.
    confidence : float
        0.95 takes the worst 5 % of days. At least one day must be that bad: 20 scenarios for 0.95.
    risk_aversion : float, optional
        How much expected return a unit of that loss outweighs; without it only the loss counts.

    References
    ----------
    Rockafellar, Uryasev (2000), "Optimization of conditional value-at-risk", Journal of Risk 2(3): 21-41.
    """
    scenarios = problem.scenarios_for("cvar")
    tail = len(scenarios) * (1 - finite_number("confidence", confidence))
    if not 0 < confidence < 1 or tail < 1 - 1e-9:
        raise InvalidRequest(
            f"confidence must lie between 0 and 1 - 1 / scenarios, so that one is in the tail; was {confidence} "
            f"with {len(scenarios)} scenarios"
        )
    if risk_aversion is not None and not 0 <= risk_aversion < np.inf:
        raise InvalidRequest(f"risk_aversion must be a number of 0 or more, was {risk_aversion}")
    expected = None if risk_aversion is None else problem.returns_for("cvar with risk_aversion")
    unit = float(scenarios.std()) or 1.0

    def aim(unknowns: Unknowns) -> Aim:
        cut, beyond = cp.Variable(), cp.Variable(len(scenarios), nonneg=True)
        loss = -(scenarios[:, unknowns.columns] / unit) @ unknowns.x
        goal: Any = cut + cp.sum(beyond) / tail
        if expected is not None:
            goal = (risk_aversion or 0.0) * goal - unknowns.linear(expected / unit)
        words = "conditional value at risk" if expected is None else "minus the risk-adjusted return"
        return Aim(goal + unknowns.cost() / unit, unit, words + " a day", (beyond >= loss - cut,))

    parameters = {"confidence": confidence, "risk_aversion": risk_aversion}
    return solve(problem, aim, method="cvar", parameters=parameters)


def conditional_value_at_risk(returns: np.ndarray, confidence: float = 0.95) -> float:
    """Return the mean loss of the worst days, a fraction; of a day that lies across the edge, the part that belongs.

    Parameters
    ----------
    returns : array of float64, shape (T,)
        Daily returns of a portfolio.
    confidence : float

    Examples
    --------
    >>> conditional_value_at_risk(np.array([-0.04, 0.01, -0.02, 0.03]), confidence=0.5)
    0.03
    """
    losses = np.sort(-np.asarray(returns))[::-1]
    tail = len(losses) * (1 - confidence)
    part = np.clip(tail - np.arange(len(losses)), 0.0, 1.0)
    return float(losses @ part / tail)
