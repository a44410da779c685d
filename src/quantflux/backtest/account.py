"""A simulation in progress: its account, and the room in which compiled code writes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from quantflux.backtest.decisions import Decisions
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.kernels import contract, loop
from quantflux.backtest.orders import OrderLog
from quantflux.backtest.run import Holdings, Run
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest

_FILLS = {Fill.OPEN: contract.OPEN, Fill.CLOSE: contract.CLOSE, Fill.VWAP: contract.VWAP}
_ROOM = 1024
"""Orders and purchases that there is room for at first."""

_VOLATILITY_DAYS, _VOLATILITY_MINUTES = 20, 240


class Simulation:
    """An account that follows decisions through a venue, row after row."""

    def __init__(self, venue: Venue, execution: Execution, capital: float) -> None:
        self.venue, self.execution, self.capital = venue, execution, capital
        self.row = 0
        self._market = venue.compiled
        self._terms = terms_of(execution, venue)
        rows, names = venue.shape
        self._account = _new_account(names, capital, len(self._market.taxes))
        self._orders = np.zeros(_ROOM, contract.ORDER)
        self._book = contract.Book(
            np.zeros(rows, contract.VALUE),
            np.empty(16 * _ROOM, contract.HOLDING),
            np.empty(4 * _ROOM, contract.LOGGED),
        )
        self._holdings: list[np.ndarray] = []
        self._log: list[np.ndarray] = []

    def open_next(self) -> None:
        """Let the next row begin: dividends are credited before anything is decided or traded."""
        loop.open_row(self._market, self._account, self._orders, self._book, self.row)

    def run(self, stop: int, decisions: Decisions) -> None:
        """Run to before a row, taking the decisions that fall due on the way.

        Raises
        ------
        InvalidRequest
            If a decision names a column that the venue has not.
        """
        names = self.venue.shape[1]
        if len(decisions.columns) and decisions.columns.max() >= names:
            raise InvalidRequest(
                f"the venue has {names} names, a decision is for place {decisions.columns.max()}"
            )
        compiled = decisions.compiled
        place = int(np.searchsorted(decisions.rows, self.row - 1))
        while self.row < stop:
            self.row, place = loop.run_rows(
                self._market,
                self._terms,
                self._account,
                self._orders,
                compiled,
                self._book,
                self.row,
                stop,
                place,
            )
            if self.row < stop:
                self._make_room(decisions.entries_at(place))

    @property
    def cash(self) -> float:
        """Yuan."""
        return float(self._state["cash"])

    @property
    def shares(self) -> np.ndarray:
        """Held of each name, a copy of shape (N,)."""
        return np.array(self._account.stakes["shares"])

    @property
    def prices(self) -> np.ndarray:
        """Last price of each name held, 0 of the others, a copy of shape (N,)."""
        stakes = self._account.stakes
        return np.where(stakes["is_held"], stakes["price"], 0.0)

    def result(self, first: int) -> Run:
        """Return what was done."""
        self._put_away_holdings(0)
        self._put_away_log(0)
        values = self._book.values
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(values["held"])))
        return Run(
            times=self.venue.times,
            symbols=self.venue.symbols,
            capital=self.capital,
            cash=values["cash"].copy(),
            positions=values["positions"].copy(),
            dividends=values["dividends"].copy(),
            dividend_tax=values["dividend_tax"].copy(),
            holdings=Holdings(offsets, *_columns(self._holdings)),
            log=OrderLog(*_columns(self._log)),
            first=first,
            execution=self.execution,
        )

    @property
    def _state(self) -> np.void:
        state: np.void = self._account.state[0]
        return state

    def _make_room(self, entries: int) -> None:
        """Make sure that the next row fits, and many after it."""
        state, book = self._state, self._book
        wanted = int(state["orders"] + state["held"]) + entries
        if len(self._orders) < wanted:
            self._orders = _longer(self._orders, 2 * wanted)
        if len(self._account.purchases) - state["purchases"] < wanted:
            self._enlarge_purchases(2 * len(self._account.purchases) + wanted)
        if len(book.holdings) - state["kept"] < wanted:
            self._put_away_holdings(2 * (len(book.holdings) + wanted))
        if len(book.log) - state["logged"] < wanted + self.venue.shape[1]:
            self._put_away_log(2 * (len(book.log) + wanted + self.venue.shape[1]))

    def _enlarge_purchases(self, size: int) -> None:
        old = self._account
        before = len(old.purchases)
        purchases = _longer(old.purchases, size)
        purchases["after"][before:] = np.arange(before + 1, size + 1)
        purchases["after"][-1] = self._state["free"]
        self._state["free"] = before
        self._account = old._replace(purchases=purchases, dividends=_longer(old.dividends, size))

    def _put_away_holdings(self, room: int) -> None:
        """Set what is written aside, and give the compiled code new room."""
        self._holdings.append(self._book.holdings[: self._state["kept"]])
        self._state["kept"] = 0
        self._book = self._book._replace(holdings=np.empty(room, contract.HOLDING))

    def _put_away_log(self, room: int) -> None:
        self._log.append(self._book.log[: self._state["logged"]])
        self._state["logged"] = 0
        self._book = self._book._replace(log=np.empty(room, contract.LOGGED))


def terms_of(execution: Execution, venue: Venue) -> contract.Terms:
    """Return an execution as compiled code reads it."""
    has = execution.has
    slips = has(Rule.SLIPPAGE)
    return contract.Terms(
        fill=_FILLS[execution.fill],
        participation=execution.participation,
        slippage=execution.slippage if slips else 0.0,
        impact=execution.impact if slips else 0.0,
        window=_VOLATILITY_DAYS if len(venue.days) == len(venue) else _VOLATILITY_MINUTES,
        commission_rate=execution.commission.rate,
        commission_minimum=execution.commission.minimum,
        recovery=execution.recovery,
        suspension=has(Rule.SUSPENSION),
        limits=has(Rule.LIMITS),
        settlement=has(Rule.SETTLEMENT),
        lots=has(Rule.LOTS),
        volume=has(Rule.VOLUME),
        fees=has(Rule.FEES),
        tax=has(Rule.DIVIDEND_TAX),
    )


def _new_account(names: int, capital: float, tables: int) -> contract.Account:
    state = np.zeros(1, contract.STATE)
    state["cash"], state["opened"] = capital, -1
    stakes = np.zeros(names, contract.STAKE)
    for field in ("oldest", "newest", "used_on"):
        stakes[field] = -1
    purchases = np.zeros(_ROOM, contract.PURCHASE)
    purchases["after"] = np.arange(1, _ROOM + 1)
    return contract.Account(state, stakes, np.zeros(names, np.int64), purchases, np.zeros((_ROOM, tables)))


def _columns(parts: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Return each field of some arrays of records as one array, without a copy of the whole."""
    return (np.concatenate([part[name] for part in parts]) for name in parts[0].dtype.names or ())


def _longer(values: np.ndarray, size: int) -> np.ndarray:
    longer = np.zeros((size, *values.shape[1:]), dtype=values.dtype)
    longer[: len(values)] = values
    return longer
