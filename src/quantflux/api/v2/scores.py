"""Scores: names ranked by factors or by predictions, and why they stand where they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson
from fastapi import Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
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
from quantflux.platform import Platform
from quantflux.scoring.request import ScoreRequest
from quantflux.work import quotes, scores
from quantflux.work.documents import score_document

router = Router(prefix="/api/v2/scores", tags=["scores"])

Asker = Annotated[Principal, needs(Permission.SCORES_READ, RouteKind.WORK)]
ScoreBody = Annotated[
    Document,
    Described(ScoreRequest),
    examples(
        factors={
            "method": "equal",
            "factors": [{"factor": "reversal_20"}, {"factor": "volatility_20"}],
            "selection": {"top": 10, "per_industry": 2},
        },
        model={"method": "model", "models": {"ids": ["demo"]}, "selection": {"top": 10}},
    ),
]
_BEST = {"trade_date": "2025-12-31", "top_stocks": [{"symbol": "600519.SH", "score": 1.93, "rank": 1}]}
_NO_DATA = "A factor is unknown, or there are no bars, or no predictions, on that day."


@router.post(
    "",
    summary="The best names by a score",
    response_class=Response,
    responses=one_document("The best names, and what became of the others.", _BEST, _404=_NO_DATA),
)
async def choose_names(request: Request, services: Services, caller: Asker, body: ScoreBody) -> Response:
    """Score the names of a day, and choose the best that pass the filters."""
    return await scored(request, services, caller, "scores", body, lambda: scores.choose(services, body))


@router.post(
    "/contributions/{symbol}",
    summary="Where one name stands",
    response_class=Response,
    responses=one_document(
        "Each factor of the name beside the market's, and what it contributes to the score.",
        {"symbol": "600519.SH", "score": 1.93, "factor_contributions": {}},
        _404=_NO_DATA,
    ),
)
async def explain_name(
    request: Request,
    services: Services,
    caller: Asker,
    symbol: Annotated[str, Path(max_length=40, openapi_examples={"one": {"value": "600001.SH"}})],
    body: ScoreBody,
) -> Response:
    """Set the factors of one name beside the market's."""
    return await scored(
        request,
        services,
        caller,
        f"contributions|{symbol}",
        body,
        lambda: scores.contributions(services, symbol, body),
    )


@router.post(
    "/sectors",
    summary="Scores of industries",
    response_class=Response,
    responses=one_document(
        "The scores by industry, with the best names of each.",
        {"trade_date": "2025-12-31", "sectors": []},
        _404=_NO_DATA,
    ),
)
async def score_sectors(
    request: Request,
    services: Services,
    caller: Asker,
    body: ScoreBody,
    top: Annotated[int, Query(ge=1, le=1000, description="Names of each industry.")] = 5,
) -> Response:
    """Show a score by industry."""
    return await scored(
        request, services, caller, f"sectors|{top}", body, lambda: scores.sectors(services, body, top)
    )


async def scored(
    request: Request,
    services: Platform,
    caller: Principal,
    what: str,
    body: Mapping[str, Any],
    compute: Callable[[], dict[str, Any]],
) -> Response:
    """Return an answer to a score, kept for as long as data and definitions stay the same."""

    def prepared() -> tuple[str, float]:
        wanted = score_document(body)
        return definitions(services, body), quotes.score_seconds(services, wanted)

    known, seconds = await run_in_threadpool(prepared)

    def found() -> Found:
        spend(services, caller, seconds)
        return Found(json_of(compute()))

    text = orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS).decode()
    question = Question(
        "results", f"{what}|{text}|{known}", Form.COLUMNS, research_datasets(), Permission.SCORES_READ
    )
    return await answer(request, services, question, found)
