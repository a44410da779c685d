"""Measures of stored rows by symbol and calendar period."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.answers import encode, form_of
from quantflux.api.bodies import Body
from quantflux.api.cached import answer
from quantflux.api.questions import Found, Question
from quantflux.api.routing import Router
from quantflux.api.v2.asked import CAPS, MAX_SYMBOLS, PAGE_ROWS, FormatName, in_forms
from quantflux.api.v2.bars import sessions_between
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Aggregation, Function, Measure, Period, Query
from quantflux.data.request import parse_symbols, parse_when
from quantflux.data.schema import DAILY, TimeKind
from quantflux.data.schema import dataset as dataset_named
from quantflux.data.sessions import SLOTS
from quantflux.platform import Platform

router = Router(prefix="/api/v2/aggregates", tags=["market data"])

_MINUTE_ROWS = 10_000_000

_EXAMPLE: JsonDict = {
    "dataset": "stock_daily_data",
    "symbols": ["600519.SH"],
    "start": "2024-01-01",
    "end": "2024-12-31",
    "period": "month",
    "measures": [
        {"name": "turnover", "column": "amount", "function": "sum"},
        {"name": "last", "column": "close", "function": "last"},
    ],
}


class MeasureBody(Body):
    """One column of the answer: a function of a column of the dataset."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$", description="What the column is called.")
    column: str = Field(max_length=64)
    function: Function


class AggregationBody(Body):
    """Which rows, and what to make of them."""

    dataset: str = Field(DAILY.name, max_length=64)
    symbols: list[Annotated[str, Field(max_length=40)]] | None = Field(
        None,
        min_length=1,
        max_length=MAX_SYMBOLS,
        description=f"At most {MAX_SYMBOLS}; all if left out.",
    )
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)
    period: Period
    measures: list[MeasureBody] = Field(min_length=1, max_length=50)

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


def _answers(*columns: Any, **facts: Any) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of the answers: those of `in_forms`, but for 304, which no POST gets."""
    return {status: said for status, said in in_forms(*columns, **facts).items() if status != 304}


@router.post(
    "",
    summary="Measures by symbol and calendar period",
    response_class=Response,
    responses=_answers(
        {
            "symbol": ["600519.SH"],
            "period_start": ["2024-01-01"],
            "turnover": [81_230_500_000.0],
            "last": [1608.0],
        },
        'symbol,period_start,turnover,last\n"600519.SH",2024-01-01,81230500000,1608\n',
        dataset="stock_daily_data",
        version=12,
        period="month",
    ),
)
async def aggregate(
    request: Request,
    services: Services,
    caller: Annotated[Principal, needs(Permission.MARKET_READ, RouteKind.WORK)],
    body: AggregationBody,
    form: FormatName = None,
) -> Response:
    """Return first, last, min, max, sum, mean, count or std of columns by symbol and day, week, month or year.

    Nulls are skipped; `std` is the sample deviation; a period without rows has no row.
    """
    source = dataset_named(body.dataset)
    query = Query(
        source,
        parse_symbols(body.symbols, CAPS),
        parse_when(body.start, "start"),
        parse_when(body.end, "end"),
    )
    aggregation = Aggregation(
        body.period, tuple(Measure(m.name, m.column, m.function) for m in body.measures)
    )
    repeated = len({m.name for m in body.measures} | {"symbol", "period_start"}) < len(body.measures) + 2
    if repeated:
        raise InvalidRequest("each measure needs a name of its own, other than symbol and period_start")
    chosen = form_of(form, request.headers.get("accept"))

    def compute() -> Found:
        _check_rows(services, query)
        table = services.data.aggregate(query, aggregation)
        if table.num_rows > PAGE_ROWS:
            raise InvalidRequest(
                f"the answer has {table.num_rows:,} rows, one answer may have {PAGE_ROWS:,}; ask for fewer symbols, a "
                "shorter span or longer periods"
            )
        facts = {"dataset": source.name, "version": services.data.state(source)[1], "period": body.period}
        return Found(encode(chosen, table, facts))

    text = f"aggregate|{source.name}|{query.symbols}|{query.start!r}|{query.end!r}|{aggregation!r}"
    return await answer(request, services, Question("user_queries", text, chosen, (source.name,)), compute)


def _check_rows(services: Platform, query: Query) -> None:
    """Refuse to aggregate more minute bars than fit in memory beside other requests; days come from the panels."""
    if query.dataset.kind is not TimeKind.MINUTE:
        return
    symbols = query.symbols if query.symbols is not None else services.data.symbols(query.dataset)
    sessions = sessions_between(services, query.dataset, query.start, query.end)
    if sessions * SLOTS * len(symbols) > _MINUTE_ROWS:
        raise InvalidRequest(
            f"{len(symbols)} symbols x {sessions} sessions of {SLOTS} minutes are more than the {_MINUTE_ROWS:,} rows "
            "that one request may aggregate; ask for fewer symbols or a shorter span"
        )
