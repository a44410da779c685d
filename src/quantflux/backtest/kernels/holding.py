"""What happens to holdings beside trading: events before a day begins, leaving the market, valuation."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.kernels.contract import Account, Book, Market, Records, Terms
from quantflux.backtest.kernels.log import write_fill
from quantflux.backtest.kernels.prices import ex_price
from quantflux.backtest.kernels.purchases import drop_purchases, grow_purchases, tax_of_sale
from quantflux.backtest.orders import Reason
from quantflux.expressions.kernels.contract import jit

_DELISTED = int(Reason.DELISTED)


@jit
def begin_day(market: Market, account: Account, orders: Records, book: Book, row: int) -> None:
    """Let day orders lapse, credit dividends, and let holdings become what events make of them."""
    _let_lapse(account, orders)
    day = market.rows[row].day
    for event in market.events[market.days[day].events : market.days[day + 1].events]:
        stake = account.stakes[event.column]
        if not stake.is_held:
            continue
        credited = stake.shares * event.cash
        account.state[0].cash += credited
        book.values[row].dividends += credited
        grow_purchases(account, event.column, event.cash, event.growth, market.days[day].tax_table)
        stake.shares *= event.growth
        stake.price = ex_price(stake.price, event.cash, event.growth)
        for order in orders[: account.state[0].orders]:
            if order.column == event.column:
                order.shares *= event.growth
                order.exact *= event.growth


@jit
def end_row(market: Market, terms: Terms, account: Account, book: Book, row: int) -> None:
    """Pay out who holds what leaves the market, then value and write down what is held."""
    for column in account.held[: account.state[0].held]:
        close = market.close[row, column]
        if not np.isnan(close):
            account.stakes[column].price = close
    for column in market.leaving[market.rows[row].leaving : market.rows[row + 1].leaving]:
        if account.stakes[column].shares > 0:
            _pay_out(market, terms, account, book, row, column)
    _write_down(account, book, row)


@jit
def _let_lapse(account: Account, orders: Records) -> None:
    kept = 0
    for i in range(account.state[0].orders):
        if orders[i].carries:
            orders[kept] = orders[i]
            orders[kept].amount = 0.0
            orders[kept].commission = 0.0
            kept += 1
    account.state[0].orders = kept


@jit
def _pay_out(market: Market, terms: Terms, account: Account, book: Book, row: int, column: int) -> None:
    """Turn a holding into cash at its last price; a tax beyond the cash there is is not collected."""
    state, stake = account.state[0], account.stakes[column]
    shares, price = stake.shares, stake.price * terms.recovery
    state.cash += shares * price
    if terms.tax:
        date = market.days[market.rows[row].day].date
        tax = min(tax_of_sale(market.taxes, account, column, date, shares), state.cash)
        state.cash -= tax
        book.values[row].dividend_tax += tax
    drop_purchases(account, column)
    stake.shares = 0.0
    write_fill(account, book, row, column, -shares, -shares, price, _DELISTED, (0.0, 0.0, 0.0), 0.0)


@jit
def _write_down(account: Account, book: Book, row: int) -> None:
    """Write what is held into the book, and forget what is held no longer."""
    state = account.state[0]
    positions, still = 0.0, 0
    for column in account.held[: state.held]:
        stake = account.stakes[column]
        if stake.shares == 0.0:
            stake.is_held = False
            continue
        account.held[still] = column
        still += 1
        value = stake.shares * stake.price
        positions += value
        holding = book.holdings[state.kept]
        state.kept += 1
        holding.column = column
        holding.shares = stake.shares
        holding.value = value
    state.held = still
    values = book.values[row]
    values.held = still
    values.cash = state.cash
    values.positions = positions
