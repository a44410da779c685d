"""Downloads from BaoStock: Shanghai and Shenzhen, shares and yuan, every cell as text, a login for the whole process.

Its shortest bars are of 5 minutes, so that one-minute bars cannot be had here, and it has no Beijing exchange.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import (
    InvalidRequest,
    RateLimited,
    SourceChanged,
    SourceError,
    SourceUnavailable,
    Unsupported,
)
from quantflux.core.symbols import parse_symbol, to_baostock
from quantflux.data.contract import Span
from quantflux.data.schema import FIRST_TRADING_DAY, TimeKind
from quantflux.data.sources.calling import Caller, Sleep, TokenBucket, vendor_module
from quantflux.data.sources.contract import Batch, Listing
from quantflux.data.sources.factor_steps import with_factor_steps
from quantflux.data.sources.files.action_rows import ACTION_LAYOUTS, answered_actions
from quantflux.data.sources.frames import bars, factor_steps

_FIELDS = (
    "date",
    "code",
    "open",
    "high",
    "low",
    "close",
    "preclose",
    "volume",
    "amount",
    "adjustflag",
    "tradestatus",
)
_RAW = "3"
_NOT_LOGGED_IN = "10001001"
_BANNED = "黑名单"


class BaostockSource:
    """BaoStock as a `Source`.

    Parameters
    ----------
    clock : Clock
    calls_per_minute : int
    module : optional
        Stands in for the library, in tests.
    sleep : callable
    """

    name = "baostock"

    def __init__(
        self, *, clock: Clock, calls_per_minute: int = 120, module: Any = None, sleep: Sleep = time.sleep
    ) -> None:
        self._bs = module if module is not None else vendor_module("baostock")
        self._clock = clock
        self._caller = Caller(TokenBucket(calls_per_minute, clock=clock, sleep=sleep), classify, sleep=sleep)
        self._logged_in = False

    def daily_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Return raw daily bars with BaoStock's backward factor; see `Source`. Suspended days have volume 0."""
        code = to_baostock(symbol)
        endpoint = "baostock.query_history_k_data_plus"
        frame = self._query(
            self._bs.query_history_k_data_plus,
            _FIELDS,
            endpoint,
            code,
            ",".join(_FIELDS),
            start_date=start.isoformat(),
            end_date=end.isoformat(),
            frequency="d",
            adjustflag=_RAW,
        )
        if frame.height and set(frame["adjustflag"].unique()) != {_RAW}:
            raise SourceChanged(
                f"{endpoint} was asked for raw prices and gave adjustflag {frame['adjustflag'][0]!r}"
            )
        idle = pl.col("tradestatus") == "0"
        frame = frame.with_columns(
            pl.when(idle).then(pl.lit("0")).otherwise(pl.col(n)).alias(n) for n in ("volume", "amount")
        ).rename({"date": "time"})
        rows = bars(frame, symbol, TimeKind.DAY, endpoint)
        if rows.height:
            rows = with_factor_steps(rows, self._factors(code, end))
            endpoint += " + query_adjust_factor"
        return Batch(symbol, rows, self.name, endpoint, self._clock.now())

    def minute_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Refuse: the vendor has no one-minute bars."""
        raise Unsupported(
            f"baostock's shortest bars are of 5 minutes, so it has no one-minute bars of {symbol} ({start} .. {end}); "
            "akshare has the last five days, tushare more"
        )

    def corporate_actions(self, symbol: str, start: date, end: date) -> Batch:
        """Return dividends and share distributions, a call for each year; BaoStock tells of no rights issues."""
        endpoint, layout = "baostock.query_dividend_data", ACTION_LAYOUTS["baostock"]
        headers = tuple(layout.columns.values())
        years = [
            self._query(
                self._bs.query_dividend_data,
                headers,
                endpoint,
                code=to_baostock(symbol),
                year=str(year),
                yearType="operate",
            )
            for year in range(start.year, end.year + 1)
        ]
        frame = pl.concat(years).rename({theirs: ours for ours, theirs in layout.columns.items()})
        rows = answered_actions(frame, layout, symbol, Span(start, end), endpoint)
        return Batch(symbol, rows, self.name, endpoint, self._clock.now())

    def listings(self) -> list[Listing]:
        """Return shares, listed and delisted, with their dates."""
        fields = ("code", "code_name", "ipoDate", "outDate", "type")
        frame = self._query(self._bs.query_stock_basic, fields, "baostock.query_stock_basic")
        shares = frame.filter(pl.col("type") == "1")
        rows = shares.select(fields[:4]).iter_rows()
        found = (Listing(parse_symbol(code), name, _day(on), _day(off)) for code, name, on, off in rows)
        return sorted(found, key=lambda listing: listing.symbol)

    def sessions(self, start: date, end: date) -> np.ndarray:
        """Return the trading days."""
        frame = self._query(
            self._bs.query_trade_dates,
            ("calendar_date", "is_trading_day"),
            "baostock.query_trade_dates",
            start_date=start.isoformat(),
            end_date=end.isoformat(),
        )
        open_days = frame.filter(pl.col("is_trading_day") == "1")["calendar_date"].to_list()
        return np.array(sorted(open_days), dtype="datetime64[D]")

    def close(self) -> None:
        """Log out."""
        if self._logged_in:
            self._logged_in = False
            self._bs.logout()

    def _factors(self, code: str, end: date) -> pl.DataFrame:
        # Asked from the very beginning: the factor in force at the start may have been set decades before.
        frame = self._query(
            self._bs.query_adjust_factor,
            ("dividOperateDate", "backAdjustFactor"),
            "baostock.query_adjust_factor",
            code=code,
            start_date=FIRST_TRADING_DAY.isoformat(),
            end_date=end.isoformat(),
        )
        return factor_steps(frame.rename({"dividOperateDate": "day", "backAdjustFactor": "adj_factor"}))

    def _query(
        self, function: Callable[..., Any], fields: tuple[str, ...], endpoint: str, *args: Any, **named: Any
    ) -> pl.DataFrame:
        """Return the fields we use of a query, as text."""
        return self._caller.call(self._ask, function, fields, endpoint, args, named)

    def _ask(
        self,
        function: Callable[..., Any],
        fields: tuple[str, ...],
        endpoint: str,
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> pl.DataFrame:
        if not self._logged_in:
            _check(self._bs.login(), "baostock.login")
            self._logged_in = True
        result = function(*args, **named)
        if result.error_code == _NOT_LOGGED_IN:
            self._logged_in = False
            raise SourceUnavailable(f"{endpoint}: the session has ended ({result.error_msg})")
        _check(result, endpoint)
        missing = [f for f in fields if f not in result.fields]
        if missing:
            raise SourceChanged(
                f"{endpoint} no longer has {', '.join(missing)}; it has: {', '.join(result.fields)}"
            )
        rows = []
        while result.error_code == "0" and result.next():
            rows.append(result.get_row_data())
        _check(result, endpoint)  # a page may fail on the way: half an answer is no answer
        schema = dict.fromkeys(result.fields, pl.String)
        return pl.DataFrame(rows, schema=schema, orient="row").select(fields)


def _check(answer: Any, endpoint: str) -> None:
    """Raise unless the vendor says that all is well."""
    if answer.error_code == "0":
        return
    text = f"{endpoint}: {answer.error_code} {answer.error_msg}"
    if _BANNED in answer.error_msg:
        raise RateLimited(f"{text}: the vendor has barred this address", retry_after=None)
    if answer.error_code.startswith("10002"):
        raise SourceUnavailable(text)
    if answer.error_code.startswith("10004"):
        raise InvalidRequest(text)
    raise SourceError(text)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def classify(exc: Exception) -> SourceError:
    """Return our error for one that BaoStock let through."""
    text = f"{type(exc).__name__}: {exc}"
    if isinstance(exc, OSError):
        return SourceUnavailable(f"baostock: {text}")
    if isinstance(
        exc, (KeyError, IndexError, TypeError, AttributeError, ValueError, pl.exceptions.PolarsError)
    ):
        return SourceChanged(f"baostock could not read the server's answer: {text}")
    return SourceError(f"baostock: {text}")
