"""Risk parity: every name contributes its budget of risk.

The contribution of a name is w_i (S w)_i / w'Sw with the covariance S. Weights whose contributions are the budgets b
are, up to their sum, the minimum of the convex function

    x'Sx / 2 - sum(b_i log x_i)

since its gradient vanishes where x_i (S x)_i = b_i for every i. It is found by Newton's method with a line search
(`budgeted`); with a risk model in factors each step solves a system of K unknowns.

Where the result breaks a constraint, variance is made small under all constraints and sum(b_i log x_i) >= a constant
instead: the same problem where the constraints do not bind. Contributions then differ from the budgets, and the
result says by how much.

References
----------
Spinu (2013), "An Algorithm for Computing Risk Parity Weights", SSRN 2297383.
Richard, Roncalli (2019), "Constrained Risk Budgeting Portfolios", arXiv 1902.05710.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cvxpy as cp
import numpy as np
from scipy import linalg

from quantflux.core.errors import InvalidRequest, OptimisationError
from quantflux.portfolio.checking import breaches
from quantflux.portfolio.methods.naive import in_budget, positive_volatilities, prescribed
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.solving import Aim, solve
from quantflux.portfolio.unknowns import Unknowns
from quantflux.portfolio.vectors import vector

_STEPS = 200
_PRECISE = 1e-9  # of a budget
_STILL = 1e-7  # of what the portfolio would move by if all names moved together: no risk is left to share


def risk_parity(problem: Problem, *, budgets: np.ndarray | None = None) -> Portfolio:
    """Find weights, all above 0, whose contributions to risk are the budgets.

    Parameters
    ----------
    problem : Problem
        With a risk model.
    budgets : array of float64, shape (N,), optional
        Above 0, of any sum; equal by default.

    Raises
    ------
    InvalidRequest
        If a budget is not above 0, a name has no variance, or limits on numbers or sizes of positions are broken
        (a name must not be held, so that its contribution would be 0).
    """
    volatility = positive_volatilities(problem, "risk_parity")
    shares = np.ones(len(volatility)) if budgets is None else vector("budgets", budgets, problem.symbols)
    if shares.min() <= 0:
        raise InvalidRequest(
            f"budgets of risk must be above 0, the least was {shares.min():g}; drop the name instead"
        )
    shares = shares / shares.sum()
    found = budgeted(problem.risk_for("risk_parity"), shares)
    parameters = {"budgets": budgets}
    if not breaches(problem, in_budget(problem, found)):
        return prescribed(
            problem, found, "risk_parity", parameters=parameters, status="optimal", solver="Newton"
        )
    return _constrained(problem, shares, parameters)


def contributions(risk: RiskModel, weights: np.ndarray) -> np.ndarray:
    """Return the part of each name in the variance of a portfolio, shape (N,); they add up to 1.

    Examples
    --------
    >>> contributions(RiskModel(("A", "B"), dense=np.diag([1e-4, 4e-4])), np.array([0.5, 0.5])).round(3).tolist()
    [0.2, 0.8]
    """
    part = weights * risk.times(weights)
    return np.asarray(part / part.sum())


def budgeted(risk: RiskModel, budgets: np.ndarray) -> np.ndarray:
    """Return positions, up to their size, whose contributions to risk are the budgets.

    Parameters
    ----------
    risk : RiskModel
        Every name has a variance.
    budgets : array of float64, shape (N,)
        Above 0, with a sum of 1.

    Raises
    ------
    OptimisationError
        If Newton's method does not converge, as when the covariance allows a portfolio of positive weights without
        variance.
    """
    # In units of each name's own volatility all unknowns are of one size.
    x = np.sqrt(budgets) / risk.volatilities
    x /= max(risk.volatility(x), _STILL)
    for _ in range(_STEPS):
        pull = risk.times(x)
        if np.abs(x * pull - budgets).max() <= _PRECISE * budgets.min():
            return np.asarray(x)
        gradient = pull - budgets / x
        if risk.volatility(x) < _STILL * float(x @ risk.volatilities):
            break
        step = _newton_step(risk, budgets / x**2, gradient)
        x = _searched(risk, budgets, x, step, float(gradient @ step))
    amiss = float(np.abs(x * risk.times(x) / budgets - 1).max())
    raise OptimisationError(
        f"risk parity did not converge: positive weights without variance seem possible; contributions differ by up to "
        f"{amiss:.2g} of their budgets",
        "not converged",
    )


def _newton_step(risk: RiskModel, barrier: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    # -(S + diag(barrier))^-1 gradient; by Woodbury's identity where S = R'R + diag(d) with few rows in R
    if risk.dense is not None:
        whole = risk.dense.copy()
        whole[np.diag_indices(len(whole))] += barrier
        return np.asarray(-linalg.cho_solve(linalg.cho_factor(whole, overwrite_a=True), gradient))
    root, diagonal = risk.root(), risk.diagonal + barrier
    scaled = root / diagonal
    inner = scaled @ root.T
    inner[np.diag_indices(len(inner))] += 1.0
    return np.asarray(scaled.T @ linalg.solve(inner, scaled @ gradient, assume_a="pos") - gradient / diagonal)


def _searched(
    risk: RiskModel, budgets: np.ndarray, x: np.ndarray, step: np.ndarray, slope: float
) -> np.ndarray:
    # Halve the step until all stay above 0 and the function falls by a part of what its slope promises. Near the
    # minimum rounding hides the fall: there the full step is right.
    falling = step < 0
    size = min(1.0, 0.99 * float(np.min(-x[falling] / step[falling], initial=np.inf)))
    along, across = float(step @ risk.times(x)), risk.variance(step)
    while size > 1e-12:
        change = size * along + size**2 * across / 2 - float(budgets @ np.log1p(size * step / x))
        if change <= 1e-4 * size * slope or abs(slope) < 1e-12:
            break
        size /= 2
    return np.asarray(x + size * step)


def _constrained(problem: Problem, budgets: np.ndarray, parameters: dict[str, Any]) -> Portfolio:
    def aim(unknowns: Unknowns) -> Aim:
        part = budgets[unknowns.columns] / budgets[unknowns.columns].sum()
        count = len(unknowns.columns)
        barrier = part @ cp.log(count * unknowns.x) >= 0
        return Aim(unknowns.variance(), unknowns.unit**2, "variance", (barrier,))

    found = solve(problem, aim, method="risk_parity", parameters=parameters, homogeneous=True)
    share = contributions(problem.risk_for("risk_parity"), found.weights) / budgets
    notes = [
        f"constraints bind: contributions to risk are between {share.min():.3g} and {share.max():.3g} of their budgets"
    ]
    if problem.costs:
        notes.append("costs are counted, but this method does not weigh them")
    return replace(found, notes=(*found.notes, *notes))
