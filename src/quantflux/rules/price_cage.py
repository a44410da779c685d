"""How far a limit order may lie from the best price of the other side in continuous trading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from quantflux.rules.boards import boards_of, by_scope
from quantflux.rules.dated import Tables, shipped_tables
from quantflux.rules.ticks import ticks_of


@cache
def price_cage_tables() -> Tables:
    """Return the dated cages by board."""
    return shipped_tables("price_cage.toml", {"price_cage": {"ratio": float, "ticks": int}})


@dataclass(frozen=True)
class PriceCage:
    """Width of the cage of each symbol: a fraction of the price, and a least width in yuan; arrays of shape (N,).

    Both are infinite where there is no cage.
    """

    ratio: np.ndarray
    least: np.ndarray

    def highest_bid(self, best_offer: np.ndarray) -> np.ndarray:
        """Return the highest price at which a buy order is taken while this is the best offer, not rounded."""
        return np.asarray(best_offer + np.maximum(best_offer * self.ratio, self.least))

    def lowest_offer(self, best_bid: np.ndarray) -> np.ndarray:
        """Return the lowest price at which a sell order is taken while this is the best bid, not rounded."""
        return np.asarray(best_bid - np.maximum(best_bid * self.ratio, self.least))


def price_cage(symbols: Sequence[str] | np.ndarray, day: date | None = None) -> PriceCage:
    """Return the cage of each symbol.

    Parameters
    ----------
    day : date, optional
        The rules of today unless given.

    Examples
    --------
    >>> cage = price_cage(["600519.SH", "600000.SH"])
    >>> cage.highest_bid(np.array([1500.0, 3.0])).tolist(), cage.lowest_offer(np.array([1500.0, 3.0])).tolist()
    ([1530.0, 3.1], [1470.0, 2.9])
    """
    tables, boards = price_cage_tables()["price_cage"], boards_of(symbols)
    return PriceCage(
        by_scope(tables, boards, "ratio", day, missing=np.inf),
        by_scope(tables, boards, "ticks", day, missing=np.inf) * ticks_of(symbols),
    )
