"""Decisions become orders, at what the account is worth at the open.

1. Weights (`REPLACE`): each name is brought to its weight; what is held and not named is sold whole; a NaN leaves a
   name as it is. Signals (`SIGNALS`): a positive weight opens a position where there is none, 0 closes it, and what
   is not named is left as it is. Orders (`ORDERS`): shares as given.
2. A decision takes the place of all open orders, but for names that it leaves as they are.
3. Purchases are rounded down to lots. One of less than a lot is refused where nothing is held; a change of a holding by
   less than a lot is none. A sale is a whole number of steps, or all.
"""

from __future__ import annotations

import numpy as np

from quantflux.backtest.kernels.contract import (
    ORDERS,
    REPLACE,
    SIGNALS,
    Account,
    Book,
    Decisions,
    Market,
    Record,
    Records,
    Terms,
)
from quantflux.backtest.kernels.log import write_refusal
from quantflux.backtest.kernels.open_orders import add_order, sell_out
from quantflux.backtest.kernels.prices import last_price
from quantflux.backtest.kernels.rounding import bought_in_lots, sold_in_lots
from quantflux.backtest.orders import Reason
from quantflux.expressions.kernels.contract import jit

_LOT, _NOT_LISTED, _CASH = int(Reason.LOT), int(Reason.NOT_LISTED), int(Reason.CASH)
_DUST = 1e-9  # relative: less than this is what rounding left


@jit
def decide(
    market: Market,
    terms: Terms,
    account: Account,
    orders: Records,
    decisions: Decisions,
    book: Book,
    row: int,
    place: int,
) -> None:
    """Turn the decision at a place among all into open orders."""
    state = account.state[0]
    state.decided += 1
    kind = decisions.taken[place].kind
    entries = decisions.entries[decisions.taken[place].first : decisions.taken[place + 1].first]
    state.in_order = kind == ORDERS
    _name(account, entries, kind)
    _withdraw(account, orders, kind)
    if kind == ORDERS:
        for entry in entries:
            add_order(account, orders, entry.column, entry.value, entry.value, entry.limit, False)
        return
    worth = _worth(market, account, row)
    if kind == REPLACE:
        _sell_unnamed(account, orders)
    for entry in entries:
        if kind == SIGNALS and entry.value > 0 and not _may_open(account, book, row, entry):
            continue
        if not np.isnan(entry.value):
            _bring(market, terms, account, orders, book, row, entry.column, entry.value * worth)


@jit
def _name(account: Account, entries: Records, kind: int) -> None:
    """Note which names a decision is about, which it leaves as they are, and how many positions it leaves open."""
    state = account.state[0]
    state.positions = state.held
    for entry in entries:
        stake = account.stakes[entry.column]
        if kind != ORDERS and np.isnan(entry.value):
            stake.spared = state.decided
            continue
        stake.named = state.decided
        if entry.value == 0 and stake.shares > 0:
            state.positions -= 1


@jit
def _sell_unnamed(account: Account, orders: Records) -> None:
    state = account.state[0]
    for column in account.held[: state.held]:
        stake = account.stakes[column]
        if state.decided not in (stake.named, stake.spared) and stake.shares > 0:
            sell_out(account, orders, column)


@jit
def _worth(market: Market, account: Account, row: int) -> float:
    """Return what the account is worth at the open of a row."""
    worth: float = account.state[0].cash
    for column in account.held[: account.state[0].held]:
        stake = account.stakes[column]
        price = market.open[row, column]
        worth += stake.shares * (stake.price if np.isnan(price) else price)
    return worth


@jit
def _may_open(account: Account, book: Book, row: int, entry: Record) -> bool:
    """Whether a position may be opened: it is not held, and there are fewer than the weight leaves room for."""
    state = account.state[0]
    if account.stakes[entry.column].shares > 0:
        return False
    if state.positions >= round(1 / entry.value):
        write_refusal(account, book, row, entry.column, np.nan, _CASH)
        return False
    state.positions += 1
    return True


@jit
def _withdraw(account: Account, orders: Records, kind: int) -> None:
    """Take open orders off the list, but for those of names that the decision leaves as they are."""
    state = account.state[0]
    kept = 0
    for i in range(state.orders):
        stake = account.stakes[orders[i].column]
        left = stake.spared == state.decided if kind == REPLACE else stake.named != state.decided
        if left and kind != ORDERS:
            orders[kept] = orders[i]
            kept += 1
    state.orders = kept


@jit
def _bring(
    market: Market,
    terms: Terms,
    account: Account,
    orders: Records,
    book: Book,
    row: int,
    column: int,
    yuan: float,
) -> None:
    """Order what brings a holding to an amount."""
    held = account.stakes[column].shares
    if yuan <= 0:
        if held > 0:
            sell_out(account, orders, column)
        return
    price = market.open[row, column]
    if np.isnan(price):
        price = last_price(market, account, row, column)
    if not price > 0:
        write_refusal(account, book, row, column, np.nan, _NOT_LISTED)
        return
    change = yuan / price - held
    if change > held * _DUST:
        lots = bought_in_lots(terms.lots, market.names[column], change)
        if lots > 0:
            add_order(account, orders, column, lots, change, np.nan, False)
        elif held == 0:
            write_refusal(account, book, row, column, change, _LOT)
    elif -change > held * _DUST:
        lots = sold_in_lots(terms.lots, market.names[column], -change, held)
        if lots > 0:
            add_order(account, orders, column, -lots, change, np.nan, True)
