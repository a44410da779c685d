"""At which price an order meets the market on a row, or what stops it there.

A market order is filled at the row's open, close or VWAP. It is refused where that price stands at the limit against
it; at the VWAP also where the whole row traded at the limit. An order with a limit of its own

* filled at the open: at the open if that is as good as the limit, else at the limit if the row traded beyond it;
* filled at the close or VWAP: at that price if it is as good as the limit.
"""

from __future__ import annotations

import math

import numpy as np

from quantflux.backtest.kernels.contract import CLOSE, OPEN, Account, Market, Record, Terms
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
def quote(
    market: Market, terms: Terms, account: Account, row: int, column: int, buying: bool, limit: float
) -> tuple[float, int, bool]:
    """Return the price before slippage, why there is no trade at it, and whether the order waited at its limit.

    An order that waited is filled at its own price, without slippage.
    """
    if row > market.names[column].last_row or row < market.names[column].first_row:
        return np.nan, _NOT_LISTED, False
    price = _fill_price(market, terms, row, column)
    if np.isnan(price):
        if not terms.suspension:
            price = last_price(market, account, row, column)
        stopped = _SUSPENDED if np.isnan(price) else _FILLED if _is_good(price, limit, buying) else _PRICE
        return price, stopped, False
    locked = terms.limits and _is_locked(market, terms, row, column, price, buying)
    if not locked and _is_good(price, limit, buying):
        return price, _FILLED, False
    if terms.fill == OPEN and _is_reached(market, row, column, limit, buying):
        return limit, _FILLED, True
    return np.nan, (_LIMIT_UP if buying else _LIMIT_DOWN) if locked else _PRICE, False


@jit
def filled_at(market: Market, terms: Terms, order: Record, row: int, shares: float) -> float:
    """Return the price after slippage and impact, within the day's limits and the order's own."""
    column: int = order.column
    price: float = order.price
    limit: float = order.limit
    moved = terms.slippage
    volume = market.volume[row, column]
    if order.volatility > 0 and volume > 0:
        moved += terms.impact * order.volatility * math.sqrt(shares / volume)
    day = market.rows[row].day
    if order.shares > 0:
        found = price * (1 + moved)
        if terms.limits and found > market.limit_up[day, column]:
            found = max(market.limit_up[day, column], price)
        return limit if found > limit else found
    found = price * max(1 - moved, 0.0)
    if terms.limits and found < market.limit_down[day, column]:
        found = min(market.limit_down[day, column], price)
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
def _fill_price(market: Market, terms: Terms, row: int, column: int) -> float:
    price: float = market.close[row, column]
    if terms.fill == OPEN and not np.isnan(price):
        price = market.open[row, column]
    if np.isnan(price) or terms.fill in (OPEN, CLOSE):
        return price
    high, low, volume = market.high[row, column], market.low[row, column], market.volume[row, column]
    mean = market.amount[row, column] / volume if volume > 0 else np.nan
    # Amounts are rounded, prices are not.
    found: float = (high + low + price) / 3 if np.isnan(mean) else min(max(mean, low), high)
    return found


@jit
def _is_locked(market: Market, terms: Terms, row: int, column: int, price: float, buying: bool) -> bool:
    """Whether the price stands at its limit; for the VWAP also whether no price of the row was another."""
    day = market.rows[row].day
    whole = terms.fill not in (OPEN, CLOSE)
    if buying:
        bound = market.limit_up[day, column] * (1 - _SAME_PRICE)
        locked: bool = price >= bound or (whole and market.low[row, column] >= bound)
    else:
        bound = market.limit_down[day, column] * (1 + _SAME_PRICE)
        locked = price <= bound or (whole and market.high[row, column] <= bound)
    return locked


@jit
def _is_good(price: float, limit: float, buying: bool) -> bool:
    if np.isnan(limit):
        return True
    return price <= limit * (1 + _SAME_PRICE) if buying else price >= limit * (1 - _SAME_PRICE)


@jit
def _is_reached(market: Market, row: int, column: int, limit: float, buying: bool) -> bool:
    """Whether the row traded beyond a limit; at it is not enough, as others wait there too."""
    if np.isnan(limit):
        return False
    reached: bool = market.low[row, column] < limit * (1 - _SAME_PRICE)
    if not buying:
        reached = market.high[row, column] > limit * (1 + _SAME_PRICE)
    return reached
