"""Weights against what was demanded of them: checks, and cleaning that breaks nothing."""

from __future__ import annotations

import numpy as np

from quantflux.portfolio.constraints import Bounds, Budget, Liquidity, NoTrade
from quantflux.portfolio.demands import TINY, LeastSize, NameCount, Rows
from quantflux.portfolio.problem import Problem

TOLERANCE = 1e-6
"""How far a limit may be overstepped: what moving this much weight does (100 yuan of 100 million)."""

_CUTOFFS = (1e-6, 1e-7, 1e-8, 1e-9)  # weights below are dust that an interior-point solver leaves
_WHOLE = NameCount | LeastSize
_OF_NAMES = (Budget, Bounds, NoTrade, Liquidity)  # they bind at nearly every name, or always


def breaches(
    problem: Problem,
    weights: np.ndarray,
    tolerance: float = TOLERANCE,
    *,
    without: tuple[type, ...] = (),
) -> list[str]:
    """Say in words which constraints, but those of some kinds, weights break by more than the tolerance."""
    broken = []
    for constraint, demand in problem.demands:
        if isinstance(constraint, without):
            continue
        amount = demand.breach(weights)
        for row in np.flatnonzero(amount > tolerance * demand.scale):
            broken.append(f"{constraint.name}: {demand.words(int(row))}, broken by {amount[row]:.3g}")
    return broken


def binding(problem: Problem, weights: np.ndarray, tolerance: float = 1e-5) -> tuple[str, ...]:
    """Say at which limits weights stand, in words. Those that fix one name or the whole sum are left out."""
    found = []
    for constraint, demand in problem.demands:
        if isinstance(demand, Rows) and not isinstance(constraint, _OF_NAMES):
            found += [f"{constraint.name}: {words}" for words in _binding_rows(demand, weights, tolerance)]
        elif (
            not isinstance(demand, Rows | LeastSize)
            and demand.breach(weights)[0] > -tolerance * demand.scale[0]
        ):
            found.append(f"{constraint.name}: {demand.words()}")
    return tuple(found)


def _binding_rows(rows: Rows, weights: np.ndarray, tolerance: float) -> list[str]:
    values, near = rows.matrix @ weights, tolerance * rows.scale
    below, above = values < rows.lower + near, values > rows.upper - near
    at = np.flatnonzero(below | above)
    return [rows.words(int(row), below=bool(below[row]), above=bool(above[row])) for row in at]


def worst(problem: Problem, weights: np.ndarray, *, whole: bool = True) -> float:
    """Return by how much the constraint broken most is broken, in weight; below 0 if all are kept with room.

    Parameters
    ----------
    whole : bool
        Whether limits on the number of names and on least positions count.
    """
    return max(
        float((demand.breach(weights) / demand.scale).max(initial=-np.inf))
        for _, demand in problem.demands
        if whole or not isinstance(demand, _WHOLE)
    )


def box(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and largest weight that constraints on single names leave to each, shapes (N,)."""
    lower = np.full(len(problem.symbols), -np.inf)
    upper = -lower
    for _, demand in problem.demands:
        if not isinstance(demand, Rows):
            continue
        single = np.flatnonzero(np.diff(demand.matrix.indptr) == 1)
        first = demand.matrix.indptr[single]
        name, value = demand.matrix.indices[first], demand.matrix.data[first]
        ends = np.sort(np.stack([demand.lower[single], demand.upper[single]]) / value, axis=0)
        np.maximum.at(lower, name, ends[0])
        np.minimum.at(upper, name, ends[1])
    return lower, upper


def cleaned(problem: Problem, weights: np.ndarray) -> np.ndarray:
    """Return weights without the dust that solvers leave, if that breaks nothing.

    Weights are put into the bounds of their names; those below a cutoff become 0 and what they held goes to the names
    that have room, in proportion. The largest cutoff is taken after which all constraints hold as well as before, or
    within a tenth of the tolerance. Weights that break a constraint by more than the tolerance are left as they are:
    they are wrong, and must not be made to look right.
    """
    before = worst(problem, weights, whole=False)
    if before > TOLERANCE:
        return weights
    lower, upper = box(problem)
    inside = np.clip(weights, lower, np.maximum(lower, upper))
    enough = max(before, TOLERANCE / 10)
    total = float(weights.sum())
    for budget in problem.in_force:
        if isinstance(budget, Budget):
            total = min(max(total, budget.least), budget.most)
    for cutoff in _CUTOFFS:
        dust = (np.abs(inside) < cutoff) & (lower <= 0) & (upper >= 0)
        swept = _restored(np.where(dust, 0.0, inside), total, lower, upper)
        if worst(problem, swept, whole=False) <= enough:
            return swept
    return weights


def _restored(weights: np.ndarray, total: float, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    # The sum as it was, by stretching the positions that have room to both sides.
    room = (weights > lower + TINY) & (weights < upper - TINY) & (weights > TINY)
    held = weights[room].sum()
    if held <= 0:
        return weights
    stretched = weights.copy()
    stretched[room] *= 1 + (total - weights.sum()) / held
    return np.asarray(np.clip(stretched, lower, np.maximum(lower, upper)))
