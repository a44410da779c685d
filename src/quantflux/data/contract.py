"""What every truth store promises. Adapters implement `MarketStore`; optional powers are Protocols of their own.

The promises, judged by one conformance suite (`tests/data/conformance`):

* `write` is an atomic, idempotent upsert by the dataset's key. Writing a row replaces all of it. When the reply is
  lost it raises `OutcomeUnknown`, and sending the identical table again has the same result as sending it once.
* Every write that changes rows raises the dataset's `version`; `changes(since)` names at least every row that
  changed after `since` (it may name more, never fewer).
* `read` returns rows sorted by the dataset's key, bit for bit as written, and an empty table with the right schema
  when there are none: an unknown symbol is not an error here.
* A store refuses what `conform.conform` refuses, and stores nothing of a refused table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol, Self, runtime_checkable

import pyarrow as pa

from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import InvalidRequest
from quantflux.data.schema import Dataset, TimeKind

_EARLIEST, _LATEST = date(1900, 1, 1), date(2200, 12, 31)

When = date | datetime
"""A day, or an instant. A naive datetime is Shanghai wall-clock time."""


@dataclass(frozen=True)
class Query:
    """A read, described: which rows and columns of one dataset.

    Attributes
    ----------
    symbols : tuple of str or None
        None means all.
    start, end : date, datetime or None
        Both inclusive; None means open. For minute datasets a date means the whole day.
    columns : tuple of str or None
        Value columns; the key columns always come first in the result. None means all.

    Examples
    --------
    >>> from quantflux.data.schema import DAILY
    >>> Query(DAILY, ("600519.SH",), date(2024, 1, 2), date(2024, 6, 28), ("close",)).schema.names
    ['symbol', 'trade_date', 'close']
    """

    dataset: Dataset
    symbols: tuple[str, ...] | None = None
    start: When | None = None
    end: When | None = None
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            if value is not None:
                check_reach(name, value)
        low, high = self.bounds
        if low is not None and high is not None and low > high:
            raise InvalidRequest(f"start must not be after end, was {self.start} .. {self.end}")
        object.__setattr__(self, "columns", self.dataset.check_columns(self.columns))

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The value columns of the result."""
        return self.columns if self.columns is not None else self.dataset.value_names

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the result."""
        return self.dataset.schema_of(self.value_columns)

    @property
    def bounds(self) -> tuple[When | None, When | None]:
        """First and last time asked for, both inclusive: dates for daily datasets, UTC instants for minute ones."""
        if self.dataset.kind is TimeKind.DAY:
            return (
                None if self.start is None else day_of(self.start),
                None if self.end is None else day_of(self.end),
            )
        return (
            None if self.start is None else _instant(self.start, time()),
            None if self.end is None else _instant(self.end, time.max),
        )

    def narrowed(self, start: When | None, end: When | None) -> Self:
        """Return the same read over another span."""
        return replace(self, start=start, end=end)


def check_reach(name: str, when: When) -> None:
    """Refuse a day or instant, called `name`, that no market data can have."""
    # The year first: an instant at the calendar's very ends cannot be moved to Shanghai.
    if not (_EARLIEST.year <= when.year <= _LATEST.year and _EARLIEST <= day_of(when) <= _LATEST):
        raise InvalidRequest(f"{name} must lie in {_EARLIEST} .. {_LATEST}, was {when.isoformat()}")


def day_of(when: When) -> date:
    """Return the Shanghai calendar day of a date or instant."""
    if not isinstance(when, datetime):
        return when
    return when.date() if when.tzinfo is None else when.astimezone(SHANGHAI).date()


def _instant(when: When, at: time) -> datetime:
    if not isinstance(when, datetime):
        when = datetime.combine(when, at)
    if when.tzinfo is None:
        when = when.replace(tzinfo=SHANGHAI)
    return when.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day with rows, both inclusive."""

    first: date
    last: date

    def __or__(self, other: Span) -> Span:
        return Span(min(self.first, other.first), max(self.last, other.last))

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a day."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """What a write did.

    Attributes
    ----------
    version : int
        The dataset's version that holds these rows.
    rows : int
        Rows stored, new or replaced.
    span : Span or None
        Days touched; None if the table was empty.
    """

    dataset: str
    version: int
    rows: int
    span: Span | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a dataset after some version.

    Attributes
    ----------
    version : int
        The version these changes lead to.
    spans : tuple of Span
        Days in which rows may have changed; empty if nothing did. A store that has forgotten, names its whole span.
    """

    version: int
    spans: tuple[Span, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.spans)


class MarketStore(Protocol):
    """The least a truth store can do."""

    name: str

    def write(self, dataset: Dataset, table: pa.Table) -> WriteReceipt:
        """Upsert rows by the dataset's key, atomically and idempotently. See the module's promises."""

    def read(self, query: Query) -> pa.Table:
        """Return the rows asked for, sorted by key, in `query.schema`."""

    def iter_batches(self, query: Query, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the same rows in batches, with memory bounded by the batch, not the answer.

        Batches are each sorted by key; a store may cut by time first when it cannot stream in key order.
        """

    def symbols(self, dataset: Dataset) -> list[str]:
        """Return the symbols that have rows, sorted."""

    def span(self, dataset: Dataset) -> Span | None:
        """Return the first and last day with rows, or None."""

    def version(self, dataset: Dataset) -> int:
        """Return the dataset's version: 0 before the first write."""

    def changes(self, dataset: Dataset, since: int) -> Changes:
        """Return what changed after version `since`."""

    def ping(self) -> str:
        """Return what answered (product and version), or raise `StoreUnavailable` or `AccessDenied`."""

    def close(self) -> None:
        """Release connections and files."""


AsOf = int | datetime
"""A version number, or the aware instant at which one would have asked."""


@runtime_checkable
class CanReadAsOf(Protocol):
    """Reads what the store held at an earlier version or instant."""

    def read_as_of(self, query: Query, as_of: AsOf) -> pa.Table:
        """Return the rows as they stood. `InvalidRequest` if that version was never or is no longer kept."""


class Function(StrEnum):
    """What an aggregate may compute of a column within one symbol and period, in time order."""

    FIRST = "first"
    LAST = "last"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    MEAN = "mean"
    COUNT = "count"
    STD = "std"


class Period(StrEnum):
    """Calendar periods to aggregate by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Measure:
    """One output column: `function` of `column`, called `name`. `STD` is the sample deviation (ddof=1)."""

    name: str
    column: str
    function: Function


@dataclass(frozen=True)
class Aggregation:
    """Measures by symbol and calendar period.

    The result has columns symbol, period_start (date32: first calendar day of the period, Monday for weeks) and
    one per measure (float64; int64 for count), sorted by symbol and period. Nulls are skipped; a period without
    rows has no row.
    """

    period: Period
    measures: tuple[Measure, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.measures:
            raise InvalidRequest("an aggregation needs at least one measure")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads."""
        return tuple(dict.fromkeys(m.column for m in self.measures))


@runtime_checkable
class CanAggregate(Protocol):
    """Computes aggregates where the data are."""

    def aggregate(self, query: Query, aggregation: Aggregation) -> pa.Table:
        """Return the aggregation of the rows that `query` selects (its columns are ignored)."""


@dataclass(frozen=True, slots=True)
class CompactReceipt:
    """What compaction did: files and bytes before and after."""

    dataset: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


@runtime_checkable
class CanCompact(Protocol):
    """Rewrites what it stores into fewer, larger files without changing a row."""

    def compact(self, dataset: Dataset, *, keep_history: timedelta) -> CompactReceipt:
        """Compact, and drop files that only versions older than `keep_history` need."""


@runtime_checkable
class HasIdentity(Protocol):
    """Tells a dataset from another one made anew in the same place, whose versions begin again."""

    def identity(self, dataset: Dataset) -> str:
        """Return a name that no other dataset ever had; empty before the first write."""


@runtime_checkable
class ReportsBytes(Protocol):
    """Knows how much disk a dataset takes."""

    def stored_bytes(self, dataset: Dataset) -> int:
        """Return bytes on disk."""


class DiscrepancyKind(StrEnum):
    """How the rows of a symbol-day differ from what the store acknowledged."""

    MISSING = "missing"
    DIFFERS = "differs"
    UNKNOWN = "unknown rows"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A symbol-day whose rows are not as they were written."""

    symbol: str
    day: date
    kind: DiscrepancyKind


@runtime_checkable
class CanScrub(Protocol):
    """Keeps a record of what it acknowledged, apart from the data, and can compare the two."""

    def scrub(
        self, dataset: Dataset, start: date | None = None, end: date | None = None, *, adopt: bool = False
    ) -> list[Discrepancy]:
        """Read the rows of these days (both inclusive) back and return what differs. No row is mended.

        With `adopt`, rows that are not on record are taken for right and put there.
        """


class Risk(Protocol):
    """Something wrong with how a store is set up, and what to do about it."""

    @property
    def problem(self) -> str:
        """What is wrong."""

    @property
    def remedy(self) -> str:
        """How to mend it."""

    @property
    def fatal(self) -> bool:
        """Whether the store refuses to work because of it."""


@runtime_checkable
class ChecksSecurity(Protocol):
    """Can tell whether strangers could read or change what it holds."""

    def check_security(self) -> Sequence[Risk]:
        """Return what is wrong; nothing if all is well."""


def check_symbols(symbols: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the symbols of a request, sorted and each once; None stays None."""
    return None if symbols is None else tuple(sorted(set(symbols)))
