"""Long work: what a route answers that has only begun it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import ConfigDict
from pydantic.config import JsonDict

from quantflux.accounts.principal import Principal
from quantflux.api.bodies import Answer
from quantflux.api.exchange import exchange_of
from quantflux.core.errors import Forbidden
from quantflux.jobs import Job
from quantflux.platform import Platform
from quantflux.work.contract import Work

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The work was written down and will be done; `Location` is its job.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}
"""For a route's `responses=`."""

_EXAMPLE: JsonDict = {
    "id": "5f2b8e0c9d7a4c1e8b3f6a2d4c5e7f90",
    "kind": "backtests.run",
    "state": "running",
    "owner": "user:7",
    "created": "2024-06-03T02:15:00.120000Z",
    "started": "2024-06-03T02:15:00.460000Z",
    "finished": None,
    "runs": 1,
    "cancel_asked": False,
    "progress": {"done": 120, "total": 480, "text": "2023-07"},
    "error": None,
    "result_bytes": None,
    "result": None,
    "payload": {"policy": "equal_weight"},
}


class ProgressShown(Answer):
    """How far a job has come: steps done, steps in all (0: not known) and what it is doing."""

    done: int
    total: int
    text: str


class FailureShown(Answer):
    """Why a job failed: a stable code for programs and a sentence for people."""

    code: str
    detail: str


class JobShown(Answer):
    """A job.

    Attributes
    ----------
    runs : int
        How often it was begun.
    cancel_asked : bool
        It was asked to stop, and has not yet.
    result : str or None
        Where its result is, once it is done.
    payload : object or None
        What was asked for; left out of lists.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": _EXAMPLE})

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    owner: str
    created: datetime
    started: datetime | None
    finished: datetime | None
    runs: int
    cancel_asked: bool
    progress: ProgressShown
    error: FailureShown | None
    result_bytes: int | None
    result: str | None
    payload: dict[str, Any] | None


def submit(
    platform: Platform,
    work: Work,
    payload: Mapping[str, Any],
    caller: Principal,
    request: Request,
    response: Response,
    *,
    key: str = "",
) -> JobShown:
    """Write long work down and answer 202 with its address.

    Parameters
    ----------
    payload : mapping
        What the work is given, checked by the route: a JSON document.
    key : str
        The request's Idempotency-Key, if the route takes one: asked for again, it is the same job.

    Raises
    ------
    Forbidden
        If the caller lacks the work's permission.
    Conflict
        If the key was used for other work.
    LimitReached, Busy
        If too many jobs wait.
    """
    if work.permission not in caller.permissions:
        raise Forbidden(f"This needs the permission {work.permission.value}.", work.permission.value)
    job = platform.jobs.submit(
        work.name,
        payload,
        caller.owner,
        caller.user_id,
        key=key,
        api_key=caller.key,
        request_id=exchange_of(request.scope).request_id,
    )
    return accepted(job, response)


def accepted(job: Job, response: Response) -> JobShown:
    """Make a response the 202 of a job that was written down, and return its body."""
    response.status_code = 202
    response.headers["Location"] = address_of(job)
    return shown(job)


def address_of(job: Job) -> str:
    """Return the path of a job."""
    return f"/api/v2/jobs/{job.id}"


def shown(job: Job, *, with_payload: bool = True) -> JobShown:
    """Return a job as the API shows it."""
    failure = FailureShown(code=job.error_code, detail=job.error_text) if job.error_code else None
    done = job.result_bytes is not None
    return JobShown(
        id=job.id,
        kind=job.kind,
        state=job.state.value,
        owner=job.owner,
        created=job.created,
        started=job.started,
        finished=job.finished,
        runs=job.attempts,
        cancel_asked=job.cancel_asked and not job.state.ended,
        progress=ProgressShown(done=job.progress.done, total=job.progress.total, text=job.progress.text),
        error=failure,
        result_bytes=job.result_bytes,
        result=f"{address_of(job)}/result" if done else None,
        payload=dict(job.payload) if with_payload else None,
    )
