"""A small clean market for planting faults in: on tick, within limits, average prices inside the bar."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import polars as pl

from quantflux.core.calendar import TradingCalendar

SYMBOLS = ("000001.SZ", "300750.SZ", "600519.SH", "688981.SH", "920047.BJ")
START, END = date(2023, 1, 3), date(2024, 12, 31)


@cache
def sessions(start: date = date(1990, 12, 19), end: date = date(2025, 12, 31)) -> np.ndarray:
    return TradingCalendar.for_exchange("SSE").sessions(start, end)


@cache
def clean_daily(
    symbols: tuple[str, ...] = SYMBOLS, start: date = START, end: date = END, seed: int = 7
) -> pl.DataFrame:
    """Rows in canonical units, as the checker takes them."""
    days = sessions(start, end)
    frames = []
    for index, symbol in enumerate(symbols):
        rng = np.random.default_rng(seed + index)
        close = np.round(20 * np.exp(np.cumsum(rng.normal(0, 0.01, len(days)).clip(-0.04, 0.04))), 2)
        opened = np.round(
            np.concatenate([close[:1], close[:-1]]) * (1 + rng.uniform(-0.01, 0.01, len(days))), 2
        )
        high = np.round(np.maximum(opened, close) + rng.integers(1, 20, len(days)) / 100, 2)
        low = np.round(np.minimum(opened, close) - rng.integers(1, 20, len(days)) / 100, 2)
        volume = rng.integers(10_000, 90_000, len(days)) * 100.0
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [symbol] * len(days),
                    "trade_date": pl.Series(days).cast(pl.Date),
                    "open": opened,
                    "high": high,
                    "low": low,
                    "close": close,
                    "volume": volume,
                    "amount": np.round(volume * (high + low) / 2, 2),
                    "adj_factor": np.ones(len(days)),
                }
            )
        )
    return pl.concat(frames)


@cache
def clean_minutes(symbol: str = "600519.SH", days: int = 2, start: date = date(2024, 6, 3)) -> pl.DataFrame:
    """One-minute bars labelled by their close, 240 a day."""
    labels = [*range(571, 691), *range(781, 901)]
    dates = sessions(start, date(2024, 12, 31))[:days].astype(object)
    stamps = [f"{day} {m // 60:02d}:{m % 60:02d}:00" for day in dates for m in labels]
    rng = np.random.default_rng(3)
    close = np.round(1700 + np.cumsum(rng.integers(-20, 21, len(stamps))) / 100, 2)
    volume = rng.integers(1, 50, len(stamps)) * 100.0
    return pl.DataFrame(
        {
            "symbol": symbol,
            "bar_time": pl.Series(stamps)
            .str.to_datetime(time_unit="us")
            .dt.replace_time_zone("Asia/Shanghai"),
            "open": close,
            "high": close + 0.05,
            "low": close - 0.05,
            "close": close,
            "volume": volume,
            "amount": np.round(volume * close, 2),
        }
    )
