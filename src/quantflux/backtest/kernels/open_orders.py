"""The list of open orders."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.kernels.contract import Account, Records
from quantflux.expressions.kernels.contract import jit


@jit
def add_order(
    account: Account,
    orders: Records,
    column: int,
    shares: float,
    exact: float,
    limit: float,
    carries: bool,
) -> None:
    """Add an open order that was not tried yet."""
    state = account.state[0]
    order = orders[state.orders]
    state.orders += 1
    order.column = column
    order.shares = shares
    order.exact = exact
    order.limit = limit
    order.everything = False
    order.carries = carries
    order.reason = -1
    order.amount = 0.0
    order.commission = 0.0


@jit
def sell_out(account: Account, orders: Records, column: int) -> None:
    """Add an open order to sell all of a name, however long it takes."""
    held = account.stakes[column].shares
    add_order(account, orders, column, -held, -held, np.nan, True)
    orders[account.state[0].orders - 1].everything = True
