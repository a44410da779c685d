"""The loop over rows. On each row:

1. if a day begins, day orders lapse and holdings become what events make of them (`begin_day`);
2. if a decision was taken at the last close, it becomes orders at this open's value of the account (`decide`);
3. open orders meet the row's prices (`trade`);
4. who holds what leaves the market is paid out, and the account is valued (`end_row`).

Nothing is done for names that are neither held nor wanted.
"""

from __future__ import annotations

from quantflux.backtest.kernels.contract import Account, Book, Decisions, Market, Records, Terms
from quantflux.backtest.kernels.deciding import decide
from quantflux.backtest.kernels.holding import begin_day, end_row
from quantflux.backtest.kernels.trading import trade
from quantflux.expressions.kernels.contract import jit


@jit
def run_rows(
    market: Market,
    terms: Terms,
    account: Account,
    orders: Records,
    decisions: Decisions,
    book: Book,
    row: int,
    stop: int,
    place: int,
) -> tuple[int, int]:
    """Run rows from `row` to before `stop`, taking decisions from `place` on; return the row and decision that follow.

    If the row returned is not `stop`, something has to be made larger first.
    """
    while row < stop:
        entries = 0
        due = place < len(decisions.taken) - 1 and decisions.taken[place].row == row - 1
        if due:
            entries = decisions.taken[place + 1].first - decisions.taken[place].first
        if not _has_room(market, account, orders, book, row, entries):
            break
        open_row(market, account, orders, book, row)
        if due:
            decide(market, terms, account, orders, decisions, book, row, place)
            place += 1
        if account.state[0].orders:
            trade(market, terms, account, orders, book, row)
        end_row(market, terms, account, book, row)
        row += 1
    return row, place


@jit
def open_row(market: Market, account: Account, orders: Records, book: Book, row: int) -> None:
    """Let a day begin if this is its first row, unless that was done."""
    state = account.state[0]
    if state.opened < row:
        state.opened = row
        if row == 0 or market.rows[row].day != market.rows[row - 1].day:
            begin_day(market, account, orders, book, row)


@jit
def _has_room(market: Market, account: Account, orders: Records, book: Book, row: int, entries: int) -> bool:
    """Whether everything fits that may happen on a row with so many entries of a decision."""
    state = account.state[0]
    wanted = state.orders + state.held + entries
    leaving = market.rows[row + 1].leaving - market.rows[row].leaving
    fits: bool = (
        len(orders) >= wanted
        and len(account.purchases) - state.purchases >= wanted
        and len(book.holdings) - state.kept >= wanted
        and len(book.log) - state.logged >= wanted + leaving
    )
    return fits
