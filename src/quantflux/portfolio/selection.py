"""Which names to hold when only some may be held and the objective is not linear: relax, then select.

A limit on the number of names or on least positions makes a mixed-integer problem, with variance in the objective a
quadratic one, for which none of the installed solvers is made. So:

1. Solve without these limits (`select`). If the answer keeps them it is the best of all, and the result says so.
2. Otherwise drop the smallest positions, half of those held at a time, and solve again among the rest, until no more
   names are held than allowed (`_narrowed`). Where that leaves no way to meet the constraints, fewer are dropped.
3. Positions below half their least size are dropped in the same way; the others get their least size as a lower bound
   (`_sized`).
4. Try exchanges (`_exchanged`): one of the names dropped last is added, the problem solved, the smallest position
   dropped, and the result kept if it is better.

That is a heuristic. The result says so and gives the objective beside that of step 1, which no choice can beat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from quantflux.core.errors import Infeasible
from quantflux.portfolio.checking import TOLERANCE, box, cleaned
from quantflux.portfolio.demands import TINY, LeastSize, NameCount
from quantflux.portfolio.problem import Problem

_PACE = 0.5  # of the names held, the part that is kept at most after one step
_EXCHANGES = 20  # tried at most


@dataclass(frozen=True, eq=False)
class Choice:
    """Which names may be held, and at least how much of each.

    Attributes
    ----------
    columns : array of int, shape (n,), or None
        None for all names.
    least : array of float64, shape (n,), or None
    """

    columns: np.ndarray | None = None
    least: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a solver found.

    Attributes
    ----------
    weights : array of float64, shape (N,)
    value : float
        Of the objective, in its own unit.
    words : str
        What the objective is.
    status, solver, fallback
        See `result.Portfolio`.
    chosen : bool
        Whether names were chosen by a heuristic.
    notes : tuple of str
    """

    weights: np.ndarray
    value: float
    words: str
    status: str
    solver: str
    fallback: str | None
    chosen: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Limits:
    # The most names; the least size of each, shape (N,); which must be held because their lower bound is above 0.
    most: int
    least: np.ndarray
    forced: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> _Limits:
        demands = [demand for _, demand in problem.demands]
        least = np.zeros(len(problem.symbols))
        for demand in demands:
            if isinstance(demand, LeastSize):
                least = np.maximum(least, demand.least)
        counts = [demand.most for demand in demands if isinstance(demand, NameCount)]
        return cls(min(counts, default=len(least)), least, box(problem)[0] > TINY)

    def kept_by(self, weights: np.ndarray) -> bool:
        held = weights > TINY
        return held.sum() <= self.most and not self.small(weights).any()

    def small(self, weights: np.ndarray) -> np.ndarray:
        return (weights > TINY) & (weights < self.least - TOLERANCE)


Attempt = Callable[[Choice], Outcome]


def select(problem: Problem, attempt: Attempt) -> Outcome:
    """Choose names and solve for them.

    Parameters
    ----------
    problem : Problem
        With limits on the number of names or on least positions, long only.
    attempt : callable
        Solves the problem without these limits for the names of a choice, or raises Infeasible.

    Raises
    ------
    Infeasible
        If the problem is so without these limits, or no choice was found that meets all constraints.
    """
    limits = _Limits.of(problem)

    def clean_attempt(choice: Choice) -> Outcome:
        found = attempt(choice)
        return replace(found, weights=cleaned(problem, found.weights))

    relaxed = clean_attempt(Choice())
    if limits.kept_by(relaxed.weights):
        note = (
            "the best portfolio holds no more and no smaller positions than allowed; no choice had to be made"
        )
        return replace(relaxed, notes=(note,))
    narrowed, last_dropped = _narrowed(relaxed, limits, clean_attempt)
    found = _sized(narrowed, limits, clean_attempt)
    found = _exchanged(found, last_dropped, limits, clean_attempt)
    note = (
        "which names are held was chosen by a heuristic (solve, drop the smallest, solve again, try exchanges): "
        f"{found.words} {found.value:.6g}; without limits on numbers and sizes it is {relaxed.value:.6g}, which no "
        "choice can beat"
    )
    return replace(found, chosen=True, notes=(note,))


def _narrowed(outcome: Outcome, limits: _Limits, attempt: Attempt) -> tuple[Outcome, np.ndarray]:
    """Drop names until few enough are held; returns those dropped last too, the largest first."""
    forced, dropped = limits.forced.copy(), np.zeros(0, dtype=np.int64)
    while (order := _held(outcome.weights, forced)).size > limits.most:
        target = max(limits.most, int(order.size * _PACE))
        outcome, dropped = _with_fewer(outcome, order, target, forced, attempt)
    return outcome, dropped


def _with_fewer(
    outcome: Outcome, order: np.ndarray, target: int, forced: np.ndarray, attempt: Attempt
) -> tuple[Outcome, np.ndarray]:
    """Solve among the first `target` names of an order, or among more of them if there is no way with these."""
    while target < order.size:
        try:
            return attempt(Choice(np.sort(order[:target]))), order[target:]
        except Infeasible:
            target = (target + order.size + 1) // 2
    # Not even the smallest can go: it stays, and the turn is that of the next one.
    free = order[~forced[order]]
    if not free.size:
        raise Infeasible(
            "no choice of names was found that meets all constraints (relax, then select); that does not prove that "
            "there is none",
            "infeasible",
        )
    forced[free[-1]] = True
    return outcome, order[:0]


def _sized(outcome: Outcome, limits: _Limits, attempt: Attempt) -> Outcome:
    """Drop positions, or bring them up to their least size, until none is too small."""
    forced = limits.forced.copy()
    while limits.small(outcome.weights).any():
        order = _held(outcome.weights, forced)
        half = (outcome.weights < limits.least / 2) & ~forced
        if hopeless := int(half[order].sum()):
            gone = min(hopeless, max(1, order.size // 2))
            outcome, _ = _with_fewer(outcome, order, order.size - gone, forced, attempt)
            continue
        columns = np.sort(order)
        try:
            return attempt(Choice(columns, limits.least[columns]))
        except Infeasible:
            outcome, _ = _with_fewer(outcome, order, order.size - 1, forced, attempt)
    return outcome


def _exchanged(outcome: Outcome, candidates: np.ndarray, limits: _Limits, attempt: Attempt) -> Outcome:
    """Try names that were dropped last in place of the smallest position, and keep what is better."""
    for candidate in candidates[:_EXCHANGES]:
        held = np.flatnonzero(outcome.weights > TINY)
        if candidate in held:
            continue
        try:
            wider = attempt(Choice(np.sort(np.append(held, candidate))))
            if wider.weights[candidate] <= TINY:
                continue
            fewer, _ = _narrowed(wider, limits, attempt)
            other = _sized(fewer, limits, attempt)
        except Infeasible:
            continue
        if limits.kept_by(other.weights) and other.value < outcome.value - 1e-9 * abs(outcome.value):
            outcome = other
    return outcome


def _held(weights: np.ndarray, forced: np.ndarray) -> np.ndarray:
    """Return where the names stand that are held or must be, those that must be first, then the largest first."""
    at = np.flatnonzero((weights > TINY) | forced)
    return at[np.lexsort((-weights[at], ~forced[at]))]
