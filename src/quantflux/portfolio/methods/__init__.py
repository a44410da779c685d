"""Methods that find portfolios, each a function of a problem; `optimise` calls one by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.methods.black_litterman import AbsoluteView, RelativeView, black_litterman
from quantflux.portfolio.methods.cvar import cvar
from quantflux.portfolio.methods.hierarchical import hrp
from quantflux.portfolio.methods.mean_variance import (
    factor_neutral,
    mean_variance,
    minimum_variance,
    tracking,
)
from quantflux.portfolio.methods.naive import equal, inverse_volatility
from quantflux.portfolio.methods.risk_parity import risk_parity
from quantflux.portfolio.methods.sharpe import maximum_sharpe
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio

METHODS: Mapping[str, Callable[..., Portfolio]] = {
    method.__name__: method
    for method in (
        equal,
        inverse_volatility,
        minimum_variance,
        mean_variance,
        maximum_sharpe,
        risk_parity,
        hrp,
        black_litterman,
        cvar,
        tracking,
        factor_neutral,
    )
}
"""Every method by name."""


def optimise(problem: Problem, method: str = "mean_variance", **parameters: Any) -> Portfolio:
    """Find a portfolio by a method.

    Parameters
    ----------
    problem : Problem
    method : str
        One of `METHODS`.
    **parameters
        Of the method; see its docstring.

    Raises
    ------
    InvalidRequest
        If there is no such method, it has no such parameter, or the problem lacks what it needs.
    Infeasible, Unbounded, OptimisationError
        If there is no portfolio; there is never a stand-in for it.

    Examples
    --------
    >>> import numpy as np
    >>> from quantflux.portfolio.risk.model import RiskModel
    >>> risk = RiskModel(("A", "B"), dense=np.diag([1e-4, 3e-4]))
    >>> optimise(Problem(("A", "B"), risk=risk), "minimum_variance").weights.round(4).tolist()
    [0.75, 0.25]
    """
    if method not in METHODS:
        raise InvalidRequest(f"no method is called {method!r}; there are {', '.join(METHODS)}")
    try:
        signature(METHODS[method]).bind(problem, **parameters)
    except TypeError as exc:
        known = ", ".join(list(signature(METHODS[method]).parameters)[1:]) or "none"
        raise InvalidRequest(
            f"{method} cannot be called like this: {exc}; its parameters are {known}"
        ) from exc
    _check_kinds(method, parameters)
    return METHODS[method](problem, **parameters)


def _check_kinds(method: str, parameters: Mapping[str, Any]) -> None:
    known = signature(METHODS[method]).parameters
    for name, value in parameters.items():
        kind = str(known[name].annotation)
        is_truth = isinstance(value, bool | np.bool_)
        if kind == "bool" and not is_truth:
            raise InvalidRequest(f"{method}: {name} must be true or false, was {value!r:.40}")
        missing = value is None and kind.endswith("None")
        if kind.startswith("float") and not missing and (is_truth or not isinstance(value, Real)):
            raise InvalidRequest(f"{method}: {name} must be a number, was {value!r:.40}")


__all__ = [
    "METHODS",
    "AbsoluteView",
    "RelativeView",
    "black_litterman",
    "cvar",
    "equal",
    "factor_neutral",
    "hrp",
    "inverse_volatility",
    "maximum_sharpe",
    "mean_variance",
    "minimum_variance",
    "optimise",
    "risk_parity",
    "tracking",
]
