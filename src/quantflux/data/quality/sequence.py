"""Sets each bar beside the one before it of the same symbol, across batches, without sorting twice.

Rows come sorted by symbol and time. What a row needs of its predecessor is the row above; for the first row of each
symbol it is the symbol's last row of an earlier batch, which is put in its place. Counters run on in the same way.
"""

from __future__ import annotations

import polars as pl

from quantflux.data.quality.limits import limit_ratio, unlimited_days
from quantflux.data.quality.rules import Context
from quantflux.data.schema import TimeKind
from quantflux.rules.boards import boards_of

BARS = ("open", "high", "low", "close", "volume")
_LOOKED_BACK_AT = (*BARS, "adj_factor", "session")
_LONG_LISTED = 10_000
"""Age given to names known to be listed for long."""


class Sequencer:
    """Adds to bars what the sequence rules ask about, and remembers one row a symbol between batches."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tail: pl.DataFrame | None = None

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with prev_close, prev_adj_factor, missing_sessions, run, age, limit and free_days.

        Parameters
        ----------
        rows : DataFrame
            Sorted by symbol and time: symbol, day, session, the bar's columns, adj_factor and pre_close (null where
            the source has none).
        """
        first = (rows["symbol"] != rows["symbol"].shift(1)).fill_null(True)
        starts = first.arg_true()
        heads = self._heads(rows["symbol"].gather(starts))
        previous = {
            n: rows[n].shift(1).scatter(starts, heads[n].cast(rows.schema[n])).alias(f"prev_{n}")
            for n in _LOOKED_BACK_AT
        }
        copied = pl.Series([True]).new_from_index(0, rows.height)
        for name in BARS:
            copied &= (rows[name] == previous[name]).fill_null(False)
        rows = rows.with_columns(
            previous["close"],
            previous["adj_factor"],
            (rows["session"] - previous["session"] - 1).alias("missing_sessions"),
            previous["session"],
            *_counters(rows.height, first, copied, starts, heads),
        )
        if self._context.dataset.kind is TimeKind.DAY:
            rows = self._with_limits(rows, starts)
        self._remember(rows, starts)
        return rows

    def _heads(self, symbols: pl.Series) -> pl.DataFrame:
        """Return what is remembered of these symbols, null and zero for new ones."""
        wanted = symbols.to_frame()
        if self._tail is None:
            nothing = [pl.lit(None, pl.Float64).alias(n) for n in _LOOKED_BACK_AT]
            return wanted.select("symbol", *nothing, pl.lit(0).alias("run"), pl.lit(0).alias("age"))
        joined = wanted.join(self._tail, on="symbol", how="left", maintain_order="left")
        return joined.with_columns(pl.col("run", "age").fill_null(0))

    def _with_limits(self, rows: pl.DataFrame, starts: pl.Series) -> pl.DataFrame:
        symbols = rows["symbol"].gather(starts).to_list()
        listed = pl.Series("listed", [self._context.listed.get(s) for s in symbols], pl.Date)
        boards = pl.DataFrame({"symbol": symbols, "board": pl.Series(boards_of(symbols), dtype=pl.String)})
        rows = rows.join(boards.with_columns(listed), on="symbol", how="left", maintain_order="left")
        # A name whose listing day is known to lie well in the past is judged from the first row on.
        old = ((pl.col("day") - pl.col("listed")).dt.total_days() > 30).fill_null(False)
        age = pl.when(old).then(_LONG_LISTED).otherwise(pl.col("age"))
        return rows.with_columns(limit_ratio(), unlimited_days(), age.alias("judged_age")).drop(
            "board", "listed"
        )

    def _remember(self, rows: pl.DataFrame, starts: pl.Series) -> None:
        ends = pl.concat([starts.slice(1), pl.Series([rows.height], dtype=starts.dtype)]) - 1
        last = rows.select(pl.col("symbol", *_LOOKED_BACK_AT, "run", "age").gather(ends))
        if self._tail is not None:
            last = pl.concat([self._tail.join(last, on="symbol", how="anti"), last])
        self._tail = last


def _counters(
    height: int, first: pl.Series, copied: pl.Series, starts: pl.Series, heads: pl.DataFrame
) -> list[pl.Series]:
    """Return `run` (equal rows in a row, this one included) and `age` (rows seen of the symbol)."""
    index = pl.int_range(height, dtype=pl.Int64, eager=True)
    base = pl.DataFrame(
        {
            "index": index,
            "first": first,
            "block": first | ~copied,
            "carried_run": _at_starts(height, starts, heads["run"]),
            "carried_age": _at_starts(height, starts, heads["age"]),
            "copied": copied,
        }
    )
    began = pl.when("block").then("index").forward_fill()
    carried = pl.when("block").then(pl.when("copied").then("carried_run").otherwise(0)).forward_fill()
    born = pl.when("first").then("index").forward_fill()
    seen = pl.when("first").then("carried_age").forward_fill()
    counted = base.select(
        (pl.col("index") - began + 1 + carried).alias("run"), (pl.col("index") - born + 1 + seen).alias("age")
    )
    return counted.get_columns()


def _at_starts(height: int, starts: pl.Series, values: pl.Series) -> pl.Series:
    """Return zeros with these values at the first row of each symbol (`scatter` writes in place)."""
    return pl.repeat(0, height, dtype=pl.Int64, eager=True).scatter(starts, values.cast(pl.Int64))
