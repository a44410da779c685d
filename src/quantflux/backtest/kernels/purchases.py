"""What is held, purchase by purchase: what may be sold today, and what tax a sale brings. First in, first out."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.kernels.contract import Account
from quantflux.expressions.kernels.contract import jit

_DUST = 1e-9  # relative: less than this is what rounding left


@jit
def add_purchase(account: Account, column: int, date: int, shares: float) -> None:
    """Note shares bought; those of one day are one purchase."""
    state, stake = account.state[0], account.stakes[column]
    newest = stake.newest
    if newest >= 0 and account.purchases[newest].date == date:
        account.purchases[newest].shares += shares
        return
    place = state.free
    made = account.purchases[place]
    state.free = made.after
    state.purchases += 1
    made.after = -1
    made.before = newest
    made.date = date
    made.shares = shares
    for table in range(account.dividends.shape[1]):
        account.dividends[place, table] = 0.0
    if newest >= 0:
        account.purchases[newest].after = place
    else:
        stake.oldest = place
    stake.newest = place


@jit
def locked_shares(account: Account, column: int, settled: int) -> float:
    """Return the shares bought after a day, too recently to be sold."""
    locked = 0.0
    place = account.stakes[column].newest
    while place >= 0 and account.purchases[place].date > settled:
        locked += account.purchases[place].shares
        place = account.purchases[place].before
    return locked


@jit
def grow_purchases(account: Account, column: int, cash: float, growth: float, table: int) -> None:
    """Note a dividend and new shares on every purchase of a column."""
    place = account.stakes[column].oldest
    while place >= 0:
        purchase = account.purchases[place]
        account.dividends[place, table] += purchase.shares * cash
        purchase.shares *= growth
        place = purchase.after


@jit
def tax_of_sale(taxes: np.ndarray, account: Account, column: int, date: int, shares: float) -> float:
    """Return the tax on the dividends of the shares that a sale would take, yuan."""
    tax = 0.0
    place = account.stakes[column].oldest
    while place >= 0 and shares > 0:
        purchase = account.purchases[place]
        part = min(shares / purchase.shares, 1.0)
        days = date - purchase.date
        for table in range(taxes.shape[0]):
            if account.dividends[place, table] > 0:
                bracket = 0
                while days > taxes[table, bracket, 0]:
                    bracket += 1
                tax += part * account.dividends[place, table] * taxes[table, bracket, 1]
        shares -= purchase.shares
        place = purchase.after
    return tax


@jit
def take_purchases(account: Account, column: int, shares: float) -> None:
    """Take shares away from the oldest purchases."""
    place = account.stakes[column].oldest
    while place >= 0 and shares > 0:
        purchase = account.purchases[place]
        if shares < purchase.shares * (1 - _DUST):
            for table in range(account.dividends.shape[1]):
                account.dividends[place, table] *= 1 - shares / purchase.shares
            purchase.shares -= shares
            return
        shares -= purchase.shares
        place = _drop_oldest(account, column)


@jit
def drop_purchases(account: Account, column: int) -> None:
    """Take away all of a column."""
    place = account.stakes[column].oldest
    while place >= 0:
        place = _drop_oldest(account, column)


@jit
def _drop_oldest(account: Account, column: int) -> int:
    """Take the oldest purchase away and return the next."""
    state, stake = account.state[0], account.stakes[column]
    place = stake.oldest
    gone = account.purchases[place]
    rest: int = gone.after
    stake.oldest = rest
    if rest >= 0:
        account.purchases[rest].before = -1
    else:
        stake.newest = -1
    gone.after = state.free
    state.free = place
    state.purchases -= 1
    return rest
