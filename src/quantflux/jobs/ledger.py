"""The side of the ledger that people see: ask for work, look at it, stop it, take what it gave."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from quantflux.core.clock import Clock
from quantflux.core.errors import Busy, Conflict, InvalidRequest, LimitReached, NotFound
from quantflux.database.engine import Database
from quantflux.database.tables.jobs import jobs
from quantflux.database.times import to_micros
from quantflux.jobs.claims import Claims
from quantflux.jobs.job import SHOWN, Job, State, job_of
from quantflux.jobs.results import Results

_LARGEST_PAYLOAD = 4_000_000
_KEY_MICROSECONDS = 86_400 * 10**6
_OPEN = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Allowed:
    """How many jobs may wait: of one owner, counting those that run, and of all."""

    of_owner: int = 200
    of_all: int = 10_000


class Jobs:
    """Every job of an installation.

    Parameters
    ----------
    database : Database
    clock : Clock
    folder : Path
        For results that are too large for the database.
    allowed : Allowed

    Attributes
    ----------
    claims : Claims
        The side that runners see.
    arrived : threading.Event
        Set when a job was asked for in this process, so that its runner need not wait for its next look.

    Examples
    --------
    >>> import tempfile
    >>> from quantflux.core.clock import SystemClock
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = Database.open(f"sqlite:///{folder}/quantflux.db")
    ...     ledger = Jobs(database, SystemClock(), Path(folder, "jobs"))
    ...     job = ledger.submit("factors.compute", {"factors": ["alpha101.1"]}, "user:7", 7)
    ...     print(job.state, ledger.cancel(job.id, owner="user:7").state)
    ...     database.close()
    queued cancelled
    """

    def __init__(
        self, database: Database, clock: Clock, folder: Path, *, allowed: Allowed | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._results = Results(folder)
        self._allowed = allowed or Allowed()
        self.claims = Claims(database, clock, self._results)
        self.arrived = threading.Event()

    def submit(
        self,
        kind: str,
        payload: Mapping[str, Any],
        owner: str,
        user_id: int,
        *,
        key: str = "",
        api_key: str = "",
        request_id: str = "",
        connection: Connection | None = None,
    ) -> Job:
        """Write down work to be done.

        Parameters
        ----------
        kind : str
            Name of the work.
        payload : mapping
            What it is given; a JSON document of at most 4 MB.
        owner, user_id : str, int
            Whose it is. That the user still may is looked up again when it runs.
        key : str
            The caller's Idempotency-Key: within a day, the same work asked for again with it is the same job. Each
            kind of work has keys of its own.
        api_key, request_id : str
            What it was asked with, and by which request.
        connection : Connection, optional
            An open transaction of `Database.transaction`: the job is there if and only if that is committed.

        Raises
        ------
        InvalidRequest
            If the payload is no JSON document or too large.
        Conflict
            If the key was used with another payload.
        LimitReached
            If the owner has too many jobs that have not ended.
        Busy
            If too many jobs wait in all.
        """
        row = self._row(kind, payload, owner, user_id, key) | {"api_key": api_key, "request_id": request_id}
        if connection is not None:
            job = self._insert(connection, row, payload)
        else:
            with self._database.transaction() as own:
                job = self._insert(own, row, payload)
        self.arrived.set()
        return job

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """Return a job with its payload; `owner` None sees everybody's.

        Raises
        ------
        NotFound
            If there is no such job, or it is somebody else's.
        """
        with self._database.reading() as connection:
            return self._read(connection, job_id, owner)

    def list(
        self,
        *,
        owner: str | None = None,
        state: State | None = None,
        kind: str = "",
        before: int | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """Return jobs, newest first, without payloads.

        Parameters
        ----------
        owner : str, optional
            Only theirs; None lists everybody's.
        state, kind : State, str
            Only those.
        before : int, optional
            Only jobs asked for before the one with this `seq`: the last of the page before.
        limit : int
            At most so many.
        """
        wanted = select(*SHOWN).order_by(jobs.c.seq.desc()).limit(limit)
        if owner is not None:
            wanted = wanted.where(jobs.c.owner == owner)
        if state is not None:
            wanted = wanted.where(jobs.c.state == state)
        if kind:
            wanted = wanted.where(jobs.c.kind == kind)
        if before is not None:
            wanted = wanted.where(jobs.c.seq < before)
        with self._database.reading() as connection:
            return [job_of(row, {}) for row in connection.execute(wanted)]

    def cancel(self, job_id: str, *, owner: str | None = None) -> Job:
        """Stop a job: one that waits is cancelled at once, one that runs is asked to stop.

        A job that has ended already is returned as it is.

        Raises
        ------
        NotFound
            If there is no such job, or it is somebody else's.
        """
        now = to_micros(self._clock.now())
        with self._database.transaction() as connection:
            seq = self._read(connection, job_id, owner).seq
            this = update(jobs).where(jobs.c.seq == seq)
            connection.execute(
                this.where(jobs.c.state == State.QUEUED).values(
                    state=State.CANCELLED, cancel_asked_at=now, finished_at=now
                )
            )
            connection.execute(
                this.where(jobs.c.state == State.RUNNING, jobs.c.cancel_asked_at.is_(None)).values(
                    cancel_asked_at=now
                )
            )
            return self._read(connection, job_id, owner)

    def result(self, job_id: str, *, owner: str | None = None) -> tuple[Job, bytes | Path]:
        """Return a finished job and what it gave: the JSON document, or the file that holds it if it is large.

        Raises
        ------
        NotFound
            If there is no such job, or it is somebody else's.
        Conflict
            If it has given nothing: it has not ended, or has failed or was cancelled.
        StoreCorrupt
            If what is stored is not what was kept.
        """
        with self._database.reading() as connection:
            job = self._read(connection, job_id, owner)
            if job.state is not State.DONE:
                raise Conflict(_nothing_to_show(job))
            return job, self._results.read(connection, job)

    def counts(self) -> dict[State, int]:
        """Return how many jobs stand where."""
        counted = select(jobs.c.state, func.count()).group_by(jobs.c.state)
        with self._database.reading() as connection:
            found = {State(row[0]): row[1] for row in connection.execute(counted)}
        return {state: found.get(state, 0) for state in State}

    def _row(
        self, kind: str, payload: Mapping[str, Any], owner: str, user_id: int, key: str
    ) -> dict[str, Any]:
        try:
            document = orjson.dumps(dict(payload), option=orjson.OPT_SORT_KEYS)
        except TypeError as failure:
            raise InvalidRequest(
                f"The payload of a job must be a JSON document; {kind}'s is not: {failure}."
            ) from None
        if len(document) > _LARGEST_PAYLOAD:
            raise InvalidRequest(
                f"The payload of a job may have {_LARGEST_PAYLOAD:,} bytes; {kind}'s has {len(document):,}."
            )
        now = to_micros(self._clock.now())
        return {
            "id": secrets.token_hex(16),
            "kind": kind,
            "owner": owner,
            "user_id": user_id,
            "idempotency_key": hashlib.sha256(f"{kind}\n{key}".encode()).hexdigest() if key else None,
            "fingerprint": hashlib.sha256(document).hexdigest(),
            "payload": document,
            "state": State.QUEUED,
            "attempts": 0,
            "setbacks": 0,
            "runner": "",
            "not_before": now,
            "created_at": now,
            "progress_done": 0,
            "progress_total": 0,
            "progress_text": "",
            "error_code": "",
            "error_text": "",
            "result_place": "",
            "result_digest": "",
        }

    def _insert(self, connection: Connection, row: dict[str, Any], payload: Mapping[str, Any]) -> Job:
        earlier = self._earlier(connection, row)
        if earlier is not None:
            return earlier
        self._check_room(connection, row["owner"])
        try:
            with connection.begin_nested():  # servers end a transaction whose statement failed
                connection.execute(insert(jobs).values(row))
        except IntegrityError:
            earlier = self._earlier(connection, row)
            if earlier is None:
                raise
            return earlier
        return job_of(connection.execute(select(*SHOWN).where(jobs.c.id == row["id"])).one(), payload)

    def _earlier(self, connection: Connection, row: dict[str, Any]) -> Job | None:
        key = row["idempotency_key"]
        if key is None:
            return None
        same = (jobs.c.owner == row["owner"]) & (jobs.c.idempotency_key == key)
        wanted = select(jobs.c.seq, jobs.c.id, jobs.c.fingerprint, jobs.c.created_at).where(same)
        found = connection.execute(wanted).one_or_none()
        if found is None:
            return None
        if found.created_at <= row["created_at"] - _KEY_MICROSECONDS:
            connection.execute(update(jobs).where(jobs.c.seq == found.seq).values(idempotency_key=None))
            return None
        if found.fingerprint != row["fingerprint"]:
            raise Conflict(
                f"This Idempotency-Key belongs to job {found.id}, which was asked for with another payload; "
                "use a new key."
            )
        return self._read(connection, found.id, row["owner"])

    def _check_room(self, connection: Connection, owner: str) -> None:
        waiting = select(func.count()).select_from(jobs).where(jobs.c.state.in_(_OPEN))
        if connection.execute(waiting.where(jobs.c.owner == owner)).scalar_one() >= self._allowed.of_owner:
            raise LimitReached(
                f"You have {self._allowed.of_owner} jobs that have not ended, which is the most; cancel some or "
                "wait for them.",
                retry_after=60.0,
            )
        if connection.execute(waiting).scalar_one() >= self._allowed.of_all:
            raise Busy("Too many jobs wait already; ask again later.")

    def _read(self, connection: Connection, job_id: str, owner: str | None) -> Job:
        wanted: Select[Any] = select(*SHOWN, jobs.c.payload).where(jobs.c.id == job_id)
        if owner is not None:
            wanted = wanted.where(jobs.c.owner == owner)
        row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFound(f"No job {job_id[:40]!r} is known.")
        return job_of(row, orjson.loads(row.payload))


def _nothing_to_show(job: Job) -> str:
    if not job.state.ended:
        return f"Job {job.id} has no result yet: it is {job.state}."
    why = f": {job.error_text}" if job.error_text else ""
    return f"Job {job.id} has no result: it was {job.state}{why}"
