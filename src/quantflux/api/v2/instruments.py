"""Who is, or was, listed: names, boards, industries and special treatment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import ConfigDict
from pydantic.config import JsonDict

from quantflux.api.access import Services
from quantflux.api.answers import Form, json_of
from quantflux.api.bodies import Answer
from quantflux.api.cached import KeptRouter, answer
from quantflux.api.pages import Limit, Offset
from quantflux.api.questions import Found, Question
from quantflux.api.v2.asked import Caller, Symbol, instant
from quantflux.core.errors import InvalidRequest
from quantflux.core.instruments import Instrument, InstrumentTable, Status
from quantflux.core.symbols import Board, Exchange, parse_symbol
from quantflux.data.contract import check_reach, day_of
from quantflux.data.request import parse_when
from quantflux.data.schema import INSTRUMENTS

router = KeptRouter(prefix="/api/v2/instruments", tags=["market data"])

_MAOTAI: JsonDict = {
    "symbol": "600519.SH",
    "name": "贵州茅台",
    "exchange": "SSE",
    "board": "main",
    "industry": "食品饮料",
    "status": "normal",
    "list_date": "2001-08-27",
    "delist_date": None,
    "valid_from": "2001-08-27",
    "instrument_id": "SSE:600519",
}


class InstrumentAnswer(Answer):
    """What is true of an instrument from `valid_from` on, until its next row."""

    symbol: str
    name: str
    exchange: Exchange
    board: Board
    industry: str | None
    status: Status
    list_date: date | None
    delist_date: date | None
    valid_from: date
    instrument_id: str

    model_config = ConfigDict(json_schema_extra={"examples": [_MAOTAI]})


class InstrumentPage(Answer):
    """A part of the list; `next` is the offset of the next part, null on the last."""

    items: list[InstrumentAnswer]
    next: int | None
    total: int

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_MAOTAI], "next": 1, "total": 5412}]}
    )


class InstrumentHistory(Answer):
    """An instrument now, and every row about it, oldest first."""

    instrument: InstrumentAnswer
    history: list[InstrumentAnswer]

    model_config = ConfigDict(json_schema_extra={"examples": [{"instrument": _MAOTAI, "history": [_MAOTAI]}]})


@router.get("", summary="Instruments by industry, board, status or text", response_model=InstrumentPage)
async def read_instruments(
    request: Request,
    services: Services,
    caller: Caller,
    text: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=60,
            description="What a code begins with, or a name contains.",
            examples=["茅台"],
        ),
    ] = None,
    exchange: Annotated[Exchange | None, Query(description="Where it is listed.")] = None,
    board: Annotated[Board | None, Query(description="Its board.")] = None,
    industry: Annotated[str | None, Query(max_length=60, description="Its industry, as it is named.")] = None,
    status: Annotated[Status | None, Query(description="How it is traded.")] = None,
    on: Annotated[
        str | None,
        Query(max_length=40, description="As everything stood on this day; today's state if left out."),
    ] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """Return instruments in the order of their symbols; with `text`, the best match first."""
    day = _day(on)
    if text is not None and day is not None:
        raise InvalidRequest("text searches among today's instruments; leave out either text or on")
    asked = f"instruments|{text!r}|{exchange}|{board}|{industry!r}|{status}|{day}|{limit}|{offset}"

    def compute() -> Found:
        rows = _chosen(services.data.instruments(), text, day)
        kept = [
            row
            for row in rows
            if (exchange is None or row.exchange is exchange)
            and (board is None or row.board is board)
            and (industry is None or row.industry == industry)
            and (status is None or row.status is status)
        ]
        following = offset + limit if offset + limit < len(kept) else None
        items = [_shown(row) for row in kept[offset : offset + limit]]
        body = json_of({"items": items, "next": following, "total": len(kept)})
        return Found(body, "" if following is None else str(following))

    return await answer(request, services, _question(asked), compute)


@router.get("/{symbol}", summary="One instrument and its history", response_model=InstrumentHistory)
async def read_instrument(request: Request, services: Services, caller: Caller, symbol: Symbol) -> Response:
    """Return the instrument that bore a symbol last, whatever it is called now, and what was true of it before."""
    canonical = parse_symbol(symbol)

    def compute() -> Found:
        table = services.data.instruments()
        latest = table.latest(canonical)
        history = [_shown(row) for row in table.history(latest.instrument_id)]
        return Found(json_of({"instrument": _shown(latest), "history": history}))

    return await answer(request, services, _question(f"instrument|{canonical}"), compute)


def _question(text: str) -> Question:
    return Question("user_queries", text, Form.ROWS, (INSTRUMENTS.name,), following="offset")


def _chosen(table: InstrumentTable, text: str | None, day: date | None) -> Sequence[Instrument]:
    if text is not None:
        return table.search(text, limit=max(len(table), 1))
    if day is not None:
        return table.at(day)
    return sorted({row.instrument_id: row for row in table}.values(), key=lambda row: row.symbol)


def _shown(row: Instrument) -> dict[str, object]:
    return {name: getattr(row, name) for name in InstrumentAnswer.model_fields}


def _day(text: str | None) -> date | None:
    when = parse_when(instant(text), "on")
    if when is None:
        return None
    check_reach("on", when)
    return day_of(when)
