"""Reads vendors' pandas frames into canonical Polars columns, and says when their shape has changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from quantflux.core.errors import SourceChanged
from quantflux.data.schema import DAILY, MINUTE, TimeKind
from quantflux.data.sources.files.normalise import read_numbers, read_times

PRICES = ("open", "high", "low", "close")


def vendor_frame(frame: Any, columns: Mapping[str, str], endpoint: str) -> pl.DataFrame:
    """Return the columns we use of a vendor's frame, under our names, cells as text or numbers as they came.

    Parameters
    ----------
    frame : pandas.DataFrame
    columns : mapping of our name to theirs
    endpoint : str
        For messages.

    Raises
    ------
    SourceChanged
        If it is no frame, or lacks a column. A frame without any rows and columns is empty, not changed.
    """
    if frame is None or not hasattr(frame, "columns"):
        raise SourceChanged(f"{endpoint} answered {type(frame).__name__}, a frame was documented")
    present = [str(c) for c in frame.columns]
    if len(frame) == 0:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    missing = [theirs for theirs in columns.values() if theirs not in present]
    if missing:
        raise SourceChanged(
            f"{endpoint} no longer has the column {', '.join(missing)}; it has: {', '.join(present[:30])}"
        )
    return pl.DataFrame({ours: _cells(frame[theirs].tolist()) for ours, theirs in columns.items()})


def _cells(values: list[Any]) -> pl.Series:
    if all(isinstance(v, (int, float)) or v is None for v in values):
        return pl.Series(values, dtype=pl.Float64, strict=False)
    return pl.Series([None if v is None or v != v else str(v) for v in values], dtype=pl.String)  # noqa: PLR0124 - NaN


def bars(
    frame: pl.DataFrame, symbol: str, kind: TimeKind, endpoint: str, *, lot: int = 1, money: float = 1.0
) -> pl.DataFrame:
    """Return canonical bars of one symbol, sorted by time.

    Parameters
    ----------
    frame : DataFrame
        Columns time, open, high, low, close, volume, optional amount, as the vendor gave them.
    symbol : str
    kind : TimeKind
    endpoint : str
    lot : int
        Shares in the vendor's unit of volume.
    money : float
        Yuan in the vendor's unit of amount.

    Raises
    ------
    SourceChanged
        If times or prices are mostly unreadable.
    """
    time = (DAILY if kind is TimeKind.DAY else MINUTE).time
    if not frame.height:
        schema: dict[str, pl.DataType] = {"symbol": pl.String()}
        schema[time] = pl.Date() if kind is TimeKind.DAY else pl.Datetime("us", "Asia/Shanghai")
        return pl.DataFrame(schema=schema | dict.fromkeys((*PRICES, "volume", "amount"), pl.Float64()))
    numbers = [read_numbers(frame[n]) for n in (*PRICES, "volume", "amount") if n in frame.columns]
    result = pl.DataFrame([read_times(frame["time"], kind).alias(time), *numbers])
    unreadable = result.select(pl.col(time).is_null() | pl.col("close").is_null()).to_series().sum()
    if unreadable > result.height / 2:
        raise SourceChanged(
            f"{endpoint}: {unreadable} of {result.height} rows for {symbol} have no readable time or close; "
            f"first row: {frame.row(0)}"
        )
    scaled = [(pl.col("volume") * lot).round()]
    if "amount" in result.columns:
        scaled.append(pl.col("amount") * money)
    return (
        result.with_columns(pl.lit(symbol).alias("symbol"), *scaled)
        .sort(time)
        .select("symbol", pl.exclude("symbol"))
    )


def factor_steps(frame: pl.DataFrame) -> pl.DataFrame:
    """Return columns day and adj_factor, read from a vendor's text or numbers."""
    return pl.DataFrame(
        [
            read_times(frame["day"], TimeKind.DAY).alias("day"),
            read_numbers(frame["adj_factor"]).alias("adj_factor"),
        ]
    )


def compact_day(day: date) -> str:
    """Return a day as vendors like it: 20240102."""
    return day.strftime("%Y%m%d")
