"""In how many shares one may buy, by board and date. What is left of a lot may be sold, but only all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from quantflux.rules.boards import boards_of, by_scope
from quantflux.rules.dated import Tables, shipped_tables


@cache
def lot_tables() -> Tables:
    """Return the dated lots by board."""
    columns = {"smallest": int, "step": int, "most": int, "most_market": int}
    return shipped_tables("lots.toml", {"lot": columns})


@dataclass(frozen=True)
class LotRule:
    """Smallest purchase and step above it of each symbol, in shares; arrays of shape (N,)."""

    smallest: np.ndarray
    step: np.ndarray

    def rounded_down(self, shares: np.ndarray) -> np.ndarray:
        """Return the most shares that can be bought of those wanted.

        Examples
        --------
        >>> lots_of(["600519.SH", "688001.SH", "688002.SH"]).rounded_down(np.array([250.0, 250.7, 150.0])).tolist()
        [200.0, 250.0, 0.0]
        """
        # The small fraction forgives 299.9999999 that was meant to be 300.
        whole = np.floor(shares / self.step + 1e-9) * self.step
        return np.where(whole >= self.smallest, whole, 0.0)


def lots_of(symbols: Sequence[str] | np.ndarray, day: date | None = None) -> LotRule:
    """Return the lot rule of each symbol; what is not a share trades in lots of 100.

    Parameters
    ----------
    day : date, optional
        The rules of today unless given.
    """
    tables, boards = lot_tables()["lot"], boards_of(symbols)
    return LotRule(
        by_scope(tables, boards, "smallest", day, missing=100.0),
        by_scope(tables, boards, "step", day, missing=100.0),
    )


def largest_orders(symbols: Sequence[str] | np.ndarray, day: date | None = None) -> np.ndarray:
    """Return the largest limit order of each symbol in shares, float64 of shape (N,).

    More is split into several orders. What is not a share may trade a million.

    Examples
    --------
    >>> largest_orders(["600519.SH", "300750.SZ", "688981.SH"]).tolist()
    [1000000.0, 300000.0, 100000.0]
    """
    return by_scope(lot_tables()["lot"], boards_of(symbols), "most", day, missing=1_000_000.0)
