"""When orders meet: the auctions and the continuous sessions of each exchange, and trading after the close."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from functools import cache

from quantflux.core.errors import ConfigError, NotFound
from quantflux.core.symbols import Exchange, exchange_of
from quantflux.rules.boards import boards_of
from quantflux.rules.dated import DatedRow, Tables, scoped, shipped_tables

_PARTS = ("opening_call", "morning", "afternoon", "closing_call")


@dataclass(frozen=True, slots=True)
class Span:
    """A time of the day in Shanghai, its end not included."""

    begin: time
    end: time

    def __contains__(self, moment: time) -> bool:
        return self.begin <= moment < self.end

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Sessions:
    """A trading day of a share; None for what it does not have."""

    opening_call: Span
    continuous: tuple[Span, Span]
    closing_call: Span | None
    after_hours: Span | None


@cache
def session_tables() -> Tables:
    """Return the dated sessions by exchange, and the dated trading after hours by board."""
    columns = {"session": dict.fromkeys(_PARTS, str), "after_hours": {"span": str}}
    tables = shipped_tables("sessions.toml", columns)
    for name, scope, row in _rows_of(tables):
        for part in _PARTS if name == "session" else ("span",):
            try:
                _span(row[part])
            except ValueError as error:
                place = f"sessions.toml, {name}.{scope} from {row.since}"
                raise ConfigError(
                    f"{place}: {part} must be such as '09:30-11:30', was {row[part]!r}"
                ) from error
    return tables


def sessions_of(symbol: str, day: date) -> Sessions:
    """Return when a symbol trades on a trading day.

    Raises
    ------
    NotFound
        If its exchange was not open yet.

    Examples
    --------
    >>> today = sessions_of("600519.SH", date(2018, 8, 20))
    >>> [str(span) for span in today.continuous], str(today.closing_call), today.after_hours
    (['09:30-11:30', '13:00-14:57'], '14:57-15:00', None)
    """
    exchange = exchange_of(symbol)
    row = scoped(session_tables()["session"], exchange.value).on(day)
    if row is None:
        raise NotFound(f"{exchange.value} had no trading on {day}; it opened on {_opening_of(exchange)}")
    opening, morning, afternoon, closing = (_span(row[part]) for part in _PARTS)
    if opening is None or morning is None or afternoon is None:
        raise ConfigError(
            f"sessions.toml, {exchange.value} from {row.since}: only the closing call may be empty"
        )
    after = session_tables()["after_hours"].get(boards_of([symbol])[0] or "")
    late = after.on(day) if after else None
    return Sessions(opening, (morning, afternoon), closing, _span(late["span"]) if late else None)


def _opening_of(exchange: Exchange) -> date:
    return session_tables()["session"][exchange.value].rows[0].since


def _rows_of(tables: Tables) -> Iterator[tuple[str, str, DatedRow]]:
    for name, scopes in tables.items():
        for scope, table in scopes.items():
            for row in table.rows:
                yield name, scope, row


def _span(text: str) -> Span | None:
    """Return the span of a text such as 09:30-11:30; None for an empty one."""
    if not text:
        return None
    begin, end = (time.fromisoformat(part) for part in text.split("-"))
    if begin >= end:
        raise ValueError(text)
    return Span(begin, end)
