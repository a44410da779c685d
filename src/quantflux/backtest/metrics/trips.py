"""Round trips: what was bought, matched with what was sold, first in first out.

1. Orders and events are walked through name by name, in order of time; events of a day come before its first row.
2. A purchase makes a lot, which remembers its row and what it cost, fees included.
3. An event credits cash to every lot and multiplies its shares.
4. A sale takes the oldest lots, the last of them in part; each lot, or part of one, that is sold is a round trip.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.events import Events
from quantflux.backtest.orders import OrderLog

_DUST = 1e-6
"""Part of a lot that rounding may leave."""


@dataclass(frozen=True)
class RoundTrips:
    """Purchases that were sold again; arrays of shape (K,), by name and then in order of sale.

    Attributes
    ----------
    column : array of int64
    bought, sold : array of int64
        Rows.
    shares : array of float64
        At the sale.
    cost, proceeds : array of float64
        Yuan paid, and received at the sale, fees included in the one and taken off the other.
    income : array of float64
        Cash dividends meanwhile, yuan before tax.
    held : array of int64
        Days from the purchase to the sale.
    """

    column: np.ndarray
    bought: np.ndarray
    sold: np.ndarray
    shares: np.ndarray
    cost: np.ndarray
    proceeds: np.ndarray
    income: np.ndarray
    held: np.ndarray

    def __len__(self) -> int:
        return len(self.column)

    @property
    def profit(self) -> np.ndarray:
        """Yuan gained by each, dividend tax not taken off."""
        return np.asarray(self.proceeds + self.income - self.cost)

    @property
    def returns(self) -> np.ndarray:
        """Profit over cost."""
        return np.asarray(self.profit / self.cost)

    @property
    def hit_rate(self) -> float:
        """Part of the trips with a profit; NaN without trips."""
        return float(np.mean(self.profit > 0)) if len(self) else math.nan

    @property
    def payoff(self) -> float:
        """Mean profit of the winners over the mean loss of the losers; NaN without either."""
        won, lost = self.profit[self.profit > 0], self.profit[self.profit < 0]
        return float(won.mean() / -lost.mean()) if len(won) and len(lost) else math.nan

    @property
    def mean_held(self) -> float:
        """Days a yuan stayed invested: the mean holding period, weighted by cost; NaN without trips."""
        return float(np.average(self.held, weights=self.cost)) if len(self) else math.nan


@dataclass(slots=True)
class _Lot:
    row: int
    shares: float
    cost: float
    income: float = 0.0


def round_trips(log: OrderLog, events: Events, day: np.ndarray) -> RoundTrips:
    """Return the round trips of a run; what is still held at its end is not among them.

    Parameters
    ----------
    log : OrderLog
    events : Events
        Of the venue.
    day : array of int64, shape (T,)
        Day of each row, as a place in those of the events.
    """
    found = [(column, *trip) for column, moves in _moves(log, events, day) for trip in _matched(moves)]
    column, bought, sold, shares, cost, proceeds, income = np.array(found, dtype=np.float64).reshape(-1, 7).T
    first, last = bought.astype(np.int64), sold.astype(np.int64)
    held = day[last] - day[first]
    return RoundTrips(column.astype(np.int64), first, last, shares, cost, proceeds, income, held)


_Move = tuple[int, float, float, bool]
"""Row, then shares and yuan of an order, or growth and cash a share of an event; whether it is an event."""


def _moves(log: OrderLog, events: Events, day: np.ndarray) -> Iterator[tuple[int, list[_Move]]]:
    """Yield each name that was traded with what happened to it, in order of time."""
    filled = log.filled_only()
    money = np.where(filled.filled > 0, filled.amount + filled.fees, filled.amount - filled.fees)
    opening = np.searchsorted(day, np.repeat(np.arange(len(events.offsets) - 1), np.diff(events.offsets)))
    row = np.concatenate([opening, filled.row])
    column = np.concatenate([events.column, filled.column])
    first = np.concatenate([events.growth, filled.filled])
    second = np.concatenate([events.cash, money])
    is_event = np.arange(len(row)) < len(opening)
    keep = np.isin(column, filled.column)
    # Stable, events first: on one row they come before the orders, which stay in the order of the log.
    order = np.flatnonzero(keep)[np.lexsort((row[keep], column[keep]))]
    ends = np.flatnonzero(np.diff(column[order], append=-1)) + 1
    lists = [values[order].tolist() for values in (row, first, second, is_event)]
    start = 0
    for end in ends.tolist():
        yield int(column[order[start]]), list(zip(*(values[start:end] for values in lists), strict=True))
        start = end


def _matched(moves: list[_Move]) -> Iterator[tuple[int, int, float, float, float, float]]:
    """Yield row bought, row sold, shares, cost, proceeds and income of each trip of one name."""
    lots: deque[_Lot] = deque()
    for row, quantity, money, is_event in moves:
        if is_event:
            for lot in lots:
                lot.income += money * lot.shares
                lot.shares *= quantity
        elif quantity > 0:
            lots.append(_Lot(row, quantity, money))
        else:
            yield from _sold(lots, row, -quantity, money)


def _sold(
    lots: deque[_Lot], row: int, shares: float, proceeds: float
) -> Iterator[tuple[int, int, float, float, float, float]]:
    price = proceeds / shares
    while lots and shares > 0:
        lot = lots[0]
        part = min(shares / lot.shares, 1.0)
        if part > 1 - _DUST:
            lots.popleft()
            taken, cost, income = lot.shares, lot.cost, lot.income
        else:
            taken, cost, income = shares, part * lot.cost, part * lot.income
            lot.shares -= taken
            lot.cost -= cost
            lot.income -= income
        yield lot.row, row, taken, cost, price * taken, income
        shares -= taken
        if shares <= _DUST * taken:
            break
