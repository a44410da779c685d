"""The rules, one table. `RULES` is in the order in which they run; a row is quarantined by the first that applies."""

from __future__ import annotations

import polars as pl

from quantflux.data.quality.rules import Context, Rule, Scope, Severity
from quantflux.data.schema import MINUTE_LABELS, TimeKind

PRICES = ("open", "high", "low", "close")
BARS = (*PRICES, "volume")
DAY, MINUTE = (TimeKind.DAY,), (TimeKind.MINUTE,)
STALE_RUN = 3
"""Rows with identical prices and volume from which on they look copied."""
TICK = 0.01
LARGEST_PRICE = 1e7
"""Yuan. Backward-adjusted prices reach hundreds of thousands."""
LARGEST_VOLUME = 1e13
"""Shares. The busiest day of the busiest share had some 1e10."""


def _incomplete(names: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).is_null() | ~pl.col(name).is_finite() for name in names)


def _ohlc_order(context: Context) -> pl.Expr:
    slack = context.price_slack
    top, bottom = pl.max_horizontal("open", "close", "low"), pl.min_horizontal("open", "close", "high")
    return (pl.col("high") < top * (1 - slack)) | (pl.col("low") > bottom * (1 + slack))


def _vwap() -> pl.Expr:
    return pl.col("amount") / pl.col("volume")


def _amount_scale(_: Context) -> pl.Expr:
    ratio = _vwap() / pl.col("close")
    return (pl.col("volume") > 0) & (pl.col("amount") > 0) & ((ratio > 5) | (ratio < 0.2))


def _vwap_outside(_: Context) -> pl.Expr:
    # Half a percent and a tick: vendors round volume to lots and amount to thousands. Small volumes round worst.
    slack = 0.005 + 50 / pl.col("volume")
    vwap = _vwap()
    outside = (vwap > pl.col("high") * (1 + slack) + TICK) | (vwap < pl.col("low") * (1 - slack) - TICK)
    return (pl.col("volume") > 0) & (pl.col("amount") > 0) & outside


def _reference() -> pl.Expr:
    """Previous close on the ex-right basis of this row, where that basis is known."""
    return pl.coalesce("pre_close", pl.col("prev_close") * pl.col("prev_adj_factor") / pl.col("adj_factor"))


def _judged() -> pl.Expr:
    return pl.col("limit").is_not_null() & (pl.col("judged_age") > pl.col("free_days"))


def _beyond_limit(close: pl.Expr, reference: pl.Expr) -> pl.Expr:
    # The exchange rounds limit prices to the tick; adjusted prices add the vendor's rounding.
    return (close - reference).abs() > reference * (pl.col("limit") + 0.002) + TICK


def _limit_breach(context: Context) -> pl.Expr:
    reference = pl.col("prev_close") if context.adjustment.by_vendor else _reference()
    return _judged() & (reference > 0) & _beyond_limit(pl.col("close"), reference)


def _unexplained_jump(_: Context) -> pl.Expr:
    return _judged() & _reference().is_null() & _beyond_limit(pl.col("close"), pl.col("prev_close"))


def _off_grid(context: Context) -> pl.Expr:
    local = pl.col(context.dataset.time).dt.convert_time_zone("Asia/Shanghai")
    minute = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    return ~minute.is_in(MINUTE_LABELS.tolist()) | (local.dt.second() != 0) | (local.dt.nanosecond() != 0)


RULES: tuple[Rule, ...] = (
    Rule(
        "unreadable_key",
        "has no readable symbol or time",
        Severity.QUARANTINE,
        lambda c: pl.col("symbol").is_null() | pl.col(c.dataset.time).is_null(),
        ("bad_cells",),
    ),
    Rule(
        "unreadable_cell",
        "has a required cell that is not a number",
        Severity.QUARANTINE,
        lambda _: pl.col("bad_cells").is_not_null() & _incomplete(BARS),
        ("bad_cells",),
        needs=("bad_cells",),
    ),
    Rule(
        "duplicate_conflicting",
        "has the key of another row of the same file with other values",
        Severity.QUARANTINE,
        lambda _: pl.col("conflicting"),
        (*PRICES, "volume"),
    ),
    Rule(
        "duplicate_identical",
        "repeats another row of the same file",
        Severity.QUARANTINE,
        lambda _: pl.col("repeated"),
        (),
    ),
    Rule(
        "not_finite",
        "lacks a price or volume, or has NaN or infinity",
        Severity.QUARANTINE,
        lambda _: _incomplete(BARS),
        BARS,
    ),
    Rule(
        "out_of_history",
        "is dated before the exchanges opened or in the future",
        Severity.QUARANTINE,
        lambda _: pl.col("outside"),
        (),
    ),
    Rule(
        "non_session",
        "is dated on a day without trading",
        Severity.QUARANTINE,
        lambda _: pl.col("session") == -1,
        (),
    ),
    Rule(
        "off_grid",
        "is not labelled by the closing minute of a bar",
        Severity.QUARANTINE,
        _off_grid,
        (),
        kinds=MINUTE,
    ),
    Rule(
        "non_positive_price",
        "has a price of zero or less",
        Severity.QUARANTINE,
        lambda _: pl.min_horizontal(*PRICES) <= 0,
        PRICES,
    ),
    Rule(
        "negative_volume",
        "has a negative volume",
        Severity.QUARANTINE,
        lambda _: pl.col("volume") < 0,
        ("volume",),
    ),
    Rule(
        "absurd_value",
        "has a price or volume beyond anything a market has seen",
        Severity.QUARANTINE,
        lambda _: (pl.max_horizontal(*PRICES) > LARGEST_PRICE) | (pl.col("volume") > LARGEST_VOLUME),
        BARS,
    ),
    Rule(
        "ohlc_order",
        "has a low above, or a high below, another price of the bar",
        Severity.QUARANTINE,
        _ohlc_order,
        PRICES,
    ),
    Rule(
        "amount_without_volume",
        "has an amount but no volume",
        Severity.QUARANTINE,
        lambda _: (pl.col("volume") == 0) & (pl.col("amount") > 0) & pl.col("amount").is_finite(),
        ("volume", "amount"),
        needs=("amount",),
    ),
    Rule(
        "bad_amount",
        "has an amount that is negative or infinite, or not a number",
        Severity.QUARANTINE,
        lambda _: (pl.col("amount") < 0) | ~pl.col("amount").is_finite(),
        ("amount",),
        cell="amount",
        needs=("amount",),
    ),
    Rule(
        "amount_scale",
        "has an amount five or more times off price x volume",
        Severity.QUARANTINE,
        _amount_scale,
        ("amount", "volume", "close"),
        cell="amount",
        needs=("amount",),
        raw_only=True,
    ),
    Rule(
        "bad_adj_factor",
        "has an adjustment factor that is not a positive number",
        Severity.QUARANTINE,
        lambda _: (pl.col("adj_factor") <= 0) | ~pl.col("adj_factor").is_finite(),
        ("adj_factor",),
        cell="adj_factor",
        needs=("adj_factor",),
        kinds=DAY,
    ),
    Rule(
        "suspended",
        "shows no trading (volume 0)",
        Severity.FLAG,
        lambda _: pl.col("volume") == 0,
        (),
        kinds=DAY,
    ),
    Rule(
        "vwap_outside_range",
        "has an average price (amount / volume) outside low .. high",
        Severity.FLAG,
        _vwap_outside,
        ("amount", "volume", "low", "high"),
        Scope.SEQUENCE,
        needs=("amount",),
        raw_only=True,
    ),
    Rule(
        "limit_breach",
        "closes beyond the price limit of its board (ST status not considered)",
        Severity.FLAG,
        _limit_breach,
        ("close", "prev_close", "limit"),
        Scope.SEQUENCE,
        kinds=DAY,
    ),
    Rule(
        "unexplained_jump",
        "moves beyond the price limit, and no factor or ex-right previous close explains it",
        Severity.FLAG,
        _unexplained_jump,
        ("close", "prev_close", "limit"),
        Scope.SEQUENCE,
        kinds=DAY,
        raw_only=True,
    ),
    Rule(
        "adj_factor_falls",
        "has a smaller cumulative adjustment factor than the row before",
        Severity.FLAG,
        lambda _: pl.col("adj_factor") < pl.col("prev_adj_factor") * (1 - 1e-6),
        ("adj_factor", "prev_adj_factor"),
        Scope.SEQUENCE,
        needs=("adj_factor",),
        kinds=DAY,
    ),
    Rule(
        "stale",
        f"is the {STALE_RUN}rd or later row in a run with the same prices and volume",
        Severity.FLAG,
        lambda _: (pl.col("volume") > 0) & (pl.col("run") >= STALE_RUN),
        BARS,
        Scope.SEQUENCE,
        kinds=DAY,
    ),
    Rule(
        "calendar_gap",
        "comes after one or more trading days without a row (suspension, or a hole in the data)",
        Severity.FLAG,
        lambda _: (
            (pl.col("session") >= 0)
            & (pl.col("prev_session") >= 0)
            & (pl.col("session") - pl.col("prev_session") > 1)
        ),
        ("missing_sessions",),
        Scope.SEQUENCE,
        kinds=DAY,
    ),
)
