"""The audit log, for those who may read what everybody did. That it was read stands in it as well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request, Response

from quantflux.accounts.audit import AuditEntry, Outcome
from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import Services, needs
from quantflux.api.auditing import record
from quantflux.api.bodies import Answer, Moment
from quantflux.api.pages import After, Limit, Page, link_next
from quantflux.api.routing import Router

router = Router(prefix="/api/v2/audit", tags=["audit"])

Action = Annotated[
    str, Query(min_length=1, max_length=64, description="An action, or a group with its dot: `user.`.")
]
Actor = Annotated[str, Query(min_length=1, max_length=64, description="Name of a user.")]


class EntryShown(Answer):
    """An entry: `seq` counts from 1 without a gap."""

    seq: int
    at: datetime
    action: str
    outcome: Outcome
    actor: str
    address: str
    request_id: str
    target: str
    details: Mapping[str, Any]
    before: str
    after: str


class VerificationShown(Answer):
    """What a check of the whole log found.

    `bad_seq` is the first entry that is not as it was written or is missing; `copied_seq` is how far the head that is
    copied outside the database vouches for the log.
    """

    sound: bool
    entries: int
    last_seq: int
    bad_seq: int | None
    problem: str
    copied_seq: int | None


@router.get("", summary="Read the log")
def read(
    request: Request,
    response: Response,
    services: Services,
    caller: Annotated[Principal, needs(Permission.AUDIT_READ)],
    after: After = 0,
    limit: Limit = 100,
    action: Action | None = None,
    actor: Actor | None = None,
    outcome: Outcome | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> Page[EntryShown]:
    """Return entries, oldest first; `since` is included, `until` is not, and both have an offset from UTC."""
    wanted = {
        "after": after,
        "action": action,
        "actor": actor,
        "outcome": outcome,
        "since": since,
        "until": until,
    }
    given = {name: str(value) for name, value in wanted.items() if value}
    record(request, services, caller, "audit.read", "", **given)
    found = services.audit.entries(
        after=after, limit=limit, action=action, actor=actor, outcome=outcome, since=since, until=until
    )
    following = found[-1].seq if len(found) == limit else None
    link_next(request, response, "after", following)
    return Page(items=[_shown(entry) for entry in found], next=following)


@router.get("/verification", summary="Check the whole log")
def verify(
    request: Request,
    services: Services,
    caller: Annotated[Principal, needs(Permission.AUDIT_READ, RouteKind.WORK)],
) -> VerificationShown:
    """Check every entry, the end of the chain, and its copy outside the database."""
    record(request, services, caller, "audit.verify", "")
    found = services.audit.verify()
    return VerificationShown(**{name: getattr(found, name) for name in VerificationShown.model_fields})


def _shown(entry: AuditEntry) -> EntryShown:
    event = entry.event
    told = {
        name: getattr(event, name) for name in EntryShown.model_fields if name not in ("seq", "at", "details")
    }
    return EntryShown(seq=entry.seq, at=entry.at, details=dict(event.details), **told)
