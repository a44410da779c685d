"""What trading costs, as part of an objective.

A cost is paid once, while returns come day by day, so an objective spreads it over the days for which the portfolio
is expected to be held (`Problem.holding_days`).

Each cost of a change d of a weight is a sum of terms `coefficient * |d| ** power` with powers of 1, 1.5 or 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.facts import Facts
from quantflux.portfolio.vectors import finite_number, spread


@dataclass(frozen=True, eq=False)
class CostTerm:
    """buy * bought ** power + sell * sold ** power, summed over names; a fraction of capital.

    Attributes
    ----------
    power : float
        1, 1.5 or 2.
    buy, sell : array of float64, shape (N,)
    """

    power: float
    buy: np.ndarray
    sell: np.ndarray

    def of(self, weights: np.ndarray, current: np.ndarray) -> float:
        """Return what going from `current` to `weights` costs, as a fraction of capital."""
        change = weights - current
        bought, sold = np.maximum(change, 0.0), np.maximum(-change, 0.0)
        return float(self.buy @ bought**self.power + self.sell @ sold**self.power)


@runtime_checkable
class Cost(Protocol):
    """What every cost can do."""

    def term(self, facts: Facts) -> CostTerm:
        """Give the coefficients of each name of a facts."""
        ...


@dataclass(frozen=True, eq=False)
class LinearCost:
    """Commission, duties and half the spread: rates of what is bought and of what is sold.

    Attributes
    ----------
    buy, sell : float, or array of shape (N,)
        Fractions of the amount traded: 0.0003 is 3 basis points.
    """

    buy: float | np.ndarray
    sell: float | np.ndarray

    def term(self, facts: Facts) -> CostTerm:
        """Give the rates of each name."""
        return CostTerm(
            1.0, _rates("buying rates", self.buy, facts), _rates("selling rates", self.sell, facts)
        )


@dataclass(frozen=True, eq=False)
class ImpactCost:
    """What one's own trade moves the price: coefficient x volatility x (traded / market's amount) ** (power - 1).

    With a power of 1.5 it is the square-root law: trading a whole day's amount moves the price by about one day's
    volatility. A power of 2 makes it linear in size, which solves faster.

    Attributes
    ----------
    volatility : array of float64, shape (N,)
        Daily standard deviation of each name's return.
    daily_amount : array of float64, shape (N,)
        Average amount traded a day, yuan.
    capital : float
        What a weight of 1 is worth, yuan.
    coefficient : float
        About 1.
    power : float
        1.5 or 2.

    References
    ----------
    Almgren, Thum, Hauptmann, Li (2005), "Direct Estimation of Equity Market Impact", Risk 18(7): 58-62.
    """

    volatility: np.ndarray
    daily_amount: np.ndarray
    capital: float
    coefficient: float = 1.0
    power: float = 1.5

    def term(self, facts: Facts) -> CostTerm:
        """Give the coefficients of each name."""
        if self.power not in {1.5, 2.0}:
            raise InvalidRequest(f"the power of impact must be 1.5 or 2, was {self.power}")
        volatility = _rates("volatilities", self.volatility, facts)
        amount = spread("daily amounts", self.daily_amount, facts.symbols)
        capital = finite_number("capital", self.capital)
        if amount.min(initial=np.inf) <= 0 or capital <= 0 or not self.coefficient >= 0:
            raise InvalidRequest(
                "impact needs daily amounts and a capital above 0 yuan and a coefficient of 0 or more; a name that "
                f"is not traded belongs on a NoTrade list; found a least amount of {amount.min(initial=np.inf):g}, "
                f"a capital of {capital:g} and a coefficient of {self.coefficient:g}"
            )
        each = self.coefficient * volatility * (capital / amount) ** (self.power - 1.0)
        return CostTerm(self.power, each, each)


def _rates(what: str, values: float | np.ndarray, facts: Facts) -> np.ndarray:
    rates = spread(what, values, facts.symbols)
    if rates.min(initial=0.0) < 0:
        raise InvalidRequest(f"{what} must be 0 or more, found {rates.min():g}")
    return rates
