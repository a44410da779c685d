"""Brings minute bars to the canonical label: the closing minute, the opening auction inside the first bar."""

from __future__ import annotations

import polars as pl

_TIME = "bar_time"
_KEY = ("symbol", _TIME)


def closing_labels(frame: pl.DataFrame, label: str) -> pl.DataFrame:
    """Return the bars labelled by their closing minute, with auction bars folded into their neighbours.

    Open-labelled bars move on by a minute; a last one labelled 15:00 is the closing auction and joins 14:59-15:00.
    Close-labelled bars stay; one at 09:30 is the opening auction and joins 09:30-09:31. An auction bar that has no
    single neighbour, or lacks a price, stays where it is and is quarantined as off the grid.

    Parameters
    ----------
    frame : DataFrame
        symbol, bar_time, open, high, low, close, volume, optional amount.
    label : {"close", "open"}
    """
    minute = pl.duration(minutes=1)
    if label == "open":
        frame = frame.with_columns(pl.col(_TIME) + minute)
        return _fold(frame, 15 * 60 + 1, -1)
    return _fold(frame, 9 * 60 + 30, 1)


def _fold(frame: pl.DataFrame, auction: int, step: int) -> pl.DataFrame:
    """Merge each bar at minute `auction` into the bar one minute before (-1) or after (+1)."""
    local = pl.col(_TIME).dt.convert_time_zone("Asia/Shanghai")
    at_auction = (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()) == auction
    prices = pl.all_horizontal(pl.col(n).is_finite() for n in ("open", "high", "low", "close", "volume"))
    whole = (at_auction & prices).fill_null(False)
    auctions = frame.filter(whole)
    if not auctions.height:
        return frame
    moved = auctions.with_columns(pl.col(_TIME) + pl.duration(minutes=step))
    neighbours = frame.join(moved.select(_KEY), on=list(_KEY), how="semi")
    pairs = pl.concat([moved, neighbours] if step > 0 else [neighbours, moved])
    single = pairs.group_by(_KEY).len().filter(pl.col("len") == 2).select(_KEY)
    pairs = pairs.join(single, on=list(_KEY), how="semi")
    merged = pairs.group_by(_KEY, maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        *(pl.col(n).sum() for n in ("volume", "amount") if n in frame.columns),
        pl.col("bad_cells").drop_nulls().first(),
        pl.col("source_row").min(),
    )
    folded = single.with_columns(pl.col(_TIME) - pl.duration(minutes=step))
    rest = frame.join(pl.concat([single, folded]), on=list(_KEY), how="anti", nulls_equal=False)
    return pl.concat([rest, merged.select(rest.columns)])
