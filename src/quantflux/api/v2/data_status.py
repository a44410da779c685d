"""What is stored: versions, spans, coverage, and how far the panels have come."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Request, Response
from pydantic import ConfigDict
from pydantic.config import JsonDict

from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.answers import encode, form_of
from quantflux.api.bodies import Answer
from quantflux.api.cached import answer
from quantflux.api.questions import Found, Question
from quantflux.api.routing import Router
from quantflux.api.v2.asked import DatasetName, FormatName, in_forms
from quantflux.data.contract import ReportsBytes
from quantflux.data.schema import DAILY, Dataset, datasets
from quantflux.data.schema import dataset as dataset_named
from quantflux.platform import Platform

router = Router(prefix="/api/v2/data", tags=["data"])

Reader = Annotated[Principal, needs(Permission.DATA_READ)]

_DAILY: JsonDict = {
    "name": "stock_daily_data",
    "version": 12,
    "first": "1990-12-19",
    "last": "2024-12-31",
    "bytes": 812_000_000,
    "panel_version": 12,
}


class DatasetStatus(Answer):
    """What is stored of a dataset.

    Attributes
    ----------
    version : int
        0 before the first write.
    first, last : date or None
        Days with rows.
    bytes : int or None
        On disk, where the store knows.
    panel_version : int or None
        Which version reads from the panels show; None for datasets without panels, and while the panels rest.
    """

    name: str
    version: int
    first: date | None
    last: date | None
    bytes: int | None
    panel_version: int | None


class PanelStatus(Answer):
    """The panel tier: whether it is used, what it takes on disk, and when a write of another process is seen."""

    enabled: bool
    bytes: int
    most_bytes: int
    check_seconds: float


class Status(Answer):
    """The store and what is in it."""

    store: str
    panels: PanelStatus
    datasets: list[DatasetStatus]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "store": "columnar",
                    "panels": {
                        "enabled": True,
                        "bytes": 1_900_000_000,
                        "most_bytes": 20_000_000_000,
                        "check_seconds": 1.0,
                    },
                    "datasets": [_DAILY],
                }
            ]
        }
    )


@router.get("/status", summary="Versions and spans of what is stored")
def read_status(services: Services, caller: Reader) -> Status:
    """Return the version and span of every dataset, and the state of the panels."""
    tier, wanted = services.panels, services.settings.panels
    return Status(
        store=services.store.name,
        panels=PanelStatus(
            enabled=tier is not None,
            bytes=0 if tier is None else tier.stored_bytes(),
            most_bytes=wanted.max_bytes,
            check_seconds=wanted.check_seconds,
        ),
        datasets=[_status(services, dataset) for dataset in datasets().values()],
    )


@router.get(
    "/coverage",
    summary="First and last day of every symbol",
    response_class=Response,
    responses=in_forms(
        {"symbol": ["600519.SH"], "first": ["2001-08-27"], "last": ["2024-12-31"], "rows": [5651]},
        'symbol,first,last,rows\n"600519.SH",2001-08-27,2024-12-31,5651\n',
        dataset="stock_daily_data",
        version=12,
    ),
)
async def read_coverage(
    request: Request,
    services: Services,
    caller: Reader,
    dataset: DatasetName = DAILY.name,
    form: FormatName = None,
) -> Response:
    """Return first day, last day and number of rows of every symbol of a dataset."""
    source = dataset_named(dataset)
    chosen = form_of(form, request.headers.get("accept"))

    def compute() -> Found:
        facts = {"dataset": source.name, "version": services.data.state(source)[1]}
        return Found(encode(chosen, services.data.coverage(source), facts))

    question = Question(
        "user_queries", f"coverage|{source.name}", chosen, (source.name,), Permission.DATA_READ
    )
    return await answer(request, services, question, compute)


def _status(services: Platform, dataset: Dataset) -> DatasetStatus:
    span = services.store.span(dataset)
    panels = None if services.panels is None else services.panels.of(dataset)
    shown = None if panels is None else panels.state()
    counted = services.store.stored_bytes(dataset) if isinstance(services.store, ReportsBytes) else None
    return DatasetStatus(
        name=dataset.name,
        version=services.store.version(dataset),
        first=None if span is None else span.first,
        last=None if span is None else span.last,
        bytes=counted,
        panel_version=None if shown is None else shown[1],
    )
