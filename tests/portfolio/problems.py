"""Small problems for the tests of the optimiser, and what certifies an optimum without it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from quantflux.portfolio.problem import Problem
from quantflux.portfolio.risk.model import RiskModel

INDUSTRIES = ("bank", "chip", "food")


def names(count: int) -> tuple[str, ...]:
    """Names S000, S001 ..."""
    return tuple(f"S{i:03d}" for i in range(count))


def groups(count: int) -> list[str]:
    """The industry of each name, in turn."""
    return [INDUSTRIES[i % len(INDUSTRIES)] for i in range(count)]


def factor_risk(count: int, seed: int = 0) -> RiskModel:
    """A risk model of two styles and three industries; a name's daily volatility is about 2.5 %."""
    rng = np.random.default_rng(seed)
    industry = np.eye(len(INDUSTRIES))[np.arange(count) % len(INDUSTRIES)]
    exposures = np.hstack([rng.normal(size=(count, 2)), industry])
    mixed = rng.normal(size=(5, 5)) * 0.004
    return RiskModel(
        names(count),
        exposures=exposures,
        factor_covariance=mixed @ mixed.T + np.diag([2e-5, 2e-5, 1e-4, 1e-4, 1e-4]),
        specific=rng.uniform(0.01, 0.03, count) ** 2,
        factors=("size", "value", *INDUSTRIES),
    )


def dense(risk: RiskModel) -> RiskModel:
    """The same risk, as a whole covariance."""
    return RiskModel(risk.symbols, dense=risk.covariance())


def market(count: int = 12, seed: int = 0, **changes: object) -> Problem:
    """A problem with everything that a method may need, but no constraints beyond those that hold anyway."""
    rng = np.random.default_rng(seed + 100)
    given: dict[str, object] = {
        "symbols": names(count),
        "expected_returns": rng.normal(5e-4, 8e-4, count),
        "risk": factor_risk(count, seed),
        "returns": rng.normal(3e-4, 0.02, (120, count)) + rng.normal(0, 0.01, (120, 1)),
        "current": rng.dirichlet(np.ones(count)),
        "benchmark": rng.dirichlet(np.full(count, 3.0)),
    }
    return Problem(**{**given, **changes})  # type: ignore[arg-type]


def linear_gap(
    gradient: np.ndarray,
    weights: np.ndarray,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    total: float = 1.0,
    above: tuple[np.ndarray, np.ndarray] | None = None,
    fixed: tuple[np.ndarray, np.ndarray] | None = None,
) -> float:
    """By how much a convex objective could be lower than at `weights`, at most (Frank and Wolfe).

    For a convex f over a polytope, f(w) - min f <= max over v of gradient @ (w - v): a linear problem, which scipy
    solves. `above` is (A, b) of A v <= b, `fixed` (A, b) of A v = b, and the weights add up to `total`.
    """
    equal = (np.ones((1, len(weights))), np.array([total]))
    if fixed is not None:
        equal = (np.vstack([equal[0], fixed[0]]), np.append(equal[1], fixed[1]))
    size = np.abs(gradient).max()
    best = linprog(
        gradient / size,
        A_ub=None if above is None else above[0],
        b_ub=None if above is None else above[1],
        A_eq=equal[0],
        b_eq=equal[1],
        bounds=[bounds] * len(weights),
    )
    assert best.status == 0, best.message
    return float(gradient @ weights - best.fun * size)


def portfolios(count: int, draws: int, seed: int = 0) -> np.ndarray:
    """Random long-only, fully invested weights, shape (draws, count), from even to lopsided."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.dirichlet(np.full(count, a), draws // 4) for a in (0.05, 0.3, 1.0, 10.0)])
