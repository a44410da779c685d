"""Predictions: what models say of the names of a day."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Path, Request, Response
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.answers import encode, form_of
from quantflux.api.bodies import Answer, Body
from quantflux.api.cached import answer
from quantflux.api.idempotency import IdempotencyKey
from quantflux.api.questions import Found, Question
from quantflux.api.routing import Router
from quantflux.api.v2.asked import CAPS, FormatName, in_forms, names
from quantflux.api.v2.models import Version
from quantflux.api.v2.research import (
    OfDay,
    SomeSymbols,
    last_day,
    research_datasets,
    spend,
    versions_of_models,
)
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Query as Rows
from quantflux.data.contract import day_of
from quantflux.data.request import parse_symbols, parse_when
from quantflux.data.schema import PREDICTIONS
from quantflux.platform import Platform

router = Router(prefix="/api/v2/predictions", tags=["models"])

Asker = Annotated[Principal, needs(Permission.MODELS_READ, RouteKind.WORK)]
Trainer = Annotated[Principal, needs(Permission.MODELS_TRAIN, RouteKind.WORK)]
ModelId = Annotated[
    str, Path(max_length=50, description="A model's id.", openapi_examples={"demo": {"value": "demo"}})
]


class SavePredictions(Body):
    """A day with bars, and the version that predicts (the one in production unless given)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"date": "2025-12-31"}]})

    date: Annotated[str, Field(max_length=10)]
    version: Annotated[int, Field(ge=1, le=10**9)] | None = None


class Saved(Answer):
    """How many predictions of which day were written into the store."""

    model: str
    trade_date: str
    predictions: int


@router.get(
    "/{model}",
    summary="Predictions of a day",
    response_class=Response,
    responses=in_forms(
        {
            "symbol": ["600519.SH"],
            "trade_date": ["2025-12-31"],
            "model_id": ["demo"],
            "predicted_return": [0.0123],
            "probability_score": [1.0],
            "rank_score": [1],
        },
        "symbol,trade_date,model_id,predicted_return,probability_score,rank_score\n"
        "600519.SH,2025-12-31,demo,0.0123,1.0,1\n",
        model="demo",
        source="stored",
    ),
)
async def read_predictions(
    request: Request,
    services: Services,
    caller: Asker,
    model: ModelId,
    day: OfDay = None,
    symbols: SomeSymbols = None,
    version: Version = None,
    form: FormatName = None,
) -> Response:
    """Return what is stored of a day; if nothing is, or a version is named, what the model says now. Best first."""
    wanted = parse_symbols(names(symbols, "symbols"), CAPS)
    written = form_of(form, request.headers.get("accept"))
    stages = await run_in_threadpool(versions_of_models, services, model)

    def compute() -> Found:
        when = day or last_day(services)
        rows = _stored(services, model, when) if version is None else None
        source = "stored"
        if rows is None:
            spend(services, caller, 1.0)
            rows, source = services.models.predict(model, when, version=version), "computed"
        if wanted is not None:
            rows = rows.filter(pc.is_in(rows["symbol"], pa.array(list(wanted), pa.string())))
        return Found(encode(written, rows, {"model": model, "source": source}))

    text = f"predictions|{model}|{day}|{wanted}|{version}|{stages}"
    question = Question("results", text, written, research_datasets(), Permission.MODELS_READ)
    return await answer(request, services, question, compute)


@router.post(
    "/{model}",
    summary="Predict a day and store it",
    responses={404: {"description": "There is no such model, or no bars on that day."}},
)
def save_predictions(
    caller: Trainer, services: Services, model: ModelId, body: SavePredictions, key: IdempotencyKey
) -> Saved:
    """Predict all names of a day from what was known at its close, and store that; scores by models read it."""
    spend(services, caller, 2.0)
    found = services.models.predict(model, body.date, version=body.version, save=True)
    return Saved(model=model, trade_date=found["trade_date"][0].as_py().isoformat(), predictions=len(found))


def _stored(platform: Platform, model: str, day: str) -> pa.Table | None:
    """Return the stored predictions of a model for a day, the best first; None if there are none."""
    when = parse_when(day, "date")
    if when is None:
        raise InvalidRequest("predictions are of a day; give date")
    on = day_of(when)
    rows = platform.data.read(Rows(PREDICTIONS, None, on, on))
    rows = rows.filter(pc.equal(rows["model_id"], model))
    order: list[tuple[str, Any]] = [("predicted_return", "descending"), ("symbol", "ascending")]
    return rows.sort_by(order) if rows.num_rows else None
