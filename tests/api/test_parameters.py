"""Parameters that are read at once: the values, the mistakes and the documentation that FastAPI itself would give."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter
from starlette.routing import Match

from quantflux.api.parameters import QUERY, ParametersAtOnce
from quantflux.api.route_index import RouteIndex
from tests.api.conftest import TestClient


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Recorded(ParametersAtOnce):
    """Leaves the query where a route of ours does."""

    def get_route_handler(self) -> Any:
        run = super().get_route_handler()

        async def handle(request: Request) -> Response:
            request.scope[QUERY] = dict(request.query_params)
            return await run(request)

        return handle


async def endpoint(
    request: Request,
    symbol: Annotated[str, Path(max_length=6)],
    count: Annotated[int, Query(ge=1, le=9)],
    day: Annotated[str | None, Query(alias="date", max_length=10)] = None,
    side: Side = Side.BUY,
    wait: bool = True,
    share: Annotated[float | None, Query(gt=0)] = None,
) -> Response:
    return Response(f"{request.method} {symbol!r} {count!r} {day!r} {side!r} {wait!r} {share!r}")


def served(route_class: type[APIRoute]) -> TestClient:
    app = FastAPI()
    app.router.route_class = route_class
    app.router.add_api_route("/{symbol}", endpoint, response_class=Response)

    @app.exception_handler(RequestValidationError)
    async def told(request: Request, exc: RequestValidationError) -> Response:
        return Response(str([(e["type"], e["loc"], e["msg"]) for e in exc.errors()]), 422)

    return TestClient(app)


QUERIES = [
    "count=3",
    "count=9&date=2024-01-02&side=sell&wait=false&share=0.5",
    "count=3&date=",
    "count=%2B3&wait=1",
    "",
    "count=0",
    "count=10&date=2024-01-02T00:00&side=hold&wait=perhaps&share=0",
    "count=3.5",
    "count=&share=nan",
    "day=2024-01-02&count=1",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("symbol", ["600519", "too-long"])
def test_values_and_mistakes_are_those_that_fastapi_finds(symbol: str, query: str) -> None:
    ours, theirs = (served(kind).get(f"/{symbol}?{query}") for kind in (Recorded, APIRoute))

    assert (ours.status_code, ours.text) == (theirs.status_code, theirs.text)


def test_openapi_stays_the_same() -> None:
    ours, theirs = (served(kind).get("/openapi.json").json() for kind in (Recorded, APIRoute))

    assert ours == theirs


PATHS = [
    "/api/v2/bars",
    "/api/v2/bars/{symbol}",
    "/api/v2/{other}",
    "/api/v2/bars/{symbol}/minutes",
    "/api/stocks",
    "/api/stocks/{code}",
    "/api/stocks/{code}/history",
    "/api/stocks/new/list",
    "/health",
    "/{anything:path}",
]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/bars",
        "/api/v2/bars/1",
        "/api/v2/jobs",
        "/api/v2/jobs/1",
        "/api/v2/bars/1/minutes",
        "/api/stocks",
        "/api/stocks/new",
        "/api/stocks/new/history",
        "/api/stocks/new/list",
        "/api/stocks/1/history",
        "/health",
        "/health/live",
        "/",
        "//",
        "/api",
        "/api/",
        "/api/v2",
        "/api/v2/",
    ],
)
def test_the_index_finds_the_route_that_a_search_through_all_finds(path: str) -> None:
    router = APIRouter(redirect_slashes=False)
    for each in PATHS:
        router.add_api_route(each, lambda: None)
    index = RouteIndex(router)
    scope = {"type": "http", "path": path, "method": "GET", "headers": []}

    first = next(route for route in router.routes if route.matches(scope)[0] is Match.FULL)
    found = next(route for route in index.router_of(path).routes if route.matches(scope)[0] is Match.FULL)

    assert found is first
