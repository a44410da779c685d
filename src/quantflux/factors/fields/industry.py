"""The industry of each symbol on each day, as a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from quantflux.factors.fields.steps import Steps


@dataclass(frozen=True, eq=False)
class Industries:
    """Who belonged to which industry.

    Attributes
    ----------
    codes : float64 array of shape (T, N)
        Whole numbers from 0; NaN where no industry is known.
    labels : tuple of str
        Industry names: `labels[code]`.
    backdated : int
        Symbols whose industry before the day of their first row is taken from that row.
    """

    codes: np.ndarray
    labels: tuple[str, ...]
    backdated: int


def industries(rows: pa.Table, days: np.ndarray, symbols: Sequence[str] | np.ndarray) -> Industries:
    """Return the industry of each day and symbol.

    A row of the `instruments` dataset holds from its `valid_from` until the symbol's next one; a symbol's earliest
    row holds from its `list_date` already, because a list of shares taken today still has to do for the past. A row
    that names no industry ends the one before.

    Industries are numbered in the order in which the data first name them (by `valid_from`, those of one day by
    name): an industry that appears later leaves the others their numbers, and so does asking for other days or symbols.

    Parameters
    ----------
    rows : pyarrow.Table
        All rows of the dataset, with `symbol`, `valid_from`, `industry` and `list_date`.
    days : datetime64[D] array of shape (T,)
    symbols : sequence of str, length N

    Examples
    --------
    >>> day = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> rows = pa.table({"symbol": ["A", "B", "B"], "valid_from": day[[0, 0, 1]],
    ...                  "industry": ["steel", "coal", "steel"], "list_date": pa.nulls(3, pa.date32())})
    >>> found = industries(rows, day, ["A", "B"])
    >>> found.codes.tolist(), found.labels
    ([[1.0, 0.0], [1.0, 1.0]], ('coal', 'steel'))
    """
    named = pl.col("industry").replace("", None)
    frame = pl.DataFrame(rows.select(["symbol", "valid_from", "industry", "list_date"])).with_columns(named)
    ranked = frame.drop_nulls("industry").group_by("industry").agg(pl.col("valid_from").min())
    labels = ranked.sort("valid_from", "industry")["industry"]

    numbers = pl.DataFrame({"industry": labels, "code": np.arange(len(labels), dtype=np.float64)})
    columns = pl.DataFrame(
        {"symbol": pl.Series(list(symbols), dtype=pl.String), "column": np.arange(len(symbols))}
    )
    earliest = pl.col("valid_from") == pl.col("valid_from").min().over("symbol")
    listed = pl.min_horizontal("valid_from", "list_date")
    held = (
        frame.with_columns(since=pl.when(earliest).then(listed).otherwise("valid_from"))
        .join(columns, on="symbol")
        .join(numbers, on="industry", how="left")
        .sort("column", "valid_from")
    )
    since = held["since"].to_numpy().astype("datetime64[D]")
    row, column = np.searchsorted(days, since, side="left"), held["column"].to_numpy()
    # Of the rows that take effect on one day of the panel the last holds; what begins after its end never does.
    last = (np.diff(column * (len(days) + 1) + row, append=-1) != 0) & (row < len(days))
    codes = Steps((len(days), len(symbols)), row[last], column[last]).spread(held["code"].to_numpy()[last])
    first = np.datetime64("9999-12-31") if not len(days) else days[0]
    begun = held["valid_from"].to_numpy().astype("datetime64[D]")
    return Industries(codes, tuple(labels), int(np.count_nonzero((since < begun) & (begun > first))))
