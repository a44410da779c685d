"""What compiled code is given and what it keeps: a few tuples of arrays, most of them of records.

`Market`, `Terms` and `Decisions` are read; `Account`, `Orders` and `Book` are written. T rows on D days, N names. What
can fill up (purchases, orders, log, holdings) is made larger from outside: the loop stops before a row for which there
may be no room. Records keep the number of arrays small, and with it the time to compile.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

Record: TypeAlias = Any
Records: TypeAlias = Any
"""One record and an array of them; numpy's types know nothing of their fields."""

REPLACE, SIGNALS, ORDERS = range(3)
"""Kinds of decision: weights beside which nothing is held, openings and closings of positions, orders in shares."""

OPEN, CLOSE, VWAP = range(3)
"""Prices at which market orders are filled."""


def _records(**fields: type) -> np.dtype:
    return np.dtype(list(fields.items()), align=True)


_INT, _FLOAT, _FLAG = np.int64, np.float64, np.bool_

ROW = _records(day=_INT, leaving=_INT)
"""A row of a venue: its day, and where the names begin whose last row it is; one more record ends them."""

DAY = _records(
    date=_INT,
    events=_INT,
    stamp_buy=_FLOAT,
    stamp_sell=_FLOAT,
    transfer_buy=_FLOAT,
    transfer_sell=_FLOAT,
    tax_table=_INT,
)
"""A day: days since 1970, where its events begin, fees, and the table that taxes its dividends; one more ends them."""

EVENT = _records(column=_INT, cash=_FLOAT, growth=_FLOAT)
NAME = _records(first_row=_INT, last_row=_INT, smallest=_FLOAT, step=_FLOAT, settlement=_INT)

STATE = _records(
    cash=_FLOAT,
    held=_INT,  # names held
    orders=_INT,  # open ones
    free=_INT,  # first free place for a purchase
    purchases=_INT,  # how many there are
    logged=_INT,
    kept=_INT,  # entries of the holdings
    opened=_INT,  # the row whose events have happened
    decided=_INT,  # decisions taken
    positions=_INT,  # held, or about to be
    in_order=_FLAG,  # whether purchases get cash one after the other
)
STAKE = _records(
    shares=_FLOAT,
    price=_FLOAT,  # the last one, while held
    used=_FLOAT,  # shares traded on the row `used_on`
    used_on=_INT,
    named=_INT,  # the decision that named it last
    spared=_INT,  # the decision that left it as it is
    oldest=_INT,  # purchase, -1 for none
    newest=_INT,
    is_held=_FLAG,
)
"""What the account knows of each name."""

PURCHASE = _records(after=_INT, before=_INT, date=_INT, shares=_FLOAT)
"""One purchase: the next newer and older one of the name, the day since 1970; of a free place, `after` is the next."""

ORDER = _records(
    column=_INT,
    shares=_FLOAT,  # still wanted, negative for sales
    exact=_FLOAT,  # the same before it was rounded to lots
    limit=_FLOAT,  # yuan, NaN for a market order
    everything=_FLAG,  # sells whatever is held
    carries=_FLAG,  # lives until it is filled or replaced, not only to the end of the day
    reason=_INT,  # of the last try, -1 before the first
    amount=_FLOAT,  # yuan traded today
    commission=_FLOAT,  # yuan charged today
    smallest=_FLOAT,  # lot
    step=_FLOAT,
    settled=_INT,  # day since 1970 to which purchases may be sold
    open=_FLOAT,  # this row's, as are those that follow
    high=_FLOAT,
    low=_FLOAT,
    close=_FLOAT,
    volume=_FLOAT,
    limit_up=_FLOAT,
    limit_down=_FLOAT,
    price=_FLOAT,  # before slippage
    stopped=_INT,  # why there is none
    waited=_FLAG,  # whether it is filled at its own limit, on which nothing slips
    volatility=_FLOAT,  # of which the impact is reckoned
    planned=_FLOAT,  # shares to buy on this row
)
DECISION = _records(row=_INT, kind=_INT, first=_INT)
"""At the close of which row, of what kind, and where its entries begin; one more record ends them."""

ENTRY = _records(column=_INT, value=_FLOAT, limit=_FLOAT)
VALUE = _records(cash=_FLOAT, positions=_FLOAT, dividends=_FLOAT, dividend_tax=_FLOAT, held=_INT)
"""The account after a row."""

HOLDING = _records(column=np.int32, shares=_FLOAT, value=_FLOAT)
LOGGED = _records(
    row=np.int32,
    column=np.int32,
    wanted=_FLOAT,
    filled=_FLOAT,
    price=_FLOAT,
    reason=np.int8,
    commission=_FLOAT,
    stamp_duty=_FLOAT,
    transfer_fee=_FLOAT,
    slippage=_FLOAT,
)


class Market(NamedTuple):
    """A venue; see `quantflux.backtest.venue.Venue`. Read-only."""

    open: np.ndarray  # (T, N)
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    amount: np.ndarray  # (T, N), or (0, 0) where there is none
    limit_up: np.ndarray  # (D, N)
    limit_down: np.ndarray
    rows: Records  # (T + 1,) of ROW
    days: Records  # (D + 1,) of DAY
    events: Records  # of EVENT
    leaving: np.ndarray  # columns by the last row on which they are listed
    names: Records  # (N,) of NAME
    taxes: np.ndarray  # (tables, brackets, 2): held up to so many days, rate


class Terms(NamedTuple):
    """An execution; see `quantflux.backtest.execution.Execution`."""

    fill: int
    participation: float
    slippage: float
    impact: float
    window: int  # rows of which the volatility is taken
    commission_rate: float
    commission_minimum: float
    recovery: float
    suspension: bool
    limits: bool
    settlement: bool
    lots: bool
    volume: bool
    fees: bool
    tax: bool


class Account(NamedTuple):
    """What is owned."""

    state: Records  # (1,) of STATE
    stakes: Records  # (N,) of STAKE
    held: np.ndarray  # columns held, in the order in which they were bought
    purchases: Records  # of PURCHASE
    dividends: np.ndarray  # (purchases, tables) yuan of each purchase, not taxed yet


class Decisions(NamedTuple):
    """What is wanted, by row."""

    taken: Records  # (K + 1,) of DECISION
    entries: Records  # of ENTRY


class Book(NamedTuple):
    """What is written down."""

    values: Records  # (T,) of VALUE
    holdings: Records  # of HOLDING
    log: Records  # of LOGGED
