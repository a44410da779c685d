"""Writes only what a store does not hold yet, so that repeating an import or a sync changes nothing."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from quantflux.data.contract import MarketStore, Query, Span
from quantflux.data.schema import Dataset, TimeKind


def write_changes(
    store: MarketStore, dataset: Dataset, table: pa.Table, *, held: Span | None, dry_run: bool = False
) -> int:
    """Upsert the rows of `table` that are new or differ from what the store holds; return how many.

    A daily bar without a factor column keeps the factor that the store holds for it, if its prices are unchanged:
    prices and factors often come from different files.

    Parameters
    ----------
    store : MarketStore
    dataset : Dataset
    table : pyarrow.Table
        Canonical rows, unique by key; columns may be missing.
    held : Span or None
        What the store held before the whole import or sync began (`store.span`): only rows inside it are compared.
        The batches of one run never share a key, so that what it wrote itself need not be read again.
    dry_run : bool
        Count only.
    """
    rows = _frame(table)
    existing = _existing(store, dataset, rows, held)
    if existing is not None:
        rows = _changed(dataset, rows, existing)
    if rows.height and not dry_run:
        store.write(dataset, rows.to_arrow())
    return rows.height


def _existing(
    store: MarketStore, dataset: Dataset, rows: pl.DataFrame, held: Span | None
) -> pl.DataFrame | None:
    days = rows[dataset.time]
    if dataset.kind is TimeKind.MINUTE:
        days = days.dt.convert_time_zone("Asia/Shanghai").dt.date()
    span = Span(days.min(), days.max())  # type: ignore[arg-type]
    if held is None or not held.overlaps(span):
        return None
    symbols = tuple(rows["symbol"].unique().sort())
    return _frame(store.read(Query(dataset, symbols, span.first, span.last)))


def _changed(dataset: Dataset, rows: pl.DataFrame, existing: pl.DataFrame) -> pl.DataFrame:
    key = list(dataset.key)
    existing = existing.with_columns(pl.lit(True).alias("held"))
    joined = rows.join(existing, on=key, how="left", suffix=" held", maintain_order="left")
    if "adj_factor" in existing.columns and "adj_factor" not in rows.columns:
        same_prices = pl.all_horizontal(
            pl.col(n).eq_missing(pl.col(f"{n} held")) for n in ("open", "high", "low", "close")
        )
        kept = pl.when(same_prices).then(pl.col("adj_factor"))
        joined = joined.with_columns(pl.col("adj_factor").alias("adj_factor held"), kept.alias("adj_factor"))
        rows = rows.with_columns(joined["adj_factor"])
    absent = [n for n in dataset.value_names if n not in rows.columns]
    same = [pl.col(n).eq_missing(pl.col(f"{n} held")) for n in rows.columns if n not in key]
    same += [pl.col(n).is_null() for n in absent]
    unchanged = joined.select(pl.all_horizontal("held", *same).fill_null(False)).to_series()
    return rows.filter(~unchanged)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.DataFrame(table)
    floats = [pl.col(n).fill_nan(None) for n, t in frame.schema.items() if t == pl.Float64]
    return frame.with_columns(floats)
