"""What is to be optimised: names, what is expected of them, what is held, and what must hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.constraints import Bounds, Budget, Constraint
from quantflux.portfolio.costs import Cost, CostTerm
from quantflux.portfolio.demands import Demand
from quantflux.portfolio.facts import Facts


@dataclass(frozen=True, eq=False)
class Problem(Facts):
    """A portfolio to be found. Everything is per day, and in the order of `symbols`.

    Attributes
    ----------
    symbols : sequence of str, length N
        Without repeats.
    expected_returns : array of float64, shape (N,), or None
        Expected simple return of each name a day: 0.001 is 0.1 % a day.
    risk : RiskModel or None
        Covariance of daily returns, over the same symbols in the same order.
    returns : array of float64, shape (T, N), or None
        Daily returns as scenarios, for methods that need them (`cvar`, `hrp`). No NaN: fill or drop names before.
    current : array of float64, shape (N,), or None
        Weights held now; zeros are all cash. What is held outside `symbols` counts as cash.
    benchmark : array of float64, shape (N,), or None
        Weights of the benchmark.
    constraints : sequence of Constraint
        Where none of them is a `Budget`, the portfolio is fully invested; where none is `Bounds`, it is long only.
    costs : sequence of Cost
        Need `current` and `holding_days`.
    holding_days : float or None
        For how many trading days the portfolio is expected to be held. Costs, paid once, are divided by it to stand
        beside daily returns.

    Raises
    ------
    InvalidRequest
        If a shape differs, a number is NaN or infinite, or something needed is missing.
    """

    constraints: Sequence[Constraint] = ()
    costs: Sequence[Cost] = ()
    holding_days: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.costs and (self.current is None or self.holding_days is None or not self.holding_days > 0):
            raise InvalidRequest(
                "costs need the current weights (zeros are all cash) and holding_days above 0, the days over which "
                f"costs are spread; found {'no ' * (self.current is None)}weights and {self.holding_days} days"
            )

    @cached_property
    def in_force(self) -> tuple[Constraint, ...]:
        """The constraints, with those that hold where nothing else is said."""
        given = tuple(self.constraints)
        budget = () if any(isinstance(c, Budget) for c in given) else (Budget(),)
        bounds = () if any(isinstance(c, Bounds) for c in given) else (Bounds(),)
        return budget + bounds + given

    @cached_property
    def demands(self) -> tuple[tuple[Constraint, Demand], ...]:
        """What the constraints in force come down to, each with the constraint it comes from."""
        return tuple(
            (constraint, demand) for constraint in self.in_force for demand in constraint.demands(self)
        )

    @cached_property
    def cost_terms(self) -> tuple[CostTerm, ...]:
        """What the costs come down to."""
        return tuple(cost.term(self) for cost in self.costs)

    def cost(self, weights: np.ndarray) -> float:
        """Return what going from the current weights to these costs, once, as a fraction of capital."""
        if not self.cost_terms:
            return 0.0
        current = self.current_for("costs")
        return sum(term.of(weights, current) for term in self.cost_terms)
