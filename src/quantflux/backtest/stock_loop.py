"""The day loop: decided at a close, traded at the next open, valued at every close.

Each day:

1. positions become what dividends and splits made of them (`Venue.growth`);
2. if a decision was taken at the last close, its weights become orders at this open's value of the account;
3. sells go first, whole or in lots; those that the limit or a suspension stops are tried again every day;
4. buys follow with the cash there is, in lots; those that are stopped are given up until the next decision;
5. the account is valued at the close.

Nothing bought on a day is sold on it, so T+1 holds by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest.fills import Fills, Refusal
from quantflux.backtest.market_venue import Venue
from quantflux.backtest.policy import Targets
from quantflux.core.errors import InvalidRequest


@dataclass(frozen=True)
class Run:
    """What a simulation did.

    Attributes
    ----------
    times : array of datetime64[D], shape (T,)
    capital : float
    cash, positions : array of float64, shape (T,)
        Yuan at each close; they add up to `equity`.
    names : array of int, shape (T,)
        Names held at each close.
    fills : Fills
    refused : array of int, shape (T, 4)
        Orders not filled, by `Refusal`, on the first day each was tried.
    first : int
        Row of the first decision.
    """

    times: np.ndarray
    capital: float
    cash: np.ndarray
    positions: np.ndarray
    names: np.ndarray
    fills: Fills
    refused: np.ndarray
    first: int

    @property
    def equity(self) -> np.ndarray:
        """What the account was worth at each close, yuan."""
        return np.asarray(self.cash + self.positions)


def simulate(venue: Venue, targets: Targets, capital: float = 10_000_000.0) -> Run:
    """Follow the targets through the venue.

    Raises
    ------
    InvalidRequest
        If there is no decision to follow, or no capital.
    """
    if not len(targets.rows):
        raise InvalidRequest("there is no decision to simulate: no day had enough names with a score")
    if capital <= 0:
        raise InvalidRequest(f"capital must be positive, was {capital}")
    account = _Account(venue, capital)
    decision = dict(zip(targets.rows.tolist(), targets.weights, strict=True))
    days = len(venue.times)
    cash, positions, names = np.empty(days), np.empty(days), np.empty(days, dtype=np.int64)
    for day in range(days):
        account.open_day(day)
        if day - 1 in decision:
            account.decide(day, decision[day - 1])
        if account.has_orders:
            account.trade(day)
        cash[day] = account.cash
        positions[day] = account.shares @ venue.at_close[day]
        names[day] = np.count_nonzero(account.shares)
    fills = Fills.joined(account.fills)
    return Run(venue.times, capital, cash, positions, names, fills, account.refused, int(targets.rows[0]))


class _Account:
    """Cash, shares and open orders of a simulation in progress."""

    def __init__(self, venue: Venue, capital: float) -> None:
        width = venue.at_open.shape[1]
        self.cash = capital
        self.shares = np.zeros(width)
        self.fills: list[Fills] = []
        self.refused = np.zeros((len(venue.times), len(Refusal)), dtype=np.int64)
        self._venue = venue
        self._to_sell = np.zeros(width)
        self._to_buy = np.zeros(width)
        self._is_new = False

    @property
    def has_orders(self) -> bool:
        return bool(self._to_sell.any() or self._to_buy.any())

    def open_day(self, day: int) -> None:
        growth = self._venue.growth[day]
        self.shares *= growth
        self._to_sell *= growth

    def decide(self, day: int, weights: np.ndarray) -> None:
        """Turn weights into orders at this open's value; what an older decision left over is dropped."""
        price = self._venue.at_open[day]
        worth = self.cash + self.shares @ price
        wanted = np.divide(weights * worth, price, out=np.zeros_like(price), where=price > 0)
        change = wanted - self.shares
        step = self._venue.lots.step
        part = np.floor(np.maximum(-change, 0.0) / step) * step
        self._to_sell = np.where(weights > 0, part, self.shares)
        self._to_buy = np.maximum(change, 0.0)
        self._is_new = True

    def trade(self, day: int) -> None:
        self._sell(day)
        self._buy(day)
        self._is_new = False

    def _sell(self, day: int) -> None:
        wanted, free = self._to_sell > 0, self._venue.sellable[day]
        stopped = wanted & ~free
        self._refuse(day, stopped, Refusal.LIMIT_DOWN)
        columns = np.flatnonzero(wanted & free)
        sold = self._to_sell[columns]
        # What is left of a position after rounding in its last bits is nothing.
        rest = self.shares[columns] - sold
        self.shares[columns] = np.where(rest > 1e-6, rest, 0.0)
        self._fill(day, columns, -sold)
        self._to_sell = np.where(stopped, self._to_sell, 0.0)

    def _buy(self, day: int) -> None:
        wanted, free = self._to_buy > 0, self._venue.buyable[day]
        self._refuse(day, wanted & ~free, Refusal.LIMIT_UP)
        columns = np.flatnonzero(wanted & free)
        bought = np.zeros_like(self._to_buy)
        bought[columns] = self._to_buy[columns]
        bought = self._affordable(day, self._venue.lots.rounded_down(bought))
        self.refused[day, Refusal.LOT] += np.count_nonzero(bought[columns] == 0)
        columns = np.flatnonzero(bought)
        self.shares[columns] += bought[columns]
        self._fill(day, columns, bought[columns])
        self._to_buy = np.zeros_like(self._to_buy)

    def _affordable(self, day: int, shares: np.ndarray) -> np.ndarray:
        """Scale purchases down together until the cash pays for them and their costs."""
        price = self._venue.at_open[day]
        while (due := self._due(day, shares * price)) > self.cash:
            share = min(max(self.cash, 0.0) / due, 0.9999)
            shares = self._venue.lots.rounded_down(shares * share)
        return shares

    def _due(self, day: int, amounts: np.ndarray) -> float:
        fees = self._venue.fees
        rate = 1 + fees.stamp_buy[day] + fees.transfer_buy[day]
        return float(amounts.sum() * rate + fees.commission.of(amounts).sum())

    def _fill(self, day: int, columns: np.ndarray, shares: np.ndarray) -> None:
        if not len(columns):
            return
        fees, price = self._venue.fees, self._venue.at_open[day, columns]
        amounts = np.abs(shares) * price
        stamp, transfer = (
            (fees.stamp_sell[day], fees.transfer_sell[day])
            if shares[0] < 0
            else (fees.stamp_buy[day], fees.transfer_buy[day])
        )
        rows = np.full(len(columns), day)
        fills = Fills(
            rows, columns, shares, price, fees.commission.of(amounts), amounts * stamp, amounts * transfer
        )
        self.fills.append(fills)
        self.cash += float(fills.cash.sum())

    def _refuse(self, day: int, stopped: np.ndarray, locked: Refusal) -> None:
        """Count what was stopped, on the first day of its order only."""
        if self._is_new:
            still = ~self._venue.traded[day]
            self.refused[day, Refusal.NO_TRADE] += np.count_nonzero(stopped & still)
            self.refused[day, locked] += np.count_nonzero(stopped & ~still)
