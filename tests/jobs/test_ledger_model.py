"""The ledger against a model of a few lines: whatever people, runners and time do, in any order."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quantflux.core.clock import FixedClock
from quantflux.database.engine import Database
from quantflux.jobs import Jobs
from quantflux.jobs.claims import Claim
from quantflux.jobs.job import Progress

STALE = 30.0


@dataclass
class Row:
    """What the model knows of a job."""

    owner: int
    order: int
    state: str = "queued"
    runs: int = 0
    setbacks: int = 0
    ready: float = 0.0
    beat: float = 0.0
    cancel_asked: bool = False
    result: bytes | None = None


class LedgerMachine(RuleBasedStateMachine):
    """Jobs of three owners, and runners that finish, fail, stop, fall silent and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="quantflux-ledger-"))
        self.clock = FixedClock(datetime(2024, 6, 3, tzinfo=UTC))
        self.database = Database.open(f"sqlite:///{self.folder}/quantflux.db")
        self.ledger = Jobs(self.database, self.clock, self.folder / "results")
        self.rows: dict[str, Row] = {}
        self.claims: list[Claim] = []

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def is_present(self, claim: Claim) -> bool:
        row = self.rows[claim.job.id]
        return row.state == "running" and row.runs == claim.job.attempts

    def set_back(self, row: Row) -> None:
        row.setbacks += 1
        if row.cancel_asked:
            row.state = "cancelled"
        elif row.setbacks == 3:
            row.state = "failed"
        else:
            row.state, row.ready = "queued", self.now + (5 if row.setbacks == 1 else 10)

    @rule(owner=st.integers(1, 3))
    def submit(self, owner: int) -> None:
        job = self.ledger.submit("a.run", {"owner": owner}, f"user:{owner}", owner)
        self.rows[job.id] = Row(owner, len(self.rows), ready=self.now)

    @rule()
    def claim(self) -> None:
        ready = {i: r for i, r in self.rows.items() if r.state == "queued" and r.ready <= self.now}
        claim = self.ledger.claims.claim(f"runner-{len(self.claims) % 2}", ["a.run"])
        if claim is None:
            assert not ready
            return
        taken = ready[claim.job.id]
        assert taken.order == min(r.order for r in ready.values() if r.owner == taken.owner)
        busy = {
            o: sum(r.state == "running" and r.owner == o for r in self.rows.values())
            for o in {r.owner for r in ready.values()}
        }
        assert busy[taken.owner] == min(busy.values())
        taken.state, taken.beat, taken.runs = "running", self.now, taken.runs + 1
        assert claim.job.attempts == taken.runs
        self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(
        data=st.data(), how=st.sampled_from(["finish", "fail", "cancelled", "give_back", "try_again", "beat"])
    )
    def runner(self, data: st.DataObject, how: str) -> None:
        claim = data.draw(st.sampled_from(self.claims), label="claim")
        row, present, claims = self.rows[claim.job.id], self.is_present(claim), self.ledger.claims
        if how == "beat":
            told = claims.keep([(claim, Progress(1, 2, ""))])
            assert bool(told) == (not present or row.cancel_asked)
            if present:
                row.beat = self.now
        elif how == "finish":
            document = f'"run {claim.job.attempts}"'.encode()
            same = row.state == "done" and row.result == document  # said twice
            assert claims.finish(claim, document, Progress(2, 2, "")) == (present or same)
            if present:
                row.state, row.result = "done", document
        elif how in ("fail", "cancelled"):
            ended = claims.fail(claim, "x", "y") if how == "fail" else claims.cancelled(claim)
            assert ended == present
            if present:
                row.state = "failed" if how == "fail" else "cancelled"
        elif how == "give_back":
            assert claims.give_back(claim) == present
            if present:
                row.state = "cancelled" if row.cancel_asked else "queued"
        else:
            assert claims.try_again(claim, "x", "y") == present
            if present:
                self.set_back(row)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.rows, key=lambda i: self.rows[i].order)), label="job")
        row = self.rows[job]
        self.ledger.cancel(job, owner=f"user:{row.owner}")
        if row.state == "queued":
            row.state = "cancelled"
        elif row.state == "running":
            row.cancel_asked = True

    @rule(seconds=st.sampled_from([1, 6, 29, 31]))
    def time_goes_by(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.ledger.claims.sweep(stale_after=STALE)
        for row in self.rows.values():
            if row.state == "running" and row.beat < self.now - STALE:
                self.set_back(row)

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        found = {job.id: (job.state.value, job.attempts) for job in self.ledger.list(limit=1000)}
        assert found == {i: (row.state, row.runs) for i, row in self.rows.items()}
        assert all(row.setbacks <= 3 for row in self.rows.values())

    @invariant()
    def a_result_stays_what_it_was(self) -> None:
        for job, row in self.rows.items():
            if row.result is not None:
                assert self.ledger.result(job)[1] == row.result


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=8, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
