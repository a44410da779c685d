"""What is known of some names: expectations, risk, what is held, and what a benchmark holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.vectors import vector


@dataclass(frozen=True, eq=False)
class Facts:
    """What constraints and costs may ask for. Everything is per day, and in the order of `symbols`.

    See `problem.Problem` for the attributes.
    """

    symbols: Sequence[str]
    expected_returns: np.ndarray | None = None
    risk: RiskModel | None = None
    returns: np.ndarray | None = None
    current: np.ndarray | None = None
    benchmark: np.ndarray | None = None

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
