"""What befalls a holding before trading begins on a day: cash dividends, new shares, growth without a known cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from quantflux.core.corporate_actions import CorporateActions
from quantflux.data.ex_rights import Growth


@dataclass(frozen=True, eq=False)
class Events:
    """Sparse: those of day d are `offsets[d]:offsets[d + 1]` of the other arrays, which have shape (K,).

    Attributes
    ----------
    offsets : array of int64, shape (D + 1,)
    column : array of int64
    cash : array of float64
        Yuan credited for each share held.
    growth : array of float64
        What the number of shares is multiplied by: bonus issues, conversions, splits, and where no action is known what
        `adj_factor` says, as if dividends had been reinvested at the ex-right price.
    """

    offsets: np.ndarray
    column: np.ndarray
    cash: np.ndarray
    growth: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, int], actions: CorporateActions, growth: Growth) -> Self:
        """Return the events of known actions, and of the growth beside them, on so many days and names.

        Examples
        --------
        >>> growth = Growth(np.array([1]), np.array([0]), np.array([1.25]))
        >>> events = Events.of((2, 1), CorporateActions.none(), growth)
        >>> events.offsets.tolist(), events.column.tolist(), events.growth.tolist()
        ([0, 0, 1], [0], [1.25])
        """
        days, width = shape
        at_actions, at_growth = (each.row * width + each.column for each in (actions, growth))
        cells = np.union1d(at_growth, at_actions)
        cash, shares = np.zeros(len(cells)), np.ones(len(cells))
        shares[np.searchsorted(cells, at_growth)] = growth.shares
        known = np.searchsorted(cells, at_actions)
        cash[known] = actions.cash
        shares[known] *= 1 + actions.shares
        return cls._by_day(days, cells // width, cells % width, cash, shares)

    @classmethod
    def none(cls, days: int) -> Self:
        """Return a market in which nothing is paid."""
        return cls._by_day(days, *np.zeros((2, 0), np.int64), *np.zeros((2, 0)))

    @classmethod
    def _by_day(
        cls, days: int, row: np.ndarray, column: np.ndarray, cash: np.ndarray, growth: np.ndarray
    ) -> Self:
        offsets = np.searchsorted(row, np.arange(days + 1)).astype(np.int64)
        return cls(offsets, column.astype(np.int64), cash, growth)

    def __len__(self) -> int:
        return len(self.column)

    def within(self, days: np.ndarray, columns: np.ndarray) -> Self:
        """Return the events of some days and columns, both increasing, told by their places among those."""
        row = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        keep = np.isin(row, days) & np.isin(self.column, columns)
        row, column = np.searchsorted(days, row[keep]), np.searchsorted(columns, self.column[keep])
        return self._by_day(len(days), row, column, self.cash[keep], self.growth[keep])
