"""Open orders meet a row: sales first, then purchases with the cash there is.

Each order is cut, in this order, by what is held, by price and limit, by settlement, by the volume left on the row, by
lots and, for purchases, by cash; the reason is that of the last cut that took something. What a sale brings pays for
purchases on the same row. If cash is short, purchases that come from weights are scaled down together, keeping to lots;
those of an order list are filled in their order, each as far as the cash goes.

1. `_meet` asks for the price of each order.
2. `_sell` fills sales.
3. `_plan` scales purchases to the cash.
4. `_buy` fills them.
"""

from __future__ import annotations

import numpy as np

from quantflux.backtest.kernels.contract import Account, Book, Market, Record, Records, Terms
from quantflux.backtest.kernels.log import write_fill, write_refusal
from quantflux.backtest.kernels.prices import filled_at, quote, read_row, trailing_volatility
from quantflux.backtest.kernels.purchases import (
    add_purchase,
    drop_purchases,
    locked_shares,
    take_purchases,
    tax_of_sale,
)
from quantflux.backtest.kernels.rounding import bought_in_lots, sold_in_lots
from quantflux.backtest.orders import Reason
from quantflux.expressions.kernels.contract import jit

_FILLED, _SETTLEMENT, _LOT = int(Reason.FILLED), int(Reason.SETTLEMENT), int(Reason.LOT)
_CASH, _VOLUME, _NOT_HELD = int(Reason.CASH), int(Reason.VOLUME), int(Reason.NOT_HELD)
_NOT_LISTED = int(Reason.NOT_LISTED)
_DUST = 1e-9  # relative: less than this is what rounding left
_LEAST_CUT = 1e-4  # of the scale of purchases in lots: smaller steps would seldom move a lot
_LAST_BITS = 1e-12


@jit
def trade(market: Market, terms: Terms, account: Account, orders: Records, book: Book, row: int) -> None:
    """Try all open orders on a row; those that are done, or never can be, are taken off the list."""
    state, day = account.state[0], market.days[market.rows[row].day]
    _meet(market, terms, account, orders[: state.orders], row)
    buys = 0
    for i in range(state.orders):
        if orders[i].shares < 0:
            _sell(market.taxes, day, terms, account, orders[i], book, row)
        else:
            buys += 1
    if buys:
        _plan(day, terms, account, orders[: state.orders], row)
        for i in range(state.orders):
            if orders[i].shares > 0:
                _buy(day, terms, account, orders[i], book, row)
    kept = 0
    for i in range(state.orders):
        if orders[i].shares != 0.0:
            orders[kept] = orders[i]
            kept += 1
    state.orders = kept


@jit
def _meet(market: Market, terms: Terms, account: Account, orders: Records, row: int) -> None:
    read_row(market, terms, orders, row)
    for order in orders:
        quote(market, terms, account, order, row)
        order.volatility = trailing_volatility(market, terms, row, order.column)


@jit
def _sell(
    taxes: np.ndarray, day: Record, terms: Terms, account: Account, order: Record, book: Book, row: int
) -> None:
    state, stake = account.state[0], account.stakes[order.column]
    held = stake.shares
    wanted = held if order.everything else -order.shares
    shares, reason = _sellable(terms, account, order, row, wanted)
    if shares <= wanted * _DUST:
        _refuse(account, order, book, row, -wanted, reason)
        return
    if shares > held * (1 - _DUST):
        shares = held
    paid = filled_at(terms, order, shares)
    amount = shares * paid
    fees = _fees(day, terms, order, amount)
    tax = tax_of_sale(taxes, account, order.column, day.date, shares) if terms.tax else 0.0
    received = amount - fees[0] - fees[1] - fees[2] - tax
    if state.cash + received < 0:
        _refuse(account, order, book, row, -wanted, _CASH)
        return
    state.cash += received
    book.values[row].dividend_tax += tax
    stake.shares = held - shares
    if shares == held:
        drop_purchases(account, order.column)
    else:
        take_purchases(account, order.column, shares)
    slipped = shares * (order.price - paid)
    write_fill(account, book, row, order.column, -wanted, -shares, paid, reason, fees, slipped)
    _settle(account, order, row, -wanted, -shares, amount, fees[0], reason)


@jit
def _sellable(terms: Terms, account: Account, order: Record, row: int, wanted: float) -> tuple[float, int]:
    """Return how much of a sale is possible, and what cut it last."""
    held = account.stakes[order.column].shares
    if held <= 0:
        return 0.0, _NOT_HELD
    if order.stopped != _FILLED:
        return 0.0, order.stopped
    shares, reason = wanted, _FILLED
    if shares > held * (1 + _DUST):
        shares, reason = held, _NOT_HELD
    if terms.settlement:
        free = held - locked_shares(account, order.column, order.settled)
        if shares > free + held * _DUST:
            shares, reason = max(free, 0.0), _SETTLEMENT
    left = _volume_left(terms, account, order, row)
    if shares > left:
        shares, reason = left, _VOLUME
    rounded = sold_in_lots(terms.lots, order, shares, held)
    if rounded < shares * (1 - _DUST) and reason == _FILLED:
        reason = _LOT
    return rounded, reason


@jit
def _plan(day: Record, terms: Terms, account: Account, orders: Records, row: int) -> None:
    """Scale purchases that come from weights down together until the cash pays for them and their costs."""
    state = account.state[0]
    scale = 1.0
    least = _LEAST_CUT if terms.lots else _LAST_BITS
    while True:
        due = 0.0
        for order in orders:
            if order.shares > 0:
                order.planned = _planned(terms, account, order, row, scale)
                due += _cost(day, terms, order, order.planned)
        if due <= state.cash or state.in_order:
            return
        scale *= min(state.cash / due, 1 - least)
        if scale < _DUST:
            scale = 0.0


@jit
def _planned(terms: Terms, account: Account, order: Record, row: int, scale: float) -> float:
    """Return how much of a purchase, scaled, volume and lots allow."""
    if order.stopped != _FILLED:
        return 0.0
    shares = min(order.exact * scale, order.shares)
    shares = min(shares, _volume_left(terms, account, order, row))
    return bought_in_lots(terms.lots, order, shares)


@jit
def _buy(day: Record, terms: Terms, account: Account, order: Record, book: Book, row: int) -> None:
    state, stake = account.state[0], account.stakes[order.column]
    wanted = order.shares
    shares, reason = _buyable(day, terms, account, order, row)
    if shares <= wanted * _DUST:
        _refuse(account, order, book, row, wanted, reason)
        return
    paid = filled_at(terms, order, shares)
    amount = shares * paid
    fees = _fees(day, terms, order, amount)
    state.cash = max(state.cash - (amount + fees[0] + fees[1] + fees[2]), 0.0)
    if not stake.is_held:
        stake.is_held = True
        stake.price = order.price
        account.held[state.held] = order.column
        state.held += 1
    stake.shares += shares
    add_purchase(account, order.column, day.date, shares)
    slipped = shares * (paid - order.price)
    write_fill(account, book, row, order.column, wanted, shares, paid, reason, fees, slipped)
    _settle(account, order, row, wanted, shares, amount, fees[0], reason)


@jit
def _buyable(day: Record, terms: Terms, account: Account, order: Record, row: int) -> tuple[float, int]:
    """Return how much of a purchase is possible, and what cut it last."""
    if order.stopped != _FILLED:
        return 0.0, order.stopped
    shares, reason = order.shares, _FILLED
    left = _volume_left(terms, account, order, row)
    if shares > left:
        shares, reason = left, _VOLUME
    rounded = bought_in_lots(terms.lots, order, shares)
    if rounded < shares * (1 - _DUST):
        reason = _LOT if reason == _FILLED else reason
    possible = _affordable(day, terms, account, order, min(rounded, order.planned))
    return possible, _CASH if possible < rounded * (1 - _DUST) else reason


@jit
def _affordable(day: Record, terms: Terms, account: Account, order: Record, shares: float) -> float:
    """Return the most of a purchase that the cash pays for, in lots, found by halving."""
    cash = account.state[0].cash * (1 + _LAST_BITS)
    if _cost(day, terms, order, shares) <= cash:
        return shares
    least, step = (order.smallest, order.step) if terms.lots else (0.0, shares * _LAST_BITS)
    if _cost(day, terms, order, least) > cash:
        return 0.0
    low, high = 0, round((shares - least) / step)
    while high - low > 1:
        middle = (low + high) // 2
        if _cost(day, terms, order, least + middle * step) <= cash:
            low = middle
        else:
            high = middle
    return least + low * step


@jit
def _cost(day: Record, terms: Terms, order: Record, shares: float) -> float:
    """Return what a purchase costs with all fees, yuan."""
    if shares <= 0:
        return 0.0
    amount = shares * filled_at(terms, order, shares)
    fees = _fees(day, terms, order, amount)
    return amount + fees[0] + fees[1] + fees[2]


@jit
def _fees(day: Record, terms: Terms, order: Record, amount: float) -> tuple[float, float, float]:
    """Return commission, stamp duty and transfer fee; the least commission is charged once an order and day."""
    if not terms.fees:
        return 0.0, 0.0, 0.0
    charged = max((order.amount + amount) * terms.commission_rate, terms.commission_minimum)
    if order.shares > 0:
        return charged - order.commission, amount * day.stamp_buy, amount * day.transfer_buy
    return charged - order.commission, amount * day.stamp_sell, amount * day.transfer_sell


@jit
def _volume_left(terms: Terms, account: Account, order: Record, row: int) -> float:
    """Return the shares that all orders of a name may still take of a row; a volume not known is none."""
    if not terms.volume or np.isnan(order.close):
        return np.inf
    stake = account.stakes[order.column]
    used = stake.used if stake.used_on == row else 0.0
    return max(terms.participation * order.volume - used, 0.0) if order.volume > 0 else 0.0


@jit
def _settle(
    account: Account,
    order: Record,
    row: int,
    wanted: float,
    filled: float,
    amount: float,
    commission: float,
    reason: int,
) -> None:
    """Note what an order has got, and end it if that is all."""
    stake = account.stakes[order.column]
    if stake.used_on != row:
        stake.used_on = row
        stake.used = 0.0
    stake.used += abs(filled)
    order.amount += amount
    order.commission += commission
    order.reason = reason
    order.exact -= filled
    order.shares = wanted - filled
    done = abs(wanted - filled) <= abs(wanted) * _DUST
    if done or reason in (_LOT, _NOT_HELD):
        order.shares = 0.0


@jit
def _refuse(account: Account, order: Record, book: Book, row: int, wanted: float, reason: int) -> None:
    """Write down why nothing was filled, if that is news, and end an order that never can be."""
    if order.reason != reason:
        write_refusal(account, book, row, order.column, wanted, reason)
        order.reason = reason
    if reason in (_LOT, _NOT_HELD, _NOT_LISTED):
        order.shares = 0.0
