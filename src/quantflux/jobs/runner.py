"""Runs jobs on threads of this process."""

from __future__ import annotations

import logging
import os
import random
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import orjson

from quantflux.core.errors import Cancelled, Forbidden, QuantfluxError, StoreError
from quantflux.jobs.claims import Claim
from quantflux.jobs.job import Job, Progress
from quantflux.jobs.ledger import Jobs
from quantflux.jobs.metrics import run_seconds, runs_total
from quantflux.jobs.told import Told, legible

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_TICK_SECONDS = 1.0  # at most so long until a cancelled job is told, and progress is shown
_SETTLE_WAITS = (0.2, 1.0, 3.0)


class Kind(Protocol):
    """What a runner must know of one kind of work."""

    @property
    def permission(self) -> str:
        """What the job's owner must be allowed, now as when it was asked for."""

    @property
    def run(self) -> Callable[[Any, Mapping[str, Any], Told], Mapping[str, Any]]:
        """The work: platform, payload and line to the runner in; a JSON document out."""


class Runner:
    """Takes jobs from the ledger, one per thread, until it is stopped.

    Parameters
    ----------
    jobs : Jobs
    kinds : mapping of str to Kind
        The work that it knows, by name. Jobs of other kinds are left to other runners.
    platform : object
        What the work is handed.
    allowed : callable
        Whether the owner of a job has a permission at this moment.
    threads : int
        Jobs that run at once: on this host, however many processes it has.
    stale_after, keep_days : float
        Seconds after which runs of other processes are taken for dead; days for which ended jobs are kept.

    Attributes
    ----------
    name : str
        Host, process and a random part.
    """

    def __init__(
        self,
        jobs: Jobs,
        kinds: Mapping[str, Kind],
        platform: object,
        allowed: Callable[[Job, str], bool],
        *,
        threads: int = 1,
        stale_after: float = 30.0,
        keep_days: float = 30.0,
    ) -> None:
        self._jobs = jobs
        self._kinds = kinds
        self._platform = platform
        self._allowed = allowed
        self._number = threads
        self._stale_after = stale_after
        self._keep_days = keep_days
        self._host = socket.gethostname()[:40] + ":"
        self.name = f"{self._host}{os.getpid()}:{secrets.token_hex(4)}"
        self._running: dict[Claim, Told] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to take jobs."""
        for number in range(self._number):
            self._launch(self._work, f"job-{number}")
        self._launch(self._watch, "job-keeper")

    def stop(self, wait_seconds: float = 10.0) -> None:
        """Take no more jobs, ask the running ones to stop, and queue them again for whoever comes next.

        A job that does not listen within `wait_seconds` is queued again all the same: whatever its thread still
        does, it cannot end the job any more.
        """
        self._stopping.set()
        self._jobs.arrived.set()
        with self._lock:
            running = dict(self._running)
        for told in running.values():
            told.stop()
        deadline = time.monotonic() + wait_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            left = list(self._running)
        for claim in left:
            self._settle(claim, partial(self._jobs.claims.give_back, claim))

    def _launch(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while not self._stopping.is_set():
            claim = self._next()
            if claim is None:
                self._jobs.arrived.wait(_LOOK_SECONDS * random.uniform(0.7, 1.3))  # noqa: S311 no secret
                self._jobs.arrived.clear()
                continue
            told = Told()
            with self._lock:
                self._running[claim] = told
            if self._stopping.is_set():
                told.stop()
            try:
                self._run(claim, told)
            finally:
                with self._lock:
                    del self._running[claim]

    def _next(self) -> Claim | None:
        try:
            return self._jobs.claims.claim(self.name, self._kinds.keys(), most=self._number, group=self._host)
        except StoreError as failure:
            logger.warning("the job ledger cannot be read: %s", failure)
        except Exception:  # whatever it is, the thread has other jobs to run
            logger.exception("the job ledger cannot be read")
        self._stopping.wait(random.uniform(1.0, 3.0))  # noqa: S311 no secret
        return None

    def _run(self, claim: Claim, told: Told) -> None:
        job, began = claim.job, time.monotonic()
        logger.info("job %s (%s of %s) begins, run %d", job.id, job.kind, job.owner, job.attempts)
        end = self._outcome(claim, told)
        counts = self._settle(claim, end)
        took = time.monotonic() - began
        runs_total.labels(job.kind, end.func.__name__ if counts else "late").inc()
        run_seconds.labels(job.kind).observe(took)
        if counts:
            logger.info("job %s: run %d ended after %.1f s", job.id, job.attempts, took)
        else:
            logger.warning("job %s: run %d ended after %.1f s and does not count", job.id, job.attempts, took)

    def _outcome(self, claim: Claim, told: Told) -> partial[bool]:
        """Do the work; return what writes down how it ended."""
        claims = self._jobs.claims
        try:
            document = self._document(claim.job, told)
        except Cancelled:
            # Given back if the process ends, unless somebody cancelled the job itself.
            return partial(claims.give_back if self._stopping.is_set() else claims.cancelled, claim)
        except QuantfluxError as failure:
            end = claims.try_again if failure.retryable else claims.fail
            return partial(end, claim, _code(failure), legible(str(failure), 2000))
        except (
            BaseException
        ):  # compiled libraries panic by what is no Exception, and a lost thread stays lost
            logger.exception("job %s failed unexpectedly", claim.job.id)
            return partial(
                claims.fail, claim, "internal", "The work failed unexpectedly; the log has the cause."
            )
        last = told.last
        return partial(
            claims.finish, claim, document, Progress(max(last.done, last.total), last.total, last.text)
        )

    def _document(self, job: Job, told: Told) -> bytes:
        kind = self._kinds[job.kind]
        if not self._allowed(job, kind.permission):
            raise Forbidden(
                f"{job.kind} needs the permission {kind.permission}, which you had when you asked for it and have no "
                "more.",
                kind.permission,
            )
        given = kind.run(self._platform, job.payload, told)
        return orjson.dumps(given, option=orjson.OPT_SERIALIZE_NUMPY)

    def _settle(self, claim: Claim, end: Callable[[], bool]) -> bool:
        """Write down how a run ended. The database may be away for a moment; a whole run is worth some patience."""
        for wait in (*_SETTLE_WAITS, None):
            try:
                return end()
            except StoreError as failure:
                logger.warning("the end of job %s cannot be written: %s", claim.job.id, failure)
                if wait is None or not failure.retryable:
                    return self._give_up(claim, _code(failure), legible(str(failure), 2000))
                time.sleep(wait)
            except Exception:
                logger.exception("the end of job %s cannot be written", claim.job.id)
                break
        return self._give_up(claim, "internal", "How the work ended could not be written down.")

    def _give_up(self, claim: Claim, code: str, text: str) -> bool:
        try:
            return self._jobs.claims.try_again(claim, code, text)
        except StoreError:
            return False  # without a heartbeat it will be swept up
        except Exception:
            logger.exception("the end of job %s cannot be written", claim.job.id)
            return False

    def _watch(self) -> None:
        beat = sweep = 0.0
        written: dict[Claim, Progress] = {}
        while not self._stopping.wait(min(_TICK_SECONDS, self._stale_after / 10)):
            now = time.monotonic()
            with self._lock:
                running = dict(self._running)
            shown = {claim: told.last for claim, told in running.items()}
            try:
                if running:
                    self._pass_on(running)
                if running and (shown != written or now >= beat):
                    for claim in self._jobs.claims.keep(shown.items()):
                        running[claim].stop()
                    written, beat = shown, now + self._stale_after / 6
                if now >= sweep:
                    self._jobs.claims.sweep(stale_after=self._stale_after, keep_days=self._keep_days)
                    sweep = now + self._stale_after / 3 * random.uniform(0.8, 1.2)  # noqa: S311 no secret
            except StoreError as failure:
                logger.warning("the job ledger cannot be kept up: %s", failure)
            except Exception:
                logger.exception("the job ledger cannot be kept up")

    def _pass_on(self, running: Mapping[Claim, Told]) -> None:
        asked = self._jobs.claims.stop_asked(self.name)
        for claim, told in running.items():
            if claim.job.id in asked:
                told.stop()


def _code(failure: QuantfluxError) -> str:
    """Name an error for programs.

    Examples
    --------
    >>> _code(Forbidden("no"))
    'forbidden'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(failure).__name__).lower()
