"""The daily market of an installation, ready to judge factors on: prices, permissions, industries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.core.symbols import is_share
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.request import WhenLike
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.factors.fields import load_fields
from quantflux.factors.inputs import research_panel
from quantflux.factors.universe import Industries, Market
from quantflux.rules import OpenLocks, Standing, locked_at_open

_LEAST_SYMBOLS, _LEAST_DAYS = 10, 60


@dataclass(frozen=True)
class MarketData:
    """A market and what it was made from.

    Attributes
    ----------
    raw : Panel
        Bars as traded, with `adj_factor`.
    market : Market
    locks : OpenLocks
        Opens at a price limit.
    standing : Standing or None
        Special treatment, delisting periods and days of listing; None where no instruments are stored.
    industries : Industries or None
        None where no instruments are stored.
    """

    raw: Panel
    market: Market
    locks: OpenLocks
    standing: Standing | None
    industries: Industries | None

    @property
    def special(self) -> np.ndarray | None:
        """Names under special treatment, bool of shape (T, N); None where no instruments are stored."""
        return None if self.standing is None else self.standing.special


def load_market(data: DataAccessLayer, start: WhenLike = None, end: WhenLike = None) -> MarketData:
    """Return the market of all shares, or of all symbols where there are no shares.

    Raises
    ------
    NotFound
        If there are no daily bars.
    InvalidRequest
        If there are too few of them to compare names with each other.
    """
    known = data.symbols(DAILY)
    if not known:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    shares = [symbol for symbol in known if is_share(symbol)] or known
    fields = ["open", "high", "low", "close", "volume", "amount", "adj_factor"]
    raw = data.panel(fields, symbols=shares, start=start, end=end)
    if raw.shape[1] < _LEAST_SYMBOLS or raw.shape[0] < _LEAST_DAYS:
        raise InvalidRequest(
            f"comparing names needs at least {_LEAST_SYMBOLS} symbols and {_LEAST_DAYS} days, "
            f"found {raw.shape[1]} symbols and {raw.shape[0]} days"
        )
    instruments = data.read(Query(INSTRUMENTS))
    if not instruments.num_rows:
        locks = locked_at_open(raw)
        return MarketData(raw, Market.of(research_panel(raw), locks), locks, None, None)
    standing = Standing.of(instruments, raw.times, raw.symbols)
    locks = locked_at_open(raw, standing.special, delisting=standing.delisting, listed=standing.listed)
    market = Market.of(research_panel(raw), locks, standing.special)
    return MarketData(raw, market, locks, standing, _industries(data, raw))


def _industries(data: DataAccessLayer, raw: Panel) -> Industries:
    loaded = load_fields(data, ["industry"], raw.symbols.tolist(), str(raw.times[0]), str(raw.times[-1]))
    codes = loaded.panel.reindex(times=raw.times, symbols=raw.symbols)["industry"]
    return Industries(np.where(np.isnan(codes), -1, codes).astype(np.int16), loaded.labels["industry"])
