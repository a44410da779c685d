"""The market of one span, loaded once for all runs over it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from quantflux.backtest.listing import GONE_AFTER, traded_span
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest, NotFound, VersionConflict
from quantflux.core.gaps import carried_forward
from quantflux.core.instruments import InstrumentTable
from quantflux.core.panel import Panel
from quantflux.core.symbols import is_share
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.corporate_actions import load_corporate_actions
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, DAILY_BASIC, INSTRUMENTS, Dataset
from quantflux.factors.universe import is_seasoned
from quantflux.rules import Standing

_BARS = ("open", "high", "low", "close", "volume", "amount", "adj_factor")
_READ = (DAILY, DAILY_BASIC, INSTRUMENTS, CORPORATE_ACTIONS)
WARM_UP = timedelta(days=150)
"""What is loaded before the start: at least 60 sessions, so that it is known which names are seasoned."""
_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class Arena:
    """What runs over one span share.

    Attributes
    ----------
    venue : Venue
        Its rows begin some months before the span.
    begin : int
        First row of the span; no decision is taken before.
    traded, seasoned : array of bool, shape (T, N)
        Where a name has a bar, and where it has had bars on 60 days before.
    special : array of bool, shape (T, N), or None
        Where it is under special treatment; None where no instruments are stored.
    versions : dict of str to int
        Of the datasets that were read.
    """

    venue: Venue
    begin: int
    traded: np.ndarray
    seasoned: np.ndarray
    special: np.ndarray | None
    versions: dict[str, int]


def load_arena(
    data: DataAccessLayer, start: date | None = None, end: date | None = None, warm_up: timedelta = WARM_UP
) -> Arena:
    """Load the shares of a span and of a while before it, or all symbols where there are no shares.

    Raises
    ------
    NotFound
        If there are no daily bars in the span.
    InvalidRequest
        If there are fewer than three.
    VersionConflict
        If the data were written to again and again while they were read.
    """
    if data.store.span(DAILY) is None:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    for _ in range(_ATTEMPTS):
        versions = versions_of(data, _READ)
        arena = _loaded(data, start, end, versions, warm_up)
        if versions_of(data, _READ) == versions:
            return arena
    raise VersionConflict(
        f"the data were written to during each of {_ATTEMPTS} attempts to read them; try again"
    )


def versions_of(data: DataAccessLayer, datasets: tuple[Dataset, ...]) -> dict[str, int]:
    """Return the versions of datasets that hold rows, and have the next reads show at least these."""
    found = {}
    for dataset in datasets:
        if data.panels is not None and (panels := data.panels.of(dataset)) is not None:
            panels.expire()
        if version := data.version(dataset):
            found[dataset.name] = version
    return found


def _loaded(
    data: DataAccessLayer,
    start: date | None,
    end: date | None,
    versions: dict[str, int],
    warm_up: timedelta,
) -> Arena:
    bars = _shares(data.panel(_BARS, start=None if start is None else start - warm_up, end=end))
    begin = 0 if start is None else int(np.searchsorted(bars.times, np.datetime64(start)))
    if len(bars) - begin < 3:
        raise InvalidRequest(
            f"a backtest needs at least 3 days, there are {len(bars) - begin} from {start or 'the first'} to "
            f"{end or 'the last'}; the bars reach {_reach(data)}"
        )
    standing, delisted = None, None
    if INSTRUMENTS.name in versions:
        table = data.read(Query(INSTRUMENTS))
        standing = Standing.of(table, bars.times, bars.symbols)
        delisted = leaving_days(table, bars)
    special = None if standing is None else standing.special
    traded = ~np.isnan(bars["close"])
    venue = Venue.daily(
        bars,
        special=special,
        delisting=None if standing is None else standing.delisting,
        listed=None if standing is None else standing.listed,
        actions=load_corporate_actions(data, bars.times, bars.symbols),
        delisted=delisted,
        capitalisation=_capitalisation(data, bars) if DAILY_BASIC.name in versions else None,
    )
    return Arena(venue, begin, traded, is_seasoned(traded), special, versions)


def _shares(bars: Panel) -> Panel:
    shares = [symbol for symbol in bars.symbols.tolist() if is_share(symbol)]
    return bars if len(shares) in (0, bars.shape[1]) else bars.select(symbols=shares)


def _reach(data: DataAccessLayer) -> str:
    span = data.store.span(DAILY)
    return "nowhere" if span is None else f"from {span.first} to {span.last}"


def leaving_days(instruments: pa.Table, bars: Panel) -> np.ndarray:
    """Return the first day on which each name is off the exchange, shape (N,); NaT where it is still on it.

    A name whose code was changed has left under the old one. One that the instruments do not know has left if it has
    no bar in the last 60 rows.
    """
    known = InstrumentTable.from_table(instruments)
    symbols = set(known.symbols)
    _, last = traded_span(bars["close"])
    left = np.full(len(bars.symbols), np.datetime64("NaT"), dtype="datetime64[D]")
    for column, symbol in enumerate(bars.symbols.tolist()):
        if symbol in symbols:
            if (day := _left_on(known, symbol)) is not None:
                left[column] = day
        elif last[column] < len(bars) - 1 - GONE_AFTER:
            left[column] = bars.times[last[column]] + 1
    return left


def _left_on(known: InstrumentTable, symbol: str) -> date | None:
    newest = known.latest(symbol)
    if newest.symbol == symbol:
        return newest.delist_date
    history = known.history(newest.instrument_id)
    held = max(row.valid_from for row in history if row.symbol == symbol)
    return min(row.valid_from for row in history if row.valid_from > held)


def _capitalisation(data: DataAccessLayer, bars: Panel) -> np.ndarray:
    """Return the market value of each name at each close, yuan; a gap has the value before it."""
    found = data.panel(
        ["total_mv"],
        symbols=bars.symbols.tolist(),
        start=bars.times[0].item(),
        end=bars.times[-1].item(),
        dataset=DAILY_BASIC,
    )
    return carried_forward(found.reindex(times=bars.times, symbols=bars.symbols)["total_mv"])
