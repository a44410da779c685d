"""Refresh tokens against a model of what they must do, over random sequences of what users, thieves and time do.

The model knows nothing of hashes or rows. A session is a line of tokens, each the successor of the one before; it
says which are in whose hands, and when each was exchanged.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from quantflux.core.clock import FixedClock
from quantflux.core.errors import NotAuthenticated
from tests.accounts.material import Desk, desk_of

IDLE, LONGEST, GRACE, MOST = 1800, 43_200, 10, 5


@dataclass
class Line:
    """A session in the model: its tokens, oldest first, with the time when each was exchanged."""

    began: float
    used: float
    tokens: list[str] = field(default_factory=list)
    exchanged: list[float] = field(default_factory=list)
    over: bool = False

    def lasts(self, now: float) -> bool:
        return not self.over and now - self.began < LONGEST and now - self.used < IDLE

    def expect(self, token: str, now: float) -> bool:
        """Say whether a token is exchanged now, and take over what that does."""
        if not self.lasts(now):
            self.over = True
            return False
        place = self.tokens.index(token)
        if place == len(self.tokens) - 1:
            self.exchanged.append(now)
            self.used = now
            return True
        is_lost_reply = place == len(self.tokens) - 2 and now - self.exchanged[place] <= GRACE
        self.over = not is_lost_reply
        return is_lost_reply


class Refreshing(RuleBasedStateMachine):
    """One user, several sessions, tokens that are used in and out of turn, and a clock that moves."""

    tokens = Bundle("tokens")
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        clock = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))
        self.desk: Desk = desk_of(f"sqlite:///{self.folder.name}/own.db", Path(self.folder.name), clock)
        self.lines: list[Line] = []

    @property
    def now(self) -> float:
        return self.desk.clock.monotonic()

    @initialize(target=tokens)
    def begin(self) -> str:
        refresh = self.desk.add("li.wei").refresh
        self.lines = [Line(self.now, self.now, [refresh])]
        return refresh

    @rule(target=tokens)
    def log_in(self) -> str:
        alive = [line for line in self.lines if line.lasts(self.now)]
        for line in alive[: max(len(alive) + 1 - MOST, 0)]:
            line.over = True
        refresh = self.desk.log_in("li.wei").refresh
        self.lines.append(Line(self.now, self.now, [refresh]))
        return refresh

    @rule(target=tokens, token=tokens)
    def refresh(self, token: str) -> str:
        (line,) = (each for each in self.lines if token in each.tokens)
        place = line.tokens.index(token)
        expected = line.expect(token, self.now)
        try:
            given = self.desk.accounts.refresh(token, address="").refresh
        except NotAuthenticated:
            assert not expected
            return token
        assert expected
        if place == len(line.tokens) - 1:
            assert not any(given in each.tokens for each in self.lines)
            line.tokens.append(given)
        assert given == line.tokens[place + 1]
        return given

    @rule(seconds=st.sampled_from([0.5, 5.0, 10.0, 10.5, 600.0, 1799.0, 1800.0, 20_000.0]))
    def wait(self, seconds: float) -> None:
        self.desk.clock.advance(seconds)

    @rule(token=tokens)
    def log_out(self, token: str) -> None:
        (line,) = (each for each in self.lines if token in each.tokens)
        alive = self.desk.accounts.sessions(1)
        position = [each for each in self.lines if each.lasts(self.now)]
        if line in position:
            session = alive[position.index(line)]
            with self.desk.database.transaction() as connection:
                assert self.desk.accounts._sessions.end(connection, session.id, 1, "log out")
            line.over = True

    @rule()
    def log_out_everywhere(self) -> None:
        with self.desk.database.transaction() as connection:
            self.desk.accounts._sessions.end_all(connection, 1, "log out all")
        for line in self.lines:
            line.over = True

    @invariant()
    def as_many_sessions_last_as_should(self) -> None:
        # Created within one microsecond they would have no order; the clock of the model moves on its own.
        self.desk.clock.advance(0.001)
        expected = sum(line.lasts(self.now) for line in self.lines)
        listed = self.desk.accounts.sessions(1) if self.lines else []
        assert len(listed) == expected <= MOST

    def teardown(self) -> None:
        self.desk.close()
        self.folder.cleanup()


_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def test_some_hundred_steps():
    profile = settings(
        max_examples=10, stateful_step_count=25, deadline=None, database=None, suppress_health_check=_QUIET
    )
    run_state_machine_as_test(Refreshing, settings=profile)


@pytest.mark.slow
def test_ten_thousand_steps():
    profile = settings(
        max_examples=100, stateful_step_count=100, deadline=None, database=None, suppress_health_check=_QUIET
    )
    run_state_machine_as_test(Refreshing, settings=profile)
