"""Every stored dataset: what its columns are, and its rows page by page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import ConfigDict
from pydantic.config import JsonDict

from quantflux.api.access import Services
from quantflux.api.answers import encode, form_of
from quantflux.api.bodies import Answer
from quantflux.api.cached import KeptRouter, answer
from quantflux.api.questions import Found, Question
from quantflux.api.v2.asked import (
    CAPS,
    After,
    AsOfText,
    Caller,
    End,
    Fields,
    FormatName,
    RowLimit,
    Start,
    Symbols,
    as_of_from,
    in_forms,
    instant,
    names,
)
from quantflux.api.v2.bars import check_known, sessions_between
from quantflux.api.walks import Cursor, Reader, page
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import AsOf, Query
from quantflux.data.request import Frequency, parse_symbols, parse_when
from quantflux.data.schema import Dataset, FieldType, TimeKind, datasets
from quantflux.data.schema import dataset as dataset_named
from quantflux.data.sessions import SLOTS
from quantflux.platform import Platform

router = KeptRouter(prefix="/api/v2/datasets", tags=["market data"])

Name = Annotated[str, Path(max_length=64, openapi_examples={"one": {"value": "stock_daily_basic"}})]

_ACTIONS: JsonDict = {
    "name": "corporate_actions",
    "time": "ex_date",
    "kind": "day",
    "key": ["symbol", "ex_date"],
    "fields": [{"name": "cash", "type": "float", "unit": "yuan", "required": True}],
}


class FieldAnswer(Answer):
    """A column: its type, its unit, and whether every row has it."""

    name: str
    type: FieldType
    unit: str
    required: bool


class DatasetAnswer(Answer):
    """A table of the store: its key and columns."""

    name: str
    time: str
    kind: TimeKind
    key: list[str]
    fields: list[FieldAnswer]

    model_config = ConfigDict(json_schema_extra={"examples": [_ACTIONS]})


class DatasetList(Answer):
    """All datasets."""

    items: list[DatasetAnswer]

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ACTIONS]}]})


@router.get("", summary="Which datasets there are")
async def read_datasets(caller: Caller) -> DatasetList:
    """Return every dataset with its columns. What is stored of each: /api/v2/data/status."""
    return DatasetList(items=[_shown(dataset) for dataset in datasets().values()])


@router.get("/{name}", summary="The columns of a dataset")
async def read_dataset(caller: Caller, name: Name) -> DatasetAnswer:
    """Return the key and columns of a dataset."""
    return _shown(dataset_named(name))


@router.get(
    "/{name}/rows",
    summary="Rows of a dataset",
    response_class=Response,
    responses=in_forms(
        {"symbol": ["600519.SH"], "trade_date": ["2024-01-02"], "pe_ttm": [29.4]},
        'symbol,trade_date,pe_ttm\n"600519.SH",2024-01-02,29.4\n',
        dataset="stock_daily_basic",
        version=12,
        next="600519.SH@1",
    ),
)
async def read_rows(
    request: Request,
    services: Services,
    caller: Caller,
    name: Name,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    fields: Fields = None,
    as_of: AsOfText = None,
    limit: RowLimit = 1000,
    after: After = None,
    form: FormatName = None,
) -> Response:
    """Return rows of the symbols named, or of all, as they are stored, in the order of symbol and time."""
    source = dataset_named(name)
    chosen, asked = names(fields, "fields"), names(symbols, "symbols")
    query = Query(
        source,
        None if asked is None else parse_symbols(asked, CAPS),
        parse_when(instant(start), "start"),
        parse_when(instant(end), "end"),
        None if chosen is None else tuple(chosen),
    )
    version, cursor = as_of_from(as_of), Cursor.parse(after)
    written = form_of(form, request.headers.get("accept"))

    def compute() -> Found:
        facts: dict[str, Any] = {
            "dataset": source.name,
            "version": services.data.state(source)[1] if version is None else version,
        }
        among = query.symbols if query.symbols is not None else services.data.symbols(source)
        if not among:
            return Found(encode(written, query.schema.empty_table(), facts | {"next": None}))
        if version is None and query.symbols is not None and source.panel:
            check_known(services, source, query.symbols)
        cut = page(_reader(services.data, query, version), among, _rows_each(services, query), limit, cursor)
        following = None if cut.next is None else str(cut.next)
        return Found(encode(written, cut.labelled, facts | {"next": following}), following or "")

    text = f"{source.name}|{query.symbols}|{query.start!r}|{query.end!r}|{query.columns}|{version!r}|{limit}|{cursor}"
    return await answer(
        request, services, Question("user_queries", f"rows|{text}", written, (source.name,)), compute
    )


def _reader(data: DataAccessLayer, query: Query, as_of: AsOf | None) -> Reader:
    source = query.dataset
    frequency = Frequency.MINUTE if source.kind is TimeKind.MINUTE else Frequency.DAY
    every = {query.dataset.by_name[name].type for name in query.value_columns}
    from_panels = source.panel and every <= {FieldType.FLOAT, FieldType.INTEGER}

    def read(symbols: tuple[str, ...]) -> Any:
        if from_panels:
            return data.get_many(
                symbols, query.start, query.end, frequency, query.value_columns, as_of=as_of, dataset=source
            )
        return data.read(Query(source, symbols, query.start, query.end, query.columns), as_of)

    return read


def _rows_each(services: Platform, query: Query) -> int:
    """Return the most rows of a symbol if there is one for each of its times; 0 if nobody can tell."""
    if not query.dataset.panel:
        return 0
    sessions = sessions_between(services, query.dataset, query.start, query.end)
    return sessions * (SLOTS if query.dataset.kind is TimeKind.MINUTE else 1)


def _shown(dataset: Dataset) -> DatasetAnswer:
    fields = [FieldAnswer(name=f.name, type=f.type, unit=f.unit, required=f.required) for f in dataset.fields]
    return DatasetAnswer(
        name=dataset.name, time=dataset.time, kind=dataset.kind, key=list(dataset.key), fields=fields
    )
