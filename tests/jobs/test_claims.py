"""What runners see of the ledger: turns, fences, and what becomes of dead runners' jobs."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import func, select

from quantflux.core.clock import FixedClock
from quantflux.database.engine import Database
from quantflux.database.tables.jobs import job_results
from quantflux.jobs import Jobs, State
from quantflux.jobs.claims import Claim, Swept
from quantflux.jobs.job import Progress

NONE = Progress(0, 0, "")


def submit(ledger: Jobs, owner: int, count: int = 1) -> list[str]:
    return [ledger.submit("a.run", {"n": n}, f"user:{owner}", owner).id for n in range(count)]


def take(ledger: Jobs, runner: str = "r", **options: object) -> Claim:
    claim = ledger.claims.claim(runner, ["a.run"], **options)  # type: ignore[arg-type]
    assert claim is not None
    return claim


def test_owners_take_turns_whoever_asked_for_most(ledger: Jobs, clock: FixedClock) -> None:
    submit(ledger, 1, 20)
    submit(ledger, 2, 3)
    submit(ledger, 3, 1)
    served = []

    for _ in range(9):
        clock.advance(1)
        claim = take(ledger)
        served.append(claim.job.user_id)
        ledger.claims.finish(claim, b"{}", NONE)

    # Round robin by hand: everybody once, then again without whoever has nothing left.
    assert served == [1, 2, 3, 1, 2, 1, 2, 1, 1]


def test_whoever_has_fewer_running_is_served_first(ledger: Jobs, clock: FixedClock) -> None:
    submit(ledger, 1, 5)
    held = [take(ledger), take(ledger)]
    clock.advance(60)
    submit(ledger, 2, 2)

    assert [take(ledger).job.user_id for _ in range(3)] == [2, 2, 1]
    assert [claim.job.user_id for claim in held] == [1, 1]


def test_one_owners_jobs_are_served_in_order(ledger: Jobs) -> None:
    made = submit(ledger, 1, 4)

    assert [take(ledger).job.id for _ in range(4)] == made


def test_work_that_a_runner_does_not_know_is_left_alone(ledger: Jobs) -> None:
    submit(ledger, 1)

    assert ledger.claims.claim("r", ["b.run"]) is None
    assert ledger.claims.claim("r", []) is None


def test_a_host_runs_no_more_than_it_may(ledger: Jobs) -> None:
    submit(ledger, 1, 3)
    first = take(ledger, "host_a:1", most=1, group="host_a:")

    assert ledger.claims.claim("host_a:2", ["a.run"], most=1, group="host_a:") is None
    take(ledger, "hostxa:1", most=1, group="hostxa:")
    ledger.claims.finish(first, b"{}", NONE)
    take(ledger, "host_a:2", most=1, group="host_a:")


def test_a_run_taken_for_dead_cannot_end_its_successor(ledger: Jobs, clock: FixedClock) -> None:
    (job,) = submit(ledger, 1)
    late = take(ledger, "late")
    clock.advance(31)
    assert ledger.claims.sweep() == Swept(1, 0, 0)
    assert ledger.claims.claim("new", ["a.run"]) is None  # not at once: what killed it may still be there
    clock.advance(5)
    new = take(ledger, "new")

    assert ledger.claims.keep([(late, NONE), (new, NONE)]) == [late]
    assert not ledger.claims.finish(late, b'"late"', NONE)
    assert not ledger.claims.fail(late, "x", "y")
    assert not ledger.claims.cancelled(late)
    assert not ledger.claims.give_back(late)
    assert not ledger.claims.try_again(late, "x", "y")
    assert ledger.claims.finish(new, b'"new"', NONE)
    assert not ledger.claims.finish(late, b'"late"', NONE)
    assert ledger.result(job)[1] == b'"new"'


def test_a_runner_cannot_end_its_own_later_run_by_an_earlier_one(ledger: Jobs, clock: FixedClock) -> None:
    submit(ledger, 1)
    late = take(ledger, "same")
    clock.advance(31)
    ledger.claims.sweep()
    clock.advance(5)
    new = take(ledger, "same")

    assert not ledger.claims.fail(late, "x", "y")
    assert ledger.claims.finish(new, b"{}", NONE)
    assert not ledger.claims.finish(late, b"{}", NONE)


def test_a_large_result_of_a_late_run_leaves_no_file(ledger: Jobs, clock: FixedClock, tmp_path: Path) -> None:
    (job,) = submit(ledger, 1)
    late = take(ledger)
    clock.advance(31)
    ledger.claims.sweep()
    clock.advance(5)
    ledger.claims.finish(take(ledger), b"1" * 16_000_001, NONE)

    ledger.claims.finish(late, b"2" * 16_000_001, NONE)

    path = ledger.result(job)[1]
    assert list((tmp_path / "results").iterdir()) == [path]


def test_a_heartbeat_keeps_a_run_alive(ledger: Jobs, clock: FixedClock) -> None:
    (job,) = submit(ledger, 1)
    claim = take(ledger)
    for step in range(5):
        clock.advance(29)
        assert ledger.claims.sweep() == Swept(0, 0, 0)
        assert ledger.claims.keep([(claim, Progress(step, 5, "2024"))]) == []

    assert ledger.get(job).progress == Progress(4, 5, "2024")


def test_a_job_whose_process_dies_thrice_has_failed(ledger: Jobs, clock: FixedClock) -> None:
    (job,) = submit(ledger, 1)
    swept = []
    for _ in range(3):
        take(ledger)
        clock.advance(31)
        swept.append(ledger.claims.sweep())
        clock.advance(60)

    ended = ledger.get(job)
    assert swept == [Swept(1, 0, 0), Swept(1, 0, 0), Swept(0, 1, 0)]
    assert (ended.state, ended.error_code, ended.attempts) == (State.FAILED, "interrupted", 3)
    assert ledger.claims.claim("r", ["a.run"]) is None


def test_a_cancelled_job_of_a_dead_process_is_cancelled(ledger: Jobs, clock: FixedClock) -> None:
    (job,) = submit(ledger, 1)
    take(ledger)
    ledger.cancel(job)
    clock.advance(31)

    assert ledger.claims.sweep() == Swept(0, 1, 0)
    assert ledger.get(job).state is State.CANCELLED


def test_what_may_pass_is_tried_thrice_and_later_each_time(ledger: Jobs, clock: FixedClock) -> None:
    (job,) = submit(ledger, 1)
    waits = []
    for _ in range(2):
        assert ledger.claims.try_again(take(ledger), "source_unavailable", "gone")
        waited = 0
        while (claim := ledger.claims.claim("r", ["a.run"])) is None:
            clock.advance(1)
            waited += 1
        waits.append(waited)
        ledger.claims.give_back(claim)
    ledger.claims.try_again(take(ledger), "source_unavailable", "gone")

    assert waits == [5, 10]
    ended = ledger.get(job)
    assert (ended.state, ended.error_code, ended.error_text) == (State.FAILED, "source_unavailable", "gone")


def test_what_a_stopping_process_gives_back_is_never_held_against_it(ledger: Jobs) -> None:
    (job,) = submit(ledger, 1)
    for _ in range(5):
        assert ledger.claims.give_back(take(ledger))
    assert ledger.get(job).state is State.QUEUED

    claim = take(ledger)
    ledger.cancel(job)
    assert ledger.claims.give_back(claim)
    assert ledger.get(job).state is State.CANCELLED


def test_finishing_twice_is_finishing_once(ledger: Jobs) -> None:
    (job,) = submit(ledger, 1)
    claim = take(ledger)
    document = b"3" * 16_000_001

    assert ledger.claims.finish(claim, document, NONE)
    assert ledger.claims.finish(claim, document, NONE)  # the answer to the first may have been lost
    path = ledger.result(job)[1]
    assert isinstance(path, Path)
    assert path.read_bytes() == document


def test_old_jobs_go_with_all_they_left(
    ledger: Jobs, database: Database, clock: FixedClock, tmp_path: Path
) -> None:
    submit(ledger, 1, 2)
    ledger.claims.finish(take(ledger), b"{}", NONE)
    ledger.claims.finish(take(ledger), b"4" * 16_000_001, NONE)
    orphan = tmp_path / "results" / ("0" * 32 + ".1.json")
    orphan.write_bytes(b"left by a crash")
    os.utime(orphan, (0, 0))
    clock.advance(30 * 86_400 - 60)
    (young,) = submit(ledger, 1)
    ledger.claims.fail(take(ledger), "x", "y")

    assert ledger.claims.sweep(keep_days=30) == Swept(0, 0, 0)
    clock.advance(120)
    assert ledger.claims.sweep(keep_days=30) == Swept(0, 0, 2)

    assert [job.id for job in ledger.list()] == [young]
    assert list((tmp_path / "results").iterdir()) == []
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(job_results)).scalar_one() == 0
