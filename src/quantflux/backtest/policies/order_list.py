"""Trade a list of orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest


@dataclass(frozen=True, eq=False)
class OrderList:
    """Orders in shares, each for the row on which it is traded; what is not filled on that day lapses.

    Attributes
    ----------
    rows, columns : array of int, shape (K,)
        Rows may repeat and need not be sorted; on one row purchases get cash in the order of the list.
    shares : array of float64, shape (K,)
        Negative for sales.
    limits : array of float64, shape (K,), optional
        Limit prices, yuan, NaN for market orders.

    Raises
    ------
    InvalidRequest
        If the arrays have other lengths, or an order is for no shares.
    """

    rows: np.ndarray
    columns: np.ndarray
    shares: np.ndarray
    limits: np.ndarray | None = None

    def __post_init__(self) -> None:
        lengths = {len(a) for a in (self.rows, self.columns, self.shares, self.limits) if a is not None}
        if len(lengths) != 1:
            raise InvalidRequest(f"an order list needs arrays of one length, had {sorted(lengths)}")
        if np.any(np.isnan(self.shares) | (np.asarray(self.shares) == 0)):
            raise InvalidRequest("an order is for some shares, to buy or (negative) to sell")

    def decisions(self, venue: Venue) -> Decisions:
        """Return all decisions; an order is decided at the close before it is traded."""
        order = np.argsort(self.rows, kind="stable")
        rows, counts = np.unique(self.rows, return_counts=True)
        limits = None if self.limits is None else self.limits[order]
        return Decisions.of(rows - 1, Kind.ORDERS, counts, self.columns[order], self.shares[order], limits)
