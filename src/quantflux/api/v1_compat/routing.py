"""How a translation becomes a route: who may call it, how its request is read, and in which family it answers.

A translation is a plain function of what was asked. It runs in a thread, and what takes long in a pool of its own with
a time limit: v1 did its work inside the request, and so does this, but other requests do not wait for it.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.api.access import Need, admit, declared, needs_v1, note_refusal
from quantflux.api.auditing import record
from quantflux.api.bodies import parse
from quantflux.api.exchange import exchange_of
from quantflux.api.routing import Route
from quantflux.api.v1_compat.asked import Asked, Values
from quantflux.api.v1_compat.envelope import Family, Refused
from quantflux.core.errors import Busy, Forbidden, LimitReached

Answer = Callable[[Asked], Any]
"""Answers what was asked with plain values."""

LONG_SECONDS = 300.0
"""How long a request of v1 may work; what takes longer belongs into a job of version 2."""

_LONG = ThreadPoolExecutor(max_workers=2, thread_name_prefix="v1")
_MOST_PARAMETERS = 100
_IN_PATH = re.compile(r"{(\w+)}")
_STATUSES: Mapping[int | str, str] = {
    400: "Something is missing or cannot be understood.",
    404: "There is no such thing, or no data.",
    409: "The id is taken.",
    415: "The body is not JSON.",
    503: "It takes longer than a request may.",
}
_TARGETS = ("factor_id", "model_id", "name", "trade_date", "predict_date")
"""What a change is about: the first of these that a body has."""


@dataclass(frozen=True)
class Translation:
    """One route of v1.

    Attributes
    ----------
    method, path : str
    answer : callable
        Its docstring is what the documentation says.
    permission : Permission
    kind : RouteKind
        Which rate limit counts it.
    family : Family
    message : str
        Of a success, in the family that has one.
    long : bool
        Whether it may take minutes.
    example : mapping, optional
        A body, for the documentation.
    query : tuple of str
        Names of the query's parameters, for the documentation.
    changes : str
        What the audit log calls the change that it makes; empty if it makes none.
    """

    method: str
    path: str
    answer: Answer
    permission: Permission
    kind: RouteKind = RouteKind.READ
    family: Family = Family.FACTORS
    message: str = "成功"
    long: bool = False
    example: Mapping[str, Any] | None = None
    query: tuple[str, ...] = ()
    changes: str = ""


class V1Route(Route):
    """A route whose every answer, refusals of log-in too, has v1's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        need = declared(self.dependant)
        if need is None:
            raise TypeError(f"{self.path} does not say who may call it")
        self.need = need
        translation = cast("Translation", getattr(self.endpoint, "translation"))  # noqa: B009 - set by `add`
        template = self.path_format

        async def handle(request: Request) -> Response:
            exchange = exchange_of(request.scope)
            exchange.route = template
            try:
                await _admitted(request, need)
                asked = await _asked(request, translation)
                found = await _carried_out(translation, asked)
                if translation.changes:
                    await run_in_threadpool(_recorded, request, asked, translation.changes)
                return translation.family.done(found, translation.message)
            except Exception as exc:  # noqa: BLE001 - the family's shape of an error, whatever it is
                return translation.family.failed(exc, exchange.request_id)

        return handle


def router_of(translations: tuple[Translation, ...]) -> APIRouter:
    """Return a router with these routes."""
    router = APIRouter(tags=["v1"], route_class=V1Route, redirect_slashes=False)
    for translation in translations:
        _add(router, translation)
    return router


def _add(router: APIRouter, translation: Translation) -> None:
    async def endpoint() -> None:
        """Never called: `V1Route` answers."""

    endpoint.translation = translation  # type: ignore[attr-defined]
    router.add_api_route(
        translation.path,
        endpoint,
        methods=[translation.method],
        dependencies=[needs_v1(translation.permission, translation.kind)],
        name=f"v1_{translation.answer.__name__}",
        summary=(inspect.getdoc(translation.answer) or "").partition("\n")[0],
        response_class=Response,
        responses={status: {"description": said} for status, said in _STATUSES.items()},
        openapi_extra=_documented(translation),
    )


def _documented(translation: Translation) -> dict[str, Any]:
    """Return what OpenAPI is to say of parameters and body, which no signature tells."""
    told: dict[str, Any] = {
        "parameters": [
            {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
            for place, names in (
                ("path", _IN_PATH.findall(translation.path)),
                ("query", translation.query),
            )
            for name in names
        ]
    }
    if translation.method == "POST":
        body: dict[str, Any] = {"schema": {"type": "object"}}
        if translation.example is not None:
            body["example"] = dict(translation.example)
        told["requestBody"] = {"content": {"application/json": body}}
    return told


async def _admitted(request: Request, need: Need) -> None:
    try:
        await admit(request.scope, need)
    except (Forbidden, LimitReached) as refusal:
        note_refusal(request.scope, refusal)
        raise


def _recorded(request: Request, asked: Asked, action: str) -> None:
    """Write a change down. It is told once it is made: what was refused changed nothing."""
    target = next((asked.body.text(name) for name in _TARGETS if asked.body[name]), "")
    record(request, asked.platform, asked.caller, action, target[:100], via="v1")


async def _asked(request: Request, translation: Translation) -> Asked:
    principal = exchange_of(request.scope).principal
    if principal is None:
        raise Refused(401, "nobody is logged in")
    body: Any = {}
    if translation.method == "POST":
        body = await _body(request)
    return Asked(
        request.app.state.platform,
        principal,
        request.path_params,
        Values(_query(request.scope["query_string"])),
        Values(body),
    )


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "the body must be application/json")
    found = await run_in_threadpool(parse, raw)
    if not isinstance(found, dict):
        raise Refused(400, "the body must be a JSON object")
    return found


def _query(raw: bytes) -> dict[str, str]:
    """Return the query's values by name, the first of each, as v1 took them."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise Refused(400, "the query is not percent-encoded UTF-8 of at most 100 parts") from None
    if any("\0" in value for _, value in pairs):
        raise Refused(400, "the query holds the character NUL")
    return dict(reversed(pairs))


async def _carried_out(translation: Translation, asked: Asked) -> Any:
    if not translation.long:
        return await run_in_threadpool(translation.answer, asked)
    work = asyncio.get_running_loop().run_in_executor(_LONG, translation.answer, asked)
    seconds = min(LONG_SECONDS, asked.platform.settings.limits.work_seconds)
    try:
        return await asyncio.wait_for(asyncio.shield(work), seconds)
    except TimeoutError:
        _give_up(asked, work)
        raise Busy(
            f"this takes more than the {seconds:g} seconds that a request of version 1 may; start it as a job under "
            "/api/v2"
        ) from None
    except asyncio.CancelledError:  # the server stops
        _give_up(asked, work)
        raise


def _give_up(asked: Asked, work: asyncio.Future[Any]) -> None:
    asked.give_up.set()
    work.cancel()  # if it has not begun yet
