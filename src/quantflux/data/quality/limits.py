"""The price limit a bar had to respect, by board and date, as Polars expressions over a column of rows."""

from __future__ import annotations

from datetime import date

import polars as pl

from quantflux.rules.boards import board_limits


def limit_ratio() -> pl.Expr:
    """Return each row's limit, by its `board` and `day`, as a ratio of the previous close; null where none held.

    Examples
    --------
    >>> rows = pl.DataFrame({"board": ["chinext"] * 2, "day": [date(2020, 8, 21), date(2020, 8, 24)]})
    >>> rows.select(limit_ratio())["limit"].to_list()
    [0.1, 0.2]
    """
    return _dated({b.board: b.limits for b in board_limits()}, pl.Float64()).alias("limit")


def unlimited_days() -> pl.Expr:
    """Return how many first trading days of each row's symbol have no limit, by the rule of its `day`."""
    return _dated({b.board: b.free_days for b in board_limits()}, pl.Int32()).fill_null(0).alias("free_days")


def _dated(table: dict[str, tuple[tuple[date, float], ...]], dtype: pl.DataType) -> pl.Expr:
    """Return the latest value in force on the row's day, of the row's board."""
    result = pl.lit(None, dtype)
    for board, rows in table.items():
        value = pl.lit(None, dtype)
        for start, amount in rows:
            value = pl.when(pl.col("day") >= start).then(pl.lit(amount, dtype)).otherwise(value)
        result = pl.when(pl.col("board") == board).then(value).otherwise(result)
    return result
