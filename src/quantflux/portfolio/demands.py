"""What constraints come down to: few forms, as plain arrays, that a solver, a check and a diagnosis can share.

A constraint (see `constraints`) is stated in the words of the trade. Before anything is solved it becomes one or more
demands, each of one of these forms, N being the number of names and w the weights:

    Rows         lower <= matrix @ w <= upper      bounds, groups, exposures, frozen names, liquidity
    Turnover     max(bought, sold) <= most         bought and sold being the parts of w - current
    RiskLimit    sd(w - centre) <= most            risk, tracking error
    NameCount    number of names held <= most      needs whole numbers
    LeastSize    each w is 0 or at least `least`   needs whole numbers

`breach(w)` of each says by how much weights break each row: zero or less where they keep it. Divided by `scale` it
is about the weight that would have to move, whatever the unit of the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from quantflux.portfolio.risk.model import RiskModel

TINY = 1e-9
"""A weight this small is not a position: 0.01 yuan of 10 million."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear demands: lower <= matrix @ w <= upper.

    Attributes
    ----------
    labels : sequence of str, length M
        What each row limits, e.g. "weight of 600519.SH".
    matrix : sparse array of float64, shape (M, N)
    lower, upper : array of float64, shape (M,)
        Fractions of capital, or exposures; infinite where there is no limit.
    base : array of float64, shape (M,), or None
        What the benchmark has of each row, where limits are meant against it; words leave it out.
    """

    labels: Sequence[str]
    matrix: sparse.csr_array
    lower: np.ndarray
    upper: np.ndarray
    base: np.ndarray | None = None

    def breach(self, weights: np.ndarray) -> np.ndarray:
        """By how much weights break each row, shape (M,)."""
        values = self.matrix @ weights
        return np.asarray(np.maximum(values - self.upper, self.lower - values))

    @cached_property
    def scale(self) -> np.ndarray:
        """How much a row changes with one weight, at most, shape (M,); 1 for an empty row."""
        largest = np.zeros(len(self.lower))
        np.maximum.at(largest, self._entries.row, np.abs(self._entries.data))
        return np.where(largest > 0, largest, 1.0)

    @cached_property
    def _entries(self) -> sparse.coo_array:
        return self.matrix.tocoo()

    def words(self, row: int, *, below: bool = True, above: bool = True) -> str:
        """Say what one row demands: its lower limit, its upper one, or both."""
        base = 0.0 if self.base is None else float(self.base[row])
        low, high = float(self.lower[row]) - base, float(self.upper[row]) - base
        if low == high:
            return f"{self.labels[row]} exactly {low:.6g}"
        parts = [f"at least {low:.6g}"] * (below and bool(np.isfinite(low)))
        parts += [f"at most {high:.6g}"] * (above and bool(np.isfinite(high)))
        return f"{self.labels[row]} {' and '.join(parts) or 'free'}"


@dataclass(frozen=True, eq=False)
class Turnover:
    """The larger of what is bought and what is sold, as a fraction of capital, is at most `most`."""

    current: np.ndarray
    most: float

    def breach(self, weights: np.ndarray) -> np.ndarray:
        """By how much weights break it, shape (1,)."""
        return np.array([turnover(weights, self.current) - self.most])

    @property
    def scale(self) -> np.ndarray:
        """1: a fraction of capital."""
        return np.ones(1)

    def words(self, row: int = 0) -> str:
        """Say what is demanded."""
        del row
        return f"turnover at most {self.most:.6g}"


@dataclass(frozen=True, eq=False)
class RiskLimit:
    """The daily standard deviation of the return of w - centre is at most `most`; a centre of None is cash."""

    risk: RiskModel
    centre: np.ndarray | None
    most: float

    def breach(self, weights: np.ndarray) -> np.ndarray:
        """By how much weights break it, shape (1,)."""
        apart = weights if self.centre is None else weights - self.centre
        return np.array([np.sqrt(max(self.risk.variance(apart), 0.0)) - self.most])

    @property
    def scale(self) -> np.ndarray:
        """What one weight moves: the root mean variance of a name."""
        return np.array([np.sqrt(np.mean(self.risk.volatilities**2)) or 1.0])

    def words(self, row: int = 0) -> str:
        """Say what is demanded."""
        del row
        what = "risk" if self.centre is None else "tracking error"
        return f"{what} at most {self.most:.6g} a day"


@dataclass(frozen=True, eq=False)
class NameCount:
    """At most `most` names are held."""

    most: int

    def breach(self, weights: np.ndarray) -> np.ndarray:
        """By how many names weights break it, shape (1,)."""
        return np.array([float(np.count_nonzero(np.abs(weights) > TINY) - self.most)])

    @property
    def scale(self) -> np.ndarray:
        """1: a name."""
        return np.ones(1)

    def words(self, row: int = 0) -> str:
        """Say what is demanded."""
        del row
        return f"at most {self.most} names"


@dataclass(frozen=True, eq=False)
class LeastSize:
    """Each weight is 0 or at least `least`; shape (N,), 0 for names of which any size will do."""

    least: np.ndarray

    def breach(self, weights: np.ndarray) -> np.ndarray:
        """By how much each weight lies below its least size, shape (N,)."""
        return np.where(np.abs(weights) > TINY, self.least - weights, 0.0)

    @property
    def scale(self) -> np.ndarray:
        """1 each: fractions of capital."""
        return np.ones(len(self.least))

    def words(self, row: int) -> str:
        """Say what is demanded of one name."""
        return f"position {row} is 0 or at least {self.least[row]:.6g}"


Demand = Rows | Turnover | RiskLimit | NameCount | LeastSize


def turnover(weights: np.ndarray, current: np.ndarray) -> float:
    """Return the larger of what is bought and what is sold on the way from `current` to `weights`.

    With cash seen as one more holding this is half the sum of all changes. Building a portfolio from cash is 1.

    Examples
    --------
    >>> turnover(np.array([0.5, 0.5]), np.array([0.7, 0.1]))
    0.4
    """
    change = np.asarray(weights) - current
    return float(max(change[change > 0].sum(), -change[change < 0].sum(), 0.0))
