"""What the data say at the close of the day on which a portfolio is decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from quantflux.core.calendar import DAYS_A_SESSION
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.gaps import carried_forward
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.factors.market_data import MarketData, load_market
from quantflux.factors.universe import is_seasoned
from quantflux.portfolio.rebalance import Barriers
from quantflux.portfolio.risk.inputs import daily_returns
from quantflux.rules import price_limits

_BEFORE = 130  # calendar days before the window: names must have had the time to be seasoned
_NOISE = 0.005  # yuan


@dataclass(frozen=True, eq=False)
class MarketDay:
    """A market at the close of a day; arrays have shape (N,) unless told otherwise.

    Attributes
    ----------
    day : date
    symbols : tuple of str
    names : tuple of str
        Of the companies; the symbol where none is known.
    industries : tuple of str
        Empty where none is known.
    prices : array of float64
        Last closes as traded, yuan; NaN for names that never traded in the window.
    traded, seasoned, special : array of bool
        On the day; seasoned names have traded on 60 days before.
    returns : array of float64, shape (W, N)
        Daily simple returns up to the day, dividends included; NaN without trade.
    amounts : array of float64, shape (A, N)
        Yuan traded; 0 without trade.
    barriers : Barriers
        What was suspended, or closed at a price limit.
    """

    day: date
    symbols: tuple[str, ...]
    names: tuple[str, ...]
    industries: tuple[str, ...]
    prices: np.ndarray
    traded: np.ndarray
    seasoned: np.ndarray
    special: np.ndarray
    returns: np.ndarray
    amounts: np.ndarray
    barriers: Barriers


def load_market_day(
    data: DataAccessLayer, day: date | None, window: int, amount_days: int | None = None
) -> MarketDay:
    """Return the market at the close of a day, the last one there is unless given.

    Parameters
    ----------
    window : int
        Days of returns.
    amount_days : int, optional
        Days of amounts; as many as of returns unless given.

    Raises
    ------
    NotFound
        If there are no bars on the day.
    InvalidRequest
        If there are too few days or names.
    """
    first, last = _span(data)
    asked = day or last
    if not first <= asked <= last:
        near = f"first is {first}" if asked < first else f"last day before it with bars is {last}"
        raise NotFound(f"there are no bars on {asked}; the {near}")
    traded_days = window if amount_days is None else amount_days
    start = asked - timedelta(days=int(max(window, traded_days) * DAYS_A_SESSION) + _BEFORE)
    loaded = load_market(data, start, asked)
    raw = loaded.raw
    last = raw.times[-1].astype("datetime64[D]").item()
    if day is not None and last != day:
        raise NotFound(f"there are no bars on {day}; the last day before it with bars is {last}")
    for key, days in (("risk.window", window), ("constraints.liquidity.window", traded_days)):
        if raw.shape[0] < days:
            raise InvalidRequest(
                f"{key} asks for {days} days up to {last}, the data have {raw.shape[0]} of them"
            )
    symbols = tuple(raw.symbols.tolist())
    traded = loaded.market.traded
    names, labels = _labels(data, loaded, last)
    return MarketDay(
        last,
        symbols,
        tuple(names.get(symbol, symbol) for symbol in symbols),
        labels,
        carried_forward(raw["close"])[-1],
        traded[-1],
        is_seasoned(traded)[-1],
        np.zeros(len(symbols), dtype=bool) if loaded.special is None else loaded.special[-1],
        daily_returns(loaded.market.panel)[-window:],
        _amounts(raw)[-traded_days:],
        _barriers(loaded),
    )


def _span(data: DataAccessLayer) -> tuple[date, date]:
    span = data.store.span(DAILY)
    if span is None:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    return span.first, span.last


def _amounts(raw: Panel) -> np.ndarray:
    amount = raw["amount"] if "amount" in raw else raw["close"] * raw["volume"]
    return np.nan_to_num(np.where(np.isnan(amount), raw["close"] * raw["volume"], amount))


def _barriers(loaded: MarketData) -> Barriers:
    raw, close = loaded.raw, loaded.raw["close"][-1]
    standing = loaded.standing
    if standing is None:
        limits = price_limits(raw)
    else:
        limits = price_limits(raw, standing.special, delisting=standing.delisting, listed=standing.listed)
    with np.errstate(invalid="ignore"):
        up, down = close > limits.up[-1] - _NOISE, close < limits.down[-1] + _NOISE
    return Barriers(np.isnan(close), up, down, np.zeros(len(close), dtype=bool))


def _labels(data: DataAccessLayer, loaded: MarketData, day: date) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return company names by symbol, and the industry of each column."""
    count = loaded.raw.shape[1]
    if loaded.industries is None:
        return {}, ("",) * count
    codes = loaded.industries.laid_on(loaded.raw.shape)[-1]
    known = loaded.industries.names
    labels = tuple(known[code] if 0 <= code < len(known) else "" for code in codes.tolist())
    rows = data.read(Query(INSTRUMENTS, columns=("name",))).sort_by("valid_from")
    named = zip(
        rows.column("symbol").to_pylist(),
        rows.column("valid_from").to_pylist(),
        rows.column("name").to_pylist(),
        strict=True,
    )
    return {symbol: name for symbol, since, name in named if since <= day}, labels
