"""Screens: the names that meet conditions at the close of a day."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.permissions import Permission
from quantflux.api.access import Services
from quantflux.api.answers import Form, json_of
from quantflux.api.cached import answer
from quantflux.api.questions import Found, Question
from quantflux.api.routing import Router
from quantflux.api.v2.research import (
    Described,
    Document,
    definitions,
    examples,
    one_document,
    research_datasets,
    spend,
)
from quantflux.api.v2.scores import Asker
from quantflux.scoring.request import ScreenRequest
from quantflux.work import scores
from quantflux.work.documents import screen_document

router = Router(prefix="/api/v2/screens", tags=["scores"])

ScreenBody = Annotated[
    Document,
    Described(ScreenRequest),
    examples(
        cheap={
            "where": "close < ts_mean(close, 20) and rank(reversal_20) > 0.8",
            "show": ["reversal_20"],
            "sort": "reversal_20",
            "top": 20,
        }
    ),
]


@router.post(
    "",
    summary="Names that meet conditions",
    response_class=Response,
    responses=one_document(
        "The names, with the values that the conditions read.",
        {"trade_date": "2025-12-31", "found": 1, "stocks": [{"symbol": "600519.SH", "close": 1527.0}]},
        _404="A factor is unknown, or there are no bars on that day.",
    ),
)
async def screen_names(request: Request, services: Services, caller: Asker, body: ScreenBody) -> Response:
    """List the names that meet conditions at the close of a day."""

    def prepared() -> str:
        screen_document(body)
        return definitions(services, body)

    def compute() -> Found:
        spend(services, caller, 0.5)
        return Found(json_of(scores.screen(services, body)))

    known = await run_in_threadpool(prepared)
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
    question = Question(
        "results", f"screen|{text}|{known}", Form.COLUMNS, research_datasets(), Permission.SCORES_READ
    )
    return await answer(request, services, question, compute)
