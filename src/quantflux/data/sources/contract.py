"""What a data vendor promises. Vendors implement `Source`; minute bars and corporate actions are optional powers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Span

GROUP = "quantflux.sources"


@dataclass(frozen=True)
class Batch:
    """What one request brought, and where it came from.

    Attributes
    ----------
    rows : DataFrame
        In canonical columns and units, sorted by time; possibly empty. For daily bars with adj_factor, null where
        the vendor has none.
    source, endpoint : str
        Vendor, and the functions that were asked.
    fetched_at : datetime
    digest : str
        SHA-256 of the rows: equal answers have equal digests.
    """

    symbol: str
    rows: pl.DataFrame
    source: str
    endpoint: str
    fetched_at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 of the rows."""
        return hashlib.sha256(self.rows.write_csv().encode()).hexdigest()

    def span(self, time: str) -> Span | None:
        """Return the first and last day of the rows."""
        if not self.rows.height:
            return None
        days = self.rows[time]
        if days.dtype != pl.Date:
            days = days.dt.convert_time_zone("Asia/Shanghai").dt.date()
        return Span(days.min(), days.max())  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Listing:
    """One security as a vendor lists it; what the vendor does not say is None or empty."""

    symbol: str
    name: str
    list_date: date | None = None
    delist_date: date | None = None
    industry: str = ""


class Source(Protocol):
    """A vendor of daily bars.

    Every method may raise `SourceUnavailable`, `RateLimited` (both after retrying), `SourceChanged`, or `Unsupported`
    for what the vendor does not serve.
    """

    name: str

    def daily_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Return raw daily bars with the cumulative backward factor, `start` to `end` inclusive."""

    def listings(self) -> list[Listing]:
        """Return the shares that the vendor knows, sorted by symbol."""

    def sessions(self, start: date, end: date) -> np.ndarray:
        """Return the trading days (datetime64[D]) from `start` to `end`, both inclusive."""

    def close(self) -> None:
        """Log out, where the vendor wants that."""


@runtime_checkable
class CanFetchMinutes(Protocol):
    """Serves one-minute bars."""

    def minute_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Return raw one-minute bars labelled by their close, whole days from `start` to `end`."""


@runtime_checkable
class CanFetchActions(Protocol):
    """Serves dividends, share distributions and, where the vendor has them, rights issues."""

    def corporate_actions(self, symbol: str, start: date, end: date) -> Batch:
        """Return rows of `corporate_actions` that went ex from `start` to `end`, both inclusive."""


def source_names() -> list[str]:
    """Return the names of the vendors that have a downloader, whether or not their library is installed."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def open_source(name: str, options: Mapping[str, Any], clock: Clock) -> Source:
    """Open a vendor by its entry-point name.

    Parameters
    ----------
    name : str
        Such as "akshare".
    options : mapping
        Passed to the class: `calls_per_minute`, and `token` for tushare.
    clock : Clock

    Raises
    ------
    InvalidRequest
        If no such vendor is known.
    MissingDependency
        If its library is not installed.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        raise InvalidRequest(f"no source is called {name!r}; known: {', '.join(sorted(found))}")
    source: Source = found[name].load()(clock=clock, **options)
    return source
