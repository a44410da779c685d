"""Downloads through AKShare: bars from Eastmoney, cumulative factors and corporate actions from Sina.

Eastmoney's own adjusted prices are adjusted by subtraction and never used. Volume comes in lots, amount in yuan.
Bans show as connections closed without an answer, or as a page that is no JSON.
"""

from __future__ import annotations

import time
from datetime import date
from json import JSONDecodeError
from typing import Any

import numpy as np
import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import RateLimited, SourceChanged, SourceError, SourceUnavailable
from quantflux.core.symbols import parse_symbol, to_akshare, to_sina
from quantflux.data.contract import Span
from quantflux.data.schema import TimeKind
from quantflux.data.sources.calling import Caller, Sleep, TokenBucket, vendor_module
from quantflux.data.sources.contract import Batch, Listing
from quantflux.data.sources.factor_steps import with_factor_steps
from quantflux.data.sources.files.action_rows import ACTION_LAYOUTS, added_up, answered_actions
from quantflux.data.sources.files.minutes import closing_labels
from quantflux.data.sources.frames import bars, compact_day, factor_steps, vendor_frame

_BARS = {
    "open": "开盘",
    "high": "最高",
    "low": "最低",
    "close": "收盘",
    "volume": "成交量",
    "amount": "成交额",
}
_NO_FACTOR = "factor not available"
BAN_WAIT = 60.0
"""Seconds before asking again after a connection was closed without an answer."""


class AkshareSource:
    """AKShare as a `Source`.

    Parameters
    ----------
    clock : Clock
    calls_per_minute : int
    module : optional
        Stands in for the library, in tests.
    sleep : callable
    """

    name = "akshare"

    def __init__(
        self, *, clock: Clock, calls_per_minute: int = 60, module: Any = None, sleep: Sleep = time.sleep
    ) -> None:
        self._ak = module if module is not None else vendor_module("akshare")
        self._clock = clock
        self._caller = Caller(TokenBucket(calls_per_minute, clock=clock, sleep=sleep), classify, sleep=sleep)

    def daily_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Return raw daily bars with Sina's cumulative factor; see `Source`."""
        answer = self._caller.call(
            self._ak.stock_zh_a_hist,
            symbol=to_akshare(symbol),
            period="daily",
            start_date=compact_day(start),
            end_date=compact_day(end),
            adjust="",
        )
        endpoint = "akshare.stock_zh_a_hist"
        rows = bars(
            vendor_frame(answer, {"time": "日期", **_BARS}, endpoint), symbol, TimeKind.DAY, endpoint, lot=100
        )
        if rows.height:
            rows = self._with_factors(symbol, rows)
            endpoint += " + stock_zh_a_daily(hfq-factor)"
        return Batch(symbol, rows, self.name, endpoint, self._clock.now())

    def minute_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Return one-minute bars; Eastmoney serves the last five trading days only."""
        answer = self._caller.call(
            self._ak.stock_zh_a_hist_min_em,
            symbol=to_akshare(symbol),
            start_date=f"{start} 09:30:00",
            end_date=f"{end} 15:00:00",
            period="1",
            adjust="",
        )
        endpoint = "akshare.stock_zh_a_hist_min_em"
        rows = bars(
            vendor_frame(answer, {"time": "时间", **_BARS}, endpoint),
            symbol,
            TimeKind.MINUTE,
            endpoint,
            lot=100,
        )
        rows = rows.with_columns(
            pl.lit(None, pl.String).alias("bad_cells"), pl.lit(0, pl.Int64).alias("source_row")
        )
        return Batch(symbol, closing_labels(rows, "close"), self.name, endpoint, self._clock.now())

    def corporate_actions(self, symbol: str, start: date, end: date) -> Batch:
        """Return dividends, share distributions and rights issues."""
        endpoint = "akshare.stock_history_dividend_detail"
        parts = []
        for indicator, name in (("分红", "sina"), ("配股", "sina-rights")):
            answer = self._caller.call(
                self._ak.stock_history_dividend_detail, symbol=to_akshare(symbol), indicator=indicator
            )
            layout = ACTION_LAYOUTS[name]
            columns = {ours: theirs for ours, theirs in layout.columns.items() if ours != "symbol"}
            frame = vendor_frame(answer, columns, endpoint)
            parts.append(answered_actions(frame, layout, symbol, Span(start, end), endpoint))
        return Batch(symbol, added_up(parts), self.name, endpoint, self._clock.now())

    def listings(self) -> list[Listing]:
        """Return codes and names of the shares listed now."""
        answer = self._caller.call(self._ak.stock_info_a_code_name)
        frame = vendor_frame(answer, {"code": "code", "name": "name"}, "akshare.stock_info_a_code_name")
        return sorted(
            (Listing(parse_symbol(code), name) for code, name in frame.iter_rows()), key=lambda x: x.symbol
        )

    def sessions(self, start: date, end: date) -> np.ndarray:
        """Return Sina's list of trading days."""
        answer = self._caller.call(self._ak.tool_trade_date_hist_sina)
        frame = vendor_frame(answer, {"day": "trade_date"}, "akshare.tool_trade_date_hist_sina")
        days = np.array(sorted(frame["day"].to_list()), dtype="datetime64[D]")
        return days[(days >= np.datetime64(start)) & (days <= np.datetime64(end))]

    def close(self) -> None:
        """Nothing to log out of."""

    def _with_factors(self, symbol: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Add the factor; null for shares that Sina has none of (Beijing, mostly)."""
        try:
            answer = self._caller.call(self._ak.stock_zh_a_daily, symbol=to_sina(symbol), adjust="hfq-factor")
        except _NoFactorError:
            return rows.with_columns(pl.lit(None, pl.Float64).alias("adj_factor"))
        columns = {"day": "date", "adj_factor": "hfq_factor"}
        return with_factor_steps(
            rows, factor_steps(vendor_frame(answer, columns, "akshare.stock_zh_a_daily"))
        )


class _NoFactorError(SourceError):
    """Sina has no factor for this share."""


def classify(exc: Exception) -> SourceError:
    """Return our error for one that AKShare let through."""
    text = f"{type(exc).__name__}: {exc}"
    if _NO_FACTOR in text:
        return _NoFactorError(text)
    if "RemoteDisconnected" in text or "Connection aborted" in text or "403" in text or "429" in text:
        return RateLimited(
            f"akshare: the vendor closed the connection, as it does to those it bans: {text}", BAN_WAIT
        )
    if isinstance(exc, (OSError, JSONDecodeError)):
        return SourceUnavailable(f"akshare: {text}")
    if isinstance(exc, (KeyError, IndexError, TypeError, AttributeError, ValueError)):
        return SourceChanged(f"akshare could not read the vendor's answer: {text}; a newer akshare may")
    return SourceError(f"akshare: {text}")
