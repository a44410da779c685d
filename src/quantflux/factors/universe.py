"""Which names a strategy may choose from, which of them can be traded at an open, and what industry they are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from quantflux.core.errors import InvalidRequest
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

    @cached_property
    def proceeds(self) -> np.ndarray:
        """What a holding brings that is to be sold at the open of day t, shape (T, N).

        It is sold at the first open from then on at which it can be. What never can be again, delisted or suspended
        to the end, is worth its last price: nobody escapes the average by vanishing.
        """
        rows = np.where(self.sellable, np.arange(len(self.sellable))[:, None], len(self.sellable) - 1)
        first = np.minimum.accumulate(rows[::-1], axis=0)[::-1]
        return np.take_along_axis(self.at_open, first, axis=0)


@dataclass(frozen=True)
class Industries:
    """Which industry each name is in.

    Attributes
    ----------
    codes : array of int, shape (N,), or (T, N) where names move from one to another
        Place in `names`; anything else means unknown.
    names : tuple of str
    """

    codes: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str]) -> Industries:
        """Return the industries of names by what each is called; an empty text means unknown.

        Examples
        --------
        >>> made = Industries.of(["bank", "steel", "", "bank"])
        >>> made.codes.tolist(), made.names
        ([0, 1, -1, 0], ('bank', 'steel'))
        """
        names = tuple(sorted({label for label in labels if label}))
        place = {name: code for code, name in enumerate(names)}
        return cls(np.array([place.get(label, -1) for label in labels], dtype=np.int16), names)

    def laid_on(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the code of each day and name, of this shape; `InvalidRequest` if the codes have another one."""
        if self.codes.shape not in (shape, shape[1:]):
            raise InvalidRequest(
                f"industry codes must have shape {shape[1:]} (symbols) or {shape} (days, symbols), "
                f"had {self.codes.shape}"
            )
        return np.ascontiguousarray(np.broadcast_to(self.codes, shape), dtype=np.int16)


def is_seasoned(traded: np.ndarray) -> np.ndarray:
    """Return where a name had traded on at least 60 days before; names there from the first row on count as old.

    Examples
    --------
    >>> is_seasoned(np.array([[True, False]] * 2 + [[True, True]] * 61))[-2:].tolist()
    [[True, False], [True, True]]
    """
    days = np.zeros(traded.shape[1], dtype=np.int64)
    found = np.empty(traded.shape, dtype=bool)
    for row, there in enumerate(
        traded
    ):  # by row: counts of the whole array's size would be eight times as large
        np.logical_or(days >= SEASONED_AFTER, traded[0], out=found[row])
        days += there
    return found
