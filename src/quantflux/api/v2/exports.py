"""All rows at once, in a stream: as much as is stored, in the memory of one piece of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pyarrow as pa
from fastapi import Path, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.audit import EXPORT, AuditEvent
from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.answers import Form, form_of, stream
from quantflux.api.exchange import exchange_of
from quantflux.api.routing import Router
from quantflux.api.v2.asked import (
    CAPS,
    AdjustName,
    Anchor,
    End,
    Fields,
    FormatName,
    FrequencyName,
    Start,
    Symbols,
    bars_asked,
    instant,
    names,
)
from quantflux.api.v2.bars import check_known, reader, rows_each
from quantflux.api.walks import tables
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Query
from quantflux.data.request import Adjust, parse_symbols, parse_when
from quantflux.data.request import Request as Wanted
from quantflux.data.schema import dataset as dataset_named
from quantflux.platform import Platform

router = Router(prefix="/api/v2/exports", tags=["market data"])

Exporter = Annotated[Principal, needs(Permission.MARKET_EXPORT, RouteKind.WORK)]
"""Somebody who may take more than a page."""

_PIECE_ROWS = 50_000

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Every row, as CSV or an Arrow stream. An answer that breaks off is not whole.",
        "content": {
            "text/csv": {"example": 'symbol,trade_date,close\n"600519.SH",2024-01-02,1685.01\n'},
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    404: {"description": "No row of a symbol that was named."},
}


@router.get("/bars", summary="All bars", response_class=StreamingResponse, responses=_RESPONSES)
async def export_bars(
    request: Request,
    services: Services,
    caller: Exporter,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    frequency: FrequencyName = "1d",
    fields: Fields = None,
    adjust: AdjustName = "none",
    anchor: Anchor = None,
    form: FormatName = None,
) -> StreamingResponse:
    """Stream the bars of the symbols named, or of all. Stored bars come in the store's order, others by symbol."""
    wanted = bars_asked(names(symbols, "symbols"), start, end, frequency, fields, adjust, anchor)
    plain = not wanted.frequency.derived and wanted.adjust is Adjust.NONE
    if plain:
        query = Query(wanted.dataset, wanted.symbols, wanted.start, wanted.end, wanted.fields)
        batches = _stored(services, query)
    else:
        batches = _made(services, wanted)
    schema = wanted.dataset.schema_of(wanted.fields)
    return await _streamed(request, services, caller, Export(wanted.dataset.name, schema, batches), form)


@router.get(
    "/datasets/{name}",
    summary="All rows of a dataset",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def export_dataset(
    request: Request,
    services: Services,
    caller: Exporter,
    name: Annotated[str, Path(max_length=64, openapi_examples={"one": {"value": "stock_daily_basic"}})],
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    fields: Fields = None,
    form: FormatName = None,
) -> StreamingResponse:
    """Stream the rows of the symbols named, or of all, in the store's order: by symbol and time, or by year first."""
    chosen, among = names(fields, "fields"), names(symbols, "symbols")
    query = Query(
        dataset_named(name),
        None if among is None else parse_symbols(among, CAPS),
        parse_when(instant(start), "start"),
        parse_when(instant(end), "end"),
        None if chosen is None else tuple(chosen),
    )
    export = Export(name, query.schema, _stored(services, query))
    return await _streamed(request, services, caller, export, form)


@dataclass
class Export:
    """Rows on their way out.

    Attributes
    ----------
    name : str
        Of the dataset.
    schema : Schema
    batches : iterator of RecordBatch
    rows, size : int
        How many rows and bytes have gone.
    """

    name: str
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows: int = 0
    size: int = 0

    def pieces(self, form: Form) -> Iterator[bytes]:
        """Yield what is sent."""
        for piece in stream(form, self.schema, self._counted(), {"dataset": self.name}):
            self.size += len(piece)
            yield piece

    def _counted(self) -> Iterator[pa.RecordBatch]:
        for batch in self.batches:
            self.rows += batch.num_rows
            yield batch


async def _streamed(
    request: Request, services: Platform, caller: Principal, export: Export, wanted_form: str | None
) -> StreamingResponse:
    form = form_of(wanted_form, request.headers.get("accept"))
    if form.is_json:
        if wanted_form is not None:
            raise InvalidRequest(f"exports come as format=csv or format=arrow, was {wanted_form!r}")
        form = Form.CSV
    pieces = export.pieces(form)
    first = await run_in_threadpool(
        next, pieces, b""
    )  # what is wrong with the request shows now, not in mid-stream
    exchange = exchange_of(request.scope)

    async def body() -> AsyncIterator[bytes]:
        whole = False
        try:
            piece = first
            while piece:
                yield piece
                piece = await run_in_threadpool(next, pieces, b"")
            whole = True
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator
            services.audit.note(
                AuditEvent(
                    EXPORT,
                    "done" if whole else "failed",
                    caller.name,
                    exchange.address,
                    exchange.request_id,
                    export.name,
                    {"rows": export.rows, "bytes": export.size, "query": request.url.query[:500]},
                )
            )

    ending = "csv" if form is Form.CSV else "arrows"
    headers = {"Content-Disposition": f'attachment; filename="{export.name}.{ending}"'}
    return StreamingResponse(body(), media_type=form.media_type, headers=headers)


def _stored(services: Platform, query: Query) -> Iterator[pa.RecordBatch]:
    """Yield rows as the store streams them."""
    if query.symbols is not None:
        check_known(services, query.dataset, query.symbols)
    yield from services.store.iter_batches(query, _PIECE_ROWS)


def _made(services: Platform, wanted: Wanted) -> Iterator[pa.RecordBatch]:
    """Yield bars that are adjusted or folded, some symbols at a time."""
    if wanted.symbols is not None:
        check_known(services, wanted.dataset, wanted.symbols)  # now, and not in the middle of the stream
    among = wanted.symbols if wanted.symbols is not None else services.data.symbols(wanted.dataset)
    read = reader(services.data, wanted, None)
    for table in tables(read, among, rows_each(services, wanted), _PIECE_ROWS):
        yield from table.to_batches()
