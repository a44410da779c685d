"""The InfluxQL that we send: identifiers from the dataset's schema, every value bound, one statement a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from quantflux.data.adapters.influxdb.layout import DAY_NS, masks, masks_for, quote
from quantflux.data.contract import When
from quantflux.data.schema import Dataset

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Statement:
    """One statement and the values bound to its `$name` places.

    InfluxDB makes a bucket for every step between the bounds of a `GROUP BY time`, whether or not there are rows: a
    forgotten bound has cost a server gigabytes. So both must be bound.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if ";" in self.text:
            raise ValueError(f"one statement a call, was given {self.text!r}")
        if "GROUP BY time" in self.text and not {"low", "high"} <= self.values.keys():
            raise ValueError(f"GROUP BY time needs $low and $high bound, was given {self.text!r}")


@dataclass(frozen=True)
class Page:
    """A part of a read: these symbols (None means all) between two instants, both inclusive, in nanoseconds."""

    symbols: tuple[str, ...] | None
    low: int | None
    high: int | None


def nanoseconds(when: When) -> int:
    """Return where a day or an aware instant stands on InfluxDB's time axis.

    Examples
    --------
    >>> nanoseconds(date(1970, 1, 2))
    86400000000000
    """
    if isinstance(when, datetime):
        whole = int(when.timestamp() // 1)
        return whole * 1_000_000_000 + when.microsecond * 1000
    return (when - _EPOCH).days * DAY_NS


def select_rows(source: str, data: Dataset, columns: Sequence[str], page: Page) -> Statement:
    """Return the statement that reads the key, these columns and the masks they need."""
    names = [*data.extra_keys, *columns, *(mask.name for mask in masks_for(data, columns))]
    chosen = ", ".join(quote(name) for name in ("symbol", *names))
    where, values = _where(page)
    return Statement(f"SELECT {chosen} FROM {source}{where}", values)  # noqa: S608 - identifiers of the schema


def edge(source: str, data: Dataset, *, last: bool) -> Statement:
    """Return the statement that finds the first or last point of a dataset."""
    order = "DESC" if last else "ASC"
    return Statement(f"SELECT {quote(marker(data))} FROM {source} ORDER BY time {order} LIMIT 1")  # noqa: S608


def tag_values(source: str, tag: str) -> Statement:
    """Return the statement that lists the values of a tag."""
    return Statement(f"SHOW TAG VALUES FROM {source} WITH KEY = {quote(tag)}")


def marker(data: Dataset) -> str:
    """Return a field that every row has."""
    required = [f.name for f in data.fields if f.required and f.name not in data.extra_keys]
    return required[0] if required else masks(data)[0].name


def _where(page: Page) -> tuple[str, dict[str, Any]]:
    clauses: list[str] = []
    values: dict[str, Any] = {}
    if page.symbols is not None:
        values |= {f"s{i}": symbol for i, symbol in enumerate(page.symbols)}
        clauses.append("(" + " OR ".join(f'"symbol" = ${name}' for name in values) + ")")
    for name, sign, bound in (("low", ">=", page.low), ("high", "<=", page.high)):
        if bound is not None:
            clauses.append(f"time {sign} ${name}")
            values[name] = bound
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), values
