"""What a caller may ask of the data access layer, checked and in one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol
from quantflux.data.contract import Period, Query, When, check_reach, day_of
from quantflux.data.schema import DAILY, MINUTE, Dataset, TimeKind
from quantflux.data.sessions import RULES

WhenLike = date | datetime | str | None
"""A day, an instant (naive: Shanghai wall clock), either in ISO 8601, or None for an open end."""


_Choice = TypeVar("_Choice", bound=StrEnum)


class Frequency(StrEnum):
    """How long a bar is. Weeks and months are folded from daily bars, longer minutes from one-minute bars."""

    DAY = "1d"
    WEEK = "1w"
    MONTH = "1mo"
    MINUTE = "1min"
    MINUTES_5 = "5min"
    MINUTES_15 = "15min"
    MINUTES_30 = "30min"
    MINUTES_60 = "60min"

    @property
    def minutes(self) -> int:
        """Length in minutes; 0 for days and longer."""
        return int(self[:-3]) if self.endswith("min") else 0

    @property
    def dataset(self) -> Dataset:
        """The stored bars that it is made from."""
        return MINUTE if self.minutes else DAILY

    @property
    def derived(self) -> bool:
        """Whether it is folded from shorter bars."""
        return self not in (Frequency.DAY, Frequency.MINUTE)

    @property
    def period(self) -> Period:
        """The calendar period that a bar of days covers."""
        return {Frequency.WEEK: Period.WEEK, Frequency.MONTH: Period.MONTH}.get(self, Period.DAY)

    def opening(self, day: date) -> date:
        """Return the first day of the week or month of a day; the day itself for shorter bars."""
        if self is Frequency.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Frequency.MONTH else day


class Adjust(StrEnum):
    """How prices are made comparable over dividends and splits. Volume and amount are never changed."""

    NONE = "none"
    FORWARD = "forward"
    """Price x factor / factor on the anchor day (the symbol's last known one): the latest prices stay as traded."""
    BACKWARD = "backward"
    """Price x factor: the past never changes when a dividend is paid."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one request may ask for.

    Attributes
    ----------
    max_symbols : int
        Symbols named in one request.
    max_cells : int
        Symbols x times of one answer, whether or not there are rows; 50 million are 0.4 GB a field.
    """

    max_symbols: int = 10_000
    max_cells: int = 50_000_000

    def check_cells(self, symbols: int, times: int) -> None:
        """Refuse an answer that is too large."""
        if symbols * times > self.max_cells:
            raise InvalidRequest(
                f"{symbols} symbols x {times} times are more than the {self.max_cells:,} cells that one request may "
                "ask for; ask for fewer symbols or a shorter span"
            )


@dataclass(frozen=True)
class Request:
    """Bars asked for.

    Attributes
    ----------
    symbols : tuple of str or None
        Canonical, sorted, each once; None means all.
    start, end : date, datetime or None
        Of the labels of the bars wanted, both inclusive.
    fields : tuple of str
        In the order asked for.
    anchor : date or None
        Day whose factor forward adjustment leaves as it is.
    """

    dataset: Dataset
    frequency: Frequency
    symbols: tuple[str, ...] | None
    start: When | None
    end: When | None
    fields: tuple[str, ...]
    adjust: Adjust = Adjust.NONE
    anchor: date | None = None

    @cached_property
    def query(self) -> Query:
        """The stored rows it needs: whole days, and the whole of the first week or month."""
        start = None if self.start is None else self.frequency.opening(day_of(self.start))
        end = None if self.end is None else day_of(self.end)
        return Query(self.dataset, self.symbols, start, end, self.fields)

    @property
    def within_day(self) -> bool:
        """Whether a bound lies inside a day, so that bars of that day have to be left out."""
        return self.dataset.kind is TimeKind.MINUTE and any(
            isinstance(w, datetime) for w in (self.start, self.end)
        )


def parse_request(
    limits: Limits,
    symbols: Sequence[str] | str | None,
    start: WhenLike,
    end: WhenLike,
    frequency: str,
    fields: Sequence[str] | None,
    adjust: str,
    *,
    dataset: Dataset | None = None,
    anchor: WhenLike = None,
) -> Request:
    """Return the request in one form, or raise `InvalidRequest` saying what would be valid."""
    period = _choice(Frequency, "frequency", frequency)
    source = dataset if dataset is not None else period.dataset
    own = Frequency.MINUTE if source.kind is TimeKind.MINUTE else Frequency.DAY
    if source is not period.dataset and period is not own:
        raise InvalidRequest(
            f"{source.name} has no bars of {period}; its rows are read with frequency={own.value!r}"
        )
    if not source.panel:
        raise InvalidRequest(
            f"{source.name} has no bars: its rows are keyed by {', '.join(source.key)}; read them with a Query"
        )
    mode = _choice(Adjust, "adjust", adjust)
    if mode is not Adjust.NONE and source not in (DAILY, MINUTE):
        raise InvalidRequest(
            f"{source.name} holds no prices to adjust; adjust must be 'none', was {mode.value!r}"
        )
    if isinstance(fields, str):
        raise InvalidRequest(f"fields must be a list of names, was the text {fields!r}")
    names = source.check_columns(None if fields is None else tuple(fields))
    if period.derived:
        names = _derivable(names, period, named=fields is not None)
    request = Request(
        source,
        period,
        parse_symbols(symbols, limits),
        parse_when(start, "start"),
        parse_when(end, "end"),
        names,
        mode,
        _day(anchor),
    )
    Query(source, None, request.start, request.end)  # refuses spans that are no spans
    return request


def _derivable(names: tuple[str, ...], period: Frequency, *, named: bool) -> tuple[str, ...]:
    kept = tuple(name for name in names if name in RULES)
    if named and len(kept) != len(names):
        lost = ", ".join(name for name in names if name not in RULES)
        raise InvalidRequest(f"bars of {period} have no {lost}; they have: {', '.join(RULES)}")
    return kept


def _choice(kind: type[_Choice], name: str, value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise InvalidRequest(f"{name} must be one of {', '.join(kind)}, was {value!r}") from None


def parse_symbols(symbols: Sequence[str] | str | None, limits: Limits) -> tuple[str, ...] | None:
    """Return canonical symbols, sorted and each once; None stays None."""
    if symbols is None:
        return None
    if isinstance(symbols, str):
        return (parse_symbol(symbols),)
    if len(symbols) > limits.max_symbols:
        raise InvalidRequest(f"{len(symbols)} symbols were named, one request may name {limits.max_symbols}")
    return tuple(sorted({parse_symbol(symbol) for symbol in symbols}))


def parse_when(value: WhenLike, name: str) -> When | None:
    """Return a day or instant from what a caller gave.

    Examples
    --------
    >>> parse_when("2024-01-02", "start"), parse_when("2024-01-02 09:35", "start")
    (datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 9, 35))
    """
    if value is None or isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
        except ValueError:
            pass
    raise InvalidRequest(
        f"{name} must be a day or an instant in ISO 8601 such as 2024-01-02 or 2024-01-02T09:35, was {value!r:.60}"
    )


def _day(value: WhenLike) -> date | None:
    when = parse_when(value, "anchor")
    if when is None:
        return None
    check_reach("anchor", when)
    return day_of(when)
