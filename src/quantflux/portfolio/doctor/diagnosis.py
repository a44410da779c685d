"""Says why a problem has no solution and what would give it one, or which limits hold a solution back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import cvxpy as cp
import numpy as np

from quantflux.core.errors import OptimisationError
from quantflux.portfolio.checking import breaches
from quantflux.portfolio.demands import RiskLimit
from quantflux.portfolio.doctor.conflicts import Conflict, conflicts_of, loosened_problem
from quantflux.portfolio.doctor.elastic import ENOUGH, Relaxed, relax
from quantflux.portfolio.doctor.limits import Limit, limits_of
from quantflux.portfolio.doctor.selection import search
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.solving import Aim, solve
from quantflux.portfolio.unknowns import Unknowns

_MOST_TRIED = 6  # limits among which one is looked for that settles everything alone


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is the matter with a problem.

    Attributes
    ----------
    feasible : bool
        Whether weights exist that meet all limits.
    conflicts : tuple of Conflict
        Why not; empty if feasible.
    changes : tuple of str
        The least that has to give in all, in words: together these changes make the problem solvable.
    total : float
        The sum of these changes, counted in weight.
    relaxed : Problem
        The problem with these changes; the problem itself if feasible.
    verified : bool
        Whether weights were found that meet every limit of the relaxed problem.
    """

    feasible: bool
    conflicts: tuple[Conflict, ...]
    changes: tuple[str, ...]
    total: float
    relaxed: Problem
    verified: bool

    def to_dict(self) -> dict[str, Any]:
        """All of it but the relaxed problem, as plain values, ready for JSON."""
        return {
            "feasible": self.feasible,
            "conflicts": [asdict(conflict) for conflict in self.conflicts],
            "changes": list(self.changes),
            "total": self.total if np.isfinite(self.total) else None,
            "verified": self.verified,
        }

    def __str__(self) -> str:
        """Say all of it in words."""
        if self.feasible:
            return "the limits can hold together"
        lines = []
        for number, conflict in enumerate(self.conflicts, start=1):
            which = f" ({number} of {len(self.conflicts)})" if len(self.conflicts) > 1 else ""
            lines.append(f"these limits cannot hold together{which}:")
            lines += [f"  - {clash}" for clash in conflict.clashes]
            if conflict.remedies:
                lines.append("any one of these changes settles that:")
                lines += [f"  * {remedy}" for remedy in conflict.remedies]
            else:
                lines.append("no single change settles that")
        lines.append("the least that has to change in all:")
        lines += [f"  > {change}" for change in self.changes]
        lines.append(
            "with these changes weights were found that meet every limit"
            if self.verified
            else "even with these changes no weights were found"
        )
        return "\n".join(lines)


def diagnose(problem: Problem) -> Diagnosis:
    """Find out whether the limits of a problem can hold together, and what has to give if not.

    Never loosened are the ban on short positions (a lower bound of 0) and on credit (the upper end of the budget).

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidRequest
        If the problem lacks what a constraint needs.
    OptimisationError
        If the solvers fail.

    Examples
    --------
    >>> from quantflux.portfolio.constraints import Bounds
    >>> print(diagnose(Problem(("A", "B", "C"), constraints=[Bounds(0.0, 0.2)])))
    these limits cannot hold together:
      - budget: sum of weights at least 100 %
      - bounds: every weight at most 20 %
    any one of these changes settles that:
      * bounds: let single weights go up to 33.34 % (was 20 %)
      * budget: let sum of weights go down to 60 % (was 100 %)
    the least that has to change in all:
      > bounds: let single weights go up to 33.34 % (was 20 %)
    with these changes weights were found that meet every limit
    """
    limits = limits_of(problem)
    for part in _parts(limits):
        found = _total(problem, part)
        if found.total > ENOUGH:
            found = _simplest(problem, part, found)
            relaxed = loosened_problem(problem, part, found.slacks)
            told = tuple(_changes(relaxed, part, found))
            conflicts = tuple(conflicts_of(problem, part, found))
            return _with_the_rest(conflicts, told, found.total, relaxed, limits, found.weights)
    if not _mixed(limits):
        return Diagnosis(True, (), (), 0.0, problem, _verified(problem, found.weights))
    searched = search(problem, limits)
    if searched is None:
        return Diagnosis(True, (), (), 0.0, problem, verified=True)
    sound = searched.weights is not None and not breaches(searched.relaxed, searched.weights)
    return Diagnosis(
        False, (searched.conflict,), searched.changes, searched.total, searched.relaxed, verified=sound
    )


def _parts(limits: Sequence[Limit]) -> list[list[Limit]]:
    """Return the sets of limits to look at in turn: each is exactly decidable, and the last is all if that can be."""
    simple = [limit for limit in limits if not limit.whole]
    if len(simple) == len(limits):
        return [simple]
    linear = [limit for limit in limits if not isinstance(limit.demand, RiskLimit)]
    return [simple, linear]


def _mixed(limits: Sequence[Limit]) -> bool:
    return any(limit.whole for limit in limits) and any(
        isinstance(limit.demand, RiskLimit) for limit in limits
    )


def _with_the_rest(
    conflicts: tuple[Conflict, ...],
    changes: tuple[str, ...],
    total: float,
    relaxed: Problem,
    limits: Sequence[Limit],
    weights: np.ndarray,
) -> Diagnosis:
    """Return a diagnosis of some limits, and of what the others say once these are loosened."""
    if not any(limit.whole for limit in limits):
        return Diagnosis(False, conflicts, changes, total, relaxed, _verified(relaxed, weights))
    rest = diagnose(relaxed)
    return Diagnosis(
        False,
        conflicts + rest.conflicts,
        changes + rest.changes,
        total + rest.total,
        rest.relaxed,
        rest.verified,
    )


def _total(problem: Problem, limits: Sequence[Limit]) -> Relaxed:
    found = relax(problem, limits, {i for i, limit in enumerate(limits) if not limit.hard})
    if found is None:
        raise OptimisationError("the limits that are never loosened clash among themselves", "infeasible")
    return found


def _simplest(problem: Problem, limits: Sequence[Limit], total: Relaxed) -> Relaxed:
    """Return a relaxation that loosens one limit alone if that costs no more: solvers like to share it out."""
    loosened = [i for i, slack in enumerate(total.slacks) if slack is not None and slack.sum() > ENOUGH / 10]
    if 1 < len(loosened) <= _MOST_TRIED:
        for place in loosened:
            alone = relax(problem, limits, {place})
            if alone is not None and alone.total <= total.total + ENOUGH:
                return alone
    return total


def _changes(relaxed: Problem, limits: Sequence[Limit], total: Relaxed) -> list[str]:
    told = []
    for limit, slack in zip(limits, total.slacks, strict=True):
        if slack is None or float(slack.max(initial=0.0)) <= ENOUGH / 10:
            continue
        _, wider = relaxed.demands[limit.place]
        told.append(f"{limit.constraint.name}: {limit.change_words(wider, total.weights)}")
    return told


def _verified(problem: Problem, weights: np.ndarray) -> bool:
    """Whether the optimiser finds weights that meet every limit; else whether those at hand do."""
    try:
        solve(problem, partial(_near_equal, count=len(problem.symbols)), method="feasibility")
    except OptimisationError:
        return not breaches(problem, weights)
    return True


def _near_equal(unknowns: Unknowns, count: int) -> Aim:
    apart = unknowns.x - np.full(len(unknowns.columns), 1.0 / count)
    return Aim(cp.norm1(apart), 1.0, "distance from equal weights")
