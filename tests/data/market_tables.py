"""Random tables of market data for the panel tier's tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from quantflux.data.schema import DAILY, DAILY_BASIC, MINUTE, Dataset, TimeKind
from quantflux.data.sessions import instants

SYMBOLS = ("000001.SZ", "000002.SZ", "300750.SZ", "430047.BJ", "600519.SH", "688981.SH")
DAYS = tuple(
    date.fromisoformat(day)
    for day in (
        "1991-04-12",
        "1991-05-06",
        "2022-12-30",
        "2023-01-03",
        "2023-01-31",
        "2023-02-01",
        "2024-02-29",
    )
)
"""Two in 1990s summer time and around it, and some around the ends of months and years."""

SLOTS = (0, 1, 4, 5, 59, 119, 120, 121, 235, 239)
"""Minutes of the day, at the edges of bars and sessions."""

VOLUMES = (0, 1, 2**24 + 1, 2**40 + 3, 2**53 - 1, 2**53)
"""Whole numbers that float32 rounds, up to the last that float64 holds."""

DATASETS = (DAILY, MINUTE, DAILY_BASIC)


def instant_of(day: date, slot: int) -> int:
    """Return a minute bar's closing instant, in microseconds since 1970 UTC."""
    return _instants_of(day)[slot]


@cache
def _instants_of(day: date) -> list[int]:
    found: list[int] = instants(np.array([(day - date(1970, 1, 1)).days], dtype=np.int32))[0].tolist()
    return found


def table_of(dataset: Dataset, keys: Sequence[tuple[str, date, int]], seed: int) -> pa.Table:
    """Return rows with these keys (symbol, day, slot); about a fifth of the optional values are null."""
    rng = np.random.default_rng(seed)
    count = len(keys)
    if dataset.kind is TimeKind.DAY:
        times = pa.array([day for _, day, _ in keys], pa.date32())
    else:
        times = pa.array([instant_of(day, slot) for _, day, slot in keys], pa.int64()).view(
            dataset.kind.arrow
        )
    columns: dict[str, pa.Array] = {
        "symbol": pa.array([s for s, _, _ in keys], pa.string()),
        dataset.time: times,
    }
    for field in dataset.fields:
        values = rng.choice(VOLUMES, count) if field.type == "integer" else np.exp(rng.normal(3, 4, count))
        missing = None if field.required else rng.random(count) < 0.2
        columns[field.name] = pa.array(values, field.type.arrow, mask=missing)
    return pa.table(columns)


@st.composite
def tables(draw: st.DrawFn, dataset: Dataset) -> pa.Table:
    """Draw a table of some rows, each key once."""
    minutes = dataset.kind is TimeKind.MINUTE
    days, slots = (DAYS[3:6], SLOTS) if minutes else (DAYS, (0,))
    key = st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(days), st.sampled_from(slots))
    keys = draw(st.lists(key, min_size=1, max_size=40, unique=True))
    return table_of(dataset, keys, draw(st.integers(0, 2**32 - 1)))


def daily_bars(symbols: Sequence[str], first: date, days: int, seed: int = 0) -> pa.Table:
    """Return daily bars without gaps on consecutive calendar days, with whole factors."""
    rng = np.random.default_rng(seed)
    dates = [first + timedelta(days=i) for i in range(days)]
    rows = len(symbols) * days
    close = np.round(np.exp(rng.normal(3, 0.2, rows)), 2)
    return pa.table(
        {
            "symbol": pa.array(np.repeat(symbols, days)),
            "trade_date": pa.array(dates * len(symbols), pa.date32()),
            "open": close,
            "high": close * 1.02,
            "low": close * 0.98,
            "close": close,
            "volume": rng.integers(0, 2**33, rows),
            "amount": rng.random(rows) * 1e8,
            "adj_factor": np.tile(1.0 + np.arange(days) // 20, len(symbols)),
        }
    )
