from __future__ import annotations

import threading

import pytest

from quantflux.accounts.audit.log import AuditLog
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import LOCAL, Principal
from quantflux.core.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    StoreUnavailable,
)
from tests.accounts.material import PASSWORD, Desk

VIEWER = Principal(9, "viewer", Role.VIEWER, ROLES[Role.VIEWER], "token")


def test_a_user_is_added_listed_and_found(desk):
    user, password = desk.accounts.users.add(LOCAL, "li.wei", Role.TRADER)

    assert (user.name, user.role, user.disabled, user.must_change_password) == (
        "li.wei",
        Role.TRADER,
        False,
        True,
    )
    assert len(password) >= 20
    assert desk.accounts.users.list() == (user,)
    assert desk.accounts.users.get("li.wei") == desk.accounts.users.get(user.id) == user
    with pytest.raises(NotFound, match="zhao"):
        desk.accounts.users.get("zhao.min")


@pytest.mark.parametrize(
    "name",
    ["", "ab", "A.B.C", "li wei", "li\nwei", "-li", "li-", "x" * 65, "李伟伟", "li/wei", "li\x00wei", "../x"],
)
def test_a_name_that_could_mislead_is_refused(name, desk):
    with pytest.raises(InvalidRequest, match="3 to 64 characters"):
        desk.accounts.users.add(LOCAL, name, Role.VIEWER)


def test_a_name_is_given_once(desk):
    desk.accounts.users.add(LOCAL, "li.wei", Role.VIEWER)

    with pytest.raises(Conflict, match=r"li\.wei"):
        desk.accounts.users.add(LOCAL, "li.wei", Role.ADMIN)


def test_who_may_not_manage_users_changes_nothing(desk):
    user, _ = desk.accounts.users.add(LOCAL, "li.wei", Role.VIEWER)
    users = desk.accounts.users
    for act in (
        lambda: users.add(VIEWER, "zhao.min", Role.ADMIN),
        lambda: users.set_role(VIEWER, "li.wei", Role.ADMIN),
        lambda: users.disable(VIEWER, "li.wei"),
        lambda: users.enable(VIEWER, "li.wei"),
        lambda: users.reset_password(VIEWER, "li.wei"),
    ):
        with pytest.raises(Forbidden) as lacking:
            act()
        assert lacking.value.permission == Permission.USERS_MANAGE

    assert users.list() == (user,)


def test_the_last_administrator_stays(desk):
    desk.add("first.admin", Role.ADMIN)
    desk.add("second.admin", Role.ADMIN)
    users = desk.accounts.users
    users.disable(LOCAL, "second.admin")

    with pytest.raises(Conflict, match="last administrator"):
        users.disable(LOCAL, "first.admin")
    with pytest.raises(Conflict, match="last administrator"):
        users.set_role(LOCAL, "first.admin", Role.VIEWER)
    users.enable(LOCAL, "second.admin")
    assert users.set_role(LOCAL, "first.admin", Role.VIEWER).role is Role.VIEWER


def test_a_reset_password_is_random_and_takes_everything_along(desk):
    tokens = desk.add("li.wei")
    password = desk.accounts.users.reset_password(LOCAL, "li.wei")

    with pytest.raises(NotAuthenticated):
        desk.log_in("li.wei")
    with pytest.raises(NotAuthenticated):
        desk.accounts.refresh(tokens.refresh, address="")
    assert desk.log_in("li.wei", password).must_change_password


def test_every_change_is_audited_with_who_did_it_and_what_it_did(desk):
    desk.add("li.wei", Role.VIEWER)
    users = desk.accounts.users
    users.set_role(LOCAL, "li.wei", Role.TRADER, address="192.0.2.9", request_id="r-1")
    users.disable(LOCAL, "li.wei")
    users.enable(LOCAL, "li.wei")
    users.reset_password(LOCAL, "li.wei")
    entries = desk.audit.entries(action="user.")

    assert [e.event.action for e in entries] == [
        "user.add", "user.change_password", "user.set_role", "user.disable", "user.enable", "user.reset_password",
    ]  # fmt: skip
    event = entries[2].event
    assert (event.actor, event.address, event.request_id) == ("command line", "192.0.2.9", "r-1")
    assert event.details == {"name": "li.wei", "role": "trader"} and event.target.startswith("user:")
    assert event.before != event.after and entries[3].event.before == event.after


def test_what_cannot_be_audited_is_not_done(desk, monkeypatch):
    tokens = desk.add("li.wei", Role.VIEWER)
    before = desk.accounts.users.list()

    def broken(*_: object) -> None:
        raise StoreUnavailable("the log is away")

    monkeypatch.setattr(AuditLog, "record", broken)
    users, who = desk.accounts.users, desk.who(tokens)
    for act in (
        lambda: users.add(LOCAL, "zhao.min", Role.ADMIN),
        lambda: users.set_role(LOCAL, "li.wei", Role.ADMIN),
        lambda: users.disable(LOCAL, "li.wei"),
        lambda: users.reset_password(LOCAL, "li.wei"),
        lambda: desk.accounts.change_password(who, PASSWORD, "nine hills and a river"),
        lambda: desk.log_in("li.wei"),
        lambda: desk.accounts.log_out(who),
    ):
        with pytest.raises(StoreUnavailable):
            act()
    monkeypatch.undo()

    assert users.list() == before
    assert desk.who(tokens).name == "li.wei"


def test_the_first_start_makes_one_administrator_once(desk):
    made: list[str | None] = []
    other = desk.another_process()
    threads = [
        threading.Thread(target=lambda d=d: made.append(d.accounts.first_start())) for d in (desk, other) * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (password,) = (each for each in made if each is not None)

    tokens = desk.log_in("admin", password)
    assert tokens.must_change_password and desk.who(tokens).role is Role.ADMIN
    assert desk.accounts.first_start() is None
    assert [user.name for user in desk.accounts.users.list()] == ["admin"]


def test_changes_at_once_do_not_leave_no_administrator(desk):
    desk.add("first.admin", Role.ADMIN)
    desk.add("second.admin", Role.ADMIN)
    refused = []

    def demote(target: Desk, name: str) -> None:
        try:
            target.accounts.users.set_role(LOCAL, name, Role.VIEWER)
        except Conflict:
            refused.append(name)

    pairs = [(desk, "first.admin"), (desk.another_process(), "second.admin")]
    threads = [threading.Thread(target=demote, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert sum(user.role is Role.ADMIN for user in desk.accounts.users.list()) == 1
