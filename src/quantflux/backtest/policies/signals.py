"""Open a position when one signal appears, close it when another does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest


@dataclass(frozen=True, eq=False)
class Signals:
    """Buy a name when `buy` becomes true, sell it when `sell` is; each position starts as 1 / `most` of the account.

    While `most` positions are held no other is opened. What could not be bought is given up until `buy` becomes true
    again; what could not be sold is tried until it is.

    Attributes
    ----------
    buy, sell : array of bool, shape (T, N)
        Known at each close. Where both are true, nothing is bought.
    most : int
    priority : array of float64, shape (T, N), optional
        Of names that ask for the last places at once, those with more of it get them; by column without it.

    Raises
    ------
    InvalidRequest
        If shapes differ, or `most` is below 1.
    """

    buy: np.ndarray
    sell: np.ndarray
    most: int = 20
    priority: np.ndarray | None = None

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.buy, self.sell, self.priority) if a is not None}
        if len(shapes) != 1:
            raise InvalidRequest(f"signals need arrays of one shape, had {sorted(shapes)}")
        if self.most < 1:
            raise InvalidRequest(f"most must be 1 or more, was {self.most}")

    def decisions(self, venue: Venue) -> Decisions:
        """Return all decisions."""
        if self.buy.shape != venue.shape:
            raise InvalidRequest(f"signals need the venue's shape {venue.shape}, had {self.buy.shape}")
        before = np.zeros_like(self.buy)
        before[1:] = self.buy[:-1]
        opens = self.buy & ~before & ~self.sell
        row, column = np.nonzero(opens | (self.sell & _since(opens)))
        value = np.where(opens[row, column], 1.0 / self.most, 0.0)
        rank = np.zeros(len(row)) if self.priority is None else -self.priority[row, column]
        order = np.lexsort((column, rank, row))
        rows, counts = np.unique(row, return_counts=True)
        return Decisions.of(rows, Kind.SIGNALS, counts, column[order], value[order])


def _since(opens: np.ndarray) -> np.ndarray:
    """Return where a name was bought on an earlier row, shape (T, N): a sale before that is none."""
    return np.asarray(np.logical_or.accumulate(opens, axis=0))
