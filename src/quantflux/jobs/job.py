"""One job as the ledger knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from quantflux.database.tables.jobs import jobs
from quantflux.database.times import from_micros


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: `done` of `total` steps (0: not known), and what it is doing."""

    done: int
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the ledger, without the payload's bytes and the result.

    Attributes
    ----------
    seq : int
        Place in the order of asking.
    id : str
        32 hexadecimal digits, random.
    kind : str
        Name of the work.
    owner : str
        Whose it is, as `Principal.owner` says it.
    user_id : int
    api_key : str
        Public part of the API key that it was asked with, or empty.
    request_id : str
        Of the request that caused it, or empty.
    payload : mapping
        What the work is given; empty where jobs are listed.
    state : State
    attempts : int
        Runs that were begun.
    runner : str
        Who runs or ran it.
    created, started, finished : datetime or None
        Instants in UTC; `started` of the last run.
    cancel_asked : bool
        Somebody asked a running job to stop.
    progress : Progress
    error_code, error_text : str
        Why it failed, for its owner to read; empty otherwise.
    result_bytes : int or None
        Size of the result's JSON document once there is one.
    result_digest : str
        SHA-256 of it.
    """

    seq: int
    id: str
    kind: str
    owner: str
    user_id: int
    api_key: str
    request_id: str
    payload: Mapping[str, Any]
    state: State
    attempts: int
    runner: str
    created: datetime
    started: datetime | None
    finished: datetime | None
    cancel_asked: bool
    progress: Progress
    error_code: str
    error_text: str
    result_bytes: int | None
    result_digest: str
    result_place: str


SHOWN = tuple(column for column in jobs.c if column is not jobs.c.payload)
"""What lists read: everything but the payload, which may be large."""


def job_of(row: Row[*tuple[Any, ...]], payload: Mapping[str, Any]) -> Job:
    """Turn a row with the columns `SHOWN` into a job."""
    return Job(
        seq=row.seq,
        id=row.id,
        kind=row.kind,
        owner=row.owner,
        user_id=row.user_id,
        api_key=row.api_key,
        request_id=row.request_id,
        payload=payload,
        state=State(row.state),
        attempts=row.attempts,
        runner=row.runner,
        created=from_micros(row.created_at),
        started=None if row.started_at is None else from_micros(row.started_at),
        finished=None if row.finished_at is None else from_micros(row.finished_at),
        cancel_asked=row.cancel_asked_at is not None,
        progress=Progress(row.progress_done, row.progress_total, row.progress_text),
        error_code=row.error_code,
        error_text=row.error_text,
        result_bytes=row.result_bytes,
        result_digest=row.result_digest,
        result_place=row.result_place,
    )
