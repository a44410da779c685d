"""The price limit a bar had to respect, by board and date, as Polars expressions over a column of rows."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from quantflux.rules.dated import DatedTable
from quantflux.rules.limits import limit_tables


def limit_ratio() -> pl.Expr:
    """Return each row's limit, by its `board` and `day`, as a ratio of the previous close; null where none held.

    Special treatment is not part of a bar, so such names are judged by their board's wider limit.

    Examples
    --------
    >>> from datetime import date
    >>> rows = pl.DataFrame({"board": ["chinext"] * 2, "day": [date(2020, 8, 21), date(2020, 8, 24)]})
    >>> rows.select(limit_ratio())["limit"].to_list()
    [0.1, 0.2]
    """
    return _dated(limit_tables()["price_limit"], "ratio", pl.col("day"), pl.Float64()).alias("limit")


def unlimited_days() -> pl.Expr:
    """Return how many first trading days of each row's symbol have no limit, by the rule of its `listed` day.

    Where that is null, the row's own `day` stands for it.

    Examples
    --------
    >>> from datetime import date
    >>> days = {"day": [date(2020, 8, 24)] * 2, "listed": [date(2020, 8, 20), None]}
    >>> pl.DataFrame({"board": ["chinext"] * 2, **days}).select(unlimited_days())["free_days"].to_list()
    [1, 5]
    """
    listing = pl.coalesce("listed", "day")
    return _dated(limit_tables()["free_days"], "days", listing, pl.Int32()).fill_null(0).alias("free_days")


def _dated(tables: Mapping[str, DatedTable], column: str, day: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the latest value in force on a day, of the row's board."""
    result = pl.lit(None, dtype)
    for board, table in tables.items():
        value = pl.lit(None, dtype)
        for row in table.rows:
            value = pl.when(day >= row.since).then(pl.lit(row[column], dtype)).otherwise(value)
        result = pl.when(pl.col("board") == board).then(value).otherwise(result)
    return result
