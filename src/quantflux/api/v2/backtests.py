"""Backtests: run strategies, compare them, try parameters; and their records, which can be run again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import ConfigDict

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.accepted import ACCEPTED, JobShown, submit
from quantflux.api.access import Services, needs
from quantflux.api.bodies import Answer
from quantflux.api.idempotency import IdempotencyKey
from quantflux.api.pages import Limit, Offset, Page, cut
from quantflux.api.routing import Router
from quantflux.api.v2.research import Described, Document, examples, one_document, plain_answer, spend
from quantflux.backtest.runs.comparison import check_comparable
from quantflux.backtest.runs.run_file import RunFile
from quantflux.core.errors import Forbidden
from quantflux.work import quotes
from quantflux.work.backtests import OWNER, shelf_of
from quantflux.work.catalogue import KINDS
from quantflux.work.documents import run_document, sweep_sets
from quantflux.work.requests import CompareRuns, request_of

router = Router(prefix="/api/v2/backtests", tags=["backtests"])

Reader = Annotated[Principal, needs(Permission.BACKTESTS_RUN)]
Runner = Annotated[Principal, needs(Permission.BACKTESTS_RUN, RouteKind.WORK)]
Rules = Annotated[
    bool, Query(description="Whether to price each rule of the market, which takes a run for each.")
]
RecordId = Annotated[str, Path(max_length=200, description="Of a record.")]
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such record, or it is somebody else's."}
}
_RUN: dict[str, Any] = {
    "name": "reversal",
    "score": {"factors": [{"factor": "reversal_20"}]},
    "policy": {"kind": "ranked", "top": 20},
    "schedule": "weekly",
}
RunBody = Annotated[Document, Described(RunFile), examples(reversal=_RUN)]
SweepBody = Annotated[
    Document, Described(RunFile), examples(sizes={**_RUN, "sweep": {"policy.top": [10, 20, 40]}})
]
CompareBody = Annotated[
    Document,
    Described(CompareRuns),
    examples(sizes={"runs": [_RUN, {**_RUN, "name": "fewer", "policy": {"kind": "ranked", "top": 5}}]}),
]


class RecordShown(Answer):
    """A record of a backtest: what it was called, when it ran, and its key figures."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "reversal-20240603021500-5f2b8e0c",
                    "name": "reversal",
                    "owner": "user:7",
                    "made": "2024-06-03T02:15:00+00:00",
                    "metrics": {"annual_return": 0.11, "sharpe": 0.8, "max_drawdown": 0.17},
                }
            ]
        }
    )

    id: str
    name: str
    owner: str
    made: datetime
    metrics: dict[str, float | None]


@router.post("", summary="Run a backtest", status_code=202, responses=ACCEPTED)
def run_backtest(
    caller: Runner,
    services: Services,
    request: Request,
    response: Response,
    body: RunBody,
    key: IdempotencyKey,
    rules: Rules = True,
) -> JobShown:
    """Carry out a strategy under the market's rules, and keep its record."""
    run = run_document(body)
    spend(services, caller, quotes.backtest_seconds(services, [run], rules=rules))
    payload = {"run": body, "rules": rules, OWNER: caller.owner}
    return submit(services, KINDS["backtests.run"], payload, caller, request, response, key=key)


@router.post("/compare", summary="Run several side by side", status_code=202, responses=ACCEPTED)
def compare_backtests(
    caller: Runner,
    services: Services,
    request: Request,
    response: Response,
    body: CompareBody,
    key: IdempotencyKey,
) -> JobShown:
    """Carry out several strategies over the same days."""
    wanted = request_of(CompareRuns, body)
    runs = [run_document(each) for each in wanted.runs]
    check_comparable(runs)
    spend(services, caller, quotes.backtest_seconds(services, runs, rules=wanted.rules))
    payload = {**body, OWNER: caller.owner}
    return submit(services, KINDS["backtests.compare"], payload, caller, request, response, key=key)


@router.post("/sweep", summary="Try parameters", status_code=202, responses=ACCEPTED)
def sweep_backtest(
    caller: Runner,
    services: Services,
    request: Request,
    response: Response,
    body: SweepBody,
    key: IdempotencyKey,
) -> JobShown:
    """Try every combination of the values under `sweep`."""
    sets = sweep_sets(run_document(body))
    spend(services, caller, quotes.backtest_seconds(services, [each.run for each in sets], rules=False))
    payload = {"run": body, OWNER: caller.owner}
    return submit(services, KINDS["backtests.sweep"], payload, caller, request, response, key=key)


@router.get("", summary="Records of backtests")
def list_backtests(
    caller: Reader,
    services: Services,
    request: Request,
    response: Response,
    everybody: Annotated[bool, Query(description="All users' records; needs `jobs:all`.")] = False,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Page[RecordShown]:
    """List the records of one's own backtests, the newest first."""
    if everybody and Permission.JOBS_ALL not in caller.permissions:
        raise Forbidden("To see all users' records needs the permission jobs:all.", Permission.JOBS_ALL.value)
    shelf = shelf_of(services)
    found = shelf.entries(None if everybody else caller.owner)
    entries, following = cut(request, response, found, limit=limit, offset=offset)
    items = []
    for entry in entries:
        record = shelf.record_at(entry)
        items.append(
            RecordShown(
                id=entry.id,
                name=record.name,
                owner=entry.owner,
                made=datetime.fromisoformat(record.made),
                metrics=dict(record.metrics),
            )
        )
    return Page(items=items, next=following, total=len(found))


@router.get(
    "/{record}",
    summary="One record",
    response_class=Response,
    responses=one_document(
        "What the run was told, which data and code it was of, and hashes of all that came out.",
        {"id": "reversal-20240603021500-5f2b8e0c", "content": _RUN, "metrics": {"sharpe": 0.8}},
        _404="There is no such record, or it is somebody else's.",
    ),
)
def read_backtest(caller: Reader, services: Services, record: RecordId) -> Response:
    """Return the record of a backtest."""
    shelf = shelf_of(services)
    found = shelf.read(record, owner=_whose(caller))
    told = {name: value for name, value in vars(found).items() if name != "folder"}
    return plain_answer({"id": record, "owner": shelf.owner_of(record, owner=_whose(caller)), **told})


@router.get(
    "/{record}/study",
    summary="All figures of a run",
    response_class=Response,
    responses=one_document(
        "Performance, luck, costs, drawdowns, rules and the daily series.",
        {"name": "reversal", "performance": {"sharpe": 0.8}, "series": {"times": ["2024-01-02"]}},
        _404="There is no such record, it is somebody else's, or its study was not kept.",
    ),
)
def read_study(caller: Reader, services: Services, record: RecordId) -> Response:
    """Return all figures of a recorded backtest."""
    return Response(shelf_of(services).study(record, owner=_whose(caller)), media_type="application/json")


@router.post("/{record}/replay", summary="Run a record again", status_code=202, responses=ACCEPTED | _UNKNOWN)
def replay_backtest(
    caller: Runner,
    services: Services,
    request: Request,
    response: Response,
    record: RecordId,
    key: IdempotencyKey,
) -> JobShown:
    """Run a record again: are the results the same, bit for bit, and if not, why?"""
    run = run_document(shelf_of(services).read(record, owner=_whose(caller)).content)
    spend(services, caller, quotes.backtest_seconds(services, [run], rules=False))
    payload = {"id": record, OWNER: caller.owner, "everybody": _whose(caller) is None}
    return submit(services, KINDS["backtests.replay"], payload, caller, request, response, key=key)


def _whose(caller: Principal) -> str | None:
    return None if Permission.JOBS_ALL in caller.permissions else caller.owner
