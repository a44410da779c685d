"""Methods with variance in the objective: minimum variance, mean-variance, tracking, factor-neutral."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.constraints import ExposureBounds, MaxRisk, MaxTrackingError
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.result import Portfolio
from quantflux.portfolio.solving import Aim, solve
from quantflux.portfolio.unknowns import Unknowns
from quantflux.portfolio.vectors import positive


def mean_variance(
    problem: Problem,
    *,
    risk_aversion: float | None = None,
    max_risk: float | None = None,
    active: bool = False,
) -> Portfolio:
    """Maximise return minus half the risk aversion times variance minus costs; or return under a bound of risk.

    Parameters
    ----------
    problem : Problem
        With expected returns and a risk model.
    risk_aversion : float, optional
        By how much a day's variance is disliked. The best portfolio without constraints is
        inverse(covariance) @ expected_returns / risk_aversion, so 3 to 10 is usual for daily numbers too. 0, the
        default if `max_risk` is given, leaves only the return.
    max_risk : float, optional
        Largest standard deviation of the daily return.
    active : bool
        Whether risk is that of the difference to the benchmark (tracking error).

    Raises
    ------
    InvalidRequest
        If neither or something negative is given, or the problem lacks something.
    """
    if risk_aversion is None and max_risk is None:
        raise InvalidRequest("mean_variance needs risk_aversion, or max_risk (a standard deviation a day)")
    aversion = 0.0 if risk_aversion is None else float(risk_aversion)
    if not 0 <= aversion < np.inf:
        raise InvalidRequest(f"risk_aversion must be a number of 0 or more, was {risk_aversion}")
    bounded = problem
    if max_risk is not None:
        limit = MaxTrackingError(max_risk) if active else MaxRisk(max_risk)
        bounded = replace(problem, constraints=(*problem.constraints, limit))
    parameters = {"risk_aversion": risk_aversion, "max_risk": max_risk, "active": active}
    return _utility(bounded, aversion, active, "mean_variance", parameters)


def factor_neutral(
    problem: Problem, *, factors: Sequence[str], risk_aversion: float, relative: bool = False
) -> Portfolio:
    """Maximise as `mean_variance` does, with no exposure to the named factors.

    Parameters
    ----------
    problem : Problem
        With expected returns and a risk model that has the factors.
    factors : sequence of str
    risk_aversion : float
    relative : bool
        Whether the exposures are to be the benchmark's, and risk is the tracking error; otherwise they are to be 0,
        which a long-only portfolio can have for styles, but not for industries.
    """
    if isinstance(factors, str) or not factors:
        raise InvalidRequest(f"factor_neutral needs a list of factors, got {factors!r}")
    neutral = ExposureBounds(0.0, 0.0, factors=tuple(factors), relative=relative)
    parameters = {"factors": tuple(factors), "risk_aversion": risk_aversion, "relative": relative}
    return _utility(
        replace(problem, constraints=(*problem.constraints, neutral)),
        positive("risk_aversion", risk_aversion),
        relative,
        "factor_neutral",
        parameters,
    )


def minimum_variance(problem: Problem, *, risk_aversion: float | None = None) -> Portfolio:
    """Minimise variance.

    Parameters
    ----------
    problem : Problem
        With a risk model.
    risk_aversion : float, optional
        How half the variance is weighed against costs; needed only if the problem has costs.
    """
    return _least_variance(problem, risk_aversion, None, "minimum_variance")


def tracking(problem: Problem, *, risk_aversion: float | None = None) -> Portfolio:
    """Minimise the variance of the return over the benchmark.

    Parameters
    ----------
    problem : Problem
        With a risk model and a benchmark.
    risk_aversion : float, optional
        How half that variance is weighed against costs; needed only if the problem has costs.
    """
    return _least_variance(problem, risk_aversion, problem.benchmark_for("tracking"), "tracking")


def _utility(
    problem: Problem, aversion: float, active: bool, method: str, parameters: dict[str, Any]
) -> Portfolio:
    expected = problem.returns_for(method)
    centre = problem.benchmark_for(f"{method} with active risk") if active else None
    risk = problem.risk_for(method) if aversion else None

    def aim(unknowns: Unknowns) -> Aim:
        unit = float(np.abs(expected).max(initial=0.0)) or 1.0
        goal: Any = -unknowns.linear(expected / unit) + unknowns.cost() / unit
        if risk is not None:
            goal += (aversion / 2 * unknowns.unit**2 / unit) * unknowns.variance(centre)
        return Aim(goal, unit, "minus the risk-adjusted return a day")

    return solve(problem, aim, method=method, parameters=parameters)


def _least_variance(
    problem: Problem, risk_aversion: float | None, centre: np.ndarray | None, method: str
) -> Portfolio:
    problem.risk_for(method)
    if problem.costs and risk_aversion is None:
        raise InvalidRequest(f"{method} with costs needs risk_aversion, to weigh variance against them")
    aversion = 1.0 if risk_aversion is None else positive("risk_aversion", risk_aversion)

    def aim(unknowns: Unknowns) -> Aim:
        # A portfolio of hundreds of names, and the more so one near its benchmark, has a small part of the variance of
        # one name: the objective is made larger, so that solvers do not stop early.
        size = unknowns.unit**2 * (1e-2 if centre is None else 1e-4)
        goal = unknowns.variance(centre) * (unknowns.unit**2 / size)
        if problem.costs:
            goal += unknowns.cost() * (2 / aversion / size)
        words = "variance" if centre is None else "variance over the benchmark"
        return Aim(goal, size, words + " and costs" * bool(problem.costs))

    return solve(problem, aim, method=method, parameters={"risk_aversion": risk_aversion})
