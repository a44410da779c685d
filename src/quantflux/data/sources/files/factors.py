"""Joins a file of adjustment factors to the daily bars that a store holds.

Two forms are known: a factor for every trading day (Tushare), and the days on which it changed (BaoStock, Sina). The
factor is the cumulative one that grows with each dividend or split; before the first change it is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.data.contract import MarketStore, Query
from quantflux.data.quality import Ledger, stored_adjustment
from quantflux.data.schema import DAILY, TimeKind
from quantflux.data.sources.factor_steps import with_factor_steps
from quantflux.data.sources.files.layouts import normal_header
from quantflux.data.sources.files.normalise import read_numbers, read_symbols, read_times
from quantflux.data.sources.files.reading import Opened, batches, open_file
from quantflux.data.sources.files.spill import Spill
from quantflux.data.sources.upsert import write_changes

_SYMBOL = ("ts_code", "symbol", "code", "股票代码", "代码")
_DAILY = (("trade_date", "日期", "day", "date"), ("adj_factor", "复权因子", "后复权因子", "factor"))
_STEPS = (("dividoperatedate", "date", "日期"), ("backadjustfactor", "hfq_factor"))
GROUP = 200
"""Symbols whose bars are rewritten at a time, for files of changes."""


@dataclass(frozen=True, slots=True)
class FactorReport:
    """What joining a file of factors did.

    Attributes
    ----------
    form : {"daily", "changes"}
    rows_read : int
        Rows of the file.
    rows_refused : int
        Rows without a readable symbol or day, or whose factor is not a positive number; ignored.
    bars_changed, bars_unchanged : int
        Stored bars whose factor was set anew, or was so already.
    bars_without : int
        Stored bars in the span for which the file has no factor; left alone.
    """

    form: str
    rows_read: int
    rows_refused: int
    bars_changed: int
    bars_unchanged: int
    bars_without: int
    version: int
    warnings: tuple[str, ...] = ()


def import_factors(
    path: Path,
    store: MarketStore,
    *,
    ledger: Ledger | None = None,
    dry_run: bool = False,
    folder: Path | None = None,
) -> FactorReport:
    """Set the adj_factor of stored daily bars from a file.

    Parameters
    ----------
    path : Path
        CSV or Parquet with a symbol, a day and a factor column.
    store : MarketStore
    ledger : Ledger or None
        Tells whether stored prices are adjusted already.
    dry_run : bool
        Count only.
    folder : Path or None
        For temporary files.

    Raises
    ------
    InvalidRequest
        If the header has no such columns.
    InvalidData
        If the file is damaged, or none of its rows can be read.
    """
    opened = open_file(path)
    form, mapping = _recognise(opened)
    with Spill(DAILY, folder) as spill:
        read = kept = 0
        for batch in batches(opened, list(mapping.values())):
            rows = _factors(batch, mapping)
            read += batch.height
            kept += rows.height
            spill.add(rows)
        if not kept:
            raise InvalidData(f"{path.name} has no readable factor; nothing was stored", dataset=DAILY.name)
        report = FactorReport(form, read, read - kept, 0, 0, 0, 0, _warnings(ledger))
        join = _join_days if form == "daily" else _join_changes
        report = join(spill, store, report, dry_run)
    return replace(report, version=store.version(DAILY))


def _recognise(opened: Opened) -> tuple[str, dict[str, str]]:
    for form, (days, factors) in (("changes", _STEPS), ("daily", _DAILY)):
        wanted = {"symbol": _SYMBOL, "trade_date": days, "adj_factor": factors}
        found = {field: _header(opened.header, names) for field, names in wanted.items()}
        if all(found.values()):
            return form, found
    raise InvalidRequest(
        f"{opened.path.name} is no file of factors: it needs a symbol (ts_code, code), a day (trade_date, "
        "dividOperateDate) and a factor (adj_factor, backAdjustFactor, hfq_factor); it has: "
        f"{', '.join(opened.header[:30])}"
    )


def _header(header: Sequence[str], names: tuple[str, ...]) -> str:
    by_normal = {normal_header(h): h for h in header}
    return next((by_normal[n] for n in names if n in by_normal), "")


def _factors(batch: pl.DataFrame, mapping: Mapping[str, str]) -> pl.DataFrame:
    """Return the readable rows: symbol, trade_date, adj_factor."""
    rows = pl.DataFrame(
        [
            read_symbols(batch[mapping["symbol"]]).alias("symbol"),
            read_times(batch[mapping["trade_date"]], TimeKind.DAY).alias("trade_date"),
            read_numbers(batch[mapping["adj_factor"]]).alias("adj_factor"),
        ]
    )
    return rows.drop_nulls().filter((pl.col("adj_factor") > 0) & pl.col("adj_factor").is_finite())


def _join_days(spill: Spill, store: MarketStore, report: FactorReport, dry_run: bool) -> FactorReport:
    for part in spill.parts():
        factors = part.unique(["symbol", "trade_date"], keep="last", maintain_order=True)
        symbols = tuple(factors["symbol"].unique().sort())
        first, last = factors["trade_date"].min(), factors["trade_date"].max()
        bars = pl.DataFrame(store.read(Query(DAILY, symbols, first, last)))  # type: ignore[arg-type]
        new = bars.drop("adj_factor").join(
            factors, on=["symbol", "trade_date"], how="left", maintain_order="left"
        )
        report = _store(store, bars, new, report, dry_run)
    return report


def _join_changes(spill: Spill, store: MarketStore, report: FactorReport, dry_run: bool) -> FactorReport:
    steps = pl.concat(list(spill.parts())).rename({"trade_date": "day"})
    held = set(store.symbols(DAILY))
    symbols = [s for s in steps["symbol"].unique().sort() if s in held]
    for at in range(0, len(symbols), GROUP):
        group = tuple(symbols[at : at + GROUP])
        bars = pl.DataFrame(store.read(Query(DAILY, group)))
        new = pl.concat(
            with_factor_steps(
                mine.drop("adj_factor"), steps.filter(pl.col("symbol") == symbol).drop("symbol")
            )
            for (symbol,), mine in bars.group_by("symbol", maintain_order=True)
        )
        report = _store(store, bars, new, report, dry_run)
    return report


def _store(
    store: MarketStore, bars: pl.DataFrame, new: pl.DataFrame, report: FactorReport, dry_run: bool
) -> FactorReport:
    known = new.filter(pl.col("adj_factor").is_not_null()).select(bars.columns)
    changed = (
        write_changes(store, DAILY, known.to_arrow(), held=store.span(DAILY), dry_run=dry_run)
        if known.height
        else 0
    )
    return replace(
        report,
        bars_changed=report.bars_changed + changed,
        bars_unchanged=report.bars_unchanged + known.height - changed,
        bars_without=report.bars_without + new.height - known.height,
    )


def _warnings(ledger: Ledger | None) -> tuple[str, ...]:
    adjustment = stored_adjustment(ledger, DAILY)
    if not adjustment.by_vendor:
        return ()
    came = f"some stored prices came from their vendor with {adjustment} adjustment"
    return (f"{came}: with these factors they would be adjusted twice",)
