"""The unknown weights of a problem, and what methods and constraints say of them, as cvxpy expressions.

Two things are done for speed and accuracy:

1. Variance is never written with a covariance of N x N where the risk model is in factors: with the root R of K x N
   the portfolio's factor moves f = R w are K further unknowns, and its variance |f|^2 + sum(d w^2).
2. Daily variances are of the size of solver tolerances (1e-4). Risk is counted in `unit`, the root mean variance of a
   name, and each row of a constraint in what one weight does to it.

In the homogeneous form the unknowns are y = k w and k > 0, and every demand is multiplied by k. A demand on w that is
convex stays convex on (y, k); it is how a ratio, as Sharpe's, is maximised under any of the constraints.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import cvxpy as cp
import numpy as np
from scipy import sparse

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.costs import CostTerm
from quantflux.portfolio.demands import Demand, LeastSize, NameCount, RiskLimit, Rows, Turnover
from quantflux.portfolio.problem import Problem


class Unknowns:
    """The weights of some names of a problem; those of all others are 0.

    Parameters
    ----------
    problem : Problem
    columns : array of int, optional
        Which names may be held; all of them by default.
    homogeneous : bool
        Whether `x` is the weights times an unknown `scale`.

    Attributes
    ----------
    x : cvxpy Variable, shape (n,)
    scale : cvxpy Variable or float
        1.0 unless homogeneous.
    rules : list of cvxpy constraints
        What ties further unknowns to x; grows as expressions are asked for.
    """

    def __init__(
        self, problem: Problem, columns: np.ndarray | None = None, *, homogeneous: bool = False
    ) -> None:
        self.problem = problem
        self.columns = np.arange(len(problem.symbols)) if columns is None else columns
        self.x = cp.Variable(len(self.columns))
        self.scale: Any = cp.Variable(nonneg=True) if homogeneous else 1.0
        self.rules: list[Any] = []

    @cached_property
    def unit(self) -> float:
        """The root mean daily variance of a name, in which risk is counted."""
        return float(np.sqrt(np.mean(self.problem.risk_for("this method").volatilities ** 2))) or 1.0

    @property
    def weights(self) -> np.ndarray:
        """The weights of all names after solving, shape (N,)."""
        found = np.zeros(len(self.problem.symbols))
        scale = self.scale if isinstance(self.scale, float) else float(self.scale.value)
        found[self.columns] = np.asarray(self.x.value, dtype=np.float64) / scale
        return found

    def linear(self, coefficients: np.ndarray) -> Any:
        """Sum of weights times coefficients of shape (N,)."""
        return coefficients[self.columns] @ self.x

    def spread(self, centre: np.ndarray | None) -> Any:
        """Return a vector, in `unit`, whose length is the standard deviation of the return of w - centre."""
        risk = self.problem.risk_for("this method")
        moves = self._moves
        parts = [moves if centre is None else moves - self.scale * (risk.root() @ centre / self.unit)]
        deviation = np.sqrt(risk.diagonal) / self.unit
        if deviation.any():
            at = self.columns
            apart = self.x if centre is None else self.x - self.scale * centre[at]
            parts.append(cp.multiply(deviation[at], apart))
            if centre is not None and (rest := np.delete(deviation * centre, at)).any():
                parts.append(cp.reshape(self.scale * float(np.linalg.norm(rest)), (1,), order="C"))
        return cp.hstack(parts)

    def variance(self, centre: np.ndarray | None = None) -> Any:
        """Return the variance of the return of w - centre, in squares of `unit`."""
        risk = self.problem.risk_for("this method")
        if risk.dense is None or not isinstance(self.scale, float):
            return cp.sum_squares(self.spread(centre))
        at = self.columns
        # A quadratic form goes to the solver as it is; the root of a dense covariance would double the unknowns.
        form = cp.quad_form(self.x, cp.psd_wrap(risk.dense[np.ix_(at, at)] / self.unit**2))
        if centre is None:
            return form
        cross = risk.times(centre) / self.unit**2
        return form - 2 * (cross[at] @ self.x) + float(cross @ centre)

    @cached_property
    def _moves(self) -> Any:
        moves = cp.Variable(len(self.problem.risk_for("this method").root()))
        root = self.problem.risk_for("this method").root()[:, self.columns] / self.unit
        self.rules.append(moves == root @ self.x)
        return moves

    @cached_property
    def _trades(self) -> tuple[Any, Any]:
        # What is bought and sold of the names that may be held, each at least 0. Their difference is fixed; both could
        # be larger by the same amount, which no limit and no cost rewards.
        bought, sold = (cp.Variable(len(self.columns), nonneg=True) for _ in range(2))
        current = self.problem.current_for("trading")[self.columns]
        self.rules.append(self.x - self.scale * current == bought - sold)
        return bought, sold

    def _trades_of_the_rest(self) -> tuple[np.ndarray, np.ndarray]:
        # A name that may not be held is sold, or bought back: (bought, sold), shape (N,), 0 for all others.
        gone = self.problem.current_for("trading").copy()
        gone[self.columns] = 0.0
        return np.maximum(-gone, 0.0), np.maximum(gone, 0.0)

    def cost(self) -> Any:
        """Return the costs a day: what is paid once over the days of holding; times `scale` if homogeneous."""
        total: Any = 0.0
        for term in self.problem.cost_terms:
            total = total + self._cost(term)
        return total / float(self.problem.holding_days or 1.0)

    def _cost(self, term: CostTerm) -> Any:
        gone = term.of(
            -self._trades_of_the_rest()[1] + self._trades_of_the_rest()[0], np.zeros(len(term.buy))
        )
        cost: Any = gone * self.scale
        bought, sold = self._trades
        if np.array_equal(term.buy, term.sell):
            return cost + term.buy[self.columns] @ self._power(bought + sold, term.power)
        for rates, traded in ((term.buy, bought), (term.sell, sold)):
            cost = cost + rates[self.columns] @ self._power(traded, term.power)
        return cost

    def _power(self, traded: Any, power: float) -> Any:
        # Of t >= 0 it is k (t / k)^p, which is t^p where k is 1: the least z with z^(1/p) k^(1-1/p) >= t.
        if power == 1.0:
            return traded
        if power == 2.0 and isinstance(self.scale, float):
            return cp.square(traded)
        raised = cp.Variable(len(self.columns))
        widened = self.scale * np.ones(len(self.columns))
        self.rules.append(cp.PowCone3D(raised, widened, traded, 1.0 / power))
        return raised

    def demanded(self, demands: Sequence[Demand]) -> list[Any]:
        """Return the demands as cvxpy constraints; those that need whole numbers are left out."""
        made = self._stacked([demand for demand in demands if isinstance(demand, Rows)])
        for demand in demands:
            if isinstance(demand, Turnover):
                rest = self._trades_of_the_rest()
                for traded, gone in zip(self._trades, rest, strict=True):
                    made.append(cp.sum(traded) <= (demand.most - gone.sum()) * self.scale)
            elif isinstance(demand, RiskLimit):
                made.append(cp.norm(self.spread(demand.centre)) <= demand.most / self.unit * self.scale)
        return made

    def _stacked(self, rows: list[Rows]) -> list[Any]:
        matrix = sparse.vstack([block.matrix for block in rows]).tocsr()[:, self.columns]
        size = np.concatenate([block.scale for block in rows])
        lower = np.concatenate([block.lower for block in rows]) / size
        upper = np.concatenate([block.upper for block in rows]) / size
        matrix = sparse.diags_array(1.0 / size) @ matrix
        # Names that may not be held leave rows of zeros behind; they stay only where zero is not allowed.
        said = (np.diff(matrix.indptr) > 0) | (lower > 0) | (upper < 0)
        fixed = said & (lower == upper)
        high = said & ~fixed & np.isfinite(upper)
        low = said & ~fixed & np.isfinite(lower)
        made = []
        if fixed.any():
            made.append(matrix[fixed] @ self.x == self.scale * upper[fixed])
        if high.any() or low.any():
            sides = sparse.vstack([matrix[high], -matrix[low]]).tocsr()
            made.append(sides @ self.x <= self.scale * np.concatenate([upper[high], -lower[low]]))
        return made

    def whole(self, demands: Sequence[Demand], largest: np.ndarray) -> list[Any]:
        """Return the demands that need whole numbers, given the largest weight (N,) that each name may have."""
        made: list[Any] = []
        held = cp.Variable(len(self.columns), boolean=True)
        if not np.isfinite(largest[self.columns]).all():
            raise InvalidRequest(
                "limits on the number of names or on least positions need an upper bound of each weight"
            )
        made.append(self.x <= cp.multiply(largest[self.columns], held))
        for demand in demands:
            if isinstance(demand, NameCount):
                made.append(cp.sum(held) <= demand.most)
            elif isinstance(demand, LeastSize):
                made.append(self.x >= cp.multiply(demand.least[self.columns], held))
        return made
