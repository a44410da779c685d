"""The market as a simulation trades in it: prices, limits, what befalls a holding, lots and fees.

A row is a day, or a minute of one; what holds for a whole day (limits, fees, corporate actions) has one row a day, and
`day` tells which. Daily venues have as many days as rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from quantflux.backtest.events import Events
from quantflux.backtest.kernels import contract
from quantflux.backtest.listing import last_rows, traded_span
from quantflux.core.corporate_actions import CorporateActions
from quantflux.core.errors import InvalidRequest
from quantflux.core.panel import Panel
from quantflux.data.ex_rights import share_growth
from quantflux.rules import FeeRates, LotRule, are_raw, fee_rates, lots_of
from quantflux.rules.dividend_tax import dividend_tax_rates
from quantflux.rules.limits import price_limits
from quantflux.rules.settlement import settlement_days

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class Venue:
    """What each row offers: T rows on D days, N names.

    Arrays are read-only and C-contiguous; prices are in the money of the bars, raw yuan as a rule. NaN means no trade.

    Attributes
    ----------
    times : array of datetime64, shape (T,)
    symbols : array of str, shape (N,)
    days : array of datetime64[D], shape (D,)
    day : array of int64, shape (T,)
        Place of each row in `days`.
    open, high, low, close, volume : array of float64, shape (T, N)
    amount : array of float64, shape (T, N), or None
        Yuan traded, where it is in the money of the prices; its quotient with `volume` is the VWAP.
    limit_up, limit_down : array of float64, shape (D, N)
        NaN where there is none.
    events : Events
        What befalls a holding before the first row of each day.
    first_row, last_row : array of int64, shape (N,)
        The first row with a trade, T where there is none; and the last row on which the name is listed, T - 1 if it
        still is, -1 if it had left before. Who holds it on that row is paid out at its close.
    lots : LotRule
    fees : FeeRates
        Arrays of shape (D,). The commission is that of the execution.
    settlement : array of int64, shape (N,)
        Days after which a purchase may be sold.
    capitalisation : array of float64, shape (D, N), or None
        Yuan, for benchmarks weighted by it.
    """

    times: np.ndarray
    symbols: np.ndarray
    days: np.ndarray
    day: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    amount: np.ndarray | None
    limit_up: np.ndarray
    limit_down: np.ndarray
    events: Events
    first_row: np.ndarray
    last_row: np.ndarray
    lots: LotRule
    fees: FeeRates
    settlement: np.ndarray
    capitalisation: np.ndarray | None = None

    @classmethod
    def daily(
        cls,
        bars: Panel,
        *,
        special: np.ndarray | None = None,
        delisting: np.ndarray | None = None,
        listed: np.ndarray | None = None,
        actions: CorporateActions | None = None,
        delisted: np.ndarray | None = None,
        capitalisation: np.ndarray | None = None,
    ) -> Self:
        """Return the venue of daily bars.

        Parameters
        ----------
        bars : Panel
            Daily `open`, `high`, `low`, `close`, `volume`, and where known `amount` and `adj_factor`.
        special : array of bool, shape (T, N), optional
            Where a name was under special treatment.
        delisting : array of bool, shape (T, N), optional
            Where a name was in its delisting period.
        listed : array of datetime64[D], shape (N,), optional
            First trading days, NaT where unknown; see `quantflux.rules.price_limits`.
        actions : CorporateActions, optional
            On the axes of the bars. What they leave unexplained of `adj_factor` makes holdings grow.
        delisted : array of datetime64[D], shape (N,), optional
            First day on which a name is no longer listed, NaT where it still is. Without it, a name without a bar in
            the last 60 rows is taken to have left with its last bar.
        capitalisation : array of float64, shape (T, N), optional

        Raises
        ------
        InvalidRequest
            If rows are not days, an array has another shape, or a price is not positive and finite.
        """
        if not bars.is_daily or not len(bars):
            raise InvalidRequest(f"a daily venue needs daily bars, had {bars}")
        grown = share_growth(bars, actions or CorporateActions.none())
        limits = price_limits(bars, special, delisting=delisting, listed=listed)
        first, last = traded_span(bars["close"])
        symbols = bars.symbols.tolist()
        return cls(
            times=bars.times,
            symbols=bars.symbols,
            days=bars.times,
            day=_fixed(np.arange(len(bars))),
            **_prices(bars),
            volume=_fixed(bars["volume"]),
            amount=_fixed(bars["amount"]) if "amount" in bars and are_raw(bars) else None,
            limit_up=_fixed(limits.up),
            limit_down=_fixed(limits.down),
            events=Events.of(bars.shape, grown.actions, grown.growth),
            first_row=_fixed(first),
            last_row=_fixed(last_rows(bars.times, last, delisted)),
            lots=lots_of(symbols),
            fees=fee_rates(bars.times),
            settlement=_fixed(settlement_days(symbols)),
            capitalisation=None if capitalisation is None else _shaped(capitalisation, bars.shape),
        )

    @classmethod
    def minute(cls, bars: Panel, daily: Self) -> Self:
        """Return the venue of minute bars of the names and within the days of a daily venue.

        Limits, events, fees and listings are those of the daily venue.

        Parameters
        ----------
        bars : Panel
            Minutes of `open`, `high`, `low`, `close`, `volume`, and where known `amount`.
        daily : Venue

        Raises
        ------
        InvalidRequest
            If the bars have days or symbols that the daily venue has not, or a price is not positive and finite.
        """
        if bars.is_daily or not len(bars):
            raise InvalidRequest(f"a venue of minutes needs minute bars, had {bars}")
        columns = _places(bars.symbols, daily.symbols, "symbols")
        whole = bars.times.astype("datetime64[D]")
        days, day = np.unique(whole, return_inverse=True)
        rows = _places(days, daily.days, "days")
        if len(rows) != rows[-1] - rows[0] + 1:
            raise InvalidRequest(
                "minute bars leave out whole days of the daily venue between their first and last"
            )
        first, _ = traded_span(bars["close"])
        # The last minute of each day, and -1 at the end for names that had left before the first.
        ends = np.append(np.searchsorted(day, np.arange(len(days)), side="right") - 1, -1)
        last = ends[np.clip(daily.last_row[columns] - rows[:1], -1, len(days) - 1)]
        part = np.ix_(rows, columns)
        return cls(
            times=bars.times,
            symbols=bars.symbols,
            days=days,
            day=_fixed(day),
            **_prices(bars),
            volume=_fixed(bars["volume"]),
            amount=_fixed(bars["amount"]) if "amount" in bars and daily.amount is not None else None,
            limit_up=_fixed(daily.limit_up[part]),
            limit_down=_fixed(daily.limit_down[part]),
            events=daily.events.within(rows, columns),
            first_row=_fixed(first),
            last_row=_fixed(last),
            lots=LotRule(daily.lots.smallest[columns], daily.lots.step[columns]),
            fees=fee_rates(days, daily.fees.commission),
            settlement=_fixed(daily.settlement[columns]),
            capitalisation=None if daily.capitalisation is None else _fixed(daily.capitalisation[part]),
        )

    def __len__(self) -> int:
        return len(self.times)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and names."""
        return len(self.times), len(self.symbols)

    @cached_property
    def vwap(self) -> np.ndarray:
        """Volume-weighted mean price of each row, shape (T, N); NaN without trade.

        Raises
        ------
        InvalidRequest
            If the bars have no amounts in the money of their prices.
        """
        if self.amount is None:
            raise InvalidRequest("the bars have no amounts in the money of their prices, so there is no VWAP")
        found = np.full(self.shape, np.nan)
        return _fixed(np.divide(self.amount, self.volume, out=found, where=self.volume > 0))

    @cached_property
    def compiled(self) -> contract.Market:
        """The venue as compiled code reads it."""
        taxes, table = _tax_tables(self.days)
        leaving = np.flatnonzero(self.last_row < len(self) - 1)
        leaving = leaving[np.argsort(self.last_row[leaving], kind="stable")]
        rows = np.zeros(len(self) + 1, contract.ROW)
        rows["day"][:-1] = self.day
        rows["leaving"] = np.searchsorted(self.last_row[leaving], np.arange(len(self) + 1))
        days = np.zeros(len(self.days) + 1, contract.DAY)
        days["date"][:-1], days["events"], days["tax_table"][:-1] = self.days, self.events.offsets, table
        for fee in ("stamp_buy", "stamp_sell", "transfer_buy", "transfer_sell"):
            days[fee][:-1] = getattr(self.fees, fee)
        events = np.zeros(len(self.events), contract.EVENT)
        for field in contract.EVENT.names or ():
            events[field] = getattr(self.events, field)
        names = np.zeros(len(self.symbols), contract.NAME)
        names["first_row"], names["last_row"] = self.first_row, self.last_row
        names["smallest"], names["step"] = self.lots.smallest, self.lots.step
        names["settlement"] = self.settlement
        amount = np.zeros((0, 0)) if self.amount is None else self.amount
        return contract.Market(
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            amount=_locked(amount),
            limit_up=self.limit_up,
            limit_down=self.limit_down,
            rows=_locked(rows),
            days=_locked(days),
            events=_locked(events),
            leaving=_locked(leaving),
            names=_locked(names),
            taxes=_locked(taxes),
        )

    def with_capitalisation(self, capitalisation: np.ndarray) -> Self:
        """Return the same venue with the market value of each name, yuan, shape (D, N)."""
        return replace(self, capitalisation=_shaped(capitalisation, (len(self.days), len(self.symbols))))


def _prices(bars: Panel) -> dict[str, np.ndarray]:
    """Return the prices of bars by name, refusing those that nobody can pay: an account would be worth nonsense."""
    found = {name: _fixed(bars[name]) for name in _PRICES}
    for name, values in found.items():
        lowest = np.fmin.reduce(values, axis=None, initial=np.inf)
        highest = np.fmax.reduce(values, axis=None, initial=0.0)
        if lowest <= 0 or highest == np.inf:
            row, column = np.argwhere((values <= 0) | np.isinf(values))[0]
            raise InvalidRequest(
                f"the {name} of {bars.symbols[column]} at {bars.times[row]} is {values[row, column]:g}; "
                "prices are above 0 and finite, and NaN where a name does not trade"
            )
    return found


def _fixed(values: np.ndarray) -> np.ndarray:
    """Return a read-only C-contiguous view, or a copy where there is none: compiled code knows one kind of array."""
    kind = np.float64 if values.dtype.kind == "f" else np.int64
    return _locked(np.ascontiguousarray(values, dtype=kind))


def _locked(values: np.ndarray) -> np.ndarray:
    view = values.view()
    view.flags.writeable = False
    return view


def _shaped(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    if values.shape != shape:
        raise InvalidRequest(f"the venue has shape {shape} (days, symbols), the array had {values.shape}")
    return _fixed(values)


def _tax_tables(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the tables of dividend taxes in force on some days, (tables, brackets, 2), and which one on each.

    What counts is the record date, the trading day before the ex-date.
    """
    before = (days - np.timedelta64(1, "D")).tolist()
    known: dict[tuple[tuple[float, float], ...], int] = {}
    table = [known.setdefault(tuple(dividend_tax_rates(day)), len(known)) for day in before]
    tables = np.full((max(len(known), 1), max(map(len, known), default=1), 2), np.inf)
    for brackets, place in known.items():
        tables[place, : len(brackets)] = brackets
    return tables, np.array(table, dtype=np.int64)


def _places(wanted: np.ndarray, known: np.ndarray, what: str) -> np.ndarray:
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    missing = wanted[known[place] != wanted]
    if len(missing):
        raise InvalidRequest(f"the daily venue lacks {what} of the minute bars, such as {missing[0]}")
    return place
