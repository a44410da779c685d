"""Compares minute bars with the daily bar of the same symbol and day."""

from __future__ import annotations

import polars as pl

from quantflux.data.quality.checker import FINDING_SCHEMA
from quantflux.data.quality.rules import Context, Rule, Scope, Severity
from quantflux.data.schema import TimeKind

BARS_A_DAY = 240
_MINUTE = (TimeKind.MINUTE,)


def _apart(name: str, slack: float) -> pl.Expr:
    daily = pl.col(f"daily_{name}")
    return (pl.col(name) - daily).abs() > daily.abs() * slack


def _prices_apart(_: Context) -> pl.Expr:
    # Minutes may miss a print of the auctions, never exceed the day.
    tick = 0.011
    return (
        (pl.col("high") > pl.col("daily_high") + tick)
        | (pl.col("low") < pl.col("daily_low") - tick)
        | ((pl.col("close") - pl.col("daily_close")).abs() > tick)
    )


RECONCILIATION: tuple[Rule, ...] = (
    Rule(
        "minutes_missing",
        f"has fewer than {BARS_A_DAY} minute bars although it traded",
        Severity.FLAG,
        lambda _: (pl.col("bars") < BARS_A_DAY) & (pl.col("daily_volume") > 0),
        ("bars",),
        Scope.DAY_PAIR,
        kinds=_MINUTE,
    ),
    Rule(
        "minutes_without_day",
        "has minute bars but no daily bar",
        Severity.FLAG,
        lambda _: pl.col("daily_close").is_null(),
        ("bars",),
        Scope.DAY_PAIR,
        kinds=_MINUTE,
    ),
    Rule(
        "minutes_volume",
        "has minute volumes that differ from the day's by more than 1 %",
        Severity.FLAG,
        lambda _: _apart("volume", 0.01),
        ("volume", "daily_volume"),
        Scope.DAY_PAIR,
        kinds=_MINUTE,
    ),
    Rule(
        "minutes_prices",
        "has minute prices outside the day's range, or another close",
        Severity.FLAG,
        _prices_apart,
        ("high", "daily_high", "low", "daily_low", "close", "daily_close"),
        Scope.DAY_PAIR,
        kinds=_MINUTE,
    ),
)


def reconcile(minutes: pl.DataFrame, daily: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Return findings (in `FINDING_SCHEMA`) where minute bars and the daily bar disagree.

    Parameters
    ----------
    minutes : DataFrame
        symbol, bar_time, open, high, low, close, volume: whole days.
    daily : DataFrame
        symbol, trade_date, high, low, close, volume of the same span, prices on the same basis.
    context : Context
    """
    day = pl.col("bar_time").dt.convert_time_zone("Asia/Shanghai").dt.date().alias("day")
    by_day = (
        minutes.sort("symbol", "bar_time")
        .group_by("symbol", day, maintain_order=True)
        .agg(
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.len().alias("bars"),
        )
    )
    names = ("high", "low", "close", "volume")
    other = daily.select(
        "symbol", pl.col("trade_date").alias("day"), *(pl.col(n).alias(f"daily_{n}") for n in names)
    )
    pairs = by_day.join(other, on=["symbol", "day"], how="left", maintain_order="left")
    found = [findings_of(r, pairs.filter(r.test(context).fill_null(False))) for r in RECONCILIATION]
    return pl.concat([pl.DataFrame(schema=FINDING_SCHEMA), *found])


def findings_of(r: Rule, rows: pl.DataFrame) -> pl.DataFrame:
    """Return offending rows, which have a symbol, a day and what the rule shows, as findings."""
    shown = [pl.format("{}={}", pl.lit(n), pl.col(n)) for n in r.shows]
    return rows.select(
        pl.lit(r.id).alias("rule"),
        pl.lit(r.severity.value).alias("severity"),
        "symbol",
        "day",
        pl.col("day").cast(pl.String).alias("at"),
        pl.lit("").alias("cell"),
        pl.lit(0, pl.Int64).alias("source_row"),
        pl.concat_str(shown, separator=", ").alias("detail"),
        pl.lit(None, pl.String).alias("raw"),
    )
