"""Factors: which there are, define one, compute them, read their values, judge them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.accepted import ACCEPTED, JobShown, submit
from quantflux.api.access import Services, needs
from quantflux.api.answers import Form, encode, form_of
from quantflux.api.auditing import event
from quantflux.api.cached import answer
from quantflux.api.idempotency import IdempotencyKey
from quantflux.api.pages import Limit, Offset, Page, cut
from quantflux.api.questions import Found, Question
from quantflux.api.routing import Router
from quantflux.api.v2.asked import MAX_CELLS, MAX_SYMBOLS, End, FormatName, Start, instant, names
from quantflux.api.v2.factor_shapes import (
    CheckFactor,
    ComputeBody,
    DefineFactor,
    EvaluateBody,
    FactorDetails,
    FactorShown,
    LibraryShown,
    OperatorShown,
    facts_of,
)
from quantflux.api.v2.research import (
    SomeSymbols,
    one_document,
    plain_answer,
    research_datasets,
    spend,
)
from quantflux.core.errors import Conflict, Forbidden, InvalidRequest
from quantflux.data.request import Limits, parse_symbols
from quantflux.expressions import handbook
from quantflux.expressions.nodes import Node, fields_of, lookback_of
from quantflux.expressions.text import to_text
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.engine import span_of
from quantflux.factors.libraries import load_library
from quantflux.factors.registry import USER_LIBRARY
from quantflux.platform import Platform
from quantflux.work import quotes
from quantflux.work.catalogue import KINDS
from quantflux.work.factors import check
from quantflux.work.requests import ComputeFactors, EvaluateFactors, request_of

if TYPE_CHECKING:
    from quantflux.factors.stored import StoredValues  # brings the compiler

router = Router(prefix="/api/v2/factors", tags=["factors"])

Reader = Annotated[Principal, needs(Permission.FACTORS_READ)]
Computer = Annotated[Principal, needs(Permission.FACTORS_COMPUTE, RouteKind.WORK)]
Writer = Annotated[Principal, needs(Permission.FACTORS_WRITE, RouteKind.WRITE)]
FactorName = Annotated[
    str,
    Path(
        max_length=130,
        description="A factor's id, or library and id.",
        openapi_examples={"one": {"value": "classic.reversal_20"}},
    ),
]
FactorNames = Annotated[
    str,
    Query(
        alias="factors",
        max_length=20_000,
        description="Factors or libraries, separated by commas.",
        openapi_examples={"one": {"value": "reversal_20"}},
    ),
]
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"description": "No factor is called that; similar names are told."}
}
_WAITED_SECONDS = 5.0
"""Computing that a read may wait for; more has to be asked for as a job."""


@router.get(
    "", summary="Which factors there are", responses={404: {"description": "No library is called that."}}
)
def list_factors(
    caller: Reader,
    services: Services,
    request: Request,
    response: Response,
    library: Annotated[str | None, Query(max_length=64, description="Only of this library.")] = None,
    owner: Annotated[
        str | None, Query(max_length=64, description="Only of this owner; `me` is oneself.")
    ] = None,
    text: Annotated[
        str, Query(max_length=200, description="Only with this in id, expression or description.")
    ] = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page[FactorShown]:
    """List factors, those of the libraries first."""
    registry = services.factors.registry
    libraries = registry.libraries() if library is None else (library,)
    whose = caller.owner if owner == "me" else owner
    found = [
        factor
        for each in libraries
        for factor in registry.library(each)
        if whose in (None, factor.owner) and _has(factor, text.lower())
    ]
    items, following = cut(request, response, found, limit=limit, offset=offset)
    return Page(items=[FactorShown(**facts_of(factor)) for factor in items], next=following, total=len(found))


@router.get("/libraries", summary="The libraries of factors")
def list_libraries(caller: Reader, services: Services) -> list[LibraryShown]:
    """List the libraries, the users' own last."""
    registry = services.factors.registry
    return [
        LibraryShown(
            name=name,
            factors=len(registry.library(name)),
            source="" if name == USER_LIBRARY else load_library(name).source,
        )
        for name in registry.libraries()
    ]


@router.get("/operators", summary="The operators of the expression language")
def list_operators(
    caller: Reader,
    text: Annotated[str, Query(max_length=200, description="Only with this in name or definition.")] = "",
) -> list[OperatorShown]:
    """List the operators with what they mean."""
    found = [
        OperatorShown(
            name=operator.name,
            usage=handbook.usage(operator),
            definition=handbook.definition(operator),
            family=title,
        )
        for title, operators in handbook.by_family()
        for operator in operators
    ]
    return [each for each in found if text.lower() in f"{each.usage} {each.definition}".lower()]


@router.get(
    "/values",
    summary="Values of factors",
    response_class=Response,
    responses={
        200: {
            "description": "A matrix for each factor, a row a day; in the other forms, the rows that are there.",
            "content": {
                "application/json": {
                    "example": {
                        "versions": {"stock_daily_data": 12},
                        "times": ["2024-06-03"],
                        "symbols": ["000001.SZ", "600519.SH"],
                        "fields": {"reversal_20": [[0.012, None]]},
                    }
                },
                "text/csv": {"example": 'symbol,trade_date,reversal_20\n"000001.SZ",2024-06-03,0.012\n'},
                "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        304: {"description": "The caller has it already: If-None-Match."},
        404: {"description": "No such factor, or no row of a symbol that was named."},
        409: {"description": "The values are not stored yet, and take long: POST /api/v2/factors/compute."},
    },
)
async def read_values(
    request: Request,
    services: Services,
    caller: Reader,
    factors: FactorNames,
    start: Start = None,
    end: End = None,
    symbols: SomeSymbols = None,
    form: FormatName = None,
) -> Response:
    """Return values by day and symbol, null where a symbol did not trade or the value does not exist."""
    chosen = names(factors, "factors") or []
    low, high = span_of(instant(start), instant(end))
    wanted = parse_symbols(names(symbols, "symbols"), Limits(max_symbols=MAX_SYMBOLS))
    written = form_of(form, request.headers.get("accept"))
    expressions = await run_in_threadpool(services.factors.expressions, chosen)
    meaning = ",".join(f"{name}={node.digest}" for name, node in expressions.items())
    asked = _Values(tuple(chosen), expressions, low, high, wanted, written)
    text = f"values|{meaning}|{low}|{high}|{wanted}"
    question = Question("results", text, written, research_datasets(), Permission.FACTORS_READ)
    return await answer(request, services, question, lambda: asked.found(services, caller))


@router.post(
    "",
    summary="Define a factor",
    responses={
        201: {"description": "The version that holds now."},
        409: {"description": "The name belongs to somebody else."},
        422: {"description": "The expression has a mistake, at `column`, or the name cannot be used."},
    },
    status_code=201,
)
def define_factor(
    caller: Writer, services: Services, request: Request, body: DefineFactor, key: IdempotencyKey
) -> FactorShown:
    """Define a factor of one's own, or a new version of it; nobody else can change it."""
    registry = services.factors.registry
    held = [factor for factor in registry.versions(body.id) if factor.owner != caller.owner]
    if held:
        raise Conflict(f"{body.id} belongs to {held[0].owner}; choose another name")
    made = registry.define(
        body.id,
        body.expression,
        description=body.description,
        orientation={"more": 1, "less": -1, "unknown": 0}[body.better],
        owner=caller.owner,
    )
    told = {"version": made.version, "expression": made.expression[:500]}
    services.audit.note(event(request, caller, "factor.define", made.id, **told))
    return FactorShown(**facts_of(made))


@router.post(
    "/check",
    summary="Does it see the future?",
    response_class=Response,
    responses=one_document(
        "What was compared, and the first value that changed when the future was taken away; null if none did.",
        {"leaks": False, "leak": None, "values": 120000, "cuts": 6, "looks_back": 0, "looks_ahead": 5},
    )
    | _UNKNOWN,
)
def check_factor(caller: Computer, services: Services, body: CheckFactor) -> Response:
    """Take the future away and change it: does any earlier value change?"""
    spend(services, caller, 1.0)
    return plain_answer(check(services, body.expression))


@router.post("/compute", summary="Compute factors", status_code=202, responses=ACCEPTED | _UNKNOWN)
def compute_factors(
    caller: Computer,
    services: Services,
    request: Request,
    response: Response,
    body: ComputeBody,
    key: IdempotencyKey,
) -> JobShown:
    """Bring the stored values of factors up to date, computing no more than what is new."""
    wanted = request_of(ComputeFactors, body)
    spend(services, caller, quotes.factors_seconds(services, wanted.factors))
    return submit(services, KINDS["factors.compute"], body, caller, request, response, key=key)


@router.post("/evaluate", summary="Judge factors", status_code=202, responses=ACCEPTED | _UNKNOWN)
def evaluate_factors(
    caller: Computer,
    services: Services,
    request: Request,
    response: Response,
    body: EvaluateBody,
    key: IdempotencyKey,
) -> JobShown:
    """Judge factors, on paper and as one can trade, with costs."""
    wanted = request_of(EvaluateFactors, body)
    named = (*wanted.factors, *wanted.against)
    spend(services, caller, quotes.evaluation_seconds(services, named, wanted.start, wanted.end))
    return submit(services, KINDS["factors.evaluate"], body, caller, request, response, key=key)


@router.get("/{name}", summary="One factor", responses=_UNKNOWN)
def read_factor(
    caller: Reader,
    services: Services,
    name: FactorName,
    version: Annotated[
        int | None, Query(ge=1, le=10**9, description="An earlier one of a user's factor.")
    ] = None,
) -> FactorDetails:
    """Return a factor: its formula, what it reads, how far it looks back, and its versions."""
    registry = services.factors.registry
    factor = registry.get(name, version)
    known = registry.versions(factor.id) if factor.library == USER_LIBRARY else ()
    return FactorDetails(
        **facts_of(factor),
        canonical=to_text(factor.node),
        digest=factor.node.digest,
        reads=list(fields_of(factor.node)),
        looks_back=lookback_of(factor.node),
        versions=[FactorShown(**facts_of(each)) for each in known],
    )


@router.delete(
    "/{name}",
    summary="Retire a factor",
    status_code=204,
    responses=_UNKNOWN | {403: {"description": "It is somebody else's, or comes with quantflux."}},
)
def retire_factor(caller: Writer, services: Services, request: Request, name: FactorName) -> Response:
    """Take a factor of one's own out of the lists; its versions stay on record."""
    registry = services.factors.registry
    factor = registry.get(name)
    if factor.library != USER_LIBRARY or factor.owner != caller.owner:
        raise Forbidden(f"{factor.id} belongs to {factor.owner or 'nobody'}, who alone may retire it")
    registry.retire(factor.id, owner=caller.owner)
    services.audit.note(event(request, caller, "factor.retire", factor.id))
    return Response(status_code=204)


class _Values:
    """Values that somebody asked for."""

    def __init__(
        self,
        factors: tuple[str, ...],
        expressions: Mapping[str, Node],
        start: date | None,
        end: date | None,
        symbols: tuple[str, ...] | None,
        form: Form,
    ) -> None:
        self._factors, self._expressions = factors, expressions
        self._start, self._end = start, end
        self._symbols, self._form = symbols, form

    def found(self, platform: Platform, caller: Principal) -> Found:
        """Return the body, computing what little is not stored."""
        stored = platform.factors.current_values(self._expressions) or self._computed(platform, caller)
        if self._symbols is not None:
            stored.check_symbols(self._symbols)
        rows = stored.rows(self._start, self._end)
        across = len(stored.symbols if self._symbols is None else self._symbols)
        _check_cells(len(stored.names), rows.stop - rows.start, across)
        panel = stored.panel(rows, self._symbols)
        return Found(encode(self._form, panel, {"versions": dict(stored.versions)}))

    def _computed(self, platform: Platform, caller: Principal) -> StoredValues:
        seconds = quotes.factors_seconds(platform, self._factors)
        if seconds > _WAITED_SECONDS:
            raise Conflict(
                f"the values of {', '.join(self._factors)[:200]} are not stored, and computing them takes about "
                f"{seconds:.0f} s; ask for that first: POST /api/v2/factors/compute"
            )
        spend(platform, caller, seconds)
        return platform.factors.stored_values(self._expressions)


def _check_cells(factors: int, days: int, symbols: int) -> None:
    cells = factors * days * symbols
    if cells > MAX_CELLS:
        raise InvalidRequest(
            f"{factors} factors x {days:,} days x {symbols:,} symbols are {cells:,} values; one answer has at most "
            f"{MAX_CELLS:,}: ask for fewer days, symbols or factors"
        )


def _has(factor: FactorDefinition, text: str) -> bool:
    return not text or text in f"{factor.id} {factor.expression} {factor.description}".lower()
