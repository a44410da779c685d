"""Rows to store: seeded, of every type, in any dataset's schema."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from quantflux.core.clock import SHANGHAI
from quantflux.data.schema import DAILY, Dataset, FieldType, TimeKind

SYMBOLS = ("000001.SZ", "430047.BJ", "600519.SH")
DAYS = (date(2024, 1, 2), date(2024, 1, 3), date(2024, 2, 29), date(2025, 1, 2))


def times(data: Dataset, days: Sequence[date]) -> list[Any]:
    """Return times of these days: the days, or four minutes of each."""
    if data.kind is TimeKind.DAY:
        return list(days)
    minutes = ((9, 31), (11, 30), (13, 1), (15, 0))
    return [datetime(d.year, d.month, d.day, h, m, tzinfo=SHANGHAI) for d in days for h, m in minutes]


def sample(
    data: Dataset, symbols: Sequence[str] = SYMBOLS, days: Sequence[date] = DAYS, seed: int = 0
) -> pa.Table:
    """Return a row for every symbol and time, values drawn at random, some optional ones null, sorted by key."""
    rng = np.random.default_rng(seed)
    keys = [(s, t) for s in sorted(symbols) for t in times(data, days)]
    columns: dict[str, Any] = {"symbol": [k[0] for k in keys], data.time: [k[1] for k in keys]}
    for field in data.fields:
        columns[field.name] = _values(
            field.type, field.required or field.name in data.extra_keys, len(keys), rng
        )
    for name in data.extra_keys:
        if data.by_name[name].type is FieldType.TEXT:
            columns[name] = [f"key {i % 3}" for i in range(len(keys))]
    return pa.table({n: columns[n] for n in data.schema.names}, schema=data.schema)


def _values(kind: FieldType, required: bool, count: int, rng: np.random.Generator) -> list[Any]:
    drawn: list[Any]
    if kind is FieldType.FLOAT:
        drawn = np.round(rng.uniform(0.5, 900, count), 2).tolist()
    elif kind is FieldType.INTEGER:
        drawn = (rng.integers(1, 10**6, count) * 100).tolist()
    elif kind is FieldType.DATE:
        drawn = [date(2000, 1, 1) + timedelta(days=int(n)) for n in rng.integers(0, 9000, count)]
    elif kind is FieldType.BOOLEAN:
        drawn = (rng.random(count) < 0.5).tolist()
    else:
        drawn = [f"text {n}" for n in rng.integers(0, 9, count)]
    if not required:
        drawn = [None if rng.random() < 0.2 else value for value in drawn]
    return drawn


def bars(
    symbol: str, days: Sequence[date], close: float | Sequence[float] = 10.0, data: Dataset = DAILY
) -> pa.Table:
    """Return plain bars of one symbol, all prices equal to `close`."""
    stamps = times(data, days)
    closes = [close] * len(stamps) if isinstance(close, (int, float)) else list(close)
    columns: dict[str, Any] = {"symbol": [symbol] * len(stamps), data.time: stamps}
    columns |= dict.fromkeys(("open", "high", "low", "close"), closes)
    columns |= {"volume": [100] * len(stamps), "amount": [1000.0] * len(stamps)}
    if "adj_factor" in data.by_name:
        columns["adj_factor"] = [1.0] * len(stamps)
    return pa.table({n: columns[n] for n in data.schema.names}, schema=data.schema)


def changed(table: pa.Table, **values: Any) -> pa.Table:
    """Return the table with whole columns set to one value or list each."""
    for name, value in values.items():
        index = table.schema.get_field_index(name)
        items = value if isinstance(value, list) else [value] * table.num_rows
        field = table.schema.field(name)
        table = table.set_column(index, field, pa.array(items, field.type))
    return table


def utc(*parts: int) -> datetime:
    """Return an instant."""
    return datetime(*parts, tzinfo=UTC)
