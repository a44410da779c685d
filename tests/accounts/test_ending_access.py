"""How soon access ends after a log-out, a new role and the like, in another process than the one that was told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from quantflux.accounts import revocation
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import LOCAL
from quantflux.accounts.revocation import Revocations
from quantflux.core.errors import Forbidden, NotAuthenticated, NotFound, StoreUnavailable
from tests.accounts.material import ADDRESS, PASSWORD, Desk

SOON = 2.0


@pytest.fixture
def other(desk: Desk) -> Desk:
    return desk.another_process()


def is_in(desk: Desk, access: str) -> bool:
    try:
        desk.accounts.authenticate_request(f"Bearer {access}", None, address=ADDRESS)
    except NotAuthenticated:
        return False
    return True


ENDINGS = {
    "log out": lambda desk, who: desk.accounts.log_out(who),
    "log out everywhere": lambda desk, who: desk.accounts.log_out_everywhere(who),
    "end session": lambda desk, who: desk.accounts.end_session(who, who.session),
    "new password": lambda desk, who: desk.accounts.change_password(who, PASSWORD, "nine hills and a river"),
    "reset password": lambda desk, who: desk.accounts.users.reset_password(LOCAL, who.user_id),
    "disable": lambda desk, who: desk.accounts.users.disable(LOCAL, who.user_id),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_token_that_is_in_use_is_refused_soon_after(ending, desk, other):
    tokens = desk.add("li.wei")
    assert is_in(desk, tokens.access) and is_in(other, tokens.access)
    ENDINGS[ending](desk, desk.who(tokens))

    assert not is_in(desk, tokens.access)  # here at once
    other.clock.advance(SOON)
    assert other.accounts.recall(f"Bearer {tokens.access}", None) is None
    assert not is_in(other, tokens.access)
    with pytest.raises(NotAuthenticated):
        other.accounts.refresh(tokens.refresh, address="")


def test_a_new_role_is_had_after_the_next_refresh_and_the_old_one_ends_soon(desk, other):
    tokens = desk.add("li.wei")
    assert is_in(other, tokens.access)
    desk.accounts.users.set_role(LOCAL, "li.wei", Role.VIEWER)
    other.clock.advance(SOON)

    assert not is_in(other, tokens.access)
    fresh = other.accounts.refresh(tokens.refresh, address="")
    assert other.who(fresh).permissions == ROLES[Role.VIEWER]


def test_others_are_not_disturbed(desk, other):
    mine, theirs = desk.add("li.wei"), desk.add("zhao.min")
    second = desk.log_in("li.wei")
    assert is_in(other, theirs.access)
    desk.accounts.log_out(desk.who(mine))
    other.clock.advance(SOON)

    assert is_in(other, theirs.access) and is_in(other, second.access)


def test_a_revoked_key_and_a_disabled_users_key_are_refused_soon(desk, other):
    who = desk.who(desk.add("li.wei"))
    end = desk.clock.now() + timedelta(days=9)
    texts = [desk.accounts.create_api_key(who, str(i), [Permission.MARKET_READ], end)[1] for i in range(2)]
    assert [other.by_key(text).name for text in texts] == ["li.wei", "li.wei"]

    desk.accounts.revoke_api_key(who, texts[0][3:15])
    other.clock.advance(SOON)
    with pytest.raises(NotAuthenticated):
        other.by_key(texts[0])
    assert other.by_key(texts[1]).via == "api_key"

    desk.accounts.users.disable(LOCAL, "li.wei")
    other.clock.advance(SOON)
    with pytest.raises(NotAuthenticated):
        other.by_key(texts[1])
    desk.accounts.users.enable(LOCAL, "li.wei")
    assert other.by_key(texts[1]).name == "li.wei"


def test_a_key_loses_what_its_users_new_role_lacks(desk, other):
    who = desk.who(desk.add("li.wei"))
    end = desk.clock.now() + timedelta(days=9)
    scopes = {Permission.MARKET_READ, Permission.FACTORS_WRITE}
    _, text = desk.accounts.create_api_key(who, "script", scopes, end)
    assert other.by_key(text).permissions == scopes
    desk.accounts.users.set_role(LOCAL, "li.wei", Role.VIEWER)
    other.clock.advance(SOON)

    assert other.by_key(text).permissions == {Permission.MARKET_READ}


def test_with_the_database_away_what_is_known_serves_four_seconds_and_no_longer(desk, monkeypatch):
    tokens = desk.add("li.wei")
    assert is_in(desk, tokens.access)

    def away() -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(desk.database, "reading", away)
    desk.clock.advance(3.9)
    assert is_in(desk, tokens.access)
    assert desk.accounts.recall(f"Bearer {tokens.access}", None) is None  # an event loop goes and asks
    desk.clock.advance(0.1)
    with pytest.raises(StoreUnavailable):
        is_in(desk, tokens.access)


def test_recall_knows_what_was_verified_and_never_asks_the_database(desk, monkeypatch):
    tokens = desk.add("li.wei")
    header = f"Bearer {tokens.access}"
    assert desk.accounts.recall(header, None) is None
    who = desk.who(tokens)
    monkeypatch.setattr(desk.database, "reading", lambda: pytest.fail("asked"))

    assert desk.accounts.recall(header, None) == who
    assert desk.accounts.recall(header, "qf_x") is None
    assert desk.accounts.recall(None, None) is None
    desk.clock.advance(1.5)
    assert desk.accounts.recall(header, None) is None  # time to read what ended


def test_a_remembered_token_ends_when_it_ends(desk):
    tokens = desk.add("li.wei")
    for _ in range(tokens.expires_in - 1):
        desk.clock.advance(1)
        assert is_in(desk, tokens.access)
    desk.clock.advance(1)

    assert not is_in(desk, tokens.access)


def test_work_goes_on_after_a_log_out_and_stops_when_its_user_is_out(desk):
    who = desk.who(desk.add("li.wei"))
    end = desk.clock.now() + timedelta(days=9)
    _, text = desk.accounts.create_api_key(who, "script", [Permission.BACKTESTS_RUN], end)
    by_key = desk.by_key(text)
    desk.accounts.log_out(who)

    assert desk.accounts.reauthenticate(who).permissions == ROLES[Role.RESEARCHER]
    desk.accounts.users.set_role(LOCAL, "li.wei", Role.VIEWER)
    assert desk.accounts.reauthenticate(who).permissions == ROLES[Role.VIEWER]
    assert desk.accounts.reauthenticate(by_key).permissions == frozenset()
    assert desk.accounts.reauthenticate(LOCAL) is LOCAL
    desk.accounts.users.disable(LOCAL, "li.wei")
    for principal in (who, by_key):
        with pytest.raises(NotAuthenticated):
            desk.accounts.reauthenticate(principal)


def test_what_is_somebody_elses_is_not_there(desk):
    who = desk.who(desk.add("li.wei"))
    operator = desk.who(desk.add("wu.fang", Role.OPERATOR))
    admin = desk.who(desk.add("root.user", Role.ADMIN))
    check = desk.accounts.authorize_resource

    check(who, Permission.JOBS_OWN, owner=who.owner)
    check(who, Permission.FACTORS_WRITE)
    check(operator, Permission.JOBS_OWN, owner=who.owner)
    check(admin, Permission.FACTORS_WRITE, owner=who.owner)
    with pytest.raises(NotFound):
        check(who, Permission.JOBS_OWN, owner=operator.owner)
    with pytest.raises(NotFound):
        check(operator, Permission.FACTORS_READ, owner=who.owner)
    with pytest.raises(Forbidden) as lacking:
        check(who, Permission.USERS_MANAGE, owner=who.owner)
    assert lacking.value.permission == "users:manage"


def test_new_limits_hold_for_what_comes_next(desk):
    desk.add("li.wei")
    desk.accounts.apply(
        access_seconds=30, idle_seconds=60, session_seconds=300, max_sessions=1, require_totp=False
    )
    first, second = desk.log_in("li.wei"), desk.log_in("li.wei")

    assert second.expires_in == 30
    assert not is_in(desk, first.access) and is_in(desk, second.access)


def test_the_sweep_drops_what_is_old_and_nothing_else(desk):
    from sqlalchemy import func, select

    from quantflux.database.tables.accounts import (
        devices,
        login_attempts,
        refresh_tokens,
        revocations,
        sessions,
    )

    tables = (sessions, refresh_tokens, login_attempts, devices, revocations)

    def counts() -> list[int]:
        with desk.database.reading() as connection:
            return [connection.scalar(select(func.count()).select_from(table)) for table in tables]

    tokens = desk.add("li.wei")
    desk.log_in("li.wei")
    with pytest.raises(NotAuthenticated):
        desk.log_in("li.wei", "wrong")
    desk.accounts.log_out(desk.who(tokens))
    full = counts()
    assert min(full) > 0
    desk.accounts.sweep()
    assert counts() == full

    desk.clock.advance(91 * 86_400)
    desk.accounts.sweep()
    assert counts() == [0] * len(tables)


def test_a_clock_that_steps_back_does_not_revive_what_ended(desk, other, monkeypatch):
    desk.add("li.wei")
    who = desk.who(desk.log_in("li.wei"))
    end = desk.clock.now() + timedelta(days=30)
    key, text = desk.accounts.create_api_key(who, "script", [Permission.MARKET_READ], end)
    assert other.by_key(text)
    true = desk.clock.now
    monkeypatch.setattr(desk.clock, "now", lambda: true() - timedelta(hours=1))
    desk.accounts.revoke_api_key(who, key.id)

    for _ in range(40):  # for longer than the rows of what ended are read
        desk.clock.advance(60)
        with pytest.raises(NotAuthenticated):
            other.by_key(text)


class Stuck:
    """A database that takes a connection and never answers, until it is let go and fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = threading.Event()

    @contextmanager
    def reading(self) -> Iterator[None]:
        self.asked += 1
        self.let_go.wait(20.0)
        raise StoreUnavailable("it never answered")
        yield


def test_a_database_that_hangs_holds_one_caller_and_not_every_thread(clock, monkeypatch):
    monkeypatch.setattr(revocation, "WAIT_SECONDS", 0.1)
    database = Stuck()
    revocations = Revocations(database, clock)
    refused = []

    def ask() -> None:
        with pytest.raises(StoreUnavailable):
            revocations.current()
        refused.append(True)

    callers = [threading.Thread(target=ask) for _ in range(8)]
    for caller in callers:
        caller.start()
    deadline = time.monotonic() + 10.0
    while len(refused) < 7 and time.monotonic() < deadline:
        time.sleep(0.01)
    before_it_failed = len(refused), database.asked
    database.let_go.set()
    for caller in callers:
        caller.join()
    for _ in range(5):
        ask()

    assert before_it_failed == (7, 1)
    assert database.asked == 1, "who comes right after a failure need not run into it as well"
    clock.advance(1.0)
    ask()
    assert database.asked == 2


def test_what_ended_a_moment_ago_elsewhere_can_make_no_key(desk, other):
    tokens = desk.add("li.wei")
    thief = other.who(tokens)  # remembered there for a second or two
    desk.accounts.log_out_everywhere(desk.who(tokens))

    with pytest.raises(NotAuthenticated):
        other.accounts.create_api_key(
            thief, "stays", [Permission.MARKET_READ], desk.clock.now() + timedelta(days=300)
        )
    assert desk.accounts.api_keys(thief.user_id) == []


def test_who_was_an_administrator_a_moment_ago_changes_nobody(desk, other):
    desk.add("first.admin", Role.ADMIN)
    demoted, gone, out = (desk.add(name, Role.ADMIN) for name in ("demoted", "gone.admin", "out.admin"))
    acting = [other.who(tokens) for tokens in (demoted, gone, out)]
    desk.accounts.users.set_role(LOCAL, "demoted", Role.VIEWER)
    desk.accounts.users.disable(LOCAL, "gone.admin")
    desk.accounts.log_out(desk.who(out))

    for actor in acting:
        assert Permission.USERS_MANAGE in actor.permissions
        with pytest.raises((Forbidden, NotAuthenticated)):
            other.accounts.users.set_role(actor, actor.name, Role.ADMIN)
        with pytest.raises((Forbidden, NotAuthenticated)):
            other.accounts.users.add(actor, "my.friend", Role.ADMIN)
        with pytest.raises((Forbidden, NotAuthenticated)):
            other.accounts.users.reset_password(actor, "first.admin")
    assert {user.name for user in desk.accounts.users.list()} == {
        "first.admin", "demoted", "gone.admin", "out.admin"
    }  # fmt: skip
    assert desk.accounts.users.get("demoted").role is Role.VIEWER
