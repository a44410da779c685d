"""Portfolios of the quantiles of a factor, held day by day, with what cannot be traded and what trading costs.

1. A quantile's portfolio is `days` sleeves of equal size. Each day one sleeve is renewed: sleeve k on the days k,
   k + days, k + 2 days ... So each name is held for `days` days, and every day's signal is used.
2. A sleeve that is renewed wants its quantile's names in equal weights. What it holds and cannot sell stays; so does
   what it holds and wants but cannot buy more of. The money that is left is spread over the other names that it wants
   and can buy (`_renew`). Without any it is cash.
3. Between two renewals a sleeve is left alone: weights drift with prices and nothing is traded.
4. Costs are what was bought and what was sold, each at its rate of the day. A name that stays in the quantile is not
   sold and bought again: only its weight is put right.

The portfolio's return is the mean of its sleeves' returns, as in Jegadeesh and Titman (1993), "Returns to Buying
Winners and Selling Losers", Journal of Finance 48(1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from quantflux.expressions.kernels.contract import jit
from quantflux.factors.evaluation.records import Record, record_of
from quantflux.factors.universe import Market
from quantflux.rules import Commission, fee_rates


@dataclass(frozen=True)
class Dealing:
    """Where, with what, and at what cost one deals.

    Attributes
    ----------
    price : array of float64, shape (T, N)
        What a holding is worth at the moment of each day at which one deals.
    buyable, sellable : array of bool, shape (T, N)
    buy_rate, sell_rate : array of float64, shape (T,)
        Costs as a fraction of what is bought, of what is sold.
    lag : int
        Days from a signal to the dealing: 0 is at the close of the signal itself, 1 on the next day.
    """

    price: np.ndarray
    buyable: np.ndarray
    sellable: np.ndarray
    buy_rate: np.ndarray
    sell_rate: np.ndarray
    lag: int

    @classmethod
    def tradable(cls, market: Market, commission: Commission) -> Self:
        """Return dealing at the next open, where the market allows it, with duties, fees and commission.

        The least charge of an order is left out, since an order has no size here.
        """
        fees = fee_rates(market.panel.times, commission)
        priced = np.isfinite(market.at_open) & (market.at_open > 0)
        return cls(
            price=market.at_open,
            buyable=market.buyable & priced,
            sellable=market.sellable & priced,
            buy_rate=commission.rate + fees.stamp_buy + fees.transfer_buy,
            sell_rate=commission.rate + fees.stamp_sell + fees.transfer_sell,
            lag=1,
        )

    @classmethod
    def on_paper(cls, market: Market) -> Self:
        """Return dealing in anything at the close of the signal, free of costs."""
        priced, free = market.at_close > 0, np.zeros(len(market.at_close))
        return cls(market.at_close, priced, priced, free, free, lag=0)


@dataclass(frozen=True)
class Portfolios:
    """What the quantiles' portfolios earned; arrays have shape (T, Q), the lowest quantile first.

    Row t speaks of the time from the dealing of day t-1 to that of day t; it is NaN while nothing is held.

    Attributes
    ----------
    returns : array of float64
        Fractions, before costs.
    costs : array of float64
        What the dealing of day t-1 cost, as a fraction of the portfolio.
    bought : array of float64
        Which part of the portfolio was bought then.
    """

    returns: np.ndarray
    costs: np.ndarray
    bought: np.ndarray

    @property
    def curves(self) -> np.ndarray:
        """Value of 1 yuan in each quantile before costs, shape (T, Q)."""
        return np.cumprod(1 + np.nan_to_num(self.returns), axis=0)

    @property
    def market(self) -> np.ndarray:
        """Daily return of all quantiles together, shape (T,)."""
        return np.asarray(self.returns.mean(axis=1))

    @property
    def long_short(self) -> np.ndarray:
        """Daily return of the top quantile minus the bottom one before costs, shape (T,)."""
        return np.asarray(self.returns[:, -1] - self.returns[:, 0])

    @property
    def long_short_costs(self) -> np.ndarray:
        """Daily costs of both, shape (T,)."""
        return np.asarray(self.costs[:, -1] + self.costs[:, 0])

    @property
    def long_short_net(self) -> np.ndarray:
        """Daily return of the top quantile minus the bottom one after the costs of both, shape (T,)."""
        return np.asarray(self.long_short - self.long_short_costs)

    @property
    def excess_net(self) -> np.ndarray:
        """Daily return of the top quantile after costs, minus that of all quantiles before costs, shape (T,)."""
        return np.asarray(self.returns[:, -1] - self.costs[:, -1] - self.market)

    @property
    def break_even(self) -> float:
        """The cost of every yuan bought or sold that would use up what `long_short` earns; NaN if nothing is traded."""
        traded = 2 * float(
            np.nansum(self.bought[:, -1] + self.bought[:, 0])
        )  # in the long run sales match purchases
        return float(np.nansum(self.long_short)) / traded if traded > 0 else math.nan

    @property
    def gross(self) -> Record:
        """Record of `long_short`."""
        return record_of(self.long_short)

    @property
    def net(self) -> Record:
        """Record of `long_short_net`."""
        return record_of(self.long_short_net)

    @property
    def excess(self) -> Record:
        """Record of `excess_net`: what a holder of the top quantile, who sells nothing short, is left with."""
        return record_of(self.excess_net)


def hold_quantiles(dealing: Dealing, labels: np.ndarray, quantiles: int, days: int) -> Portfolios:
    """Hold each quantile for so many days; see the module's text for the rules.

    Parameters
    ----------
    dealing : Dealing
    labels : array of int8, shape (T, N)
        Quantile of each name by the day of the signal, negative outside.
    quantiles, days : int
    """
    shape = (len(labels), quantiles)
    total, alive, paid, bought = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for sleeve in range(days):
        _hold_sleeve(
            dealing.price,
            dealing.buyable,
            dealing.sellable,
            dealing.buy_rate,
            dealing.sell_rate,
            labels,
            (dealing.lag + sleeve, dealing.lag, days),
            total,
            alive,
            paid,
            bought,
        )
    known = alive > 0
    means = [np.full(shape, np.nan) for _ in range(3)]
    for sums, mean in zip((total, paid, bought), means, strict=True):
        np.divide(sums, alive, out=mean, where=known)
    return Portfolios(*means)


@jit
def _hold_sleeve(
    price: Any,
    buyable: Any,
    sellable: Any,
    buy_rate: Any,
    sell_rate: Any,
    labels: Any,
    timing: tuple[int, int, int],
    total: Any,
    alive: Any,
    paid: Any,
    bought: Any,
) -> None:
    first, lag, days = timing
    rows, columns = price.shape
    groups = total.shape[1]
    room = groups * columns
    held = (
        np.empty(room, np.int32),
        np.empty(room, np.int8),
        np.empty(room),
        np.empty(room),
        np.empty(room, np.bool_),
    )
    worth, before, cash, trades = np.ones(groups), np.ones(groups), np.ones(groups), np.zeros((2, groups))
    holding = np.zeros(groups, np.int64)
    number: Any = np.int64(0)  # a plain 0 is a type of its own to the compiler, which would compile twice
    for row in range(first, rows):
        if row > first:
            for group in range(groups):
                before[group], worth[group], holding[group] = worth[group], cash[group], 0
            _value(held, number, price[row], worth, holding)
            for group in range(groups):
                if holding[group] > 0:
                    total[row, group] += worth[group] / before[group] - 1
                    alive[row, group] += 1
        if (row - first) % days == 0:
            number = _renew(
                held, number, price[row], buyable[row], sellable[row], labels[row - lag], worth, cash, trades
            )
            if row + 1 < rows:
                for group in range(groups):
                    cost = trades[0, group] * buy_rate[row] + trades[1, group] * sell_rate[row]
                    paid[row + 1, group] += cost / worth[group]
                    bought[row + 1, group] += trades[0, group] / worth[group]


@jit
def _value(held: Any, number: int, price: Any, worth: Any, holding: Any) -> None:
    """Value every holding at today's price, the last one where there is none; add up and count each group's."""
    names, groups, shares, values, _ = held
    for i in range(number):
        today = price[names[i]]
        if today > 0:
            values[i] = shares[i] * today
        worth[groups[i]] += values[i]
        holding[groups[i]] += 1


@jit
def _renew(
    held: Any,
    number: int,
    price: Any,
    buyable: Any,
    sellable: Any,
    labels: Any,
    worth: Any,
    cash: Any,
    trades: Any,
) -> int:
    """Turn what a sleeve holds into what it wants, as far as it can; return the number of its holdings."""
    names, groups, shares, values, kept = held
    stuck = np.zeros(len(labels), np.bool_)  # held in the group that wants it, and left as it is
    before = np.zeros(len(labels))  # held in the group that wants it, and put right
    for group in range(len(worth)):
        cash[group] = worth[group]
        trades[0, group] = trades[1, group] = 0.0
    for i in range(number):
        name, group = names[i], groups[i]
        wanted = labels[name] == group
        kept[i] = not sellable[name] or (wanted and not buyable[name])
        if kept[i]:
            cash[group] -= values[i]
            stuck[name] = stuck[name] or wanted
        elif wanted:
            before[name] = values[i]
        else:
            trades[1, group] += values[i]
    number = _keep(held, number)
    free = np.zeros(len(worth), np.int64)
    for name in range(len(labels)):
        if labels[name] >= 0 and buyable[name] and not stuck[name]:
            free[labels[name]] += 1
    for name in range(len(labels)):
        group = labels[name]
        if group >= 0 and buyable[name] and not stuck[name]:
            each = cash[group] / free[group]
            trades[0 if each > before[name] else 1, group] += abs(each - before[name])
            names[number], groups[number] = name, group
            shares[number], values[number] = each / price[name], each
            number += 1
    for group in range(len(worth)):
        if free[group] > 0:
            cash[group] = 0.0
    return number


@jit
def _keep(held: Any, number: int) -> int:
    """Move the holdings that are kept to the front; return how many there are."""
    names, groups, shares, values, kept = held
    left = 0
    for i in range(number):
        if kept[i]:
            names[left], groups[left] = names[i], groups[i]
            shares[left], values[left] = shares[i], values[i]
            left += 1
    return left
