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
from quantflux.rules import OpenLocks, locked_at_open, special_treatment

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
    special : array of bool, shape (T, N), or None
        Names under special treatment; None where no instruments are stored.
    industries : Industries or None
        None where no instruments are stored.
    """

    raw: Panel
    market: Market
    locks: OpenLocks
    special: np.ndarray | None
    industries: Industries | None


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
    special = special_treatment(instruments, raw.times, raw.symbols) if instruments.num_rows else None
    locks = locked_at_open(raw, special)
    industries = _industries(data, raw) if instruments.num_rows else None
    return MarketData(raw, Market.of(research_panel(raw), locks, special), locks, special, industries)


def _industries(data: DataAccessLayer, raw: Panel) -> Industries:
    loaded = load_fields(data, ["industry"], raw.symbols.tolist(), str(raw.times[0]), str(raw.times[-1]))
    codes = loaded.panel.reindex(times=raw.times, symbols=raw.symbols)["industry"]
    return Industries(np.where(np.isnan(codes), -1, codes).astype(np.int16), loaded.labels["industry"])
