"""Long work: see it, stop it, take what it gave."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from fastapi.responses import FileResponse

from quantflux.accounts.limits.kinds import RouteKind
from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.accepted import JobShown, shown
from quantflux.api.access import Services, needs
from quantflux.api.auditing import record
from quantflux.api.pages import After, Limit, Page, link_next
from quantflux.api.routing import Router
from quantflux.core.errors import Forbidden
from quantflux.jobs import Job, State
from quantflux.work.catalogue import KINDS

router = Router(prefix="/api/v2/jobs", tags=["jobs"])

Reader = Annotated[Principal, needs(Permission.JOBS_OWN)]
Stopper = Annotated[Principal, needs(Permission.JOBS_OWN, RouteKind.WRITE)]
JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Of a job.")]
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No such job, or it is somebody else's."}}


@router.get("", summary="Your jobs")
def list_jobs(
    caller: Reader,
    services: Services,
    request: Request,
    response: Response,
    state: Annotated[State | None, Query(description="Only jobs that stand there.")] = None,
    kind: Annotated[str, Query(max_length=64, description="Only jobs of that kind.")] = "",
    everybody: Annotated[bool, Query(description="All users' jobs; needs `jobs:all`.")] = False,
    limit: Limit = 50,
    after: After = 0,
) -> Page[JobShown]:
    """List jobs, newest first, without what they were given."""
    if everybody and Permission.JOBS_ALL not in caller.permissions:
        raise Forbidden("To see all users' jobs needs the permission jobs:all.", Permission.JOBS_ALL.value)
    found = services.jobs.list(
        owner=None if everybody else caller.owner,
        state=state,
        kind=kind,
        before=after or None,
        limit=limit + 1,
    )
    following = found[limit - 1].seq if len(found) > limit else None
    link_next(request, response, "after", following)
    return Page(items=[shown(job, with_payload=False) for job in found[:limit]], next=following)


@router.get("/{job_id}", summary="One job", responses=_UNKNOWN)
def get_job(caller: Reader, services: Services, job_id: JobId) -> JobShown:
    """Show a job: where it stands, how far it has come, what it was given."""
    return shown(services.jobs.get(job_id, owner=_whose(caller)))


@router.get(
    "/{job_id}/result",
    summary="What a job gave",
    responses=_UNKNOWN
    | {
        200: {"description": "The JSON document that the work gave.", "content": {"application/json": {}}},
        304: {"description": "The caller has it already."},
        403: {"description": "The caller may not, or not any more, ask for such work."},
        409: {"description": "There is no result: the job has not ended, has failed or was cancelled."},
    },
    response_class=Response,
)
def get_result(caller: Reader, services: Services, request: Request, job_id: JobId) -> Response:
    """Return what a job gave. It never changes.

    Needs the permission that asking for the work needs, or `jobs:all`.
    """
    job, found = services.jobs.result(job_id, owner=_whose(caller))
    _require_work(caller, job)
    headers = {"ETag": f'"{job.result_digest}"', "Cache-Control": "private, no-cache"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if isinstance(found, FilePath):
        return FileResponse(found, media_type="application/json", headers=headers)
    return Response(found, media_type="application/json", headers=headers)


@router.post("/{job_id}/cancel", summary="Stop a job", responses=_UNKNOWN)
def cancel_job(caller: Stopper, services: Services, request: Request, job_id: JobId) -> JobShown:
    """Stop a job. One that waits is cancelled at once, one that runs soon; one that has ended stays as it is.

    To stop somebody else's needs `jobs:all`, and is written into the audit log.
    """
    job = services.jobs.get(job_id, owner=_whose(caller))
    if job.owner != caller.owner:
        record(request, services, caller, "job.cancel", f"job:{job.id}", owner=job.owner, kind=job.kind)
    return shown(services.jobs.cancel(job_id, owner=_whose(caller)))


def _whose(caller: Principal) -> str | None:
    return None if Permission.JOBS_ALL in caller.permissions else caller.owner


def _require_work(caller: Principal, job: Job) -> None:
    """Refuse whoever may not ask for such work, or not any more: its result holds what they may not read."""
    if Permission.JOBS_ALL in caller.permissions:
        return
    work = KINDS.get(job.kind)
    needed = Permission.JOBS_ALL if work is None else work.permission  # None: work of another release
    if needed not in caller.permissions:
        raise Forbidden(f"This needs the permission {needed.value}.", needed.value)
