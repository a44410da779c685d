"""How many shares a holding may become by one order: the whole lots below and above a wish.

A purchase is of at least the smallest lot and then of whole steps; a sale is the same, or of all that is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.rules import LotRule

_ROUNDING = 1e-9  # of a step: forgives 299.9999999 that was meant to be 300


@dataclass(frozen=True)
class Reachable:
    """What holdings can become; arrays of shape (N,).

    Attributes
    ----------
    held : array
        Shares that are there now.
    lots : LotRule
    buyable, sellable : array of bool
        Whether there can be more, whether there can be less.
    """

    held: np.ndarray
    lots: LotRule
    buyable: np.ndarray
    sellable: np.ndarray

    def at_most(self, wanted: np.ndarray) -> np.ndarray:
        """Return the most shares that can be reached and are no more than wanted; else the fewest that can be.

        Examples
        --------
        >>> from quantflux.rules import lots_of
        >>> yes = np.ones(3, dtype=bool)
        >>> there = Reachable(np.array([150.0, 150.0, 300.0]), lots_of(["600519.SH"] * 2 + ["688001.SH"]), yes, yes)
        >>> there.at_most(np.array([130.0, 260.0, 90.0])).tolist()
        [50.0, 250.0, 90.0]
        """
        more = self.lots.rounded_down(np.maximum(wanted - self.held, 0.0))
        less = self._sold_up(np.maximum(self.held - wanted, 0.0))
        return self._allowed(self.held + more - less)

    def at_least(self, wanted: np.ndarray) -> np.ndarray:
        """Return the fewest shares that can be reached and are no fewer than wanted; else the most that can be.

        Examples
        --------
        >>> from quantflux.rules import lots_of
        >>> yes = np.ones(2, dtype=bool)
        >>> there = Reachable(np.array([150.0, 0.0]), lots_of(["600519.SH", "688001.SH"]), yes, yes)
        >>> there.at_least(np.array([160.0, 20.0])).tolist()
        [250.0, 200.0]
        """
        short = np.maximum(wanted - self.held, 0.0)
        steps = np.ceil(short / self.lots.step - _ROUNDING) * self.lots.step
        more = np.where(short > _ROUNDING, np.maximum(steps, self.lots.smallest), 0.0)
        return self._allowed(self.held + more - self._sold_down(np.maximum(self.held - wanted, 0.0)))

    def _sold_down(self, wish: np.ndarray) -> np.ndarray:
        """Return the most that can be sold and is no more than wished."""
        return np.where(wish >= self.held - _ROUNDING, self.held, self.lots.rounded_down(wish))

    def _sold_up(self, wish: np.ndarray) -> np.ndarray:
        """Return the least that can be sold and is no less than wished: all, where no lot in between will do."""
        steps = np.maximum(np.ceil(wish / self.lots.step - _ROUNDING) * self.lots.step, self.lots.smallest)
        return np.where(wish > _ROUNDING, np.minimum(steps, self.held), 0.0)

    def _allowed(self, shares: np.ndarray) -> np.ndarray:
        shares = np.where(self.buyable, shares, np.minimum(shares, self.held))
        return np.where(self.sellable, shares, np.maximum(shares, self.held))
