"""Spreads the days on which a cumulative adjustment factor changed over daily bars."""

from __future__ import annotations

import polars as pl


def with_factor_steps(rows: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """Add adj_factor to daily bars from the days on which the cumulative factor changed; 1 before the first.

    Parameters
    ----------
    rows : DataFrame
        Sorted by trade_date.
    steps : DataFrame
        Columns day (Date) and adj_factor, in any order.
    """
    steps = steps.drop_nulls().sort("day").unique("day", keep="last", maintain_order=True)
    joined = rows.join_asof(steps, left_on="trade_date", right_on="day", strategy="backward", coalesce=True)
    return joined.select(*rows.columns, pl.col("adj_factor").fill_null(1.0))
