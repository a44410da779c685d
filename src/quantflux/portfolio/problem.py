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
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.vectors import vector


@dataclass(frozen=True, eq=False)
class Problem:
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

    symbols: Sequence[str]
    expected_returns: np.ndarray | None = None
    risk: RiskModel | None = None
    returns: np.ndarray | None = None
    current: np.ndarray | None = None
    benchmark: np.ndarray | None = None
    constraints: Sequence[Constraint] = ()
    costs: Sequence[Cost] = ()
    holding_days: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", _checked_names(self.symbols))
        for field in ("expected_returns", "current", "benchmark"):
            if (given := getattr(self, field)) is not None:
                object.__setattr__(self, field, vector(field.replace("_", " "), given, self.symbols))
        if self.returns is not None:
            object.__setattr__(self, "returns", _checked_scenarios(self.returns, self.symbols))
        if self.risk is not None and tuple(self.risk.symbols) != self.symbols:
            raise InvalidRequest(
                f"the risk model has {len(self.risk.symbols)} names which are not the {len(self.symbols)} of the "
                "problem in the same order; cut it with RiskModel.restricted(symbols)"
            )
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

    def returns_for(self, what: str) -> np.ndarray:
        """Return the expected returns, or say what needs them."""
        return _needed(self.expected_returns, what, "expected returns (expected_returns=)")

    def scenarios_for(self, what: str) -> np.ndarray:
        """Return the daily returns that are scenarios, or say what needs them."""
        return _needed(self.returns, what, "daily returns as scenarios (returns=)")

    def current_for(self, what: str) -> np.ndarray:
        """Return the current weights, or say what needs them."""
        return _needed(self.current, what, "current weights (current=; zeros are all cash)")

    def benchmark_for(self, what: str) -> np.ndarray:
        """Return the benchmark's weights, or say what needs them."""
        return _needed(self.benchmark, what, "benchmark weights (benchmark=)")

    def risk_for(self, what: str) -> RiskModel:
        """Return the risk model, or say what needs it."""
        if self.risk is None:
            raise InvalidRequest(f"{what} needs a risk model (risk=), the problem has none")
        return self.risk

    def positions(self, symbols: Sequence[str], what: str) -> np.ndarray:
        """Return where names stand, or say which are unknown."""
        place = {symbol: at for at, symbol in enumerate(self.symbols)}
        if unknown := [symbol for symbol in symbols if symbol not in place]:
            raise InvalidRequest(f"{what} names {', '.join(unknown[:5])}, not among the problem's symbols")
        return np.array([place[symbol] for symbol in symbols], dtype=np.int64)


def _checked_names(symbols: Sequence[str]) -> tuple[str, ...]:
    names = tuple(str(symbol) for symbol in symbols)
    if isinstance(symbols, str) or not names or len(set(names)) < len(names):
        raise InvalidRequest(f"a problem needs a list of names without repeats, got {names[:5]}")
    return names


def _checked_scenarios(returns: np.ndarray, symbols: Sequence[str]) -> np.ndarray:
    array = np.asarray(returns, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != len(symbols) or len(array) < 2:
        raise InvalidRequest(
            f"returns must have shape (T, {len(symbols)}) with 2 or more days, had {array.shape}"
        )
    if (bad := ~np.isfinite(array)).any():
        day, name = np.argwhere(bad)[0]
        raise InvalidRequest(
            f"returns must be finite, {int(bad.sum())} are not; first day {day} of {symbols[name]}; "
            "fill them or drop the name"
        )
    return array


def _needed(value: np.ndarray | None, what: str, name: str) -> np.ndarray:
    if value is None:
        raise InvalidRequest(f"{what} needs {name}, the problem has none")
    return value
