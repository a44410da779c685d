"""What a dataset is, and which datasets there are.

A dataset is one table of the truth store: rows keyed by symbol and time (and, for a few, by one more
column), with typed fields in canonical units: yuan, shares, percent where a field says so. Every store holds
the same datasets; `data/conform.py` is the one gate through which rows enter any of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from quantflux.core.errors import InvalidRequest, UnknownDataset

FIRST_TRADING_DAY = date(1990, 12, 19)
"""The Shanghai exchange opened on this day: no bar can be older."""

MINUTE_LABELS = np.concatenate([np.arange(571, 691), np.arange(781, 901)])
"""Closing minutes of the day's 240 bars, in minutes after midnight: 09:31-11:30 and 13:01-15:00."""


class FieldType(StrEnum):
    """The five types a field may have."""

    FLOAT = "float"
    INTEGER = "integer"
    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type in which values travel."""
        return _ARROW_TYPES[self]


_ARROW_TYPES = {
    FieldType.FLOAT: pa.float64(),
    FieldType.INTEGER: pa.int64(),
    FieldType.TEXT: pa.string(),
    FieldType.DATE: pa.date32(),
    FieldType.BOOLEAN: pa.bool_(),
}


class TimeKind(StrEnum):
    """How a dataset's rows are dated."""

    DAY = "day"
    MINUTE = "minute"

    @property
    def arrow(self) -> pa.DataType:
        """date32 for days; instants in microseconds, shown in Shanghai time, for minutes."""
        return pa.date32() if self is TimeKind.DAY else pa.timestamp("us", tz="Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a dataset.

    Attributes
    ----------
    unit : str
        Canonical unit: yuan, shares, percent, ratio, or empty for codes and names.
    required : bool
        A row without this value is refused. Other fields may be null; NaN is stored as null.
    minimum : float or None
        Smallest value allowed; with `exclusive`, values must be greater.
    """

    name: str
    type: FieldType = FieldType.FLOAT
    unit: str = ""
    required: bool = False
    minimum: float | None = None
    exclusive: bool = False


@dataclass(frozen=True)
class Dataset:
    """One table of the truth store.

    Attributes
    ----------
    name : str
        Also the name of the table or measurement.
    time : str
        The time column: the day a row belongs to, or the close of a minute bar.
    kind : TimeKind
    extra_keys : tuple of str
        Fields that are part of the key beside symbol and time.
    partition : {"year", "month"}
        How the columnar store cuts it.
    panel : bool
        Whether the panel tier keeps its numeric fields: rows are unique by symbol and time.
    """

    name: str
    time: str
    kind: TimeKind
    fields: tuple[Field, ...]
    extra_keys: tuple[str, ...] = ()
    partition: str = "year"
    panel: bool = False
    earliest: date = FIRST_TRADING_DAY

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row, in sort order."""
        return ("symbol", self.time, *self.extra_keys)

    @cached_property
    def value_names(self) -> tuple[str, ...]:
        """Fields that are not part of the key."""
        return tuple(f.name for f in self.fields if f.name not in self.extra_keys)

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Fields by name."""
        return MappingProxyType({f.name: f for f in self.fields})

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema of the whole table: key columns first, then the values."""
        return self.schema_of(self.value_names)

    def schema_of(self, columns: tuple[str, ...]) -> pa.Schema:
        """Return the Arrow schema of the key plus these value columns."""
        types = {"symbol": pa.string(), self.time: self.kind.arrow}
        types |= {f.name: f.type.arrow for f in self.fields}
        required = {*self.key, *(f.name for f in self.fields if f.required)}
        return pa.schema([pa.field(n, types[n], nullable=n not in required) for n in (*self.key, *columns)])

    def check_columns(self, columns: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the value columns asked for, in schema order of the request; refuse unknown ones."""
        if columns is None:
            return self.value_names
        unknown = [c for c in columns if c not in self.by_name and c not in self.key]
        if unknown:
            raise InvalidRequest(
                f"{self.name} has no column {', '.join(map(repr, unknown))}; it has: {', '.join(self.value_names)}."
            )
        return tuple(dict.fromkeys(c for c in columns if c not in self.key))

    def __hash__(self) -> int:
        return hash(self.name)


def _prices(*names: str) -> tuple[Field, ...]:
    return tuple(Field(n, unit="yuan", required=True, minimum=0.0, exclusive=True) for n in names)


def _numbers(unit: str, *names: str) -> tuple[Field, ...]:
    return tuple(Field(n, unit=unit) for n in names)


_BAR = (
    *_prices("open", "high", "low", "close"),
    Field("volume", FieldType.INTEGER, "shares", required=True, minimum=0),
    Field("amount", unit="yuan", minimum=0.0),
)

DAILY = Dataset(
    "stock_daily_data",
    "trade_date",
    TimeKind.DAY,
    (*_BAR, Field("adj_factor", unit="ratio", minimum=0.0, exclusive=True)),
    panel=True,
)
"""Daily bars: raw prices, with the cumulative multiplicative factor beside them."""

MINUTE = Dataset("stock_minute_data", "bar_time", TimeKind.MINUTE, _BAR, partition="month", panel=True)
"""One-minute bars, labelled by their close. Longer periods are derived from these."""

DAILY_BASIC = Dataset(
    "stock_daily_basic",
    "trade_date",
    TimeKind.DAY,
    (
        *_numbers("yuan", "close"),
        *_numbers("percent", "turnover_rate", "turnover_rate_f"),
        *_numbers("ratio", "volume_ratio", "pe", "pe_ttm", "pb", "ps", "ps_ttm"),
        *_numbers("percent", "dv_ratio", "dv_ttm"),
        *_numbers("shares", "total_share", "float_share", "free_share"),
        *_numbers("yuan", "total_mv", "circ_mv"),
    ),
    panel=True,
)

_ORDER_SIZES = ("sm", "md", "lg", "elg")
MONEYFLOW = Dataset(
    "stock_moneyflow",
    "trade_date",
    TimeKind.DAY,
    (
        *(
            Field(f"{side}_{size}_{what}", unit=unit)
            for size in _ORDER_SIZES
            for side in ("buy", "sell")
            for what, unit in (("vol", "shares"), ("amount", "yuan"))
        ),
        Field("net_mf_vol", unit="shares"),
        Field("net_mf_amount", unit="yuan"),
    ),
    panel=True,
)

CHIP = Dataset(
    "stock_chip",
    "trade_date",
    TimeKind.DAY,
    (
        *_numbers("yuan", "his_low", "his_high", "cost_5pct", "cost_15pct", "cost_50pct", "cost_85pct"),
        *_numbers("yuan", "cost_95pct", "weight_avg"),
        *_numbers("percent", "winner_rate"),
    ),
    panel=True,
)

FACTOR_VALUES = Dataset(
    "factor_values",
    "trade_date",
    TimeKind.DAY,
    (
        Field("factor_id", FieldType.TEXT, required=True),
        Field("value"),
        Field("percentile_rank", unit="percent"),
        Field("z_score"),
    ),
    extra_keys=("factor_id",),
)

PREDICTIONS = Dataset(
    "predictions",
    "trade_date",
    TimeKind.DAY,
    (
        Field("model_id", FieldType.TEXT, required=True),
        Field("predicted_return", unit="ratio"),
        Field("probability_score"),
        Field("rank_score", FieldType.INTEGER),
    ),
    extra_keys=("model_id",),
)

INSTRUMENTS = Dataset(
    "instruments",
    "valid_from",
    TimeKind.DAY,
    (
        Field("instrument_id", FieldType.TEXT, required=True),
        Field("name", FieldType.TEXT, required=True),
        Field("board", FieldType.TEXT, required=True),
        Field("industry", FieldType.TEXT),
        Field("status", FieldType.TEXT, required=True),
        Field("list_date", FieldType.DATE),
        Field("delist_date", FieldType.DATE),
    ),
)
"""What a symbol meant from `valid_from` on: a new row for each change of name, status, industry or code.

`board` and `status` hold the values of `core.symbols.Board` and `core.instruments.Status`."""


CORPORATE_ACTIONS = Dataset(
    "corporate_actions",
    "ex_date",
    TimeKind.DAY,
    (
        Field("cash", unit="yuan", required=True, minimum=0.0),
        Field("shares", unit="ratio", required=True, minimum=0.0),
        Field("rights_shares", unit="ratio", minimum=0.0),
        Field("rights_price", unit="yuan", minimum=0.0),
        Field("record_date", FieldType.DATE),
        Field("pay_date", FieldType.DATE),
    ),
)
"""What one share gives its holder on the day it goes ex: one row a symbol and ex-date.

`cash` is before tax; `shares` are new ones from bonus issues and conversions of reserves; `rights_shares` may be
subscribed at `rights_price` each. A zero says that there is none."""


def _statement(name: str, fields: list[str]) -> Dataset:
    codes = ("comp_type", "end_type", "update_flag")
    return Dataset(
        name,
        "end_date",
        TimeKind.DAY,
        (
            Field("report_type", FieldType.TEXT, required=True),
            Field("f_ann_date", FieldType.DATE, required=True),
            Field("ann_date", FieldType.DATE),
            *(Field(code, FieldType.TEXT) for code in codes),
            *_numbers("yuan", *fields),
        ),
        extra_keys=("report_type", "f_ann_date"),
        earliest=date(1980, 1, 1),
    )


@cache
def datasets() -> Mapping[str, Dataset]:
    """Return every dataset by name."""
    statements = tomllib.loads(
        files("quantflux.data").joinpath("statements.toml").read_text(encoding="utf-8")
    )
    known = (
        DAILY,
        MINUTE,
        DAILY_BASIC,
        MONEYFLOW,
        CHIP,
        FACTOR_VALUES,
        PREDICTIONS,
        INSTRUMENTS,
        CORPORATE_ACTIONS,
    )
    every = (*known, *(_statement(name, table["fields"]) for name, table in statements.items()))
    return MappingProxyType({d.name: d for d in every})


def dataset(name: str) -> Dataset:
    """Return a dataset by name.

    Raises
    ------
    UnknownDataset
        Listing the known names.

    Examples
    --------
    >>> dataset("stock_daily_data").key
    ('symbol', 'trade_date')
    """
    known = datasets()
    if name not in known:
        raise UnknownDataset(name, list(known))
    return known[name]
