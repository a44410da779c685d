"""What people see of the ledger."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import update

from quantflux.core.clock import FixedClock
from quantflux.core.errors import Busy, Conflict, InvalidRequest, LimitReached, NotFound, StoreCorrupt
from quantflux.database.engine import Database
from quantflux.database.tables.jobs import job_results
from quantflux.jobs import Jobs, State
from quantflux.jobs.job import Progress
from quantflux.jobs.ledger import Allowed

ANN, BOB = "user:1", "user:2"
NONE = Progress(0, 0, "")


def test_a_job_is_what_was_asked_for(ledger: Jobs, clock: FixedClock) -> None:
    job = ledger.submit(
        "factors.compute", {"factors": ["贵州茅台", "x'; --"]}, ANN, 1, api_key="pub", request_id="r1"
    )

    found = ledger.get(job.id, owner=ANN)
    assert found == job
    assert found.payload == {"factors": ["贵州茅台", "x'; --"]}
    assert (found.state, found.attempts, found.created) == (State.QUEUED, 0, clock.now())
    assert (found.api_key, found.request_id, found.user_id) == ("pub", "r1", 1)


def test_a_key_stands_for_one_job_of_a_kind_and_owner_for_a_day(ledger: Jobs, clock: FixedClock) -> None:
    first = ledger.submit("a.run", {"n": 1}, ANN, 1, key="K")

    assert ledger.submit("a.run", {"n": 1}, ANN, 1, key="K").id == first.id
    with pytest.raises(Conflict, match=first.id):
        ledger.submit("a.run", {"n": 2}, ANN, 1, key="K")
    others = [
        ledger.submit("a.run", {"n": 1}, BOB, 2, key="K"),
        ledger.submit("b.run", {"n": 1}, ANN, 1, key="K"),
        ledger.submit("a.run", {"n": 1}, ANN, 1, key="k"),
        ledger.submit("a.run", {"n": 1}, ANN, 1),
    ]
    clock.advance(86_400)
    others.append(ledger.submit("a.run", {"n": 1}, ANN, 1, key="K"))
    assert len({first.id, *(job.id for job in others)}) == 6


def test_a_job_exists_if_and_only_if_its_cause_is_committed(ledger: Jobs, database: Database) -> None:
    with suppress(ZeroDivisionError), database.transaction() as connection:
        ledger.submit("a.run", {}, ANN, 1, connection=connection)
        raise ZeroDivisionError
    assert ledger.list() == []

    with database.transaction() as connection:
        job = ledger.submit("a.run", {}, ANN, 1, connection=connection)
    assert [found.id for found in ledger.list()] == [job.id]


def test_somebody_elses_job_is_not_there(ledger: Jobs) -> None:
    job = ledger.submit("a.run", {}, ANN, 1)

    for attempt in (ledger.get, ledger.cancel, ledger.result):
        with pytest.raises(NotFound):
            attempt(job.id, owner=BOB)
    assert ledger.list(owner=BOB) == []
    assert ledger.get(job.id).state is State.QUEUED


def test_what_waits_is_cancelled_at_once_and_what_runs_is_asked(ledger: Jobs) -> None:
    running, waiting = (ledger.submit("a.run", {"n": n}, ANN, 1) for n in range(2))
    claim = ledger.claims.claim("r", ["a.run"])
    assert claim is not None

    assert ledger.cancel(waiting.id).state is State.CANCELLED
    asked = ledger.cancel(running.id)
    assert (asked.state, asked.cancel_asked) == (State.RUNNING, True)
    assert ledger.claims.keep([(claim, NONE)]) == [claim]
    assert ledger.claims.stop_asked("r") == {running.id}
    assert ledger.claims.cancelled(claim)
    assert ledger.cancel(running.id).state is State.CANCELLED
    assert ledger.claims.claim("r", ["a.run"]) is None


def test_what_has_ended_is_not_cancelled(ledger: Jobs) -> None:
    job = ledger.submit("a.run", {}, ANN, 1)
    claim = ledger.claims.claim("r", ["a.run"])
    assert claim is not None
    ledger.claims.finish(claim, b"{}", NONE)

    after = ledger.cancel(job.id)

    assert (after.state, after.cancel_asked) == (State.DONE, False)


def test_waiting_jobs_are_bounded_by_owner_and_in_all(
    database: Database, ledger: Jobs, clock: FixedClock, tmp_path: Path
) -> None:
    bounded = Jobs(database, clock, tmp_path, allowed=Allowed(of_owner=2, of_all=3))
    first = bounded.submit("a.run", {}, ANN, 1, key="again")
    bounded.submit("a.run", {}, ANN, 1)

    with pytest.raises(LimitReached, match="2 jobs"):
        bounded.submit("a.run", {}, ANN, 1)
    assert bounded.submit("a.run", {}, ANN, 1, key="again").id == first.id
    bounded.submit("a.run", {}, BOB, 2)
    with pytest.raises(Busy):
        bounded.submit("a.run", {}, BOB, 2)
    bounded.cancel(first.id)
    bounded.submit("a.run", {}, BOB, 2)


def test_pages_show_each_job_once_newest_first(ledger: Jobs) -> None:
    made = [ledger.submit("a.run" if n % 3 else "b.run", {"n": n}, ANN, 1).id for n in range(10)]
    ledger.submit("a.run", {}, BOB, 2)

    seen, before = [], None
    while page := ledger.list(owner=ANN, before=before, limit=4):
        seen += [job.id for job in page]
        before = page[-1].seq
    assert seen == made[::-1]
    assert [job.id for job in ledger.list(owner=ANN, kind="b.run")] == made[9::-3]
    ledger.cancel(made[4])
    assert [job.id for job in ledger.list(owner=ANN, state=State.CANCELLED)] == [made[4]]
    assert ledger.counts() == {
        State.QUEUED: 10,
        State.RUNNING: 0,
        State.DONE: 0,
        State.FAILED: 0,
        State.CANCELLED: 1,
    }


@pytest.mark.parametrize("payload", [{"f": object()}, {"s": "\ud800"}, {"x": "y" * 4_000_001}])
def test_a_payload_is_a_document_of_bounded_size(ledger: Jobs, payload: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        ledger.submit("a.run", payload, ANN, 1)


def test_no_result_before_the_job_is_done(ledger: Jobs) -> None:
    job = ledger.submit("a.run", {}, ANN, 1)
    with pytest.raises(Conflict, match="it is queued"):
        ledger.result(job.id)

    claim = ledger.claims.claim("r", ["a.run"])
    assert claim is not None
    ledger.claims.fail(claim, "not_found", "No factor is called X.")
    with pytest.raises(Conflict, match="failed: No factor is called X"):
        ledger.result(job.id)


def noise(size: int) -> bytes:
    """Return a JSON text that hardly compresses, so that it needs many pieces."""
    return b'"' + random.Random(7).randbytes(size // 2).hex().encode() + b'"'


@pytest.mark.parametrize("size", [2, 3_000_000, 15_999_998])
def test_results_up_to_16_mb_lie_in_the_ledger(ledger: Jobs, tmp_path: Path, size: int) -> None:
    job, document = finished(ledger, noise(size) if size > 2 else b"{}")

    found, given = ledger.result(job)
    assert given == document
    assert (found.result_bytes, found.result_place) == (len(document), "ledger")
    assert not (tmp_path / "results").exists()


def test_larger_results_are_files_of_the_owner_alone(ledger: Jobs, tmp_path: Path) -> None:
    job, document = finished(ledger, b'"' + b"x" * 16_000_000 + b'"')

    found, path = ledger.result(job)
    assert isinstance(path, Path)
    assert path.read_bytes() == document
    assert path.stat().st_mode & 0o777 == 0o600
    assert found.result_bytes == 16_000_002
    path.write_bytes(b"cut")
    with pytest.raises(StoreCorrupt):
        ledger.result(job)


@pytest.mark.parametrize("damage", [b"", b"\x28\xb5\x2f\xfd broken"])
def test_a_damaged_result_is_not_shown(ledger: Jobs, database: Database, damage: bytes) -> None:
    job, _ = finished(ledger, b'{"sharpe": 1.5}')
    with database.transaction() as connection:
        connection.execute(update(job_results).values(data=damage))

    with pytest.raises(StoreCorrupt):
        ledger.result(job)


def finished(ledger: Jobs, document: bytes) -> tuple[str, bytes]:
    job = ledger.submit("a.run", {}, ANN, 1)
    claim = ledger.claims.claim("r", ["a.run"])
    assert claim is not None
    assert ledger.claims.finish(claim, document, NONE)
    return job.id, document


def test_the_same_work_asked_for_at_once_is_one_job(ledger: Jobs) -> None:
    with ThreadPoolExecutor(20) as pool:
        tries = [pool.submit(ledger.submit, "a.run", {"n": 1}, ANN, 1, key="K") for _ in range(100)]
        found = {attempt.result(30).id for attempt in tries}

    assert len(found) == 1
    assert [job.id for job in ledger.list()] == list(found)


def test_jobs_asked_for_at_once_are_all_kept(ledger: Jobs) -> None:
    with ThreadPoolExecutor(20) as pool:
        tries = [pool.submit(ledger.submit, "a.run", {"n": n}, f"user:{n % 7}", n % 7) for n in range(100)]
        found = {attempt.result(30).id for attempt in tries}

    assert {job.id for job in ledger.list(limit=200)} == found
    assert len(found) == 100
