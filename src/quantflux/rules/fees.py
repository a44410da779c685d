"""Stamp duty and transfer fee by date, and a broker's commission.

The dated rates are data (`fees.toml`), each row with its source.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np


@dataclass(frozen=True, slots=True)
class Commission:
    """What a broker charges for an order, exchange handling included.

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
    duty, transfer = _tables()["stamp_duty"], _tables()["transfer_fee"]
    return FeeRates(
        duty.on(days, "buy"),
        duty.on(days, "sell"),
        transfer.on(days, "buy"),
        transfer.on(days, "sell"),
        commission or Commission(),
    )


@dataclass(frozen=True)
class _Dated:
    starts: np.ndarray
    rates: dict[str, np.ndarray]

    def on(self, days: np.ndarray, side: str) -> np.ndarray:
        row = np.searchsorted(self.starts, days, side="right") - 1
        return np.asarray(self.rates[side][np.maximum(row, 0)])


@cache
def _tables() -> dict[str, _Dated]:
    shipped = tomllib.loads(files("quantflux.rules").joinpath("fees.toml").read_text(encoding="utf-8"))
    return {
        name: _Dated(
            np.array([row["from"] for row in rows], dtype="datetime64[D]"),
            {side: np.array([row[side] for row in rows]) for side in ("buy", "sell")},
        )
        for name, rows in shipped.items()
    }
