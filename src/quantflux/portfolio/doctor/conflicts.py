"""Which limits clash, and what would settle it.

1. A set of limits that cannot hold together, each of which is needed for that, is found by a deletion filter: one limit
   after another is left out, and stays out if the others still clash (`_minimal`). The filter begins with the limits
   that press in the relaxation of all, as only these take part.
2. For each limit of the set: the least by which it alone must give, all others kept (`_remedy`).
3. Further sets are looked for without what the relaxation of all loosens in this one, and without each limit that
   cannot settle it alone (`conflicts_of`).

References
----------
Chinneck (2008), "Feasibility and Infeasibility in Optimization": deletion filter, elastic programmes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quantflux.portfolio.constraints import Bounds, Budget, Constraint
from quantflux.portfolio.demands import Demand, Rows
from quantflux.portfolio.doctor.elastic import ENOUGH, Relaxed, relax
from quantflux.portfolio.doctor.limits import Limit
from quantflux.portfolio.facts import Facts
from quantflux.portfolio.problem import Problem

_MOST_CONFLICTS = 4
_PRESSING = 1e-6  # of the largest pressure


@dataclass(frozen=True)
class Clash:
    """One limit of a conflict: the constraint's name, and what it demands in words."""

    constraint: str
    words: str

    def __str__(self) -> str:
        """Say both."""
        return f"{self.constraint}: {self.words}"


@dataclass(frozen=True)
class Remedy:
    """One change that settles a conflict.

    Attributes
    ----------
    constraint : str
        Its name.
    words : str
        What to change.
    amount : float
        By how much it gives, in weight.
    """

    constraint: str
    words: str
    amount: float

    def __str__(self) -> str:
        """Say what to change in which constraint."""
        return f"{self.constraint}: {self.words}"


@dataclass(frozen=True)
class Conflict:
    """Limits that cannot hold together; without any one of them the others could.

    Attributes
    ----------
    clashes : tuple of Clash
    remedies : tuple of Remedy
        Each alone settles it, the smallest first: with all other limits kept, or, where that is no way because of
        further conflicts, with those of this conflict.
    """

    clashes: tuple[Clash, ...]
    remedies: tuple[Remedy, ...]


@dataclass(frozen=True, eq=False)
class Loosened:
    """A constraint with some of its limits loosened."""

    constraint: Constraint
    changed: tuple[Demand, ...]

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.constraint.name

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand what is left."""
        del facts
        return self.changed


def loosened_problem(
    problem: Problem, limits: Sequence[Limit], slacks: Sequence[np.ndarray | None]
) -> Problem:
    """Return a problem whose limits are loosened by slacks, each rounded outward to what is shown of it."""
    demands = [demand for _, demand in problem.demands]
    for limit, slack in zip(limits, slacks, strict=True):
        if slack is not None and float(slack.max(initial=0.0)) > ENOUGH / 10:
            demands[limit.place] = limit.loosened(demands[limit.place], slack)
    by_constraint: dict[int, list[Demand]] = {}
    for (constraint, _), demand in zip(problem.demands, demands, strict=True):
        by_constraint.setdefault(id(constraint), []).append(demand)
    made = [
        _with_demands(constraint, by_constraint[id(constraint)], problem) for constraint in problem.in_force
    ]
    return replace(problem, constraints=tuple(made))


def _with_demands(constraint: Constraint, demands: list[Demand], problem: Problem) -> Constraint:
    if all(one is other for one, (_, other) in zip(demands, _demands_of(constraint, problem), strict=True)):
        return constraint
    (rows,) = demands[:1]
    # Solvers look for these two kinds themselves.
    if isinstance(constraint, Budget) and isinstance(rows, Rows):
        return Budget(float(rows.lower[0]), float(rows.upper[0]))
    if isinstance(constraint, Bounds) and isinstance(rows, Rows):
        return Bounds(rows.lower, rows.upper)
    return Loosened(constraint, tuple(demands))


def _demands_of(constraint: Constraint, problem: Problem) -> list[tuple[Constraint, Demand]]:
    return [pair for pair in problem.demands if pair[0] is constraint]


def conflicts_of(problem: Problem, limits: Sequence[Limit], total: Relaxed) -> Iterator[Conflict]:
    """Yield the conflicts that matter to what has to change, four at most.

    Parameters
    ----------
    total : Relaxed
        Of all limits that may give; its total is above `ENOUGH`.
    """
    loosened = {i for i, slack in enumerate(total.slacks) if slack is not None and slack.sum() > ENOUGH / 10}
    waiting, seen = [frozenset(range(len(limits)))], set[frozenset[int]]()
    while waiting and len(seen) < _MOST_CONFLICTS:
        left = waiting.pop(0)
        found = _minimal(problem, limits, sorted(left))
        if not found or frozenset(found) in seen:
            continue
        seen.add(frozenset(found))
        gone = [i for i in found if i in loosened] or [i for i in found if not limits[i].hard][:1]
        settled = _remedies(problem, limits, found, sorted(left))
        remedies = settled or _remedies(problem, limits, found, found)
        yield Conflict(
            tuple(_clashes(problem, [limits[i] for i in found])),
            tuple(sorted(remedies.values(), key=lambda remedy: remedy.amount)),
        )
        waiting.append(left.difference(gone))
        # What cannot settle it alone leaves another conflict behind.
        waiting += [left - {i} for i in found if i not in settled and not limits[i].hard]


def _clash(problem: Problem, limits: Sequence[Limit]) -> Relaxed | None:
    """Return the relaxation of limits that cannot hold together; None if they can."""
    found = relax(problem, limits, set(range(len(limits))))
    return found if found is not None and found.total > ENOUGH else None


def _minimal(problem: Problem, limits: Sequence[Limit], among: Sequence[int]) -> list[int]:
    """Return a smallest-possible set of clashing limits, by deletion; empty if there is none."""
    whole = _clash(problem, [limits[i] for i in among])
    if whole is None:
        return []
    kept = _pressing(whole, among)
    if len(kept) < len(among) and _clash(problem, [limits[i] for i in kept]) is None:
        kept = list(among)
    for candidate in list(kept):
        others = [i for i in kept if i != candidate]
        if others and _clash(problem, [limits[i] for i in others]) is not None:
            kept = others
    return kept


def _pressing(found: Relaxed, among: Sequence[int]) -> list[int]:
    if not found.pressure:
        return list(among)
    largest = max(float(each.max(initial=0.0)) for each in found.pressure)
    return [
        i
        for i, pressure in zip(among, found.pressure, strict=True)
        if float(pressure.max(initial=0.0)) > _PRESSING * largest
    ]


def _clashes(problem: Problem, members: Sequence[Limit]) -> Iterator[Clash]:
    clash = relax(problem, members, set(range(len(members))))
    for place, limit in enumerate(members):
        involved = None
        if clash is not None and clash.pressure and isinstance(limit.demand, Rows):
            pressure = clash.pressure[place]
            involved = pressure > _PRESSING * max(float(pressure.max(initial=0.0)), 1e-300)
        yield Clash(limit.constraint.name, limit.words(involved))


def _remedies(
    problem: Problem, limits: Sequence[Limit], members: Sequence[int], kept: Sequence[int]
) -> dict[int, Remedy]:
    found = {i: _remedy(problem, limits, i, kept) for i in members}
    return {i: remedy for i, remedy in found.items() if remedy is not None}


def _remedy(problem: Problem, limits: Sequence[Limit], place: int, kept: Sequence[int]) -> Remedy | None:
    """Return the least by which one limit must give so that all that are kept can hold; None if that is no way."""
    limit = limits[place]
    if limit.hard:
        return None
    found = relax(problem, [limits[j] for j in kept], {kept.index(place)})
    slack = None if found is None else found.slacks[kept.index(place)]
    if found is None or slack is None:
        return None
    wider = limit.loosened(limit.demand, slack)
    return Remedy(limit.constraint.name, limit.change_words(wider, found.weights), found.total)
