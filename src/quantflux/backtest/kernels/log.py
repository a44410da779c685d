"""Writes the log of orders."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.kernels.contract import Account, Book
from quantflux.expressions.kernels.contract import jit


@jit
def write_refusal(account: Account, book: Book, row: int, column: int, wanted: float, reason: int) -> None:
    """Write down an order of which nothing was filled; there must be room for it."""
    write_fill(account, book, row, column, wanted, 0.0, np.nan, reason, (0.0, 0.0, 0.0), 0.0)


@jit
def write_fill(
    account: Account,
    book: Book,
    row: int,
    column: int,
    wanted: float,
    filled: float,
    price: float,
    reason: int,
    fees: tuple[float, float, float],
    slippage: float,
) -> None:
    """Write down an order; there must be room for it."""
    state = account.state[0]
    entry = book.log[state.logged]
    state.logged += 1
    entry.row = row
    entry.column = column
    entry.wanted = wanted
    entry.filled = filled
    entry.price = price
    entry.reason = reason
    entry.commission = fees[0]
    entry.stamp_duty = fees[1]
    entry.transfer_fee = fees[2]
    entry.slippage = slippage
