"""On which days and in which minutes the exchanges trade."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import numpy as np
from fastapi import Path, Query
from pydantic import ConfigDict

from quantflux.api.access import Services
from quantflux.api.answers import iso_instants
from quantflux.api.bodies import Answer
from quantflux.api.routing import Router
from quantflux.api.v2.asked import Caller, End, Start, instant
from quantflux.core.calendar import TradingCalendar
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.symbols import Exchange
from quantflux.data.contract import check_reach, day_of
from quantflux.data.panels import day_number
from quantflux.data.request import parse_when
from quantflux.data.sessions import PERIODS, instants
from quantflux.platform import Platform

router = Router(prefix="/api/v2/calendar", tags=["market data"])

_MOST_DAYS = 20_000  # more than the exchanges have seen

ExchangeName = Annotated[str, Query(max_length=10, description=f"One of {', '.join(Exchange)}.")]
Day = Annotated[str, Path(max_length=40, openapi_examples={"day": {"value": "2024-02-09"}})]


class Sessions(Answer):
    """The days on which an exchange trades, between two days."""

    exchange: Exchange
    start: date
    end: date
    published_until: date
    sessions: list[date]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "exchange": "SSE",
                    "start": "2024-02-07",
                    "end": "2024-02-20",
                    "published_until": "2026-12-31",
                    "sessions": ["2024-02-07", "2024-02-08", "2024-02-19", "2024-02-20"],
                }
            ]
        }
    )


class DayAnswer(Answer):
    """What a day is to an exchange; `previous` is null before its first session."""

    exchange: Exchange
    day: date
    is_session: bool
    provisional: bool
    previous: date | None
    next: date

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "exchange": "SSE",
                    "day": "2024-02-09",
                    "is_session": False,
                    "provisional": False,
                    "previous": "2024-02-08",
                    "next": "2024-02-19",
                }
            ]
        }
    )


class Minutes(Answer):
    """When the bars of a session close, in Shanghai time."""

    exchange: Exchange
    day: date
    minutes: int
    closes: list[str]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "exchange": "SSE",
                    "day": "2024-02-08",
                    "minutes": 60,
                    "closes": [
                        "2024-02-08T10:30:00+08:00",
                        "2024-02-08T11:30:00+08:00",
                        "2024-02-08T14:00:00+08:00",
                        "2024-02-08T15:00:00+08:00",
                    ],
                }
            ]
        }
    )


@router.get("", summary="Sessions between two days")
async def read_sessions(
    services: Services, caller: Caller, start: Start = None, end: End = None, exchange: ExchangeName = "SSE"
) -> Sessions:
    """Return the sessions from `start` to `end`, both inclusive: this year's if neither is given.

    After `published_until` the sessions are an estimate.
    """
    calendar = _calendar(services, exchange)
    today = day_of(services.clock.now())
    first = date(today.year, 1, 1) if start is None else _day(start, "start")
    last = date(max(today.year, first.year), 12, 31) if end is None else _day(end, "end")
    if (last - first).days > _MOST_DAYS:
        raise InvalidRequest(f"one request may span {_MOST_DAYS:,} days, {first} .. {last} is more")
    return Sessions(
        exchange=calendar.exchange,
        start=first,
        end=last,
        published_until=calendar.published_until,
        sessions=calendar.sessions(first, last).tolist(),
    )


@router.get("/{day}", summary="Is a day a session")
async def read_day(services: Services, caller: Caller, day: Day, exchange: ExchangeName = "SSE") -> DayAnswer:
    """Return whether an exchange trades on a day, and the sessions around it."""
    calendar = _calendar(services, exchange)
    found = _day(day, "day")
    try:
        previous = calendar.previous_session(found)
    except NotFound:
        previous = None
    return DayAnswer(
        exchange=calendar.exchange,
        day=found,
        is_session=calendar.is_session(found),
        provisional=calendar.is_provisional(found),
        previous=previous,
        next=calendar.next_session(found),
    )


@router.get("/{day}/minutes", summary="When the bars of a session close")
async def read_minutes(
    services: Services,
    caller: Caller,
    day: Day,
    minutes: Annotated[int, Query(description=f"Length of a bar: {', '.join(map(str, PERIODS))}.")] = 1,
    exchange: ExchangeName = "SSE",
) -> Minutes:
    """Return the closing instants of a session's bars; none if the day is no session."""
    calendar = _calendar(services, exchange)
    found = _day(day, "day")
    stamps = instants(np.array([day_number(found)], dtype=np.int32), minutes)[0]
    closes = iso_instants(stamps) if calendar.is_session(found) else []
    return Minutes(exchange=calendar.exchange, day=found, minutes=minutes, closes=closes)


def _calendar(services: Platform, exchange: str) -> TradingCalendar:
    return TradingCalendar.for_exchange(exchange, overrides=services.settings.calendar.override_file)


def _day(text: str, parameter: str) -> date:
    when = parse_when(instant(text), parameter)
    assert when is not None  # noqa: S101 - only None gives None
    check_reach(parameter, when)
    return day_of(when)
