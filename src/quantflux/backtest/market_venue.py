"""The market as a simulation trades in it: raw prices, permissions, fees and lots, day by day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from quantflux.factors.universe import Market
from quantflux.rules import FeeRates, LotRule, fee_rates, lots_of


@dataclass(frozen=True)
class Venue:
    """What each day offers; arrays have shape (T, N).

    Attributes
    ----------
    times : array of datetime64[D], shape (T,)
    at_open, at_close : array of float64
        Raw price in yuan, or what stands for it on days without trade; 0 before a name's first day.
    growth : array of float64
        Shares that one share of the day before has become by dividends (reinvested at the ex-right price) and
        splits; what keeps a position's value across an ex-date.
    traded, buyable, sellable : array of bool
    fees : FeeRates
    lots : LotRule
    """

    times: np.ndarray
    at_open: np.ndarray
    at_close: np.ndarray
    growth: np.ndarray
    traded: np.ndarray
    buyable: np.ndarray
    sellable: np.ndarray
    fees: FeeRates
    lots: LotRule

    @classmethod
    def of(cls, market: Market, factor: np.ndarray) -> Self:
        """Return the venue of a market whose prices were adjusted by `factor`, with the fees and lots of its days."""
        growth = np.ones_like(factor)
        growth[1:] = factor[1:] / factor[:-1]
        times = market.panel.times
        return cls(
            times=times,
            at_open=np.nan_to_num(market.at_open / factor),
            at_close=np.nan_to_num(market.at_close / factor),
            growth=growth,
            traded=market.traded,
            buyable=market.buyable,
            sellable=market.sellable,
            fees=fee_rates(times),
            lots=lots_of(market.panel.symbols.tolist()),
        )

    def without_costs(self) -> Self:
        """Return the same venue where trading is free."""
        return replace(self, fees=FeeRates.free(len(self.times)))

    def without_barriers(self) -> Self:
        """Return the same venue where everything with a price can be traded, locked or suspended."""
        priced = self.at_open > 0
        return replace(self, traded=priced, buyable=priced, sellable=priced)

    def without_lots(self) -> Self:
        """Return the same venue where any whole number of shares can be bought."""
        one = np.ones(self.at_open.shape[1])
        return replace(self, lots=LotRule(one, one))
