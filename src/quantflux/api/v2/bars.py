"""Bars of one symbol and of many, over time and on one day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path, Request, Response

from quantflux.api.access import Services
from quantflux.api.answers import Form, encode, form_of
from quantflux.api.cached import KeptRouter, answer
from quantflux.api.questions import Found, Question
from quantflux.api.v2.asked import (
    CAPS,
    PAGE_ROWS,
    AdjustName,
    After,
    Anchor,
    AsOfText,
    Caller,
    DatasetName,
    End,
    Fields,
    FormatName,
    FrequencyName,
    RowLimit,
    Start,
    Symbol,
    Symbols,
    as_of_from,
    bars_asked,
    in_forms,
    names,
)
from quantflux.api.walks import Cursor, page
from quantflux.core.errors import InvalidRequest, UnknownSymbol
from quantflux.data.access import DataAccessLayer
from quantflux.data.bars import Bars
from quantflux.data.contract import AsOf, When, day_of
from quantflux.data.request import Adjust, parse_request
from quantflux.data.request import Request as Wanted
from quantflux.data.schema import DAILY, MINUTE, Dataset
from quantflux.data.schema import dataset as dataset_named
from quantflux.data.sessions import SLOTS
from quantflux.platform import Platform

router = KeptRouter(prefix="/api/v2", tags=["market data"])

_COLUMNS = {
    "trade_date": ["2024-01-02", "2024-01-03"],
    "close": [1685.01, 1694.0],
    "volume": [3215644, 2022929],
}
_FACTS = {"dataset": "stock_daily_data", "version": 12, "frequency": "1d", "adjust": "none"}
_FEW_DAYS = 1100  # three years take a quarter of a millisecond
_CSV = 'symbol,trade_date,close,volume\n"600519.SH",2024-01-02,1685.01,3215644\n'


@dataclass(frozen=True, slots=True)
class Asked:
    """Bars asked for, parsed: what is wanted of which version, and which page of it.

    Attributes
    ----------
    alone : bool
        Whether one symbol was asked for by its own address, whose rows do not repeat it in JSON.
    """

    wanted: Wanted
    as_of: AsOf | None
    limit: int
    after: Cursor | None
    alone: bool = False

    @property
    def text(self) -> str:
        """The request in one form."""
        w = self.wanted
        return (
            f"bars|{w.dataset.name}|{w.frequency}|{w.symbols}|{w.start!r}|{w.end!r}|{w.fields}|{w.adjust}|{w.anchor}"
            f"|{self.as_of!r}|{self.limit}|{self.after}|{self.alone}"
        )

    @property
    def datasets(self) -> tuple[str, ...]:
        """What the answer is made from: adjusted minutes need the factors of days."""
        minutes = self.wanted.dataset is MINUTE and self.wanted.adjust is not Adjust.NONE
        return (self.wanted.dataset.name, DAILY.name) if minutes else (self.wanted.dataset.name,)


@router.get(
    "/bars/{symbol}",
    summary="Bars of one symbol",
    response_class=Response,
    responses=in_forms(_COLUMNS, _CSV, **_FACTS, symbol="600519.SH", next=None),
)
async def read_symbol(
    request: Request,
    services: Services,
    caller: Caller,
    symbol: Symbol,
    start: Start = None,
    end: End = None,
    frequency: FrequencyName = "1d",
    fields: Fields = None,
    adjust: AdjustName = "none",
    anchor: Anchor = None,
    as_of: AsOfText = None,
    limit: RowLimit = PAGE_ROWS,
    after: After = None,
    form: FormatName = None,
) -> Response:
    """Return the bars of one symbol, oldest first. JSON has no symbol column, as `symbol` says it once."""
    wanted = bars_asked(symbol, start, end, frequency, fields, adjust, anchor)
    asked = Asked(wanted, as_of_from(as_of), limit, Cursor.parse(after), alone=True)
    return await _answer(request, services, "hot_stocks", asked, form)


@router.get(
    "/bars",
    summary="Bars of many symbols",
    response_class=Response,
    responses=in_forms(
        {"symbol": ["000001.SZ", "600519.SH"], **_COLUMNS}, _CSV, **_FACTS, next="600519.SH@1"
    ),
)
async def read_many(
    request: Request,
    services: Services,
    caller: Caller,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    frequency: FrequencyName = "1d",
    fields: Fields = None,
    adjust: AdjustName = "none",
    anchor: Anchor = None,
    as_of: AsOfText = None,
    limit: RowLimit = PAGE_ROWS,
    after: After = None,
    form: FormatName = None,
) -> Response:
    """Return the bars of the symbols named, in the order of symbol and time, in pages of at most 100,000 rows."""
    chosen = names(symbols, "symbols")
    if chosen is None:
        raise InvalidRequest(
            f"symbols must name 1 to {CAPS.max_symbols} symbols; one day of all of them is at "
            "/api/v2/cross-sections/DAY, and all bars are at /api/v2/exports/bars"
        )
    wanted = bars_asked(chosen, start, end, frequency, fields, adjust, anchor)
    asked = Asked(wanted, as_of_from(as_of), limit, Cursor.parse(after))
    return await _answer(request, services, "user_queries", asked, form)


@router.get(
    "/cross-sections/{day}",
    summary="One day of many symbols",
    response_class=Response,
    responses=in_forms({"symbol": ["000001.SZ", "600519.SH"], **_COLUMNS}, _CSV, **_FACTS, next=None),
)
async def read_cross_section(
    request: Request,
    services: Services,
    caller: Caller,
    day: Annotated[str, Path(max_length=40, openapi_examples={"day": {"value": "2024-01-02"}})],
    symbols: Symbols = None,
    fields: Fields = None,
    adjust: AdjustName = "none",
    as_of: AsOfText = None,
    dataset: DatasetName = DAILY.name,
    form: FormatName = None,
) -> Response:
    """Return one day of all symbols, or of those named, of a dataset of days; no rows if nothing was traded."""
    source = dataset_named(dataset)
    wanted = parse_request(
        CAPS, names(symbols, "symbols"), day, day, "1d", names(fields, "fields"), adjust, dataset=source
    )
    asked = Asked(wanted, as_of_from(as_of), PAGE_ROWS, None)
    return await _answer(request, services, "user_queries", asked, form)


async def _answer(
    request: Request, services: Platform, kind: str, asked: Asked, wanted_form: str | None
) -> Response:
    form = form_of(wanted_form, request.headers.get("accept"))
    stock = asked.wanted.symbols[0] if asked.alone and asked.wanted.symbols else ""
    question = Question(kind, asked.text, form, asked.datasets, stock=stock)

    def compute() -> Found:
        return found(services, asked, form)

    return await answer(request, services, question, compute, lambda: _at_hand(services, asked))


def _at_hand(services: Platform, asked: Asked) -> bool:
    """Whether these are a few years of one symbol's daily bars as traded, whose panels are open."""
    wanted = asked.wanted
    if not asked.alone or wanted.dataset is not DAILY or wanted.frequency.derived or asked.as_of is not None:
        return False
    if wanted.adjust is not Adjust.NONE or wanted.start is None or wanted.end is None:
        return False
    few = (day_of(wanted.end) - day_of(wanted.start)).days <= _FEW_DAYS
    return few and services.data.at_hand(wanted.query)


def found(services: Platform, asked: Asked, form: Form) -> Found:
    """Read one page of bars and write it."""
    wanted, data = asked.wanted, services.data
    read = reader(data, wanted, asked.as_of)
    facts: dict[str, Any] = {
        "dataset": wanted.dataset.name,
        "version": data.state(wanted.dataset)[1] if asked.as_of is None else asked.as_of,
        "frequency": wanted.frequency,
        "adjust": wanted.adjust,
    }
    if wanted.symbols is None:
        return Found(encode(form, read(None), facts | {"next": None}))
    if asked.as_of is None and not asked.alone:
        check_known(
            services, wanted.dataset, wanted.symbols
        )  # each page alike, wherever the unknown ones stand
    each = 0 if asked.alone else rows_each(services, wanted)  # one symbol is read as one whatever its rows
    cut = page(read, wanted.symbols, each, asked.limit, asked.after)
    following = None if cut.next is None else str(cut.next)
    facts["next"] = following
    if not asked.alone:
        return Found(encode(form, cut.labelled, facts), following or "")
    return Found(encode(form, cut.rows, facts | {"symbol": wanted.symbols[0]}), following or "")


def reader(
    data: DataAccessLayer, wanted: Wanted, as_of: AsOf | None
) -> Callable[[tuple[str, ...] | None], Bars]:
    """Return what reads bars of some of the symbols."""

    def read(symbols: tuple[str, ...] | None) -> Bars:
        if symbols is not None and len(symbols) == 1 and wanted.dataset in (DAILY, MINUTE):
            return data.get_stock_data(
                symbols[0],
                wanted.start,
                wanted.end,
                wanted.frequency,
                wanted.fields,
                wanted.adjust,
                as_of,
                anchor=wanted.anchor,
            )
        return data.get_many(
            symbols,
            wanted.start,
            wanted.end,
            wanted.frequency,
            wanted.fields,
            wanted.adjust,
            as_of,
            anchor=wanted.anchor,
            dataset=wanted.dataset,
        )

    return read


def check_known(services: Platform, dataset: Dataset, symbols: Sequence[str]) -> None:
    """Refuse symbols without any row in a dataset.

    Raises
    ------
    UnknownSymbol
    """
    unknown = sorted(set(symbols).difference(services.data.symbols(dataset)))
    if unknown:
        raise UnknownSymbol(unknown, dataset.name)


def rows_each(services: Platform, wanted: Wanted) -> int:
    """Return the most bars that a symbol can have in the span; 0 where nothing is stored."""
    sessions = sessions_between(services, wanted.dataset, wanted.start, wanted.end)
    return sessions * (SLOTS // wanted.frequency.minutes if wanted.frequency.minutes else 1)


def sessions_between(services: Platform, dataset: Dataset, start: When | None, end: When | None) -> int:
    """Return the number of sessions of a span in which a dataset may have rows."""
    span = services.store.span(dataset)
    if span is None:
        return 0
    first = span.first if start is None else max(span.first, day_of(start))
    last = span.last if end is None else min(span.last, day_of(end))
    return services.calendar.count(first, last) if first <= last else 0
