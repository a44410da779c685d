"""Stamp duty and transfer fee by date, and a broker's commission.

The fees of the exchange and of the regulator are on record, too, but they are inside the commission.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from quantflux.rules.dated import ALL, DatedTable, Tables, shipped_tables

_SIDES = {"buy": float, "sell": float}


@cache
def fee_tables() -> Tables:
    """Return the dated fees: those of the whole market, and by exchange those inside the commission."""
    return shipped_tables(
        "fees.toml",
        {
            "stamp_duty": _SIDES,
            "transfer_fee": _SIDES,
            "commission": {"ceiling": float, "minimum": float},
            "handling_fee": {"rate": float},
            "regulatory_fee": {"rate": float},
        },
    )


@dataclass(frozen=True, slots=True)
class Commission:
    """What a broker charges for an order, the fees of exchange and regulator included.

    Attributes
    ----------
    rate : float
        Fraction of the amount.
    minimum : float
        Least charge of an order, yuan.
    """

    rate: float = 0.00025
    minimum: float = 5.0

    def of(self, amounts: np.ndarray) -> np.ndarray:
        """Return the commission of each order, yuan; an order of 0 yuan is none and costs nothing.

        Examples
        --------
        >>> Commission().of(np.array([0.0, 1_000.0, 100_000.0])).tolist()
        [0.0, 5.0, 25.0]
        """
        charged = np.maximum(amounts * self.rate, self.minimum)
        return np.where(amounts > 0, charged, 0.0)


@dataclass(frozen=True)
class FeeRates:
    """Rates of each day as fractions of the amount traded; arrays have shape (T,).

    Attributes
    ----------
    stamp_buy, stamp_sell, transfer_buy, transfer_sell : array of float64
    commission : Commission
    """

    stamp_buy: np.ndarray
    stamp_sell: np.ndarray
    transfer_buy: np.ndarray
    transfer_sell: np.ndarray
    commission: Commission

    @classmethod
    def free(cls, days: int) -> FeeRates:
        """Return the rates of a world in which trading costs nothing."""
        zero = np.zeros(days)
        return cls(zero, zero, zero, zero, Commission(0.0, 0.0))


def fee_rates(days: np.ndarray, commission: Commission | None = None) -> FeeRates:
    """Return what trading cost on each day.

    Days before the first row of a table take that row's rate.

    Parameters
    ----------
    days : array of datetime64[D], shape (T,)
    commission : Commission, optional
        0.025 %, at least 5 yuan, unless given.

    Examples
    --------
    >>> fee_rates(np.array(["2023-08-25", "2023-08-28"], dtype="datetime64[D]")).stamp_sell.tolist()
    [0.001, 0.0005]
    """
    duty, transfer = (fee_tables()[name][ALL] for name in ("stamp_duty", "transfer_fee"))
    return FeeRates(
        _over(duty, days, "buy"),
        _over(duty, days, "sell"),
        _over(transfer, days, "buy"),
        _over(transfer, days, "sell"),
        commission or Commission(),
    )


def _over(table: DatedTable, days: np.ndarray, side: str) -> np.ndarray:
    return table.over(days, side, before=table.rows[0][side])
