"""At which price an order meets the market on a row, or what stops it there.

A market order is filled at the row's open, close or VWAP. It is refused where that price stands at the limit against
it; at the VWAP also where the whole row traded at the limit. An order with a limit of its own

* filled at the open: at the open if that is as good as the limit, else at the limit if the row traded beyond it (at
  it is not enough, as others wait there too);
* filled at the close or VWAP: at that price if it is as good as the limit.
"""

from __future__ import annotations

import math

import numpy as np

from quantflux.backtest.kernels.contract import CLOSE, OPEN, Account, Market, Record, Records, Terms
from quantflux.backtest.orders import Reason
from quantflux.expressions.kernels.contract import jit

_SAME_PRICE = 1e-6  # relative: more than float32 loses, less than half a tick of any price below 5,000 yuan
_FILLED, _LIMIT_UP, _LIMIT_DOWN = int(Reason.FILLED), int(Reason.LIMIT_UP), int(Reason.LIMIT_DOWN)
_SUSPENDED, _NOT_LISTED, _PRICE = int(Reason.SUSPENDED), int(Reason.NOT_LISTED), int(Reason.PRICE)
_PARKINSON = 4 * math.log(2.0)


@jit
def last_price(market: Market, account: Account, row: int, column: int) -> float:
    """Return the last price before a row, as events since have changed it; NaN if there was none."""
    price: float = account.stakes[column].price
    if account.stakes[column].is_held:
        return price
    last = row - 1
    while last >= 0 and np.isnan(market.close[last, column]):
        last -= 1
    if last < 0:
        return np.nan
    price = market.close[last, column]
    first, stop = market.days[market.rows[last].day + 1].events, market.days[market.rows[row].day + 1].events
    for event in market.events[first:stop]:
        if event.column == column:
            price = ex_price(price, event.cash, event.growth)
    return price


@jit
def ex_price(price: float, cash: float, growth: float) -> float:
    """Return what a price is after a share has paid cash and become several."""
    return max(price - cash, 0.0) / growth


@jit
def read_row(market: Market, terms: Terms, orders: Records, row: int) -> None:
    """Give each order the prices of its row.

    Each of them lies somewhere else in memory. Read in a loop that does nothing else they come many at a time; read
    when they are needed they would come one after the other.
    """
    day = market.rows[row].day
    whole = terms.fill not in (OPEN, CLOSE)
    for order in orders:
        column = order.column
        name = market.names[column]
        order.smallest = name.smallest
        order.step = name.step
        settled = day - name.settlement
        order.settled = market.days[settled].date if settled >= 0 else -1
        order.open = market.open[row, column]
        order.close = market.close[row, column]
        order.volume = market.volume[row, column]
        order.limit_up = market.limit_up[day, column]
        order.limit_down = market.limit_down[day, column]
        if whole or not np.isnan(order.limit):
            order.high = market.high[row, column]
            order.low = market.low[row, column]


@jit
def quote(market: Market, terms: Terms, account: Account, order: Record, row: int) -> None:
    """Set the order's price before slippage, why there is no trade at it, and whether it waited at its limit.

    An order that waited is filled at its own price, without slippage.
    """
    name = market.names[order.column]
    order.waited = False
    order.price = np.nan
    order.stopped = _NOT_LISTED
    if name.first_row <= row <= name.last_row:
        order.price = _fill_price(market, terms, order, row)
        if np.isnan(order.price):
            _quote_idle(market, terms, account, order, row)
        else:
            _quote_traded(terms, order)


@jit
def _quote_idle(market: Market, terms: Terms, account: Account, order: Record, row: int) -> None:
    """Quote a name that does not trade on a row."""
    if not terms.suspension:
        order.price = last_price(market, account, row, order.column)
    if np.isnan(order.price):
        order.stopped = _SUSPENDED
    else:
        order.stopped = _FILLED if _is_good(order) else _PRICE


@jit
def _quote_traded(terms: Terms, order: Record) -> None:
    locked = terms.limits and _is_locked(terms, order)
    order.stopped = _PRICE
    if locked:
        order.stopped = _LIMIT_UP if order.shares > 0 else _LIMIT_DOWN
    elif _is_good(order):
        order.stopped = _FILLED
    if order.stopped != _FILLED and terms.fill == OPEN and not np.isnan(order.limit):
        limit = _own_limit(terms, order)
        if (
            order.low < limit * (1 - _SAME_PRICE)
            if order.shares > 0
            else order.high > limit * (1 + _SAME_PRICE)
        ):
            order.price = limit
            order.stopped = _FILLED
            order.waited = True


@jit
def _own_limit(terms: Terms, order: Record) -> float:
    """Return the order's limit, which is no good beyond that of the day."""
    limit: float = order.limit
    if terms.limits and order.shares > 0 and limit > order.limit_up:
        limit = order.limit_up
    elif terms.limits and order.shares < 0 and limit < order.limit_down:
        limit = order.limit_down
    return limit


@jit
def filled_at(terms: Terms, order: Record, shares: float) -> float:
    """Return the price after slippage and impact, within the day's limits and the order's own."""
    price: float = order.price
    if order.waited:
        return price
    moved = terms.slippage
    if order.volatility > 0 and order.volume > 0:
        moved += terms.impact * order.volatility * math.sqrt(shares / order.volume)
    limit: float = order.limit
    if order.shares > 0:
        found = price * (1 + moved)
        if terms.limits and found > order.limit_up:
            found = max(order.limit_up, price)
        return limit if found > limit else found
    found = price * max(1 - moved, 0.0)
    if terms.limits and found < order.limit_down:
        found = min(order.limit_down, price)
    return limit if found < limit else found


@jit
def trailing_volatility(market: Market, terms: Terms, row: int, column: int) -> float:
    """Return the deviation of a row's price, from the ranges of the rows before; 0 where nothing is known.

    Parkinson (1980), "The extreme value method", Journal of Business 53(1): the mean square of log(high / low) over
    4 log 2. Ranges know no ex-dates.
    """
    if terms.impact == 0.0:
        return 0.0
    total, count = 0.0, 0
    for past in range(max(row - terms.window, 0), row):
        high, low = market.high[past, column], market.low[past, column]
        if high > 0 and low > 0:
            total += math.log(high / low) ** 2
            count += 1
    return math.sqrt(total / count / _PARKINSON) if count else 0.0


@jit
def _fill_price(market: Market, terms: Terms, order: Record, row: int) -> float:
    price: float = order.close
    if terms.fill == OPEN and not np.isnan(price):
        price = order.open
    if np.isnan(price) or terms.fill in (OPEN, CLOSE):
        return price
    mean = market.amount[row, order.column] / order.volume if order.volume > 0 else np.nan
    # Amounts are rounded, prices are not.
    found: float = (
        (order.high + order.low + price) / 3 if np.isnan(mean) else min(max(mean, order.low), order.high)
    )
    return found


@jit
def _is_locked(terms: Terms, order: Record) -> bool:
    """Whether the price stands at its limit; for the VWAP also whether no price of the row was another."""
    whole = terms.fill not in (OPEN, CLOSE)
    if order.shares > 0:
        bound = order.limit_up * (1 - _SAME_PRICE)
        locked: bool = order.price >= bound or (whole and order.low >= bound)
    else:
        bound = order.limit_down * (1 + _SAME_PRICE)
        locked = order.price <= bound or (whole and order.high <= bound)
    return locked


@jit
def _is_good(order: Record) -> bool:
    """Whether the price is as good as the order's limit, if it has one."""
    good: bool = np.isnan(order.limit)
    if not good and order.shares > 0:
        good = order.price <= order.limit * (1 + _SAME_PRICE)
    elif not good:
        good = order.price >= order.limit * (1 - _SAME_PRICE)
    return good
