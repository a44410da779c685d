"""Downloads from Tushare Pro.

Daily volume comes in lots and amount in thousand yuan; for minutes it is shares and yuan.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, RateLimited, SourceChanged, SourceError, SourceUnavailable
from quantflux.core.symbols import parse_symbol, to_tushare
from quantflux.data.contract import Span
from quantflux.data.schema import TimeKind
from quantflux.data.sources.calling import Caller, Sleep, TokenBucket, vendor_module
from quantflux.data.sources.contract import Batch, Listing
from quantflux.data.sources.files.action_rows import ACTION_LAYOUTS, answered_actions
from quantflux.data.sources.frames import bars, compact_day, factor_steps, vendor_frame

_BARS = {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "vol", "amount": "amount"}
ROWS_PER_CALL = 6_000
DAYS_PER_CALL = 8_000
"""Calendar days of one symbol that surely fit `ROWS_PER_CALL` daily rows."""
MINUTE_DAYS_PER_CALL = 30
"""Calendar days of one symbol whose minutes surely fit 8,000 rows."""


class TushareSource:
    """Tushare Pro as a `Source`.

    Parameters
    ----------
    clock : Clock
    token : str or SecretStr
        Of the account.
    calls_per_minute : int
    module : optional
        Stands in for the library, in tests.
    sleep : callable

    Raises
    ------
    InvalidRequest
        If there is no token.
    """

    name = "tushare"

    def __init__(
        self,
        *,
        clock: Clock,
        token: Any = "",
        calls_per_minute: int = 200,
        module: Any = None,
        sleep: Sleep = time.sleep,
    ) -> None:
        secret = token.get_secret_value() if hasattr(token, "get_secret_value") else token
        if not secret:
            raise InvalidRequest(
                "tushare needs a token: set sources.tushare.token (QUANTFLUX_SOURCES__TUSHARE__TOKEN)"
            )
        library = module if module is not None else vendor_module("tushare")
        self._pro = library.pro_api(secret)
        self._clock = clock
        self._caller = Caller(TokenBucket(calls_per_minute, clock=clock, sleep=sleep), classify, sleep=sleep)

    def daily_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Return raw daily bars with Tushare's cumulative factor; see `Source`."""
        code = to_tushare(symbol)
        prices = self._windows(
            self._pro.daily, {"time": "trade_date", "pre_close": "pre_close", **_BARS}, code, start, end
        )
        rows = bars(prices, symbol, TimeKind.DAY, "tushare.daily", lot=100, money=1_000.0)
        if rows.height:
            columns = {"day": "trade_date", "adj_factor": "adj_factor"}
            factors = factor_steps(self._windows(self._pro.adj_factor, columns, code, start, end))
            rows = rows.join(
                factors.unique("day", keep="last").rename({"day": "trade_date"}),
                on="trade_date",
                how="left",
                maintain_order="left",
            )
        return Batch(symbol, rows, self.name, "tushare.daily + adj_factor", self._clock.now())

    def minute_bars(self, symbol: str, start: date, end: date) -> Batch:
        """Return one-minute bars, for accounts that have the right to them."""
        parts = []
        first = start
        while first <= end:
            last = min(end, first + timedelta(days=MINUTE_DAYS_PER_CALL - 1))
            answer = self._caller.call(
                self._pro.stk_mins,
                ts_code=to_tushare(symbol),
                freq="1min",
                start_date=f"{first} 09:00:00",
                end_date=f"{last} 16:00:00",
            )
            parts.append(vendor_frame(answer, {"time": "trade_time", **_BARS}, "tushare.stk_mins"))
            first = last + timedelta(days=1)
        filled = [p for p in parts if p.height]
        frame = pl.concat(filled) if filled else parts[0]
        rows = bars(frame, symbol, TimeKind.MINUTE, "tushare.stk_mins")
        return Batch(symbol, rows, self.name, "tushare.stk_mins", self._clock.now())

    def corporate_actions(self, symbol: str, start: date, end: date) -> Batch:
        """Return dividends and share distributions; Tushare tells of no rights issues."""
        endpoint, layout = "tushare.dividend", ACTION_LAYOUTS["tushare"]
        answer = self._caller.call(
            self._pro.dividend, ts_code=to_tushare(symbol), fields=",".join(layout.columns.values())
        )
        frame = vendor_frame(answer, layout.columns, endpoint)
        rows = answered_actions(frame, layout, symbol, Span(start, end), endpoint)
        return Batch(symbol, rows, self.name, endpoint, self._clock.now())

    def listings(self) -> list[Listing]:
        """Return all shares: listed, delisted and paused."""
        fields = {
            "symbol": "ts_code",
            "name": "name",
            "industry": "industry",
            "on": "list_date",
            "off": "delist_date",
        }
        found = []
        for status in ("L", "D", "P"):
            answer = self._caller.call(
                self._pro.stock_basic, exchange="", list_status=status, fields=",".join(fields.values())
            )
            for symbol, name, industry, on, off in vendor_frame(
                answer, fields, "tushare.stock_basic"
            ).iter_rows():
                found.append(Listing(parse_symbol(symbol), name, _day(on), _day(off), industry or ""))
        return sorted(found, key=lambda listing: listing.symbol)

    def sessions(self, start: date, end: date) -> np.ndarray:
        """Return the trading days of the Shanghai exchange."""
        answer = self._caller.call(
            self._pro.trade_cal,
            exchange="SSE",
            start_date=compact_day(start),
            end_date=compact_day(end),
            is_open="1",
        )
        frame = vendor_frame(answer, {"day": "cal_date"}, "tushare.trade_cal")
        return np.array(sorted(filter(None, map(_day, frame["day"]))), dtype="datetime64[D]")

    def close(self) -> None:
        """Nothing to log out of."""

    def _windows(
        self, function: Callable[..., Any], columns: dict[str, str], code: str, start: date, end: date
    ) -> pl.DataFrame:
        """Ask in windows that fit the vendor's cap on rows, so that nothing is cut off."""
        parts = []
        first = start
        while first <= end:
            last = min(end, first + timedelta(days=DAYS_PER_CALL - 1))
            answer = self._caller.call(
                function, ts_code=code, start_date=compact_day(first), end_date=compact_day(last)
            )
            parts.append(vendor_frame(answer, columns, f"tushare.{getattr(function, '__name__', 'query')}"))
            first = last + timedelta(days=1)
        filled = [p for p in parts if p.height]
        return pl.concat(filled) if filled else parts[0]


def _day(text: str | None) -> date | None:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text else None


_REFUSALS: tuple[tuple[str, str], ...] = (
    ("最多访问", "the quota of the day or hour is used up; run the sync again later"),
    ("权限", "this account may not use the interface"),
    ("token", "the token was refused; check sources.tushare.token"),
)
"""What the server says, as text in a bare Exception, and what it means. None of these passes by waiting a minute."""


def classify(exc: Exception) -> SourceError:
    """Return our error for one that Tushare raised."""
    text = str(exc)
    if "每分钟最多访问" in text:
        return RateLimited(f"tushare: {text}", retry_after=60.0)
    for marker, meaning in _REFUSALS:
        if marker in text.lower():
            return SourceError(f"tushare: {meaning}: {text}")
    if isinstance(exc, (KeyError, IndexError, TypeError, AttributeError)):
        return SourceChanged(f"tushare could not read the server's answer: {type(exc).__name__}: {text}")
    return SourceUnavailable(f"tushare: {type(exc).__name__}: {text}")
