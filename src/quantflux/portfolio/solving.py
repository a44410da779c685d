"""From an aim to a portfolio: which solver runs, what happens when one fails, and what is checked afterwards.

1. A method gives an `Aim`: what to make small, in terms of the unknown weights (`unknowns.Unknowns`).
2. Linear problems go to HiGHS, all others to Clarabel (`CHAINS`). A solver that fails, or stops short of its
   tolerance, is followed by the next of its chain, and the result says so. Nothing else stands in for a solution.
3. Limits on the number of names and on least positions need whole numbers, for which see `selection`. For linear
   problems HiGHS then looks for something better, and for a proof that there is nothing (`_with_whole_numbers`).
4. Weights are cleaned, then every constraint is checked on them (`checking`). Broken ones are an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cvxpy as cp
import numpy as np

from quantflux.core.errors import Infeasible, InvalidRequest, OptimisationError, Unbounded
from quantflux.portfolio.checking import TOLERANCE, binding, box, breaches, cleaned, worst
from quantflux.portfolio.constraints import Budget
from quantflux.portfolio.demands import TINY, LeastSize, NameCount
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.quiet import silence_highs
from quantflux.portfolio.result import Portfolio, statistics
from quantflux.portfolio.selection import Attempt, Choice, Outcome, improved, least_sizes, select
from quantflux.portfolio.unknowns import Unknowns

CHAINS: Mapping[str, tuple[str, ...]] = {
    "linear": ("HIGHS", "CLARABEL"),
    "whole": ("HIGHS",),
    "convex": ("CLARABEL", "SCS"),
}
"""Which solvers are tried, in order, for linear problems, those with whole numbers, and all other convex ones."""

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "CLARABEL": {
        **dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-10),
        **dict.fromkeys(("reduced_tol_gap_abs", "reduced_tol_gap_rel", "reduced_tol_feas"), 1e-8),
    },
    "SCS": {"eps_abs": 1e-7, "eps_rel": 1e-7, "max_iters": 50_000},
    # With crossover to a corner; for 1,000 scenarios twice as fast as simplex.
    "HIGHS": {"output_flag": False, "highs_options": {"solver": "ipm"}},
}
_GOOD: Mapping[str, tuple[str, ...]] = {
    # When Clarabel cannot reach 1e-10 it stops at 1e-8, which is what it aims at if one asks for nothing.
    "CLARABEL": ("optimal", "optimal_inaccurate"),
    "SCS": ("optimal",),
    "HIGHS": ("optimal",),
}
# A limit in nodes gives the same answer every time; the one in time is there for problems with slow nodes.
_WHOLE_OPTIONS: Mapping[str, Any] = {"output_flag": False, "mip_max_nodes": 500, "time_limit": 10.0}


_LARGEST = 1000.0  # times the capital: positions beyond are a way of saying without end


@dataclass(frozen=True)
class Aim:
    """What a method makes small.

    Attributes
    ----------
    minimise : cvxpy expression
        Convex; about 1 in size, or solvers stop too early or too late.
    unit : float
        What 1 of it is in the terms of `words`.
    words : str
        What it is: "variance".
    rules : tuple of cvxpy constraints
        What else the method demands.
    """

    minimise: Any
    unit: float
    words: str
    rules: tuple[Any, ...] = ()


def solve(
    problem: Problem,
    aim: Callable[[Unknowns], Aim],
    *,
    method: str,
    parameters: Mapping[str, Any] | None = None,
    homogeneous: bool = False,
) -> Portfolio:
    """Return the portfolio that meets the constraints of a problem and makes an aim as small as can be.

    Parameters
    ----------
    problem : Problem
    aim : callable
        Gives the aim in terms of the unknowns.
    method, parameters
        For the result.
    homogeneous : bool
        Whether the aim is in terms of y = k w, see `unknowns`.

    Raises
    ------
    Infeasible
        If no weights meet all constraints.
    Unbounded
        If the aim can be made as small as one likes.
    OptimisationError
        If all solvers of the chain failed; the message has their statuses.
    """

    def attempt(choice: Choice) -> Outcome:
        found = _attempt(problem, aim, choice, homogeneous=homogeneous)
        return replace(found, weights=cleaned(problem, found.weights))

    outcome = attempt(Choice())
    if any(isinstance(demand, NameCount | LeastSize) for _, demand in problem.demands):
        largest = _largest(problem)
        relaxed = outcome
        outcome = select(problem, relaxed, attempt) or _any_choice(problem, relaxed, largest, attempt)
        if outcome.chosen and not homogeneous:
            outcome = _with_whole_numbers(problem, aim, largest, outcome)
    return finish(
        problem,
        outcome.weights,
        method=method,
        parameters=parameters,
        status=outcome.status,
        solver=outcome.solver,
        fallback=outcome.fallback,
        notes=outcome.notes,
    )


def finish(
    problem: Problem,
    weights: np.ndarray,
    *,
    method: str,
    parameters: Mapping[str, Any] | None = None,
    status: str = "closed form",
    solver: str | None = None,
    fallback: str | None = None,
    notes: Sequence[str] = (),
) -> Portfolio:
    """Clean weights, check every constraint on them, and return them as a portfolio.

    Raises
    ------
    OptimisationError
        If they break a constraint by more than `checking.TOLERANCE`.
    """
    final = cleaned(problem, weights)
    if broken := breaches(problem, final):
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise OptimisationError(
            f"the weights of {method} ({solver or 'closed form'}: {status}) break {len(broken)} constraints by more "
            f"than {TOLERANCE:g}: {'; '.join(broken[:5])}{more}",
            status,
        )
    return Portfolio(
        symbols=tuple(problem.symbols),
        weights=final,
        method=method,
        status=status,
        solver=solver,
        fallback=fallback,
        statistics=statistics(problem, final),
        parameters=dict(parameters or {}),
        binding=binding(problem, final),
        notes=tuple(notes),
    )


def _attempt(
    problem: Problem, aim: Callable[[Unknowns], Aim], choice: Choice, *, homogeneous: bool
) -> Outcome:
    unknowns = Unknowns(problem, choice.columns, homogeneous=homogeneous)
    what = aim(unknowns)
    rules = unknowns.demanded([demand for _, demand in problem.demands])
    if choice.least is not None:
        rules.append(unknowns.x >= unknowns.scale * choice.least)
    programme = cp.Problem(cp.Minimize(what.minimise), [*what.rules, *rules, *unknowns.rules])
    return _outcome(programme, unknowns, what, CHAINS["linear" if programme.is_lp() else "convex"])


def _any_choice(problem: Problem, relaxed: Outcome, largest: np.ndarray, attempt: Attempt) -> Outcome:
    """Return the solution for names with which all constraints can be met, found with whole numbers."""

    def aim(unknowns: Unknowns) -> Aim:
        return Aim(-unknowns.linear(relaxed.weights), 1.0, "likeness")

    unproven = (
        "no choice of names was found that meets all constraints; that does not prove that there is none"
    )
    if (found := _whole(problem, aim, largest)) is None:
        raise Infeasible(unproven, "infeasible")
    status, weights, _ = found
    if status == "infeasible":
        raise Infeasible("no choice of names meets all constraints (HIGHS: infeasible)", status)
    if weights is None:
        raise Infeasible(unproven, status)
    first = attempt(least_sizes(problem, np.flatnonzero(weights > TINY)))
    return improved(problem, first, relaxed, attempt)


def _with_whole_numbers(
    problem: Problem, aim: Callable[[Unknowns], Aim], largest: np.ndarray, chosen: Outcome
) -> Outcome:
    """Return something better than what was chosen, or the same with a proof that it is best, if HiGHS finds that."""
    if (found := _whole(problem, aim, largest)) is None:
        return chosen
    status, weights, value = found
    if status == "optimal" and weights is not None:
        note = "which names are held was solved with whole numbers: no other choice is better"
        return replace(chosen, weights=weights, value=value, solver="HIGHS", fallback=None, notes=(note,))
    note = (
        f"HiGHS did not settle with whole numbers whether another choice is better (it ended with {status})"
    )
    if weights is not None and value < chosen.value:
        return replace(chosen, weights=weights, value=value, solver="HIGHS", fallback=None, notes=(note,))
    return replace(chosen, notes=(*chosen.notes, note))


def _whole(
    problem: Problem, aim: Callable[[Unknowns], Aim], largest: np.ndarray
) -> tuple[str, np.ndarray | None, float] | None:
    # What HiGHS finds with whole numbers: status, weights if there are any, value. None if the problem is not linear.
    unknowns = Unknowns(problem)
    what = aim(unknowns)
    demands = [demand for _, demand in problem.demands]
    rules = unknowns.demanded(demands)
    goal = cp.Minimize(what.minimise)
    if not cp.Problem(goal, [*what.rules, *rules, *unknowns.rules]).is_lp():
        return None
    rules += unknowns.whole(demands, largest)
    programme = cp.Problem(goal, [*what.rules, *rules, *unknowns.rules])
    status = _run_one(programme, "HIGHS", _WHOLE_OPTIONS)
    if status not in {"optimal", "user_limit"} or unknowns.x.value is None:
        return status, None, np.inf
    weights = unknowns.weights
    if worst(problem, weights) > TOLERANCE:  # HiGHS had not found any when it was stopped, and gives zeros
        return status, None, np.inf
    return status, weights, float(programme.value) * what.unit


def _outcome(programme: Any, unknowns: Unknowns, aim: Aim, chain: Sequence[str]) -> Outcome:
    status, solver, fallback = run(programme, chain)
    if not isinstance(unknowns.scale, float):
        size = float(np.abs(unknowns.x.value).sum() / max(float(unknowns.scale.value), 1e-300))
        if size > _LARGEST:
            raise Unbounded(
                f"positions of the best ratio may be of any size, a bound is missing ({solver}: {size:.2g} times the "
                "capital)",
                status,
            )
    return Outcome(
        weights=unknowns.weights,
        value=float(programme.value) * aim.unit,
        words=aim.words,
        status=status,
        solver=solver,
        fallback=fallback,
    )


def run(programme: Any, chain: Sequence[str]) -> tuple[str, str, str | None]:
    """Solve a cvxpy problem by the first solver of a chain that can, and say which did.

    Returns
    -------
    status : str
        "optimal".
    solver : str
    fallback : str or None
        Why it was not the first of the chain.
    """
    failed: list[tuple[str, str]] = []
    for name in chain:
        status = _run_one(programme, name)
        if status in _GOOD[name]:
            fallback = "; ".join(f"{solver} ended with {said}" for solver, said in failed)
            return "optimal", name, f"{name} ran, since {fallback}" if fallback else None
        if status == "infeasible":
            raise Infeasible(f"no weights meet all constraints ({name}: {status})", status)
        if status == "unbounded":
            raise Unbounded(
                f"the objective has no best value, a bound on weights is missing ({name}: {status})", status
            )
        failed.append((name, status))
    said = ", ".join(f"{solver} ended with {status}" for solver, status in failed)
    raise OptimisationError(f"no solver found a portfolio: {said}", failed[-1][1])


def _run_one(programme: Any, name: str, options: Mapping[str, Any] | None = None) -> str:
    # The status in which one solver ends, or the error that it raises.
    if name == "HIGHS":
        silence_highs()
    with warnings.catch_warnings():
        # The status says it too, and is dealt with above.
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        try:
            programme.solve(solver=name, ignore_dpp=True, **(_OPTIONS[name] if options is None else options))
        except cp.error.SolverError as failure:
            return f"an error ({str(failure).splitlines()[0]})"
    return str(programme.status)


def _largest(problem: Problem) -> np.ndarray:
    # The largest weight that each name can have; limits on numbers of names are for long-only portfolios.
    lower, upper = box(problem)
    if (lower < 0).any():
        name = problem.symbols[int(np.argmax(lower < 0))]
        raise InvalidRequest(
            f"limits on the number of names and on least positions are for long-only portfolios; "
            f"the lower bound of {name} is {lower.min():g}"
        )
    return np.asarray(np.minimum(upper, min(c.most for c in problem.in_force if isinstance(c, Budget))))
