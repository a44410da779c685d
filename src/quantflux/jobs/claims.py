"""The side of the ledger that runners see: take a job, keep it, end it; and bring back what dead ones left.

Several processes share one ledger. A job is taken by an update on the condition that it still waits, so that of all
who want it one gets it. Every later write names the run (`Claim`) and does nothing if that run is not the present
one: whoever was taken for dead, and was only slow, cannot disturb his successor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from quantflux.core.clock import Clock
from quantflux.database.engine import Database
from quantflux.database.tables.jobs import job_results, jobs
from quantflux.database.times import to_micros
from quantflux.jobs.job import SHOWN, Job, Progress, State, job_of
from quantflux.jobs.results import Results

MOST_SETBACKS = 3
"""A job whose runs died, or failed in a way that may pass, so often has failed."""

_FIRST_WAIT = timedelta(seconds=5)
_SWEPT_AT_ONCE = 500
_JUDGED = (jobs.c.setbacks, jobs.c.cancel_asked_at)


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One run of one job by one runner."""

    job: Job

    @property
    def present(self) -> ColumnElement[bool]:
        """The condition that this run is the one that the ledger knows of."""
        return (
            (jobs.c.seq == self.job.seq)
            & (jobs.c.state == State.RUNNING)
            & (jobs.c.runner == self.job.runner)
            & (jobs.c.attempts == self.job.attempts)
        )


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: jobs queued again, jobs ended for good, old ones removed."""

    requeued: int
    ended: int
    removed: int


class Claims:
    """See the module."""

    def __init__(self, database: Database, clock: Clock, results: Results) -> None:
        self._database = database
        self._clock = clock
        self._results = results

    def claim(self, runner: str, kinds: Collection[str], *, most: int = 0, group: str = "") -> Claim | None:
        """Take the job whose turn it is, or None if none waits.

        Owners take turns: first whoever has the fewest jobs running, then whoever was served longest ago. Of one
        owner's jobs the oldest is next.

        Parameters
        ----------
        runner : str
            A name that no other runner has or had.
        kinds : collection of str
            Names of the work that the runner knows.
        most : int
            Take nothing while so many jobs are running whose runners' names begin with `group`; 0 means no bound.
            On a database server two runners that ask in the same instant may both get one.
        """
        now = self._now()
        with self._database.reading() as connection:
            if not self._turns(connection, kinds, now):
                return None
        with self._database.transaction() as connection:
            if most and self._running(connection, group) >= most:
                return None
            for seq in self._turns(connection, kinds, now):
                taken = connection.execute(
                    update(jobs)
                    .where(jobs.c.seq == seq, jobs.c.state == State.QUEUED)
                    .values(
                        state=State.RUNNING,
                        runner=runner,
                        attempts=jobs.c.attempts + 1,
                        started_at=now,
                        heartbeat_at=now,
                        progress_done=0,
                        progress_total=0,
                        progress_text="",
                    )
                )
                if taken.rowcount == 1:
                    row = connection.execute(select(*SHOWN, jobs.c.payload).where(jobs.c.seq == seq)).one()
                    return Claim(job_of(row, orjson.loads(row.payload)))
        return None

    def keep(self, claims: Iterable[tuple[Claim, Progress]]) -> list[Claim]:
        """Write heartbeat and progress; return the runs that shall stop, cancelled or no longer the present ones."""
        now = self._now()
        stop = []
        with self._database.transaction() as connection:
            for claim, progress in claims:
                kept = connection.execute(
                    update(jobs)
                    .where(claim.present)
                    .values(
                        heartbeat_at=now,
                        progress_done=progress.done,
                        progress_total=progress.total,
                        progress_text=progress.text,
                    )
                )
                asked = select(jobs.c.cancel_asked_at).where(jobs.c.seq == claim.job.seq)
                if kept.rowcount == 0 or connection.execute(asked).scalar() is not None:
                    stop.append(claim)
        return stop

    def stop_asked(self, runner: str) -> set[str]:
        """Return the ids of a runner's jobs that somebody cancelled."""
        wanted = select(jobs.c.id).where(
            jobs.c.state == State.RUNNING, jobs.c.runner == runner, jobs.c.cancel_asked_at.is_not(None)
        )
        with self._database.reading() as connection:
            return set(connection.execute(wanted).scalars())

    def finish(self, claim: Claim, document: bytes, progress: Progress) -> bool:
        """End a run with its result, a JSON document; False if it was not the present one any more."""
        job = claim.job
        kept = self._results.lay_down(job.id, job.attempts, document)
        with self._database.transaction() as connection:
            ended = self._end(
                connection,
                claim,
                State.DONE,
                progress_done=progress.done,
                progress_total=progress.total,
                progress_text=progress.text,
                result_bytes=kept.size,
                result_digest=kept.digest,
                result_place=kept.place,
            )
            if ended and kept.place == "ledger":
                self._results.put(connection, job.seq, document)
            elif not ended:
                # The same call before may have lost its answer and nothing else.
                done = (jobs.c.state == State.DONE) & (jobs.c.runner == job.runner)
                same = done & (jobs.c.seq == job.seq) & (jobs.c.attempts == job.attempts)
                ended = connection.execute(select(jobs.c.seq).where(same)).first() is not None
        if not ended:
            self._results.drop(job.id, job.attempts)
        return ended

    def fail(self, claim: Claim, code: str, text: str) -> bool:
        """End a run that failed for good; False if it was not the present one any more."""
        with self._database.transaction() as connection:
            return self._end(connection, claim, State.FAILED, error_code=code[:64], error_text=text[:2000])

    def cancelled(self, claim: Claim) -> bool:
        """End a run that stopped because it was told to; False if it was not the present one any more."""
        with self._database.transaction() as connection:
            return self._end(connection, claim, State.CANCELLED)

    def try_again(self, claim: Claim, code: str, text: str) -> bool:
        """Queue a run again that failed in a way that may pass; after three of them the job has failed."""
        with self._database.transaction() as connection:
            row = connection.execute(select(*_JUDGED).where(claim.present).with_for_update()).one_or_none()
            return row is not None and self._set_back(connection, claim.present, row, code, text) is not None

    def give_back(self, claim: Claim) -> bool:
        """Queue a run again that its process has no time to finish. That is nothing held against the job."""
        with self._database.transaction() as connection:
            this = update(jobs).where(claim.present)
            cancelled = connection.execute(
                this.where(jobs.c.cancel_asked_at.is_not(None)).values(
                    state=State.CANCELLED, finished_at=self._now()
                )
            )
            queued = connection.execute(this.values(state=State.QUEUED, runner="", heartbeat_at=None))
            return cancelled.rowcount + queued.rowcount == 1

    def sweep(self, *, stale_after: float = 30.0, keep_days: float = 30.0) -> Swept:
        """Bring back what dead processes left, and remove what ended long ago.

        Parameters
        ----------
        stale_after : float
            Seconds after which a run without a heartbeat is taken for dead. The clocks of hosts that share a ledger
            may differ by much less than that.
        keep_days : float
            Days for which ended jobs and their results are kept.
        """
        requeued, ended = self._bring_back(self._now() - int(stale_after * 1e6))
        removed = self._remove(to_micros(self._clock.now() - timedelta(days=keep_days)))
        return Swept(requeued, ended, removed)

    def _bring_back(self, oldest: int) -> tuple[int, int]:
        dead = (jobs.c.state == State.RUNNING) & (jobs.c.heartbeat_at < oldest)
        with self._database.reading() as connection:
            lost = connection.execute(select(jobs.c.seq).where(dead).limit(_SWEPT_AT_ONCE)).scalars().all()
        done = {State.QUEUED: 0, State.FAILED: 0, State.CANCELLED: 0}
        for seq in lost:
            this = (jobs.c.seq == seq) & dead
            with self._database.transaction() as connection:
                row = connection.execute(select(*_JUDGED).where(this).with_for_update()).one_or_none()
                if row is not None:
                    text = f"The process that ran it ended {MOST_SETBACKS} times before it was done."
                    now_is = self._set_back(connection, this, row, "interrupted", text)
                    if now_is is not None:
                        done[now_is] += 1
        return done[State.QUEUED], done[State.FAILED] + done[State.CANCELLED]

    def _set_back(
        self, connection: Connection, this: ColumnElement[bool], row: Any, code: str, text: str
    ) -> State | None:
        setbacks = row.setbacks + 1
        values: dict[str, Any] = {"setbacks": setbacks, "heartbeat_at": None}
        if row.cancel_asked_at is not None:
            values |= {"state": State.CANCELLED, "finished_at": self._now()}
        elif setbacks >= MOST_SETBACKS:
            values |= {
                "state": State.FAILED,
                "finished_at": self._now(),
                "error_code": code[:64],
                "error_text": text[:2000],
            }
        else:
            wait = _FIRST_WAIT * 2 ** (setbacks - 1)
            values |= {"state": State.QUEUED, "runner": "", "not_before": to_micros(self._clock.now() + wait)}
        changed = connection.execute(update(jobs).where(this).values(values))
        return State(values["state"]) if changed.rowcount == 1 else None

    def _end(self, connection: Connection, claim: Claim, state: State, **values: Any) -> bool:
        change = update(jobs).where(claim.present).values(state=state, finished_at=self._now(), **values)
        return connection.execute(change).rowcount == 1

    def _turns(self, connection: Connection, kinds: Collection[str], now: int) -> list[int]:
        waits = (jobs.c.state == State.QUEUED) & (jobs.c.not_before <= now) & jobs.c.kind.in_(list(kinds))
        oldest = select(jobs.c.owner, func.min(jobs.c.seq)).where(waits).group_by(jobs.c.owner)
        first = {row[0]: row[1] for row in connection.execute(oldest)}
        if len(first) < 2:
            return list(first.values())
        running = select(jobs.c.owner, func.count()).where(jobs.c.state == State.RUNNING)
        busy: dict[str, int] = {row[0]: row[1] for row in connection.execute(running.group_by(jobs.c.owner))}
        served = select(jobs.c.owner, func.max(jobs.c.started_at)).where(jobs.c.owner.in_(list(first)))
        last = {row[0]: row[1] for row in connection.execute(served.group_by(jobs.c.owner))}
        turn = sorted(first, key=lambda owner: (busy.get(owner, 0), last[owner] or 0, first[owner]))
        return [first[owner] for owner in turn]

    def _running(self, connection: Connection, group: str) -> int:
        counted = select(func.count()).where(
            jobs.c.state == State.RUNNING, jobs.c.runner.startswith(group, autoescape=True)
        )
        return int(connection.execute(counted).scalar_one())

    def _remove(self, oldest: int) -> int:
        old = select(jobs.c.seq, jobs.c.id, jobs.c.attempts).where(jobs.c.finished_at < oldest)
        with self._database.reading() as connection:
            found = connection.execute(old.limit(_SWEPT_AT_ONCE)).all()
        if found:
            gone = [row.seq for row in found]
            with self._database.transaction() as connection:
                connection.execute(delete(job_results).where(job_results.c.seq.in_(gone)))
                connection.execute(delete(jobs).where(jobs.c.seq.in_(gone)))
            for row in found:
                self._results.drop(row.id, row.attempts)
        self._remove_files()
        return len(found)

    def _remove_files(self) -> None:
        # What a crash left between a file and its row, or between a row's end and its file's.
        for job_id, path in self._results.files():
            with self._database.reading() as connection:
                known = select(jobs.c.seq).where(jobs.c.id == job_id)
                if connection.execute(known).first() is None:
                    path.unlink(missing_ok=True)

    def _now(self) -> int:
        moment: datetime = self._clock.now()
        return to_micros(moment)
