"""Which v1 table holds which dataset, in which columns and units. Data only: differences are rows, not branches.

v1 keeps volumes in lots (100 shares), turnover in thousands and flows in ten thousands of yuan. A column's `shift`
says so once: canonical value = stored value x 10**shift. SQL types are not repeated here, because v1 made the same
table with different ones: they are read from the server (`layout.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from quantflux.core.errors import InvalidRequest
from quantflux.data import schema

LOTS, THOUSANDS, TEN_THOUSANDS = 2, 3, 4
"""Powers of ten between v1's units and ours."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where one field lives: the table's column and the power of ten from its unit to the canonical one.

    Where v1 left a key empty, it is read from the column `instead`, or as the text `default`.
    """

    field: str
    name: str
    shift: int = 0
    instead: str = ""
    default: str = ""


@dataclass(frozen=True)
class Table:
    """How one dataset lies in one table.

    Attributes
    ----------
    dataset : str
    name : str
        The table's name.
    columns : tuple of Column
        Fields in the order of the dataset. A field that is absent lives elsewhere or is derived.
    symbol, time : str
        Columns of the key.
    key : tuple of str
        The table's primary key. Empty where v1 has no unique key and rows are found by their `id`.
    fixed : tuple of (str, str)
        Columns that must hold this text, such as period_type = '1min'.
    stamps : tuple of str
        Columns that take the present UTC time of a write.
    slice_years : int
        Rows of one symbol are fetched in pieces of so many years; 0 means in one piece.
    baostock : bool
        Symbols are written sh.600519 instead of 600519.SH.
    """

    dataset: str
    name: str
    columns: tuple[Column, ...]
    symbol: str = "ts_code"
    time: str = "trade_date"
    key: tuple[str, ...] = ("ts_code", "trade_date")
    fixed: tuple[tuple[str, str], ...] = ()
    stamps: tuple[str, ...] = ()
    slice_years: int = 0
    baostock: bool = False

    def column(self, field: str) -> Column:
        """Return the column of a field that has one."""
        return next(c for c in self.columns if c.field == field)

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that have a column."""
        return tuple(c.field for c in self.columns)


def _same(*names: str, shift: int = 0) -> tuple[Column, ...]:
    return tuple(Column(name, name, shift) for name in names)


_PRICES = _same("open", "high", "low", "close")

DAILY = Table(
    "stock_daily_data",
    "stock_daily_history",
    (*_PRICES, Column("volume", "vol", LOTS), Column("amount", "amount", THOUSANDS)),
)

MINUTE = Table(
    "stock_minute_data",
    "stock_minute_data",
    (*_PRICES, *_same("volume", "amount")),
    time="datetime",
    key=(),
    fixed=(("period_type", "1min"),),
    stamps=("created_at", "updated_at"),
    slice_years=1,
)

BAOSTOCK_MINUTE = Table(
    "stock_minute_data",
    "stock_1min_history",
    (*_PRICES, *_same("volume", "amount")),
    time="timestamp",
    key=("ts_code", "timestamp"),
    slice_years=1,
    baostock=True,
)

DAILY_BASIC = Table(
    "stock_daily_basic",
    "stock_daily_basic",
    (
        *_same(
            "close", "turnover_rate", "turnover_rate_f", "volume_ratio", "pe", "pe_ttm", "pb", "ps", "ps_ttm"
        ),
        *_same("dv_ratio", "dv_ttm"),
        *_same("total_share", "float_share", "free_share", "total_mv", "circ_mv", shift=TEN_THOUSANDS),
    ),
)

MONEYFLOW = Table(
    "stock_moneyflow",
    "stock_moneyflow",
    tuple(
        Column(f.name, f.name, LOTS if f.unit == "shares" else TEN_THOUSANDS) for f in schema.MONEYFLOW.fields
    ),
)

CHIP = Table("stock_chip", "stock_cyq_perf", _same(*schema.CHIP.value_names))

FACTOR_VALUES = Table(
    "factor_values",
    "factor_values",
    (*_same("factor_id"), Column("value", "factor_value"), *_same("percentile_rank", "z_score")),
    key=("ts_code", "trade_date", "factor_id"),
    stamps=("created_at",),
    slice_years=1,
)

PREDICTIONS = Table(
    "predictions",
    "ml_predictions",
    _same("model_id", "predicted_return", "probability_score", "rank_score"),
    key=("ts_code", "trade_date", "model_id"),
    stamps=("created_at",),
    slice_years=1,
)

INSTRUMENTS = Table(
    "instruments",
    "stock_basic",
    _same("name", "industry"),
    time="list_date",
    key=("ts_code",),
)

CORPORATE_ACTIONS = Table(
    "corporate_actions",
    "quantflux_corporate_actions",
    _same(*schema.CORPORATE_ACTIONS.value_names),
    time="ex_date",
    key=("ts_code", "ex_date"),
)
"""A table of our own: v1 has none of these."""

ADJUSTMENTS = "quantflux_adj_factor"
"""Our own table beside v1's: the exact cumulative factor, which v1 has only with two decimals."""

MINUTE_TABLES = MappingProxyType({t.name: t for t in (MINUTE, BAOSTOCK_MINUTE)})
"""The tables that may hold one-minute bars."""


# v1 asked Tushare for consolidated reports, whose type is 1. A statement without the date of its first announcement
# was public at the announcement that v1 knows.
_STATEMENT_KEYS = {
    "report_type": Column("report_type", "report_type", default="1"),
    "f_ann_date": Column("f_ann_date", "f_ann_date", instead="ann_date"),
}


def _statements() -> tuple[Table, ...]:
    text = files("quantflux.data").joinpath("statements.toml").read_text(encoding="utf-8")
    names = {name: section["v1_table"] for name, section in tomllib.loads(text).items()}
    return tuple(
        Table(
            dataset,
            name,
            tuple(
                _STATEMENT_KEYS.get(f.name, Column(f.name, f.name)) for f in schema.dataset(dataset).fields
            ),
            time="end_date",
            key=("ts_code", "end_date"),
        )
        for dataset, name in names.items()
    )


@cache
def tables(minute_table: str = MINUTE.name) -> Mapping[str, Table]:
    """Return the table of every dataset, by the dataset's name.

    Examples
    --------
    >>> tables()["stock_chip"].name
    'stock_cyq_perf'
    """
    if minute_table not in MINUTE_TABLES:
        raise InvalidRequest(f"minute_table must be one of {', '.join(MINUTE_TABLES)}, was {minute_table!r}")
    every = (DAILY, MINUTE_TABLES[minute_table], DAILY_BASIC, MONEYFLOW, CHIP, FACTOR_VALUES, PREDICTIONS)
    return MappingProxyType({t.dataset: t for t in (*every, INSTRUMENTS, CORPORATE_ACTIONS, *_statements())})
