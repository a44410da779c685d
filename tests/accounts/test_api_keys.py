from __future__ import annotations

import re
from datetime import timedelta

import pytest

from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.core.errors import InvalidRequest, LimitReached, NotAuthenticated, NotFound, StoreFull
from quantflux.database.tables.accounts import api_keys
from tests.accounts.material import Desk

READ, COMPUTE = Permission.MARKET_READ, Permission.FACTORS_COMPUTE


@pytest.fixture
def who(desk: Desk):
    return desk.who(desk.add("li.wei"))


def test_a_key_may_do_what_its_scopes_say_until_its_end(desk, who):
    end = desk.clock.now() + timedelta(days=30)
    key, text = desk.accounts.create_api_key(who, "nightly run", [READ, COMPUTE], end)
    principal = desk.by_key(text)

    assert re.fullmatch(r"qf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
    assert (principal.name, principal.via, principal.key) == ("li.wei", "api_key", key.id)
    assert principal.permissions == {READ, COMPUTE} and principal.owner == who.owner
    desk.clock.advance(30 * 86_400 - 1)
    assert desk.by_key(text) == principal
    desk.clock.advance(1)
    with pytest.raises(NotAuthenticated):
        desk.by_key(text)


def test_only_a_digest_is_kept_and_the_secret_is_in_no_list(desk, who):
    _, text = desk.accounts.create_api_key(who, "script", [READ], desk.clock.now() + timedelta(days=1))
    with desk.database.reading() as connection:
        kept = str(connection.execute(api_keys.select()).all())

    assert text[16:] not in kept + repr(desk.accounts.api_keys(who.user_id)) + str(
        desk.audit.entries(limit=100)
    )


@pytest.mark.parametrize(
    ("name", "scopes", "days", "said"),
    [
        ("", [READ], 1, "1 to 64"),
        ("x" * 65, [READ], 1, "1 to 64"),
        ("a\nb", [READ], 1, "1 to 64"),
        ("script", [], 1, "at least one scope"),
        ("script", [Permission.AUDIT_READ], 1, "cannot have audit:read"),
        ("script", [READ, Permission.USERS_MANAGE], 1, "cannot have users:manage"),
        ("script", [Permission.ACCOUNT_OWN], 1, "cannot have account:own"),
        ("script", [READ], 0, "in the future"),
        ("script", [READ], -1, "in the future"),
        ("script", [READ], 367, "at most 366 days"),
    ],
)
def test_what_a_key_cannot_be_is_refused(name, scopes, days, said, desk, who):
    with pytest.raises(InvalidRequest, match=said):
        desk.accounts.create_api_key(who, name, scopes, desk.clock.now() + timedelta(days=days))
    assert desk.accounts.api_keys(who.user_id) == []


def test_not_even_an_administrators_key_manages_users(desk):
    admin = desk.who(desk.add("root.user", Role.ADMIN))
    end = desk.clock.now() + timedelta(days=1)
    with pytest.raises(InvalidRequest):
        desk.accounts.create_api_key(admin, "script", [Permission.USERS_MANAGE], end)
    wide = ROLES[Role.ADMIN] - {Permission.USERS_MANAGE, Permission.ACCOUNT_OWN}
    _, text = desk.accounts.create_api_key(admin, "script", wide, end)

    assert desk.by_key(text).permissions == wide


def test_keys_are_listed_and_revoked_by_their_owner_alone(desk, who):
    other = desk.who(desk.add("zhao.min"))
    key, text = desk.accounts.create_api_key(who, "script", [READ], desk.clock.now() + timedelta(days=1))
    assert desk.accounts.api_keys(other.user_id) == []
    with pytest.raises(NotFound):
        desk.accounts.revoke_api_key(other, key.id)
    assert desk.by_key(text).name == "li.wei"

    desk.accounts.revoke_api_key(who, key.id)
    assert desk.accounts.api_keys(who.user_id) == []
    with pytest.raises(NotFound):
        desk.accounts.revoke_api_key(who, key.id)
    with pytest.raises(NotAuthenticated):
        desk.by_key(text)


def test_sessions_are_listed_and_ended_by_their_owner_alone(desk, who):
    other = desk.who(desk.add("zhao.min"))
    with pytest.raises(NotFound):
        desk.accounts.end_session(other, who.session)
    desk.clock.advance(1)
    desk.log_in("li.wei", address="192.0.2.77", label="desk in Shanghai")
    listed = desk.accounts.sessions(who.user_id)

    assert [(each.address, each.label) for each in listed][1] == ("192.0.2.77", "desk in Shanghai")
    desk.accounts.end_session(who, listed[1].id)
    assert [each.id for each in desk.accounts.sessions(who.user_id)] == [who.session]


def test_the_use_of_a_key_is_noted_now_and_then(desk, who):
    _, text = desk.accounts.create_api_key(who, "script", [READ], desk.clock.now() + timedelta(days=1))
    assert desk.accounts.api_keys(who.user_id)[0].used_at is None
    desk.by_key(text)
    first = desk.accounts.api_keys(who.user_id)[0].used_at
    desk.clock.advance(400)
    desk.by_key(text)
    assert desk.accounts.api_keys(who.user_id)[0].used_at == first
    desk.clock.advance(400)
    desk.by_key(text)

    assert desk.accounts.api_keys(who.user_id)[0].used_at == desk.clock.now() != first


def test_a_full_disk_does_not_keep_a_key_out(desk, who, monkeypatch):
    _, text = desk.accounts.create_api_key(who, "script", [READ], desk.clock.now() + timedelta(days=1))

    def full() -> None:
        raise StoreFull("no space left")

    monkeypatch.setattr(desk.database, "transaction", full)

    assert desk.by_key(text).permissions == {READ}


def test_one_user_has_fifty_keys_at_most(desk, who):
    end = desk.clock.now() + timedelta(days=1)
    for i in range(50):
        desk.accounts.create_api_key(who, str(i), [READ], end)
    with pytest.raises(LimitReached, match="at most 50"):
        desk.accounts.create_api_key(who, "one more", [READ], end)
    desk.clock.advance(86_400)  # those past their end do not count
    desk.accounts.create_api_key(desk.who(desk.log_in("li.wei")), "x", [READ], end + timedelta(days=1))


def test_a_scope_that_is_no_more_gives_nothing(desk, who):
    _, text = desk.accounts.create_api_key(who, "script", [READ], desk.clock.now() + timedelta(days=1))
    with desk.database.transaction() as connection:
        connection.execute(api_keys.update().values(scopes="market:read market:gone"))

    assert desk.by_key(text).permissions == {READ}
