"""The limits of a problem one by one, in words, each of which can be kept, dropped or loosened.

A constraint is taken apart as far as a reader thinks of it: every industry is a limit of its own, above and below;
the caps of thousands of single names are one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from quantflux.portfolio.constraints import Bounds, Budget, Constraint, ExposureBounds, MinReturn
from quantflux.portfolio.demands import Demand, LeastSize, NameCount, RiskLimit, Rows, Turnover
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.year import ROOT_OF_YEAR, TRADING_DAYS

_FORGIVEN = 1e-3  # of the last digit shown: what a solver's noise may add
_MOST_NAMED = 4


@dataclass(frozen=True)
class Scale:
    """How a limit is shown: its value times `factor`, rounded to `digit`, written by `form`."""

    factor: float
    digit: float
    form: str

    def shown(self, value: float) -> str:
        """Write a value.

        Examples
        --------
        >>> WEIGHT.shown(0.0810), RISK.shown(0.0032), EXPOSURE.shown(0.25), NAMES.shown(30.0)
        ('8.1 %', '5 % a year', '0.25', '30')
        """
        number = value * self.factor
        percent = "%" in self.form
        return self.form.format(
            f"{100 * number if percent else number:.{2 if percent else 3}f}".rstrip("0").rstrip(".")
        )

    def outward(self, value: float, *, up: bool) -> float:
        """Round a loosened limit away from what it limits, to what is shown of it."""
        count = value * self.factor / self.digit
        count = math.ceil(count - _FORGIVEN) if up else math.floor(count + _FORGIVEN)
        return count * self.digit / self.factor


WEIGHT = Scale(1.0, 1e-4, "{} %")
RISK = Scale(ROOT_OF_YEAR, 1e-4, "{} % a year")
RETURN = Scale(float(TRADING_DAYS), 1e-4, "{} % a year")
EXPOSURE = Scale(1.0, 1e-3, "{}")
NAMES = Scale(1.0, 1.0, "{}")


@dataclass(frozen=True, eq=False)
class Limit:
    """One limit.

    Attributes
    ----------
    constraint : Constraint
        Which it is part of.
    place : int
        Of its demand in `Problem.demands`.
    demand : Demand
    base : array of shape (M,)
        What is taken off a row's limits when they are shown: the benchmark's part of relative ones.
    rows : array of int
        Which rows of the demand, where it has rows.
    below, above : bool
        Whether it keeps the rows up, keeps them down.
    hard : bool
        Never to be loosened: no short positions, no credit.
    """

    constraint: Constraint
    place: int
    demand: Demand
    base: np.ndarray
    rows: np.ndarray
    below: bool = False
    above: bool = False
    hard: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is about whole numbers of names."""
        return isinstance(self.demand, NameCount | LeastSize)

    @cached_property
    def scale(self) -> Scale:
        """How its values are shown."""
        if isinstance(self.demand, RiskLimit):
            return RISK
        if isinstance(self.demand, NameCount):
            return NAMES
        kinds = ((ExposureBounds, EXPOSURE), (MinReturn, RETURN))
        return next((scale for kind, scale in kinds if isinstance(self.constraint, kind)), WEIGHT)

    @property
    def slacks(self) -> int:
        """How many numbers loosen it: one, or one for each of its rows."""
        return 1 if not isinstance(self.demand, Rows) or self._uniform else len(self.rows)

    @property
    def _uniform(self) -> bool:
        """Whether all rows have the same limit, which one number can loosen."""
        if not isinstance(self.constraint, Bounds):
            return len(self.rows) == 1
        return len(set(self._values)) == 1

    @property
    def _values(self) -> list[float]:
        assert isinstance(self.demand, Rows)  # noqa: S101 - only rows have values
        side = self.demand.upper if self.above else self.demand.lower
        return [float(value) for value in side[self.rows]]

    def words(self, involved: np.ndarray | None = None) -> str:
        """Say what it demands.

        Parameters
        ----------
        involved : array of bool, optional
            Which of its rows matter to what is told.
        """
        demand = self.demand
        if isinstance(demand, Turnover):
            return f"turnover at most {WEIGHT.shown(demand.most)}"
        if isinstance(demand, RiskLimit):
            what = "risk" if demand.centre is None else "tracking error"
            return f"{what} at most {RISK.shown(demand.most)}"
        if isinstance(demand, NameCount):
            return f"at most {demand.most} names"
        if isinstance(demand, LeastSize):
            least = demand.least[demand.least > 0]
            shown = WEIGHT.shown(float(least.min())) if len(least) else "nothing"
            return f"every position at least {shown}"
        return self._row_words(demand, involved)

    def _row_words(self, demand: Rows, involved: np.ndarray | None) -> str:
        if self.hard:
            return "no credit" if isinstance(self.constraint, Budget) else "no short positions"
        if isinstance(self.constraint, Bounds) and self._uniform:
            bound = "at most" if self.above else "at least"
            return f"every weight {bound} {self._shown(demand, int(self.rows[0]), above=self.above)}"
        chosen = self.rows if involved is None or not involved.any() else self.rows[involved]
        parts = [self._row(demand, int(row)) for row in chosen[:_MOST_NAMED]]
        more = f" and {len(chosen) - _MOST_NAMED} more" if len(chosen) > _MOST_NAMED else ""
        return ", ".join(parts) + more

    def _row(self, demand: Rows, row: int) -> str:
        if self.below and self.above:
            stays = "stays at" if demand.labels[row].startswith("weight of") else "is exactly"
            return f"{demand.labels[row]} {stays} {self._shown(demand, row, above=True)}"
        bound = "at most" if self.above else "at least"
        return f"{demand.labels[row]} {bound} {self._shown(demand, row, above=self.above)}"

    def _shown(self, demand: Rows, row: int, *, above: bool) -> str:
        value = (demand.upper if above else demand.lower)[row] - self.base[row]
        return self.scale.shown(float(value))

    def loosened(self, demand: Demand, slack: np.ndarray) -> Demand:
        """Return a demand with this limit loosened, rounded outward to what is shown.

        Parameters
        ----------
        demand : Demand
            That of the limit, other limits of it perhaps loosened already.
        slack : array of shape (slacks,)
            By how much, in the scale of the demand.
        """
        match demand:
            case Turnover() | RiskLimit():
                wider = self.scale.outward(demand.most + float(slack[0] * demand.scale[0]), up=True)
                return replace(demand, most=max(wider, demand.most))
            case NameCount():
                return NameCount(demand.most + math.ceil(float(slack[0]) - _FORGIVEN))
            case LeastSize():
                return LeastSize(
                    np.maximum(demand.least - max(float(slack[0]), 0.0) - 1e-9 * (slack[0] > 0), 0.0)
                )
        lower, upper = demand.lower.copy(), demand.upper.copy()
        for row, by in zip(self.rows, np.broadcast_to(slack, (len(self.rows),)), strict=True):
            move, base = max(float(by), 0.0) * demand.scale[row], self.base[row]
            if move <= 1e-7 * demand.scale[row]:
                continue
            if self.above:
                upper[row] = self.scale.outward(upper[row] - base + move, up=True) + base
            if self.below:
                lower[row] = self.scale.outward(lower[row] - base - move, up=False) + base
        return Rows(demand.labels, demand.matrix, lower, upper)

    def change_words(self, wider: Demand, weights: np.ndarray) -> str:
        """Say in words how a loosened demand differs from this limit.

        Parameters
        ----------
        weights : array of shape (N,)
            That meet the loosened limits: they tell which side of an exact limit is to give way.
        """
        demand = self.demand
        match demand, wider:
            case Turnover(), Turnover():
                return f"allow a turnover of {WEIGHT.shown(wider.most)} (was {WEIGHT.shown(demand.most)})"
            case RiskLimit(), RiskLimit():
                what = "risk" if demand.centre is None else "tracking error"
                return f"allow a {what} of {RISK.shown(wider.most)} (was {RISK.shown(demand.most)})"
            case NameCount(), NameCount():
                return f"allow {wider.most} names (was {demand.most})"
            case LeastSize(), LeastSize():
                low, old = (float(d.least[d.least > 0].min(initial=0.0)) for d in (wider, demand))
                low = float(wider.least.max())
                return f"let positions be as small as {WEIGHT.shown(low)} (was {WEIGHT.shown(old)})"
            case Rows(), Rows():
                return self._row_changes(demand, wider, weights)
        raise AssertionError("a loosened demand is of the same form")

    def _row_changes(self, demand: Rows, wider: Rows, weights: np.ndarray) -> str:
        values = demand.matrix @ weights
        changed = [
            int(row)
            for row in self.rows
            if wider.upper[row] != demand.upper[row] or wider.lower[row] != demand.lower[row]
        ]
        if isinstance(self.constraint, Bounds) and self._uniform and changed:
            new = (wider.upper if self.above else wider.lower)[changed[0]]
            verb = "go up to" if self.above else "go down to"
            old = self._shown(demand, changed[0], above=self.above)
            return f"let single weights {verb} {self.scale.shown(float(new))} (was {old})"
        parts = []
        for row in changed[:_MOST_NAMED]:
            up = values[row] > demand.upper[row] if self.below and self.above else self.above
            verb = "go up to" if up else "go down to"
            new = self._shown(wider, row, above=bool(up))
            parts.append(
                f"let {demand.labels[row]} {verb} {new} (was {self._shown(demand, row, above=bool(up))})"
            )
        more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
        return "; ".join(parts) + more


def limits_of(problem: Problem) -> list[Limit]:
    """Return every limit of a problem, those of the constraints that come first in it first."""
    found: list[Limit] = []
    for place, (constraint, demand) in enumerate(problem.demands):
        if not isinstance(demand, Rows):
            found.append(Limit(constraint, place, demand, np.zeros(1), np.zeros(1, dtype=np.int64)))
            continue
        base = np.zeros(len(demand.lower))
        if getattr(constraint, "relative", False):
            base = demand.matrix @ problem.benchmark_for(constraint.name)
        found += _of_rows(constraint, place, demand, base)
    return found


def _of_rows(constraint: Constraint, place: int, demand: Rows, base: np.ndarray) -> list[Limit]:
    entries = np.diff(demand.matrix.indptr)
    low, high = np.isfinite(demand.lower), np.isfinite(demand.upper)
    exact = low & high & (demand.lower == demand.upper)
    if isinstance(constraint, Budget):
        single = np.zeros(len(entries), dtype=bool)
        exact = exact & (demand.upper == 0)  # as much long as short; the sum of a fund is two limits
    else:
        single = entries == 1
    short = single & low & (demand.lower == 0) & isinstance(constraint, Bounds)
    credit = np.full(len(entries), isinstance(constraint, Budget)) & high & (demand.upper > 0)
    found = []
    for rows, below, above, hard in (
        (single & exact & ~short, True, True, False),
        (short, True, False, True),
        (single & low & ~exact & ~short, True, False, False),
        (single & high & (~exact | short), False, True, False),
    ):
        if rows.any():
            found.append(Limit(constraint, place, demand, base, np.flatnonzero(rows), below, above, hard))
    for row in np.flatnonzero(~single):
        sides: Sequence[tuple[bool, bool]] = [(True, True)] if exact[row] else [(True, False), (False, True)]
        for below, above in sides:
            if (below and not low[row]) or (above and not high[row]):
                continue
            hard = bool(credit[row]) and above
            found.append(Limit(constraint, place, demand, base, np.array([row]), below, above, hard))
    return found
