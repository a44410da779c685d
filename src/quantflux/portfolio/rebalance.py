"""The orders that turn what is held into what is wanted, what they cost, and what cannot be done today.

1. A wish that today's market does not allow becomes a refusal with its reason (`Barriers`).
2. Sales come first, then purchases, each from the largest amount down; each pays the fees of the day.
3. Purchases that the cash does not cover are cut to whole lots, or refused, from the smallest up (`_within_cash`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import pyarrow as pa

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.order_fees import OrderFees, order_fees
from quantflux.rules import FeeRates, LotRule, fee_rates, lots_of

_ROUNDING = 1e-6  # yuan: what sums of yuan may lose


class Barrier(StrEnum):
    """Why a wish is not met, or not wholly."""

    SUSPENDED = "suspended"
    LIMIT_UP = "limit_up"
    LIMIT_DOWN = "limit_down"
    RESTRICTED = "restricted"
    LOT = "lot"
    CASH = "cash"


WORDS = {
    Barrier.SUSPENDED: "suspended, cannot be traded",
    Barrier.LIMIT_UP: "locked at the upper limit, cannot be bought",
    Barrier.LIMIT_DOWN: "locked at the lower limit, cannot be sold",
    Barrier.RESTRICTED: "on the list of names not to be traded",
    Barrier.LOT: "less than the smallest lot",
    Barrier.CASH: "not enough cash",
}


@dataclass(frozen=True, eq=False)
class Barriers:
    """What cannot be traded today; arrays of bool, shape (N,)."""

    suspended: np.ndarray
    limit_up: np.ndarray
    limit_down: np.ndarray
    restricted: np.ndarray

    @classmethod
    def none(cls, count: int) -> Barriers:
        """Return a market in which everything can be traded."""
        open_ = np.zeros(count, dtype=bool)
        return cls(open_, open_, open_, open_)

    @property
    def buyable(self) -> np.ndarray:
        """What can be bought."""
        return np.asarray(~(self.suspended | self.restricted | self.limit_up))

    @property
    def sellable(self) -> np.ndarray:
        """What can be sold."""
        return np.asarray(~(self.suspended | self.restricted | self.limit_down))

    def reason(self, column: int, *, buying: bool) -> Barrier | None:
        """Return why a name cannot be bought, or sold; None if it can."""
        locked = self.limit_up if buying else self.limit_down
        stops = (
            (self.suspended, Barrier.SUSPENDED),
            (self.restricted, Barrier.RESTRICTED),
            (locked, Barrier.LIMIT_UP if buying else Barrier.LIMIT_DOWN),
        )
        return next((barrier for where, barrier in stops if where[column]), None)


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes
    ----------
    shares : float
        Above zero to buy, below to sell.
    price, amount : float
        Yuan a share; yuan, above zero.
    commission, stamp_duty, transfer_fee : float
        Yuan.
    """

    symbol: str
    shares: float
    price: float
    commission: float
    stamp_duty: float
    transfer_fee: float

    @property
    def side(self) -> str:
        """What it does: buy or sell."""
        return "buy" if self.shares > 0 else "sell"

    @property
    def amount(self) -> float:
        """What is traded, yuan."""
        return abs(self.shares) * self.price

    @property
    def fees(self) -> float:
        """All fees together, yuan."""
        return self.commission + self.stamp_duty + self.transfer_fee


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wish that is not met today.

    Attributes
    ----------
    wanted, ordered : float
        Shares, signed as in `Order`; ordered is 0 if nothing of it can be done.
    """

    symbol: str
    wanted: float
    ordered: float
    barrier: Barrier

    def __str__(self) -> str:
        """Say it in words."""
        verb = "buy" if self.wanted > 0 else "sell"
        done = f" (only {abs(self.ordered):,.0f})" if self.ordered else ""
        return f"{self.symbol}: {verb} {abs(self.wanted):,.0f}{done}: {WORDS[self.barrier]}"


@dataclass(frozen=True, eq=False)
class RebalanceList:
    """Orders of one day.

    Attributes
    ----------
    day : date
        Whose fees hold.
    symbols : tuple of str, length N
    held, target, after : array of shape (N,)
        Shares before, as wished, and once all orders are filled.
    prices : array of shape (N,)
        Yuan a share.
    orders : tuple of Order
        In the order in which to send them: sales first.
    refusals : tuple of Refusal
    cash_before, cash_after : float
        Yuan.
    """

    day: date
    symbols: tuple[str, ...]
    held: np.ndarray
    target: np.ndarray
    after: np.ndarray
    prices: np.ndarray
    orders: tuple[Order, ...]
    refusals: tuple[Refusal, ...]
    cash_before: float
    cash_after: float

    @property
    def value(self) -> float:
        """What everything was worth before, cash included, yuan."""
        return self.cash_before + float(np.nan_to_num(self.prices) @ self.held)

    @property
    def bought(self) -> float:
        """Amount of all purchases, yuan."""
        return sum(order.amount for order in self.orders if order.shares > 0)

    @property
    def sold(self) -> float:
        """Amount of all sales, yuan."""
        return sum(order.amount for order in self.orders if order.shares < 0)

    @property
    def turnover(self) -> float:
        """The larger of what is bought and what is sold, as a fraction of the value."""
        return max(self.bought, self.sold) / self.value

    @property
    def fees(self) -> float:
        """Of all orders, yuan."""
        return sum(order.fees for order in self.orders)

    @property
    def fees_bp(self) -> float:
        """Of all orders, in hundredths of a percent of the value."""
        return 1e4 * self.fees / self.value

    def to_table(self) -> pa.Table:
        """Return the orders: side, symbol, shares (above 0), price, amount and the three fees."""
        columns = {
            "side": [order.side for order in self.orders],
            "symbol": [order.symbol for order in self.orders],
            "shares": [int(abs(order.shares)) for order in self.orders],
            "price": [order.price for order in self.orders],
            "amount": [round(order.amount, 2) for order in self.orders],
            "commission": [round(order.commission, 2) for order in self.orders],
            "stamp_duty": [round(order.stamp_duty, 2) for order in self.orders],
            "transfer_fee": [round(order.transfer_fee, 2) for order in self.orders],
        }
        types = [pa.string(), pa.string(), pa.int64(), *[pa.float64()] * 5]
        return pa.table({k: pa.array(v, t) for (k, v), t in zip(columns.items(), types, strict=True)})


def rebalance(
    symbols: Sequence[str],
    held: np.ndarray,
    target: np.ndarray,
    prices: np.ndarray,
    cash: float,
    day: date,
    *,
    fees: FeeRates | None = None,
    barriers: Barriers | None = None,
    lots: LotRule | None = None,
) -> RebalanceList:
    """Return the orders from what is held to what is wanted.

    Parameters
    ----------
    symbols : sequence of str, length N
    held, target : array of shape (N,)
        Shares, from 0.
    prices : array of shape (N,)
        Yuan a share at which the orders are reckoned; NaN is allowed where nothing changes.
    cash : float
        Yuan, from 0.
    day : date
        Whose stamp duty and transfer fee hold.
    fees : FeeRates, optional
        Of one day, in place of those of the rule book with the usual commission.
    barriers : Barriers, optional
        What cannot be traded; nothing unless given.
    lots : LotRule, optional
        By the boards of the symbols unless given.

    Raises
    ------
    InvalidRequest
        If shares, prices or cash are impossible.

    Examples
    --------
    >>> made = rebalance(["600519.SH", "000001.SZ"], np.array([100.0, 0.0]), np.array([0.0, 15_000.0]),
    ...                  np.array([1500.0, 10.0]), 1000.0, date(2024, 6, 28))
    >>> [(order.side, order.symbol, order.shares, round(order.fees, 2)) for order in made.orders]
    [('sell', '600519.SH', -100.0, 114.0), ('buy', '000001.SZ', 15000.0, 39.0)]
    >>> round(made.cash_after, 2), round(made.fees_bp, 2)
    (847.0, 10.13)
    """
    held, target, prices = (np.asarray(array, dtype=np.float64) for array in (held, target, prices))
    _check(symbols, held, target, prices, cash)
    rates = fee_rates(np.array([day], dtype="datetime64[D]")) if fees is None else fees
    rule = lots_of(symbols) if lots is None else lots
    stops = Barriers.none(len(symbols)) if barriers is None else barriers
    wanted = target - held
    refused: dict[int, Refusal] = {}

    def refuse(column: int, ordered: float, barrier: Barrier) -> None:
        refused[column] = Refusal(str(symbols[column]), float(wanted[column]), ordered, barrier)

    change = np.zeros(len(symbols))
    for column in np.flatnonzero(wanted).tolist():
        barrier = stops.reason(column, buying=wanted[column] > 0)
        possible = 0.0 if barrier else _in_lots(wanted[column], held[column], rule, column)
        change[column] = possible
        if possible != wanted[column]:
            refuse(column, possible, barrier or Barrier.LOT)
    for column, ordered in _within_cash(change, np.nan_to_num(prices), cash, rates, rule):
        change[column] = ordered
        refuse(column, ordered, Barrier.CASH)
    amounts = change * np.nan_to_num(prices)
    charged = order_fees(amounts, rates)
    return RebalanceList(
        day,
        tuple(symbols),
        held,
        target,
        held + change,
        prices,
        tuple(_orders(symbols, change, prices, charged)),
        tuple(refused[column] for column in sorted(refused)),
        cash,
        cash - float(amounts.sum() + charged.total.sum()),
    )


def _in_lots(wanted: float, held: float, rule: LotRule, column: int) -> float:
    """Return what of a wish can be ordered: whole lots, or all that is held."""
    if -wanted == held:
        return wanted
    size = np.array([abs(wanted)])
    one = LotRule(rule.smallest[[column]], rule.step[[column]])
    return float(np.sign(wanted) * one.rounded_down(size)[0])


def _within_cash(
    change: np.ndarray, prices: np.ndarray, cash: float, rates: FeeRates, rule: LotRule
) -> Iterator[tuple[int, float]]:
    """Yield the purchases that have to be smaller, from the smallest amount up, with what can be ordered of each."""
    amounts = change * prices
    left = cash - float(amounts.sum() + order_fees(amounts, rates).total.sum())
    purchases = np.flatnonzero(change > 0)
    taxed = 1 + float(rates.stamp_buy[0] + rates.transfer_buy[0])
    for column in purchases[np.argsort(amounts[purchases], kind="stable")].tolist():
        if left >= -_ROUNDING:
            return
        full = amounts[column] + float(order_fees(amounts[[column]], rates).total[0])
        payable = max(full + left, 0.0)
        spare = min(payable / (taxed + rates.commission.rate), (payable - rates.commission.minimum) / taxed)
        shares = max(spare, 0.0) / prices[column]
        one = LotRule(rule.smallest[[column]], rule.step[[column]])
        ordered = float(one.rounded_down(np.array([shares]))[0])
        cut = np.array([ordered * prices[column]])
        left += full - float(cut[0] + order_fees(cut, rates).total[0])
        yield column, ordered


def _orders(
    symbols: Sequence[str], change: np.ndarray, prices: np.ndarray, charged: OrderFees
) -> Iterator[Order]:
    amounts = np.nan_to_num(change * prices)
    for column in np.lexsort((-np.abs(amounts), change > 0)).tolist():
        if change[column]:
            yield Order(
                str(symbols[column]),
                float(change[column]),
                float(prices[column]),
                float(charged.commission[column]),
                float(charged.stamp_duty[column]),
                float(charged.transfer_fee[column]),
            )


def _check(
    symbols: Sequence[str], held: np.ndarray, target: np.ndarray, prices: np.ndarray, cash: float
) -> None:
    for name, array in (("held", held), ("target", target), ("prices", prices)):
        if array.shape != (len(symbols),):
            raise InvalidRequest(
                f"{name} of {len(symbols)} symbols must have shape ({len(symbols)},), had {array.shape}"
            )
    for name, array in (("held", held), ("target", target)):
        if not (np.isfinite(array).all() and (array >= 0).all() and (array == np.floor(array)).all()):
            raise InvalidRequest(
                f"{name} must be whole numbers of shares from 0, the least was {array.min():g}"
            )
    if not (np.isfinite(cash) and cash >= 0):
        raise InvalidRequest(f"cash must be yuan from 0, was {cash:,.2f}")
    without = np.array(symbols)[((held > 0) | (target > 0)) & ~(prices > 0)]
    if len(without):
        raise InvalidRequest(f"a price above 0 is needed for {', '.join(without[:5])}")
