"""Fields of many symbols over time, as matrices."""

from __future__ import annotations

from fastapi import Request, Response

from quantflux.api.access import Services
from quantflux.api.answers import encode, form_of
from quantflux.api.cached import KeptRouter, answer
from quantflux.api.questions import Found, Question
from quantflux.api.v2.asked import (
    MAX_CELLS,
    PAGE_ROWS,
    AdjustName,
    Anchor,
    AsOfText,
    Caller,
    DatasetName,
    End,
    Fields,
    FormatName,
    FrequencyName,
    Start,
    Symbols,
    as_of_from,
    bars_asked,
    names,
)
from quantflux.api.v2.bars import Asked, rows_each
from quantflux.core.errors import InvalidRequest
from quantflux.data.schema import dataset as dataset_named
from quantflux.platform import Platform

router = KeptRouter(prefix="/api/v2/panels", tags=["market data"])

_EXAMPLE = {
    "dataset": "stock_daily_data",
    "version": 12,
    "frequency": "1d",
    "adjust": "none",
    "times": ["2024-01-02", "2024-01-03"],
    "symbols": ["000001.SZ", "600519.SH"],
    "fields": {"close": [[9.21, 1685.01], [9.2, None]]},
}


@router.get(
    "",
    summary="Fields as matrices of times by symbols",
    response_class=Response,
    responses={
        200: {
            "description": "A matrix for each field, a row a time; in the other forms, the rows that are there.",
            "content": {
                "application/json": {"example": _EXAMPLE},
                "text/csv": {"example": 'symbol,trade_date,close\n"600519.SH",2024-01-02,1685.01\n'},
                "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        304: {"description": "The caller has it already: If-None-Match."},
        404: {"description": "No row of a symbol that was named; similar ones are in `similar`."},
    },
)
async def read_panel(
    request: Request,
    services: Services,
    caller: Caller,
    fields: Fields = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    frequency: FrequencyName = "1d",
    adjust: AdjustName = "none",
    anchor: Anchor = None,
    as_of: AsOfText = None,
    dataset: DatasetName | None = None,
    form: FormatName = None,
) -> Response:
    """Return fields of the symbols named, or of all, with null where there is no row. Leave `dataset` out for bars."""
    source = None if dataset is None else dataset_named(dataset)
    wanted = bars_asked(names(symbols, "symbols"), start, end, frequency, fields, adjust, anchor, source)
    asked = Asked(wanted, as_of_from(as_of), PAGE_ROWS, None)
    chosen = form_of(form, request.headers.get("accept"))

    def compute() -> Found:
        _check_cells(services, asked)
        panel = services.data.panel(
            wanted.fields,
            wanted.symbols,
            wanted.start,
            wanted.end,
            wanted.frequency,
            wanted.adjust,
            asked.as_of,
            anchor=wanted.anchor,
            dataset=wanted.dataset,
        )
        facts = {
            "dataset": wanted.dataset.name,
            "version": services.data.state(wanted.dataset)[1] if asked.as_of is None else asked.as_of,
            "frequency": wanted.frequency,
            "adjust": wanted.adjust,
        }
        return Found(encode(chosen, panel, facts))

    question = Question("user_queries", f"panel|{asked.text}", chosen, asked.datasets)
    return await answer(request, services, question, compute)


def _check_cells(services: Platform, asked: Asked) -> None:
    """Refuse a panel that is larger than one answer may be, before any of it is read."""
    wanted = asked.wanted
    symbols = wanted.symbols if wanted.symbols is not None else services.data.symbols(wanted.dataset)
    times, fields = rows_each(services, wanted), len(wanted.fields)
    if times * len(symbols) * fields > MAX_CELLS:
        raise InvalidRequest(
            f"{times} times x {len(symbols)} symbols x {fields} fields are more than the {MAX_CELLS:,} values of one "
            "answer; ask for a shorter span, fewer symbols or fields, or take /api/v2/exports/bars"
        )
