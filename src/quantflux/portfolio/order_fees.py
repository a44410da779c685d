"""What orders of one day cost: the broker's commission, stamp duty and transfer fee, in yuan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.rules import FeeRates


@dataclass(frozen=True)
class OrderFees:
    """What each of N orders costs, yuan; arrays of shape (N,)."""

    commission: np.ndarray
    stamp_duty: np.ndarray
    transfer_fee: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """All three together."""
        return np.asarray(self.commission + self.stamp_duty + self.transfer_fee)


def order_fees(amounts: np.ndarray, rates: FeeRates) -> OrderFees:
    """Return what orders cost.

    Parameters
    ----------
    amounts : array of shape (N,)
        Shares times price, yuan: above zero for purchases, below for sales, 0 for no order.
    rates : FeeRates
        Of a single day.

    Examples
    --------
    >>> from quantflux.rules import fee_rates
    >>> rates = fee_rates(np.array(["2024-06-28"], dtype="datetime64[D]"))
    >>> order_fees(np.array([100_000.0, -100_000.0, 0.0]), rates).total.round(2).tolist()
    [26.0, 76.0, 0.0]
    """
    if rates.stamp_buy.shape != (1,):
        raise InvalidRequest(f"the rates of one day are needed, were given those of {rates.stamp_buy.size}")
    traded, buying = np.abs(amounts), amounts > 0
    stamp = np.where(buying, rates.stamp_buy[0], rates.stamp_sell[0])
    transfer = np.where(buying, rates.transfer_buy[0], rates.transfer_sell[0])
    return OrderFees(rates.commission.of(traded), traded * stamp, traded * transfer)
