"""Cash dividends, share distributions and rights issues on the axes of a panel.

They are few, so they are kept sparse: one entry for each symbol and row on which a share went ex.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from quantflux.core.errors import InvalidRequest


@dataclass(frozen=True)
class CorporateActions:
    """What one share held before a row gives its holder on that row, before trading begins.

    Arrays have one entry an event, shape (K,), sorted by row and then column, each cell once. All quantities are for
    one share of before the event, so that cash and new shares of the same event do not depend on their order.

    Attributes
    ----------
    row, column : int64
        Places on the axes that the actions were laid on; a row is the ex-date, or the first one after it on which
        the name trades.
    cash : float64
        Yuan a share, before tax.
    shares : float64
        New shares a share from bonus issues and conversions of reserves.
    rights_shares, rights_price : float64
        Shares offered for subscription a share, and the yuan that one of them costs; both 0 where nothing is offered.

    Examples
    --------
    >>> none = CorporateActions.none()
    >>> len(none), none.offsets(2).tolist()
    (0, [0, 0, 0])
    """

    row: np.ndarray
    column: np.ndarray
    cash: np.ndarray
    shares: np.ndarray
    rights_shares: np.ndarray
    rights_price: np.ndarray

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) != 1:
            raise InvalidRequest(f"corporate actions need arrays of one length, had {lengths}")
        row, column = np.diff(self.row), np.diff(self.column)
        if not np.all((row > 0) | ((row == 0) & (column > 0))):
            raise InvalidRequest("corporate actions must be sorted by row and column, each cell once")

    @classmethod
    def none(cls) -> Self:
        """Return no actions at all."""
        places, numbers = np.zeros(0, np.int64), np.zeros(0)
        return cls(places, places, numbers, numbers, numbers, numbers)

    @classmethod
    def of(
        cls,
        row: np.ndarray,
        column: np.ndarray,
        cash: np.ndarray,
        shares: np.ndarray,
        rights_shares: np.ndarray,
        rights_price: np.ndarray,
    ) -> Self:
        """Return events given in order of time, sorted; those of one cell become one.

        Examples
        --------
        A dividend after a split is paid on the new shares too.

        >>> cell, zero = np.array([0, 0]), np.zeros(2)
        >>> both = CorporateActions.of(cell, cell, np.array([0.0, 0.5]), np.array([1.0, 0.0]), zero, zero)
        >>> both.cash.tolist(), both.shares.tolist()
        ([1.0], [1.0])
        """
        order = np.lexsort((column, row))  # stable: events of one cell stay in order of time
        return cls(*_merged(*(a[order] for a in (row, column, cash, shares, rights_shares, rights_price))))

    def __len__(self) -> int:
        return len(self.row)

    def offsets(self, rows: int) -> np.ndarray:
        """Return where the events of each row begin, shape (rows + 1,): those of t are offsets[t]:offsets[t + 1]."""
        return np.searchsorted(self.row, np.arange(rows + 1))

    def where(self, keep: np.ndarray) -> Self:
        """Return the events where `keep`, bool of shape (K,), is true."""
        return type(self)(*(getattr(self, f.name)[keep] for f in fields(self)))

    def on_traded_rows(self, traded: np.ndarray) -> Self:
        """Return the events of suspended names on the row on which the name trades again.

        A price shows an event when it is next made: until then a holding is worth what it was, so crediting the cash
        earlier would count it twice. Events that meet on one row become one. What falls after a name's last trade
        stays where it is.

        Parameters
        ----------
        traded : array of bool, shape (T, N)
            Whether a name has a price on a row.

        Examples
        --------
        >>> one, zero = np.ones(1), np.zeros(1)
        >>> actions = CorporateActions(np.array([0]), np.array([0]), one, zero, zero, zero)
        >>> actions.on_traded_rows(np.array([[False], [False], [True]])).row.tolist()
        [2]
        """
        idle = np.flatnonzero(~traded[self.row, self.column])
        later = traded[:, self.column[idle]] & (np.arange(len(traded))[:, None] >= self.row[idle])
        row = self.row.copy()
        row[idle] = np.where(later.any(axis=0), later.argmax(axis=0), self.row[idle])
        return type(self).of(row, *(getattr(self, f.name) for f in fields(self)[1:]))


def _merged(
    row: np.ndarray,
    column: np.ndarray,
    cash: np.ndarray,
    shares: np.ndarray,
    rights_shares: np.ndarray,
    rights_price: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Return sorted events with those of one cell made one, told for a share of before the first of them."""
    repeated = np.zeros(len(row), dtype=bool)
    repeated[1:] = (row[1:] == row[:-1]) & (column[1:] == column[:-1])
    if repeated.any():
        cash, shares, rights_shares = cash.copy(), shares.copy(), rights_shares.copy()
        costs = rights_shares * rights_price
        firsts = np.maximum.accumulate(np.where(repeated, 0, np.arange(len(row))))
        for later in np.flatnonzero(repeated).tolist():
            first = firsts[later]
            held = 1 + shares[first]
            cash[first] += held * cash[later]
            rights_shares[first] += held * rights_shares[later]
            costs[first] += held * costs[later]
            shares[first] = held * (1 + shares[later]) - 1
        rights_price = np.divide(costs, rights_shares, out=np.zeros_like(costs), where=rights_shares > 0)
    kept = ~repeated
    return tuple(a[kept] for a in (row, column, cash, shares, rights_shares, rights_price))
