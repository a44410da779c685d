"""Models: train, search, judge and watch them, and bring a version into use."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.accepted import ACCEPTED, JobShown, submit
from quantflux.api.access import Services, needs
from quantflux.api.answers import Form, json_of
from quantflux.api.auditing import event, record
from quantflux.api.cached import answer
from quantflux.api.idempotency import IdempotencyKey
from quantflux.api.pages import Limit, Offset, Page, cut
from quantflux.api.questions import Found, Question
from quantflux.api.routing import Router
from quantflux.api.v2.asked import names
from quantflux.api.v2.model_shapes import (
    Judging,
    ModelVersionShown,
    Promotion,
    StageShown,
    TrainBody,
    TuneBody,
    version_shown,
)
from quantflux.api.v2.research import (
    OfDay,
    SomeSymbols,
    last_day,
    one_document,
    plain_answer,
    research_datasets,
    spend,
    versions_of_models,
)
from quantflux.core.errors import QuantfluxError
from quantflux.learning.registry import PRODUCTION
from quantflux.work import quotes
from quantflux.work.catalogue import KINDS
from quantflux.work.documents import model_document
from quantflux.work.models import ACTOR, check_owner, contest_told, health, plainly, version_told
from quantflux.work.requests import EvaluateModel, TrainModel, TuneModel, request_of

router = Router(prefix="/api/v2/models", tags=["models"])

Reader = Annotated[Principal, needs(Permission.MODELS_READ)]
Asker = Annotated[Principal, needs(Permission.MODELS_READ, RouteKind.WORK)]
Trainer = Annotated[Principal, needs(Permission.MODELS_TRAIN, RouteKind.WORK)]
Promoter = Annotated[Principal, needs(Permission.MODELS_PROMOTE, RouteKind.WRITE)]
ModelId = Annotated[
    str, Path(max_length=50, description="A model's id.", openapi_examples={"demo": {"value": "demo"}})
]
Version = Annotated[
    int | None,
    Query(
        ge=1,
        le=10**9,
        description="The one in production, or else the newest candidate, if left out.",
    ),
]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such model or version."}}


@router.get("", summary="Which models there are")
def list_models(
    caller: Reader,
    services: Services,
    request: Request,
    response: Response,
    text: Annotated[str, Query(max_length=200, description="Only with this in id, name or kind.")] = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page[ModelVersionShown]:
    """List the newest version of each model, and the one in production."""
    known = services.models.registry.list()
    newest = {each.id: each.version for each in known}
    found = [
        each
        for each in known
        if (each.stage == PRODUCTION or each.version == newest[each.id])
        and text.lower() in f"{each.id} {each.name} {each.kind}".lower()
    ]
    items, following = cut(request, response, found, limit=limit, offset=offset)
    return Page(items=[version_shown(each) for each in items], next=following, total=len(found))


@router.post(
    "",
    summary="Train a model",
    status_code=202,
    responses=ACCEPTED | {409: {"description": "The id is that of somebody else's model."}},
)
def train_model(
    caller: Trainer,
    services: Services,
    request: Request,
    response: Response,
    body: TrainBody,
    key: IdempotencyKey,
) -> JobShown:
    """Train a model fold by fold, judge what it predicted out of sample, and keep it as a candidate."""
    wanted = request_of(TrainModel, body)
    spec = model_document(wanted.model)
    check_owner(services, spec.id, caller.name)
    spend(services, caller, quotes.training_seconds(services, spec, 2 if wanted.control else 1))
    payload = {**body, ACTOR: caller.name}
    return submit(services, KINDS["models.train"], payload, caller, request, response, key=key)


@router.post("/tune", summary="Search for better parameters", status_code=202, responses=ACCEPTED)
def tune_model(
    caller: Trainer,
    services: Services,
    request: Request,
    response: Response,
    body: TuneBody,
    key: IdempotencyKey,
) -> JobShown:
    """Search for better parameters of a model; asked again, the search goes on where it ended."""
    wanted = request_of(TuneModel, body)
    spec = model_document(wanted.model)
    spend(services, caller, quotes.training_seconds(services, spec, wanted.trials))
    return submit(services, KINDS["models.tune"], body, caller, request, response, key=key)


@router.get(
    "/{model}",
    summary="One version of a model",
    response_class=Response,
    responses=one_document(
        "All that is known of it: where it comes from, what was found, what it looks at.",
        {"id": "demo", "version": 1, "stage": "production", "figures": {"rank_ic": 0.031}},
        _404="There is no such model or version.",
    ),
)
def read_model(caller: Reader, services: Services, model: ModelId, version: Version = None) -> Response:
    """Return all that is known of a version."""
    return plain_answer(version_told(services.models.registry.get(model, version)))


@router.get("/{model}/versions", summary="The versions of a model", responses=_UNKNOWN)
def list_versions(
    caller: Reader,
    services: Services,
    request: Request,
    response: Response,
    model: ModelId,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page[ModelVersionShown]:
    """List all versions of a model, the oldest first."""
    registry = services.models.registry
    registry.history(model)  # says so if there is no such model
    found = registry.list(model)
    items, following = cut(request, response, found, limit=limit, offset=offset)
    return Page(items=[version_shown(each) for each in items], next=following, total=len(found))


@router.get("/{model}/history", summary="What happened to a model's versions", responses=_UNKNOWN)
def read_history(caller: Reader, services: Services, model: ModelId) -> list[StageShown]:
    """Return every change of a stage, the oldest first."""
    return [
        StageShown(**{name: value for name, value in asdict(change).items() if name != "id"})
        for change in services.models.registry.history(model)
    ]


@router.post("/{model}/retrain", summary="Train a model anew", status_code=202, responses=ACCEPTED | _UNKNOWN)
def retrain_model(
    caller: Trainer,
    services: Services,
    request: Request,
    response: Response,
    model: ModelId,
    key: IdempotencyKey,
) -> JobShown:
    """Train a model on all days up to the newest, and set it beside the version in production."""
    registry = services.models.registry
    spec = registry.load(registry.get(model)).spec
    check_owner(services, model, caller.name)
    spend(services, caller, quotes.training_seconds(services, spec))
    payload = {"id": model, ACTOR: caller.name}
    return submit(services, KINDS["models.retrain"], payload, caller, request, response, key=key)


@router.post("/{model}/evaluate", summary="Judge a version", status_code=202, responses=ACCEPTED | _UNKNOWN)
def evaluate_model(
    caller: Asker,
    services: Services,
    request: Request,
    response: Response,
    model: ModelId,
    body: Judging,
    key: IdempotencyKey,
) -> JobShown:
    """Judge a version by what it predicted of days that it had not seen, and how it does since."""
    payload = {"id": model, **body.model_dump()}
    request_of(EvaluateModel, payload)
    services.models.registry.get(model, body.version)
    spend(services, caller, quotes.model_evaluation_seconds(services))
    return submit(services, KINDS["models.evaluate"], payload, caller, request, response, key=key)


@router.get(
    "/{model}/health",
    summary="How a model does",
    response_class=Response,
    responses=one_document(
        "Its stored predictions beside its validation; `state` is unknown, with the reason, if nobody can tell.",
        {"state": "ok", "reason": "as validated", "days": 60, "mean": 0.029, "since": None},
        _404="There is no such model or version.",
    ),
)
async def read_health(
    request: Request, caller: Asker, services: Services, model: ModelId, version: Version = None
) -> Response:
    """Compare the stored predictions of a model with what a version showed when it was validated."""
    stages = await run_in_threadpool(versions_of_models, services, model)

    def compute() -> Found:
        spend(services, caller, quotes.model_evaluation_seconds(services))
        return Found(json_of(health(services, model, version)))

    return await answer(request, services, _question(f"health|{model}|{version}|{stages}"), compute)


@router.get(
    "/{model}/compare",
    summary="A challenger beside the champion",
    response_class=Response,
    responses=one_document(
        "What both predicted of days that they had not seen, and what to do.",
        {"recommendation": "undecided", "champion": 0.03, "challenger": 0.033, "low": -0.004, "high": 0.01},
        _404="There is no such version, or what it predicted out of sample is not kept.",
    ),
)
async def compare_models(
    request: Request,
    caller: Asker,
    services: Services,
    model: ModelId,
    challenger: Annotated[
        int | None, Query(ge=1, le=10**9, description="Its version; the newest if left out.")
    ] = None,
    champion: Annotated[
        int | None, Query(ge=1, le=10**9, description="Its version; the one in production if left out.")
    ] = None,
    other: Annotated[
        str | None, Query(max_length=50, description="Model of the challenger, if it is another one.")
    ] = None,
) -> Response:
    """Set a challenger beside the champion, by what both predicted of days that they had not seen."""
    stages = await run_in_threadpool(versions_of_models, services, model, other or model)

    def compute() -> Found:
        spend(services, caller, quotes.model_evaluation_seconds(services))
        found = services.models.compare(model, challenger=challenger, champion=champion, other=other)
        return Found(json_of(contest_told(found)))

    text = f"compare|{model}|{challenger}|{champion}|{other}|{stages}"
    return await answer(request, services, _question(text), compute)


@router.get(
    "/{model}/drift",
    summary="Features now and when it learnt",
    response_class=Response,
    responses=one_document(
        "Of each feature the population stability index.",
        {"trade_date": "2024-06-03", "features": [{"feature": "size", "index": 0.04, "change": "stable"}]},
        _404="There is no such model, or no bars on that day.",
    ),
)
def read_drift(
    caller: Asker, services: Services, model: ModelId, day: OfDay = None, version: Version = None
) -> Response:
    """Compare the features of a day with those that a model learnt from."""
    spend(services, caller, 1.0)
    when = day or last_day(services)
    found = services.models.drift(model, when, version=version)
    features = [{"feature": d.name, "index": d.index, "change": str(d.change)} for d in found]
    return plain_answer({"trade_date": when, "features": features})


@router.get(
    "/{model}/explanation",
    summary="What a model looks at",
    response_class=Response,
    responses=one_document(
        "Without symbols the strongest features; with them, what each feature adds to each prediction.",
        {"strongest": [{"feature": "reversal_20", "strength": 0.002, "direction": 0.9}]},
        _404="There is no such model, or it says nothing of a symbol on that day.",
    ),
)
def read_explanation(
    caller: Asker,
    services: Services,
    model: ModelId,
    symbols: SomeSymbols = None,
    day: OfDay = None,
    version: Version = None,
) -> Response:
    """Say what a model looks at, or why it predicts what it does of some names."""
    wanted = names(symbols, "symbols")
    if wanted is None:
        found = services.models.registry.get(model, version)
        return plain_answer({"strongest": found.figures.get("strongest", [])})
    spend(services, caller, 1.0)
    when = day or last_day(services)
    told = services.models.explain(model, when, wanted, version=version)
    return plain_answer(plainly({"trade_date": when, "explained": [asdict(each) for each in told]}))


@router.post(
    "/{model}/versions/{version}/promote",
    summary="Bring a version into use, or out of it",
    responses=_UNKNOWN | {422: {"description": "It is at that stage already, or cannot be used."}},
)
def promote_version(
    caller: Promoter,
    services: Services,
    request: Request,
    model: ModelId,
    version: Annotated[int, Path(ge=1, le=10**9)],
    body: Promotion,
    key: IdempotencyKey,
) -> ModelVersionShown:
    """Bring a version to production; what it replaces is retired, and can be promoted again. It is audited."""
    services.models.registry.get(model, version)
    target, told = f"{model} version {version}", {"stage": body.stage, "reason": body.reason}
    record(request, services, caller, "model.promote", target, **told)
    try:
        done = services.models.promote(
            model, version, reason=body.reason, actor=caller.name, stage=body.stage
        )
    except QuantfluxError:
        services.audit.note(
            replace(event(request, caller, "model.promote", target, **told), outcome="failed")
        )
        raise
    return version_shown(done)


def _question(text: str) -> Question:
    return Question("results", text, Form.COLUMNS, research_datasets(), Permission.MODELS_READ)
