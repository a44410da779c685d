"""Reads corporate actions as vendors tell them: by the share or by ten, plans beside what was carried out.

A plan that was not carried out, or has no ex-date yet, is no action. One that a vendor lists twice counts once; two on
one day (a dividend for the year and a special one) are added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from quantflux.core.errors import SourceChanged
from quantflux.data.contract import Span
from quantflux.data.schema import CORPORATE_ACTIONS, FieldType, TimeKind
from quantflux.data.sources.files.normalise import read_numbers, read_symbols, read_times

_AMOUNTS = ("cash", "shares", "converted", "rights_shares")
_DATES = ("ex_date", "record_date", "pay_date")


@dataclass(frozen=True)
class ActionLayout:
    """How one vendor tells of corporate actions.

    Attributes
    ----------
    title : str
    columns : mapping of field to header
        `ex_date`, any of the dataset's other fields, and `symbol`; `converted` are new shares from reserves where the
        vendor tells them apart from bonus `shares`; `progress` is how far a plan has come; `told` tells plans apart.
    optional : frozenset of str
        Fields whose column may be missing.
    per : int
        Shares for which amounts are told.
    carried_out : str
        What `progress` says of a plan that was carried out.
    """

    title: str
    columns: Mapping[str, str]
    optional: frozenset[str] = field(default_factory=frozenset)
    per: int = 1
    carried_out: str = ""


ACTION_LAYOUTS: Mapping[str, ActionLayout] = {
    "canonical": ActionLayout(
        "quantflux's own table",
        {name: name for name in CORPORATE_ACTIONS.schema.names},
        optional=frozenset({"rights_shares", "rights_price", "record_date", "pay_date"}),
    ),
    "tushare": ActionLayout(
        "Tushare dividend",
        {
            "symbol": "ts_code",
            "ex_date": "ex_date",
            "cash": "cash_div_tax",
            "shares": "stk_div",
            "record_date": "record_date",
            "pay_date": "pay_date",
            "progress": "div_proc",
            "told": "end_date",
        },
        optional=frozenset({"told"}),
        carried_out="实施",
    ),
    "baostock": ActionLayout(
        "BaoStock query_dividend_data",
        {
            "symbol": "code",
            "ex_date": "dividOperateDate",
            "cash": "dividCashPsBeforeTax",
            "shares": "dividStocksPs",
            "converted": "dividReserveToStockPs",
            "record_date": "dividRegistDate",
            "pay_date": "dividPayDate",
        },
    ),
    "sina": ActionLayout(
        "AKShare stock_history_dividend_detail, dividends (Sina)",
        {
            "symbol": "股票代码",
            "ex_date": "除权除息日",
            "cash": "派息",
            "shares": "送股",
            "converted": "转增",
            "record_date": "股权登记日",
            "progress": "进度",
            "told": "公告日期",
        },
        optional=frozenset({"symbol", "told"}),
        per=10,
        carried_out="实施",
    ),
    "sina-rights": ActionLayout(
        "AKShare stock_history_dividend_detail, rights issues (Sina)",
        {
            "symbol": "股票代码",
            "ex_date": "除权日",
            "rights_shares": "配股方案",
            "rights_price": "配股价格",
            "record_date": "股权登记日",
            "told": "公告日期",
        },
        optional=frozenset({"symbol", "told"}),
        per=10,
    ),
}
"""Every layout by name."""


@dataclass(frozen=True)
class ActionRows:
    """What was read.

    Attributes
    ----------
    rows : DataFrame
        In the dataset's schema, sorted by key, each key once.
    planned : int
        Rows that are no actions: not carried out, without an ex-date, or giving nothing.
    unreadable : int
        Rows that could not be read, and are left out: a symbol, date or number that is none, or a negative number.
    """

    rows: pl.DataFrame
    planned: int
    unreadable: int


def action_rows(frame: pl.DataFrame, layout: ActionLayout, symbol: str = "") -> ActionRows:
    """Return canonical corporate actions out of a vendor's cells.

    Parameters
    ----------
    frame : DataFrame
        The layout's fields as columns, under our names, cells as they came.
    layout : ActionLayout
    symbol : str
        Of rows that name none.

    Examples
    --------
    >>> cells = {"ex_date": ["2024-06-07", None], "cash": ["5", "3"], "shares": ["1", ""], "converted": ["2", ""]}
    >>> told = pl.DataFrame(cells | {"progress": ["实施", "预案"], "record_date": ["2024-06-06", None]})
    >>> read = action_rows(told, ACTION_LAYOUTS["sina"], "600519.SH")
    >>> read.rows.select("symbol", "cash", "shares").rows(), read.planned
    ([('600519.SH', 0.5, 0.3)], 1)
    """
    named = read_symbols(frame["symbol"]) if "symbol" in frame.columns else pl.lit(symbol)
    read = frame.select(
        named.alias("symbol"),
        *(_date(frame, name) for name in _DATES),
        *(_number(frame, name) / layout.per for name in _AMOUNTS),
        _number(frame, "rights_price"),
        _text(frame, "progress"),
        _text(frame, "told"),
        _unreadable(frame).alias("unreadable"),
    )
    read = read.with_columns(pl.col("unreadable") | pl.col("symbol").is_null())
    carried_out = pl.col("progress") == layout.carried_out if layout.carried_out else pl.lit(True)
    gives = pl.sum_horizontal(_AMOUNTS) > 0
    real = read.filter(carried_out.fill_null(False) & pl.col("ex_date").is_not_null() & gives)
    whole = real.filter(~pl.col("unreadable"))
    unreadable = read.filter(pl.col("unreadable")).height
    return ActionRows(
        added_up([_plans(whole)]), read.filter(~pl.col("unreadable")).height - whole.height, unreadable
    )


def answered_actions(
    frame: pl.DataFrame, layout: ActionLayout, symbol: str, span: Span, endpoint: str
) -> pl.DataFrame:
    """Return the actions of a vendor's answer that went ex within a span.

    Raises
    ------
    SourceChanged
        If a row cannot be read.
    """
    read = action_rows(frame, layout, symbol)
    if read.unreadable:
        raise SourceChanged(
            f"{endpoint}: {read.unreadable} of {frame.height} rows for {symbol} hold cells that are no dates or "
            f"amounts; first row: {frame.row(0)}"
        )
    return read.rows.filter(pl.col(CORPORATE_ACTIONS.time).is_between(span.first, span.last))


def _plans(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each plan once, in the dataset's columns."""
    shares = (pl.col("shares") + pl.col("converted")).alias("shares")
    return rows.unique(maintain_order=True).with_columns(shares).select(CORPORATE_ACTIONS.schema.names)


def added_up(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return canonical rows with the events of each symbol and day added up, sorted by key."""
    offered = pl.col("rights_shares")
    summed = (
        pl.concat(parts)
        .group_by("symbol", "ex_date")
        .agg(
            pl.col("cash").sum().round(10),
            pl.col("shares").sum().round(10),
            offered.sum().round(10),
            (offered * pl.col("rights_price")).sum().alias("costs"),
            pl.col("record_date").max(),
            pl.col("pay_date").max(),
        )
    )
    price = pl.when(offered > 0).then((pl.col("costs") / offered).round(6)).otherwise(0.0)
    columns = CORPORATE_ACTIONS.schema.names
    return summed.with_columns(price.alias("rights_price")).select(columns).sort(CORPORATE_ACTIONS.key)


def _empty(cells: pl.Series) -> pl.Series:
    if cells.dtype.is_float():
        return cells.is_null() | cells.is_nan().fill_null(False)
    return cells.is_null() | (cells.cast(pl.String).str.strip_chars() == "")


def _number(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.zeros(frame.height, dtype=pl.Float64, eager=True).alias(name)
    return read_numbers(frame[name]).fill_nan(None).fill_null(0.0).alias(name)


def _date(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * frame.height, dtype=pl.Date)
    return read_times(frame[name], TimeKind.DAY).alias(name)


def _text(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * frame.height, dtype=pl.String)
    return frame[name].cast(pl.String).str.strip_chars().alias(name)


def _unreadable(frame: pl.DataFrame) -> pl.Series:
    """Return where a cell holds something that is no date or no number from 0 on."""
    bad = pl.repeat(False, frame.height, eager=True)
    for name in frame.columns:
        known = CORPORATE_ACTIONS.by_name.get(name)
        if name == CORPORATE_ACTIONS.time or (known is not None and known.type is FieldType.DATE):
            bad |= read_times(frame[name], TimeKind.DAY).is_null() & ~_empty(frame[name])
        elif known is not None or name == "converted":
            numbers = read_numbers(frame[name]).fill_nan(None)
            bad |= (numbers.is_null() & ~_empty(frame[name])) | (numbers < 0).fill_null(False)
    return bad
