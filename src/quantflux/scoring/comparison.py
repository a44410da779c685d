"""The days and names that a score is made on: who is compared with whom, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from quantflux.core.calendar import DAYS_A_SESSION
from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol
from quantflux.core.instruments import InstrumentTable
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.factors.formula import formula
from quantflux.factors.market_data import MarketData, load_market
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.universe import is_seasoned
from quantflux.scoring.request import Universe
from quantflux.scoring.values import values_of

_BEFORE = 250  # calendar days before the window, in which nearly every name that is seasoned has shown it
_LATELY = 60  # rows
_AFTER = timedelta(days=60)  # in which the next day with bars is looked for, to name it


@dataclass(frozen=True, eq=False)
class Comparison:
    """A market up to a day, and who is compared on each of its days.

    Attributes
    ----------
    loaded : MarketData
        Up to the close of the day; its rows begin long enough before `first` to tell most seasoned names.
    first : int
        The first row that is wanted.
    earliest : int
        The first row from which on values of factors are needed.
    chosen : array of bool, shape (T, N)
        Who is compared.
    left_out : tuple of (str, int)
        On the last day: why names are not compared, in the order in which it was asked, and how many.
    names, industries : tuple of str
        Of each column on the last day; the symbol, and an empty text, where they are not known.
    """

    loaded: MarketData
    first: int
    earliest: int
    chosen: np.ndarray
    left_out: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    industries: tuple[str, ...]

    @property
    def times(self) -> np.ndarray:
        """Days, datetime64[D] of shape (T,)."""
        return self.loaded.raw.times

    @property
    def symbols(self) -> np.ndarray:
        """Sorted, shape (N,)."""
        return self.loaded.raw.symbols

    @property
    def day(self) -> date:
        """The last day."""
        return day_at(self.times, -1)


def compare(
    data: DataAccessLayer,
    registry: FactorRegistry,
    universe: Universe,
    day: date | None,
    rows_before: int = 0,
    first_day: date | None = None,
) -> Comparison:
    """Return who is compared on a day, the last one there is unless given, or on all days from `first_day` to it.

    Parameters
    ----------
    rows_before : int
        Trading days before the first one wanted that are to be there too, if the data go back so far.

    Raises
    ------
    NotFound
        If there are no bars on the day; names the days around it.
    UnknownSymbol
        If the universe names a symbol without bars.
    InvalidRequest
        If nobody is left to compare, or the data are too few.
    """
    last = _day_with_bars(data, day)
    begin = last if first_day is None else first_day
    if begin > last:
        raise InvalidRequest(f"start must not be after end, was {begin} .. {last}")
    start = begin - timedelta(days=int(rows_before * DAYS_A_SESSION) + _BEFORE)
    loaded = load_market(data, start, last)
    times = loaded.raw.times
    if day_at(times, -1) != last:
        raise NotFound(_no_bars(data, last))
    wanted = len(times) - 1 if first_day is None else int(np.searchsorted(times, np.datetime64(first_day)))
    earliest = max(wanted - rows_before, 0)
    chosen, left_out = _chosen(data, registry, universe, loaded, earliest)
    if not chosen[-1].any():
        why = ", ".join(f"{count} {reason}" for reason, count in left_out)
        raise InvalidRequest(f"universe: no name is left to compare on {last}; left out: {why}")
    return Comparison(loaded, wanted, earliest, chosen, tuple(left_out), *_labels(data, loaded, last))


def _chosen(
    data: DataAccessLayer, registry: FactorRegistry, universe: Universe, loaded: MarketData, first: int
) -> tuple[np.ndarray, list[tuple[str, int]]]:
    """Return who is compared, shape (T, N), and why others are not on the last day."""
    traded, symbols = loaded.market.traded, loaded.raw.symbols
    chosen = np.ones(traded.shape, dtype=bool)
    chosen[:, ~traded.any(axis=0)] = False
    told: list[tuple[str, int]] = []

    alive = traded[-_LATELY:].any(axis=0)  # who left the market long ago is not worth a word

    def keep(those: np.ndarray, reason: str) -> None:
        if gone := int((chosen[-1] & ~those[-1] & alive).sum()):
            told.append((reason, gone))
        np.logical_and(chosen, those, out=chosen)

    if universe.symbols:
        if unknown := sorted(set(universe.symbols) - set(symbols.tolist())):
            raise UnknownSymbol(unknown, "universe.symbols: the data up to the day")
        keep(np.broadcast_to(np.isin(symbols, universe.symbols), chosen.shape), "not among universe.symbols")
    if not universe.suspended:
        keep(traded, "did not trade")
    elif (rows := data.read(Query(INSTRUMENTS))).num_rows:
        keep(InstrumentTable.from_table(rows).listed_mask(loaded.raw.times, symbols), "are not listed")
    if not universe.special_treatment and loaded.special is not None:
        keep(~loaded.special, "under special treatment")
    if universe.seasoned:
        keep(_seasoned(data, loaded, chosen[first:]), "had not traded on 60 days before")
    if universe.where:
        where = formula(registry, universe.where, "universe.where")
        (found,) = values_of(data, [where], loaded, first)
        met = np.zeros(chosen.shape, dtype=bool)
        met[first:] = found > 0  # NaN, unknown, is not met
        keep(met, "do not meet universe.where")
    return chosen, told


def _seasoned(data: DataAccessLayer, loaded: MarketData, asked: np.ndarray) -> np.ndarray:
    """Return where names had traded on 60 days before, shape (T, N), whenever the rows that are loaded begin.

    Parameters
    ----------
    asked : array of bool, shape (R, N)
        Which cells of the last R rows it must be right for.
    """
    traded = loaded.market.traded
    # A row without trade in front: who traded on the first row that happens to be loaded need not be old.
    nobody = np.zeros((1, traded.shape[1]), dtype=bool)
    seasoned = is_seasoned(np.concatenate([nobody, traded]))[1:]
    unsure = np.flatnonzero((asked & ~seasoned[-len(asked) :]).any(axis=0))
    if len(unsure):  # new, or back from a long suspension: their whole history tells
        history = data.panel(["close"], loaded.raw.symbols[unsure].tolist(), end=day_at(loaded.raw.times, -1))
        seasoned[:, unsure] = is_seasoned(~np.isnan(history["close"]))[-len(traded) :]
    return seasoned


def day_at(times: np.ndarray, row: int) -> date:
    """Return the day of a row."""
    found: date = times[row].astype("datetime64[D]").item()
    return found


def _day_with_bars(data: DataAccessLayer, day: date | None) -> date:
    span = data.store.span(DAILY)
    if span is None:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    if day is not None and not span.first <= day <= span.last:
        raise NotFound(f"there are no bars on {day}; the data reach from {span.first} to {span.last}")
    return day or span.last


def _no_bars(data: DataAccessLayer, day: date) -> str:
    near = data.panel(["close"], start=day - _AFTER, end=day + _AFTER).times
    row = int(np.searchsorted(near, np.datetime64(day)))
    around = " and ".join(str(found) for found in near[max(row - 1, 0) : row + 1])
    return f"there are no bars on {day}; nearest: {around or 'none within 60 days'}"


def _labels(data: DataAccessLayer, loaded: MarketData, day: date) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the name and the industry of each column on the last day."""
    symbols = loaded.raw.symbols.tolist()
    if loaded.industries is None:
        return tuple(symbols), ("",) * len(symbols)
    known = loaded.industries.names
    codes = loaded.industries.laid_on(loaded.raw.shape)[-1].tolist()
    rows = data.read(Query(INSTRUMENTS, columns=("name",))).sort_by("valid_from").to_pylist()
    names = {row["symbol"]: row["name"] for row in rows if row["valid_from"] <= day}
    return (
        tuple(names.get(symbol, symbol) for symbol in symbols),
        tuple(known[code] if 0 <= code < len(known) else "" for code in codes),
    )
