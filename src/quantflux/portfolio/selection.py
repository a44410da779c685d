"""Which names to hold when only some may be held and the objective is not linear: relax, then select.

A limit on the number of names or on least positions makes a mixed-integer problem, with variance in the objective a
quadratic one, for which none of the installed solvers is made. So:

1. Solve without these limits. If the answer keeps them it is the best of all, and the result says so.
2. Otherwise drop the smallest positions, a part of those held at a time, and solve again among the rest, until no
   more names are held than allowed (`_narrowed`). Where that leaves no way to meet the constraints, fewer are dropped.
3. Positions below half their least size are dropped in the same way; the others get their least size as a lower bound
   (`_sized`).
4. Try exchanges (`_exchanged`): another name instead of one of the smallest positions, kept if that is better.

That is a heuristic. The result says so and gives the objective beside that of step 1, which no choice can beat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from quantflux.core.errors import Infeasible
from quantflux.portfolio.checking import TOLERANCE, box
from quantflux.portfolio.demands import TINY, LeastSize, NameCount
from quantflux.portfolio.problem import Problem

_FAST, _SLOW = (
    0.5,
    0.8,
)  # the part of the names held that one step keeps, far from the number allowed and near it
_EXCHANGES = 60  # tried at most
_LEAVING = 3  # of the smallest positions, each is tried as the one to go


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


def select(problem: Problem, relaxed: Outcome, attempt: Attempt) -> Outcome | None:
    """Choose names and solve for them, by the heuristic above; None if it finds no choice that meets all constraints.

    Parameters
    ----------
    problem : Problem
        With limits on the number of names or on least positions, long only.
    relaxed : Outcome
        The solution without these limits, cleaned.
    attempt : callable
        Solves the problem without these limits for the names of a choice, cleaned, or raises Infeasible.
    """
    limits = _Limits.of(problem)
    if limits.kept_by(relaxed.weights):
        note = (
            "the best portfolio holds no more and no smaller positions than allowed; no choice had to be made"
        )
        return replace(relaxed, notes=(note,))
    try:
        narrowed, last_dropped = _narrowed(relaxed, limits, attempt)
        found = _sized(narrowed, limits, attempt)
    except Infeasible:
        return None
    return improved(problem, found, relaxed, attempt, first=last_dropped)


def improved(
    problem: Problem, found: Outcome, relaxed: Outcome, attempt: Attempt, first: np.ndarray | None = None
) -> Outcome:
    """Try exchanges on a portfolio that keeps the limits, and say how it was found.

    Parameters
    ----------
    first : array of int, optional
        The names to try first; then come the others in the order of their relaxed weights.
    """
    order = _held(relaxed.weights, np.zeros(len(relaxed.weights), dtype=bool))
    candidates = order if first is None else np.concatenate([first, order[~np.isin(order, first)]])
    found = _exchanged(found, candidates, _Limits.of(problem), attempt)
    note = (
        "which names are held was chosen by a heuristic (solve, drop the smallest, solve again, try exchanges): "
        f"{found.words} {found.value:.6g}; without limits on numbers and sizes it is {relaxed.value:.6g}, which no "
        "choice can beat"
    )
    return replace(found, chosen=True, notes=(note,))


def least_sizes(problem: Problem, columns: np.ndarray) -> Choice:
    """Return the choice of some names, each with its least size as a lower bound."""
    return Choice(columns, _Limits.of(problem).least[columns])


def _narrowed(outcome: Outcome, limits: _Limits, attempt: Attempt) -> tuple[Outcome, np.ndarray]:
    """Drop names until few enough are held; returns those dropped last too, the largest first."""
    forced, dropped = limits.forced.copy(), np.zeros(0, dtype=np.int64)
    while (order := _held(outcome.weights, forced)).size > limits.most:
        pace = _FAST if order.size > 4 * limits.most else _SLOW
        target = max(limits.most, int(order.size * pace))
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
        raise Infeasible("no choice of names was found that meets all constraints", "infeasible")
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
    """Try other names in place of one of the smallest positions, and keep what is better.

    A name that is much like one that is held comes in with a small weight: it is not the one to go at once.
    """
    tried = 0
    for candidate in candidates:
        order = _held(outcome.weights, limits.forced)
        if candidate in order:
            continue
        leaving = [int(name) for name in order[::-1][:_LEAVING] if not limits.forced[name]]
        for name in leaving if order.size >= limits.most else [-1]:
            if (tried := tried + 1) > _EXCHANGES:
                return outcome
            columns = np.sort(np.append(order[order != name], candidate))
            try:
                other = _sized(attempt(Choice(columns)), limits, attempt)
            except Infeasible:
                continue
            if limits.kept_by(other.weights) and other.value < outcome.value - 1e-9 * abs(outcome.value):
                outcome = other
                break
    return outcome


def _held(weights: np.ndarray, forced: np.ndarray) -> np.ndarray:
    """Return where the names stand that are held or must be, those that must be first, then the largest first."""
    at = np.flatnonzero((weights > TINY) | forced)
    return at[np.lexsort((-weights[at], ~forced[at]))]
