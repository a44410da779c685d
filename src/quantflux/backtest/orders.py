"""What is wanted, and what became of every order."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Self

import numpy as np

from quantflux.core.errors import InvalidRequest


class Reason(IntEnum):
    """Why an order was not filled, or not all of it. The numbers are known to compiled code: new ones go to the end.

    `DELISTED` marks no order: the name left the market and its holder was paid out.
    """

    FILLED = 0
    LIMIT_UP = 1
    LIMIT_DOWN = 2
    SUSPENDED = 3
    NOT_LISTED = 4
    SETTLEMENT = 5
    LOT = 6
    CASH = 7
    VOLUME = 8
    PRICE = 9
    NOT_HELD = 10
    DELISTED = 11


@dataclass(frozen=True, eq=False)
class OrderLog:
    """Every order that was filled or stopped; arrays of shape (K,), in order of time.

    On one row come first what could not even be ordered, then sales, then purchases, then who was paid out.

    An order has an entry for each row on which some of it was filled, and for each row on which the reason for which
    it was not filled is another than on the row before: a sale that waits ten days for a suspended name is one entry.

    Attributes
    ----------
    row, column : array of int32
        When and what.
    wanted, filled : array of float64
        Shares, negative for sales. What was wanted of a purchase is in whole lots, unless it is less than one.
    price : array of float64
        At which it was filled, yuan; NaN if nothing was.
    reason : array of int8
        `Reason` why not all of it was filled.
    commission, stamp_duty, transfer_fee : array of float64
        Yuan.
    slippage : array of float64
        Yuan that slippage and impact took, not counted among the fees: they are in the price.
    """

    row: np.ndarray
    column: np.ndarray
    wanted: np.ndarray
    filled: np.ndarray
    price: np.ndarray
    reason: np.ndarray
    commission: np.ndarray
    stamp_duty: np.ndarray
    transfer_fee: np.ndarray
    slippage: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def amount(self) -> np.ndarray:
        """Yuan that changed hands, 0 or more."""
        return np.asarray(np.abs(self.filled) * np.nan_to_num(self.price))

    @property
    def fees(self) -> np.ndarray:
        """Commission, stamp duty and transfer fee, yuan."""
        return np.asarray(self.commission + self.stamp_duty + self.transfer_fee)

    def where(self, keep: np.ndarray) -> Self:
        """Return the entries where `keep`, bool of shape (K,), is true."""
        return type(self)(*(getattr(self, f.name)[keep] for f in fields(self)))

    def filled_only(self) -> Self:
        """Return the entries of which something was filled, names paid out on leaving the market among them."""
        return self.where(self.filled != 0)

    def cut(self) -> Self:
        """Return the orders of which something was not filled."""
        return self.where((self.reason != Reason.FILLED) & (self.reason != Reason.DELISTED))

    def counts(self) -> dict[Reason, int]:
        """Return how many entries have each reason, all reasons in their order."""
        found = np.bincount(self.reason, minlength=len(Reason))
        return {reason: int(found[reason]) for reason in Reason}


@dataclass(frozen=True, eq=False)
class Targets:
    """Weights wanted, decided at the close of a row and traded on the next.

    Attributes
    ----------
    rows : array of int, shape (K,)
        Increasing.
    weights : array of float64, shape (K, N)
        Parts of what the account is worth at the open of the trade, 0 or more, with a sum of at most 1; the rest stays
        cash. NaN leaves a holding as it is.

    Raises
    ------
    InvalidRequest
        If shapes, order or weights are not like that.
    """

    rows: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or len(self.rows) != len(self.weights):
            raise InvalidRequest(
                f"targets need weights of shape (rows, symbols), had {self.weights.shape} "
                f"for {len(self.rows)} rows"
            )
        if np.any(np.diff(self.rows) <= 0) or np.any(np.asarray(self.rows) < 0):
            raise InvalidRequest("the rows of targets must be 0 or more and increasing")
        if np.any(self.weights < 0) or np.any(np.nansum(self.weights, axis=1) > 1 + 1e-6):
            raise InvalidRequest(
                "weights must be 0 or more and add up to at most 1: there is no credit and no short sale"
            )
