"""Whether what is stored can be trusted: imports, findings of the rules, and rows that were let in after all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from quantflux.accounts.audit import AuditEvent
from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.bodies import Answer, Body
from quantflux.api.exchange import exchange_of
from quantflux.api.idempotency import IdempotencyKey
from quantflux.api.pages import Limit, link_next
from quantflux.api.routing import Router
from quantflux.api.v2.asked import CAPS, End, Start, Symbols, instant, names
from quantflux.core.errors import InvalidRequest, QuantfluxError
from quantflux.data.contract import check_reach, day_of
from quantflux.data.quality import EVERY_RULE, Severity, release_rows
from quantflux.data.quality import rule as rule_named
from quantflux.data.request import parse_symbols, parse_when
from quantflux.data.schema import dataset as dataset_named
from quantflux.platform import Platform

router = Router(prefix="/api/v2/data/quality", tags=["data"])
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No dataset is called that."}}

Reader = Annotated[Principal, needs(Permission.DATA_READ)]
Releaser = Annotated[Principal, needs(Permission.SYSTEM_MANAGE, RouteKind.WRITE)]
"""Whoever runs the installation answers for its data too."""

RELEASE = "data.release"

OneDataset = Annotated[str | None, Query(alias="dataset", max_length=64, description="Only this dataset.")]
RunNumber = Annotated[int | None, Query(ge=1, le=2**62, description="Only what this run saw.")]
FindingOffset = Annotated[int, Query(ge=0, le=100_000, description="How many findings to skip.")]


_RUN: JsonDict = {
    "run": 7,
    "dataset": "stock_daily_data",
    "kind": "import",
    "source": "2024.csv",
    "started": "2024-12-31T08:00:00+00:00",
    "finished": "2024-12-31T08:00:09+00:00",
    "facts": {"rows_stored": 1_310_000},
}
_RULE: JsonDict = {
    "id": "ohlc_order",
    "severity": "quarantine",
    "meaning": "has a low above, or a high below, another price of the bar",
}
_COUNT: JsonDict = {
    "dataset": "stock_daily_data",
    "rule": "ohlc_order",
    "severity": "quarantine",
    "findings": 3,
    "symbols": 2,
    "first": "2024-01-02",
    "last": "2024-05-06",
}
_FINDING: JsonDict = {
    "finding": 31,
    "dataset": "stock_daily_data",
    "symbol": "600519.SH",
    "day": "2024-01-02",
    "at": "2024-01-02",
    "rule": "ohlc_order",
    "severity": "quarantine",
    "cell": "",
    "source": "2024.csv",
    "source_row": 18,
    "detail": "high 1680.0 below close 1685.01",
    "raw": '{"symbol": "600519.SH", "close": 1685.01}',
    "first_run": 7,
    "last_run": 7,
    "released": False,
}


class RunAnswer(Answer):
    """An import, a download or an audit; one without `finished` was cut short."""

    run: int
    dataset: str
    kind: str
    source: str
    started: str
    finished: str | None
    facts: Mapping[str, Any]

    model_config = ConfigDict(json_schema_extra={"examples": [_RUN]})


class RunList(Answer):
    """Runs, newest first."""

    items: list[RunAnswer]

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_RUN]}]})


class RuleAnswer(Answer):
    """A rule that rows are judged by."""

    id: str
    severity: Severity
    meaning: str


class RuleList(Answer):
    """All rules, in the order in which they run."""

    items: list[RuleAnswer]

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_RULE]}]})


class CountAnswer(Answer):
    """How often a rule found something; first and last are days, empty where a finding has none."""

    dataset: str
    rule: str
    severity: Severity
    findings: int
    symbols: int
    first: str
    last: str


class CountList(Answer):
    """Counts, the most frequent first."""

    items: list[CountAnswer]

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_COUNT]}]})


class FindingAnswer(Answer):
    """Something odd about a row. `raw` is the row as it was read, if it was kept out; `released` says it was let in."""

    finding: int
    dataset: str
    symbol: str
    day: str
    at: str
    rule: str
    severity: Severity
    cell: str
    source: str
    source_row: int
    detail: str
    raw: str | None
    first_run: int
    last_run: int
    released: bool

    model_config = ConfigDict(json_schema_extra={"examples": [_FINDING]})


class FindingPage(Answer):
    """Findings in the order of symbol and day; `next` is the offset of the next page, null on the last."""

    items: list[FindingAnswer]
    next: int | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_FINDING], "next": None}]})


class ReleaseBody(Body):
    """Which quarantined rows to let in, and why."""

    dataset: str = Field(max_length=64)
    findings: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=1000)
    reason: str = Field(min_length=3, max_length=500)

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"dataset": "stock_daily_data", "findings": [31], "reason": "the exchange confirms the price"}
            ]
        }
    )


class ReleaseAnswer(Answer):
    """What a release did: rows written, and the version that holds them."""

    dataset: str
    version: int
    rows: int

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"dataset": "stock_daily_data", "version": 13, "rows": 1}]}
    )


@router.get("/runs", summary="Imports, downloads and audits", responses=_UNKNOWN)
def read_runs(services: Services, caller: Reader, dataset: OneDataset = None, limit: Limit = 100) -> RunList:
    """Return the latest runs, newest first."""
    found = services.ledger.runs(_name(dataset), limit)
    fields = RunAnswer.model_fields
    return RunList(items=[RunAnswer(**{name: getattr(run, name) for name in fields}) for run in found])


@router.get("/rules", summary="The rules that rows are judged by")
def read_rules(caller: Reader) -> RuleList:
    """Return every rule, in the order in which they run."""
    return RuleList(
        items=[RuleAnswer(id=r.id, severity=r.severity, meaning=r.description) for r in EVERY_RULE]
    )


@router.get("/counts", summary="Findings by rule", responses=_UNKNOWN)
def read_counts(
    services: Services, caller: Reader, dataset: OneDataset = None, run: RunNumber = None
) -> CountList:
    """Return the number of findings by dataset and rule."""
    counts = services.ledger.counts(_name(dataset), run=run)
    return CountList(items=[CountAnswer(**row) for row in counts.iter_rows(named=True)])


@router.get("/findings", summary="What the rules found", responses=_UNKNOWN)
def read_findings(
    request: Request,
    response: Response,
    services: Services,
    caller: Reader,
    dataset: OneDataset = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    rule: Annotated[str | None, Query(max_length=64, description="Only findings of this rule.")] = None,
    severity: Annotated[Severity | None, Query(description="Only findings of this severity.")] = None,
    run: RunNumber = None,
    limit: Limit = 100,
    offset: FindingOffset = 0,
) -> FindingPage:
    """Return findings in the order of symbol and day."""
    if rule is not None:
        rule_named(rule)
    among = names(symbols, "symbols")
    first, last = _day(start, "start"), _day(end, "end")
    if first is not None and last is not None and first > last:
        raise InvalidRequest(f"start {first} lies behind end {last}; valid is a start up to the end")
    found = services.ledger.findings(
        _name(dataset),
        symbols=None if among is None else parse_symbols(among, CAPS),
        start=first,
        end=last,
        rule=rule,
        severity=severity,
        run=run,
        limit=offset + limit + 1,
    )
    rows = found.slice(offset, limit)
    following = offset + limit if found.height > offset + limit else None
    link_next(request, response, "offset", following)
    return FindingPage(items=[FindingAnswer(**row) for row in rows.iter_rows(named=True)], next=following)


@router.post("/releases", summary="Let quarantined rows in", status_code=201, responses=_UNKNOWN)
def release(
    request: Request, services: Services, caller: Releaser, key: IdempotencyKey, body: ReleaseBody
) -> ReleaseAnswer:
    """Write quarantined rows as they were read, and note who let them in and why. Audited before it is done."""
    source = dataset_named(body.dataset)
    wanted = sorted(set(body.findings))
    held = services.ledger.quarantined(source.name, wanted)
    missing = [str(number) for number in wanted if number not in held]
    if missing:
        raise InvalidRequest(f"{source.name} has no quarantined row numbered {', '.join(missing[:20])}")
    _record(request, services, caller, body, "done")
    try:
        receipt = release_rows(services.ledger, services.store, source, wanted, body.reason)
    except QuantfluxError:
        _record(request, services, caller, body, "failed")
        raise
    services.data.expire(source)
    return ReleaseAnswer(dataset=receipt.dataset, version=receipt.version, rows=receipt.rows)


def _record(request: Request, services: Platform, caller: Principal, body: ReleaseBody, outcome: Any) -> None:
    """Put a release into the audit log; raises if that cannot be done, and then nothing is released."""
    exchange = exchange_of(request.scope)
    details = {"findings": body.findings[:100], "count": len(body.findings), "reason": body.reason}
    event = AuditEvent(
        RELEASE, outcome, caller.name, exchange.address, exchange.request_id, body.dataset, details
    )
    with services.database.transaction() as connection:
        services.audit.record(connection, event)


def _name(dataset: str | None) -> str | None:
    return None if dataset is None else dataset_named(dataset).name


def _day(text: str | None, parameter: str) -> Any:
    when = parse_when(instant(text), parameter)
    if when is None:
        return None
    check_reach(parameter, when)
    return day_of(when)
