"""The companies as v1's table `stock_basic` had them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from quantflux.api.v1_compat.remembered import Remembered
from quantflux.core.instruments import Instrument, InstrumentTable, Status
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.platform import Platform

_SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Listing:
    """Who there is.

    Attributes
    ----------
    rows : tuple of mapping
        `ts_code, symbol, name, area, industry, list_date` of every company that is listed, by `ts_code`.
    by_code : mapping of str to mapping
        The same with those that left the market.
    """

    rows: tuple[Mapping[str, Any], ...]
    by_code: Mapping[str, Mapping[str, Any]]

    def of(self, code: str) -> Mapping[str, Any]:
        """Return the row of a symbol, of nulls if it is not known."""
        return self.by_code.get(code) or _row(code)

    def beside(self, code: str) -> dict[str, Any]:
        """Return what v1 joined to scores: all but the code itself."""
        return {key: value for key, value in self.of(code).items() if key != "ts_code"}


_LISTINGS: Remembered[Listing] = Remembered(2)


def listing_of(platform: Platform) -> Listing:
    """Return who is listed today.

    Where no companies are stored, it is every symbol that has bars, without a name.
    """
    today = platform.clock.now().astimezone(_SHANGHAI).date()
    versions = platform.data.version(INSTRUMENTS), platform.data.version(DAILY)
    return _LISTINGS.get(platform, (*versions, today), lambda: _listing(platform, today))


def _listing(platform: Platform, today: date) -> Listing:
    data = platform.data
    table = (
        InstrumentTable.from_table(data.read(Query(INSTRUMENTS)))
        if data.store.span(INSTRUMENTS) is not None
        else InstrumentTable([])
    )
    if not len(table):
        symbols = data.symbols(DAILY) if data.store.span(DAILY) is not None else []
        rows = tuple(_row(symbol) for symbol in symbols)
        return Listing(rows, {row["ts_code"]: row for row in rows})
    known = {each.symbol: _row_of(each) for each in table.at(today)}
    gone = {
        each.symbol
        for each in table.at(today)
        if each.status is Status.DELISTED or (each.delist_date is not None and each.delist_date <= today)
    }
    return Listing(tuple(row for code, row in known.items() if code not in gone), known)


def _row_of(each: Instrument) -> dict[str, Any]:
    return _row(each.symbol, each.name, each.industry or None, each.list_date)


def _row(
    code: str, name: str | None = None, industry: str | None = None, listed: date | None = None
) -> dict[str, Any]:
    return {
        "ts_code": code,
        "symbol": code.partition(".")[0],
        "name": name,
        "area": None,  # no source that quantflux reads tells it
        "industry": industry,
        "list_date": None if listed is None else listed.isoformat(),
    }
