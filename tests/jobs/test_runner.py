"""Jobs on threads: how runs end, who may run them, what a stop leaves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quantflux.core.clock import SystemClock
from quantflux.core.errors import Cancelled, NotFound, StoreUnavailable
from quantflux.database.engine import Database
from quantflux.jobs import Job, Jobs, Runner, State, Told
from quantflux.observability.metrics import registry

Run = Callable[[Any, Mapping[str, Any], Told], Mapping[str, Any]]
PATIENCE = 20.0


@dataclass
class Kind:
    run: Run
    permission: str = "backtests:run"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Jobs]:
    """A ledger on SQLite that goes by the machine's clock."""
    database = Database.open(f"sqlite:///{tmp_path}/quantflux.db")
    yield Jobs(database, SystemClock(), tmp_path / "results")
    database.close()


@pytest.fixture
def running(ledger: Jobs) -> Iterator[Callable[..., Runner]]:
    """Start runners of one kind, `work`; they are stopped at the end."""
    started: list[Runner] = []

    def start(run: Run, allowed: Callable[[Job, str], bool] = lambda *_: True, **options: Any) -> Runner:
        runner = Runner(ledger, {"work": Kind(run)}, "the platform", allowed, **options)
        runner.start()
        started.append(runner)
        return runner

    yield start
    for runner in started:
        runner.stop(1.0)


def ended(ledger: Jobs, job: Job, until: Callable[[Job], bool] = lambda job: job.state.ended) -> Job:
    deadline = time.monotonic() + PATIENCE
    while not until(found := ledger.get(job.id)):
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.02)
    return found


def test_work_gets_platform_and_payload_and_gives_a_document(
    ledger: Jobs, running: Callable[..., Runner]
) -> None:
    def work(platform: object, payload: Mapping[str, Any], told: Told) -> Mapping[str, Any]:
        told.progress(2, 4, "half")
        return {"platform": platform, "sum": sum(payload["numbers"]), "nan": float("nan")}

    running(work)
    job = ended(ledger, ledger.submit("work", {"numbers": [1, 2, 3]}, "user:1", 1))

    assert (job.state, job.attempts, job.progress.done, job.progress.total) == (State.DONE, 1, 4, 4)
    assert ledger.result(job.id)[1] == b'{"platform":"the platform","sum":6,"nan":null}'


def test_runs_are_counted_by_how_they_ended(ledger: Jobs, running: Callable[..., Runner]) -> None:
    def work(_: object, payload: Mapping[str, Any], __: Told) -> Mapping[str, Any]:
        if payload["fails"]:
            raise NotFound("no")
        return {}

    def counted(end: str) -> float:
        return registry.get_sample_value("quantflux_job_runs_total", {"kind": "work", "end": end}) or 0.0

    before = counted("finish"), counted("fail")
    runner = running(work)
    for fails in (True, False, False):
        ended(ledger, ledger.submit("work", {"fails": fails}, "user:1", 1))
    runner.stop()

    assert (counted("finish") - before[0], counted("fail") - before[1]) == (2, 1)


def test_what_was_asked_before_the_start_is_done_after_it(
    ledger: Jobs, running: Callable[..., Runner]
) -> None:
    jobs = [ledger.submit("work", {"n": n}, "user:1", 1) for n in range(5)]
    running(lambda _, payload, __: payload, threads=2)

    assert [ended(ledger, job).state for job in jobs] == [State.DONE] * 5


def test_a_failure_of_ours_is_told_and_any_other_is_not(
    ledger: Jobs, running: Callable[..., Runner], caplog: pytest.LogCaptureFixture
) -> None:
    def work(_: object, payload: Mapping[str, Any], __: Told) -> Mapping[str, Any]:
        raise NotFound("No factor is called 'x\ud800\0'.") if payload["ours"] else KeyError("secret path")

    running(work)
    ours = ended(ledger, ledger.submit("work", {"ours": True}, "user:1", 1))
    other = ended(ledger, ledger.submit("work", {"ours": False}, "user:1", 1))

    assert (ours.state, ours.error_code, ours.error_text) == (
        State.FAILED,
        "not_found",
        "No factor is called 'x?'.",
    )
    assert (other.state, other.error_code) == (State.FAILED, "internal")
    assert "secret" not in other.error_text
    assert "secret path" in caplog.text


def test_a_result_that_is_no_document_fails_the_job_and_not_the_thread(
    ledger: Jobs, running: Callable[..., Runner]
) -> None:
    running(lambda _, payload, __: {"x": object()} if payload["bad"] else {})

    assert ended(ledger, ledger.submit("work", {"bad": True}, "user:1", 1)).error_code == "internal"
    assert ended(ledger, ledger.submit("work", {"bad": False}, "user:1", 1)).state is State.DONE


def test_what_may_pass_waits_for_another_try(ledger: Jobs, running: Callable[..., Runner]) -> None:
    def work(*_: object) -> Mapping[str, Any]:
        raise StoreUnavailable("away")

    running(work)
    job = ended(ledger, ledger.submit("work", {}, "user:1", 1), lambda job: job.attempts == 1)
    job = ended(ledger, job, lambda job: job.state is not State.RUNNING)

    assert job.state is State.QUEUED


def test_who_may_no_more_is_refused_when_it_runs(ledger: Jobs, running: Callable[..., Runner]) -> None:
    rights = {"user:1": {"backtests:run"}, "user:2": {"backtests:run"}}
    ran: list[int] = []

    def work(_: object, payload: Mapping[str, Any], __: Told) -> Mapping[str, Any]:
        ran.append(payload["n"])
        return {}

    revoked, kept = (ledger.submit("work", {"n": n}, f"user:{n}", n) for n in (1, 2))
    rights["user:1"].clear()
    running(work, lambda job, permission: permission in rights[job.owner])

    assert ended(ledger, kept).state is State.DONE
    refused = ended(ledger, revoked)
    assert (refused.state, refused.error_code) == (State.FAILED, "forbidden")
    assert "backtests:run" in refused.error_text
    assert ran == [2]


def test_rights_that_cannot_be_looked_up_are_no_rights(ledger: Jobs, running: Callable[..., Runner]) -> None:
    def away(*_: object) -> bool:
        raise StoreUnavailable("away")

    ran = threading.Event()

    def work(*_: object) -> Mapping[str, Any]:
        ran.set()
        return {}

    running(work, away)
    job = ended(ledger, ledger.submit("work", {}, "user:1", 1), lambda job: job.attempts == 1)
    ended(ledger, job, lambda job: job.state is State.QUEUED)

    assert not ran.is_set()


def test_a_running_job_hears_of_its_cancellation(ledger: Jobs, running: Callable[..., Runner]) -> None:
    begun = threading.Event()

    def work(_: object, __: Mapping[str, Any], told: Told) -> Mapping[str, Any]:
        begun.set()
        while True:
            told.check()
            time.sleep(0.01)

    running(work)
    job = ledger.submit("work", {}, "user:1", 1)
    assert begun.wait(PATIENCE)
    ledger.cancel(job.id)

    assert ended(ledger, job).state is State.CANCELLED


def test_progress_is_shown_while_the_work_goes_on(ledger: Jobs, running: Callable[..., Runner]) -> None:
    go_on = threading.Event()

    def work(_: object, __: Mapping[str, Any], told: Told) -> Mapping[str, Any]:
        told.progress(3, 10, "2024-01")
        go_on.wait(PATIENCE)
        return {}

    running(work)
    job = ledger.submit("work", {}, "user:1", 1)
    shown = ended(ledger, job, lambda job: job.progress.done == 3)
    go_on.set()

    assert (shown.state, shown.progress.text) == (State.RUNNING, "2024-01")
    assert ended(ledger, job).state is State.DONE


@pytest.mark.parametrize("listens", [True, False])
def test_a_stop_puts_running_jobs_back(
    ledger: Jobs, running: Callable[..., Runner], listens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    begun, over = threading.Event(), threading.Event()

    def work(_: object, __: Mapping[str, Any], told: Told) -> Mapping[str, Any]:
        begun.set()
        while not (over.is_set() or (listens and told.cancelled())):
            time.sleep(0.01)
        if listens:
            raise Cancelled("stopped")
        return {"by": "the one that did not listen"}

    first = running(work)
    job = ledger.submit("work", {}, "user:1", 1)
    assert begun.wait(PATIENCE)
    first.stop(PATIENCE if listens else 0.1)

    assert ledger.get(job.id).state is State.QUEUED
    over.set()
    running(lambda *_: {"by": "the next"})
    assert ended(ledger, job).attempts == 2
    assert ledger.result(job.id)[1] == b'{"by":"the next"}'


def test_a_ledger_that_is_away_for_a_moment_costs_no_run(
    ledger: Jobs, running: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [StoreUnavailable("away"), StoreUnavailable("away")]
    finish, claim = ledger.claims.finish, ledger.claims.claim
    claim_failures = [StoreUnavailable("away")]

    def unsure(*arguments: Any) -> bool:
        if failures:
            raise failures.pop()
        return finish(*arguments)

    def unsure_claim(*arguments: Any, **options: Any) -> Any:
        if claim_failures:
            raise claim_failures.pop()
        return claim(*arguments, **options)

    monkeypatch.setattr(ledger.claims, "finish", unsure)
    monkeypatch.setattr(ledger.claims, "claim", unsure_claim)
    running(lambda *_: {})
    job = ended(ledger, ledger.submit("work", {}, "user:1", 1))

    assert (job.state, job.attempts) == (State.DONE, 1)


class Panic(BaseException):
    """What a compiled library raises for a failure that it did not foresee: no `Exception`."""


@pytest.mark.parametrize("end", [Panic("canary"), SystemExit(3)])
def test_work_that_means_to_end_its_thread_does_not(
    end: BaseException, ledger: Jobs, running: Callable[..., Runner]
) -> None:
    def work(_: object, payload: Mapping[str, Any], __: Told) -> Mapping[str, Any]:
        if payload["ends"]:
            raise end
        return {}

    running(work)
    failed = ended(ledger, ledger.submit("work", {"ends": True}, "user:1", 1))
    after = ended(ledger, ledger.submit("work", {"ends": False}, "user:1", 1))

    assert (failed.state, failed.error_code) == (State.FAILED, "internal")
    assert "canary" not in failed.error_text
    assert after.state is State.DONE


def test_a_runner_outlives_failures_that_nobody_foresaw(
    ledger: Jobs, running: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: dict[str, list[Exception]] = {
        name: [KeyError("unforeseen")] for name in ("claim", "finish", "try_again")
    }

    def unsure(name: str) -> None:
        real = getattr(ledger.claims, name)

        def stands_in(*arguments: Any, **options: Any) -> Any:
            if failures[name]:
                raise failures[name].pop()
            return real(*arguments, **options)

        monkeypatch.setattr(ledger.claims, name, stands_in)

    for name in failures:
        unsure(name)
    running(lambda *_: {}, stale_after=0.5)  # the first run's end cannot be written down: it is swept up
    first = ledger.submit("work", {}, "user:1", 1)
    second = ledger.submit("work", {}, "user:2", 2)

    assert ended(ledger, second).state is State.DONE
    assert not any(failures.values())
    assert ledger.get(first.id).attempts == 1
