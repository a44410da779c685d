"""Which names a strategy may choose from, and which of them can be traded at an open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.gaps import carried_forward
from quantflux.core.panel import Panel
from quantflux.rules import OpenLocks

SEASONED_AFTER = 60
"""Days a new listing must have traded: before, its price is still being found."""


@dataclass(frozen=True)
class Market:
    """Prices and permissions of a market, as evaluation and backtest see them; arrays have shape (T, N).

    Attributes
    ----------
    panel : Panel
        Backward-adjusted bars.
    chosen : array of bool
        Investable at the close of day t, by what was known then.
    buyable, sellable : array of bool
        Can be bought, sold at the open of day t.
    at_open : array of float64
        What a holding is worth at the open: the open, or the last close on days without trade.
    at_close : array of float64
        What it is worth at the close; carried on days without trade.
    """

    panel: Panel
    chosen: np.ndarray
    buyable: np.ndarray
    sellable: np.ndarray
    at_open: np.ndarray
    at_close: np.ndarray

    @classmethod
    def of(cls, panel: Panel, locks: OpenLocks, special: np.ndarray | None = None) -> Market:
        """Return the market of adjusted bars, of opens at a limit, and of names under special treatment.

        Investable is what traded on the day, is seasoned, and is not under special treatment.
        """
        traded = ~np.isnan(panel["close"])
        chosen = traded & is_seasoned(traded)
        if special is not None:
            chosen &= ~special
        at_close = carried_forward(panel["close"])
        return cls(
            panel,
            chosen,
            traded & ~locks.up,
            traded & ~locks.down,
            np.where(traded, panel["open"], at_close),  # without trade: the close carried here
            at_close,
        )

    @property
    def traded(self) -> np.ndarray:
        """Where there was a bar."""
        return np.asarray(~np.isnan(self.panel["close"]))


def is_seasoned(traded: np.ndarray) -> np.ndarray:
    """Return where a name had traded on at least 60 days before; names there from the first row on count as old.

    Examples
    --------
    >>> is_seasoned(np.array([[True, False]] * 2 + [[True, True]] * 61))[-2:].tolist()
    [[True, False], [True, True]]
    """
    before = np.cumsum(traded, axis=0) - traded
    return np.asarray((before >= SEASONED_AFTER) | traded[0])
