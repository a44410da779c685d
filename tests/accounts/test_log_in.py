from __future__ import annotations

from dataclasses import replace

import pytest

from quantflux.accounts.guessing import RULES
from quantflux.accounts.passwords import Passwords
from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import LOCAL
from quantflux.core.errors import InvalidRequest, LimitReached, NotAuthenticated
from quantflux.database.tables.accounts import login_attempts
from tests.accounts.material import PASSWORD, Desk


def outcome(desk: Desk, name: str, password: str, **more: str) -> tuple[type[Exception] | None, str]:
    try:
        desk.log_in(name, password, **more)
    except (NotAuthenticated, LimitReached) as refused:
        return type(refused), str(refused)
    return None, ""


def test_a_first_password_lets_one_do_nothing_but_change_it(desk):
    _, first = desk.accounts.users.add(LOCAL, "li.wei", Role.RESEARCHER)
    tokens = desk.log_in("li.wei", first)

    assert tokens.must_change_password
    assert desk.who(tokens).permissions == {Permission.ACCOUNT_OWN}
    fresh = desk.accounts.change_password(desk.who(tokens), first, PASSWORD)
    assert not fresh.must_change_password
    assert desk.who(fresh).permissions == ROLES[Role.RESEARCHER]


def test_names_are_taken_in_any_case_and_passwords_are_not(desk):
    desk.add("li.wei")

    assert outcome(desk, "Li.Wei", PASSWORD)[0] is None
    assert outcome(desk, "li.wei", PASSWORD.upper())[0] is NotAuthenticated
    assert outcome(desk, "li.wei", PASSWORD + " ")[0] is NotAuthenticated


def test_whatever_is_wrong_the_answer_is_the_same(desk):
    desk.add("li.wei")
    desk.add("zhao.min")
    desk.accounts.users.disable(LOCAL, "zhao.min")
    answers = {
        outcome(desk, name, password, address=f"192.0.2.{i}")
        for i, (name, password) in enumerate(
            [
                ("li.wei", "another password"),
                ("nobody", "another password"),
                ("nobody", PASSWORD),
                ("zhao.min", PASSWORD),
                ("zhao.min", "another password"),
                ("li.wei", ""),
                ("li.wei", "\ud800" * 9),
                ("li.wei", "\x00"),
                ("", ""),
                ("x" * 10_000, PASSWORD),
                ("' OR '1'='1", PASSWORD),
                ("\ud800", PASSWORD),
            ]
        )
    }

    assert answers == {(NotAuthenticated, "The name, password or code is not right.")}


def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(desk, monkeypatch):
    desk.add("li.wei")
    desk.add("zhao.min")
    desk.accounts.users.disable(LOCAL, "zhao.min")
    hashed = []
    verify = Passwords.verify
    monkeypatch.setattr(Passwords, "verify", lambda *given: hashed.append(given) or verify(*given))

    for name in ("li.wei", "nobody", "zhao.min"):
        assert outcome(desk, name, "another password")[0] is NotAuthenticated
    assert len(hashed) == 3


def test_a_long_password_is_refused_before_it_is_hashed(desk, monkeypatch):
    desk.add("li.wei")
    monkeypatch.setattr(Passwords, "verify", lambda *_: pytest.fail("was hashed"))

    with pytest.raises(InvalidRequest, match="at most 128"):
        desk.log_in("li.wei", "x" * 1_000_000)


def test_each_failure_beyond_five_doubles_the_wait(desk):
    desk.add("li.wei")
    for _ in range(RULES["account"].free):
        assert outcome(desk, "li.wei", "wrong")[0] is NotAuthenticated
    waits = []
    for _ in range(10):
        assert outcome(desk, "li.wei", "wrong")[0] is NotAuthenticated
        with pytest.raises(LimitReached) as limited:
            desk.log_in("li.wei")
        waits.append(limited.value.retry_after)
        desk.clock.advance(limited.value.retry_after)

    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert outcome(desk, "li.wei", PASSWORD)[0] is None
    assert outcome(desk, "li.wei", "wrong")[0] is NotAuthenticated  # and counts from one again
    assert outcome(desk, "li.wei", PASSWORD)[0] is None


def test_being_blocked_tells_nothing_about_whether_the_name_exists(desk):
    desk.add("li.wei")
    told = {}
    for name in ("li.wei", "nobody"):
        told[name] = [outcome(desk, name, "wrong", address=f"192.0.2.{i}") for i in range(12)]

    assert told["li.wei"] == told["nobody"]
    assert told["nobody"][-1][0] is LimitReached


def test_a_second_process_counts_on(desk):
    desk.add("li.wei")
    other = desk.another_process()
    for _ in range(3):
        assert outcome(desk, "li.wei", "wrong")[0] is outcome(other, "li.wei", "wrong")[0] is NotAuthenticated

    assert outcome(other, "li.wei", PASSWORD)[0] is LimitReached


def test_an_attack_does_not_lock_its_victim_out(desk):
    # A hundred machines try one account; the user comes from a device that was used before.
    desk.add("li.wei")
    device = desk.log_in("li.wei").device
    refused = []
    for attempt in range(300):
        refused.append(outcome(desk, "li.wei", f"guess {attempt}", address=f"203.0.113.{attempt % 100}")[0])
        desk.clock.advance(1)

    assert refused.count(NotAuthenticated) < 15  # tried at all
    assert outcome(desk, "li.wei", PASSWORD, address="203.0.113.7")[0] is LimitReached
    again = desk.log_in("li.wei", device=device, address="203.0.113.7")
    assert desk.who(again).name == "li.wei" and again.device == device


def test_a_device_does_not_open_the_way_to_guessing(desk):
    desk.add("li.wei")
    desk.add("zhao.min")
    device = desk.log_in("li.wei").device
    for _ in range(6):
        assert outcome(desk, "li.wei", "wrong", device=device)[0] is NotAuthenticated
    assert outcome(desk, "li.wei", PASSWORD, device=device)[0] is LimitReached
    assert outcome(desk, "li.wei", PASSWORD)[0] is None  # a stranger's count is another

    for _ in range(6):
        assert outcome(desk, "zhao.min", "wrong", device=device)[0] is NotAuthenticated
    with desk.database.reading() as connection:
        subjects = set(connection.scalars(login_attempts.select()))
    assert (
        sum(subject.startswith("device:") for subject in subjects) == 1
    )  # that of zhao.min is unknown to it


def test_one_address_is_stopped_whatever_names_it_tries(desk):
    desk.add("li.wei")
    told = [outcome(desk, f"user{i}", "password", address="198.51.100.9")[0] for i in range(30)]
    inside = [outcome(desk, f"name{i}", "password", address=f"2001:db8::{i}")[0] for i in range(30)]

    assert told.count(NotAuthenticated) == inside.count(NotAuthenticated) == RULES["address"].free + 1
    assert outcome(desk, "li.wei", PASSWORD, address="198.51.100.9")[0] is LimitReached
    assert outcome(desk, "li.wei", PASSWORD, address="198.51.100.10")[0] is None


def test_addresses_all_over_are_stopped_together(desk, monkeypatch):
    monkeypatch.setitem(RULES, "all", replace(RULES["all"], free=60))
    refused = [
        outcome(desk, f"user{i}", "password", address=f"10.{i // 250}.{i % 250}.1")[0] for i in range(80)
    ]

    assert refused.count(NotAuthenticated) == RULES["all"].free + 1
    desk.clock.advance(60)
    assert outcome(desk, "user", "password", address="10.9.9.9")[0] is NotAuthenticated


def test_a_right_password_is_not_counted_against_those_who_share_an_address(desk):
    desk.add("li.wei")
    for _ in range(2 * RULES["address"].free):
        assert outcome(desk, "li.wei", PASSWORD)[0] is None


def test_a_right_password_does_not_lift_the_delay_of_a_guess_that_was_made_meanwhile(desk):
    # Somebody with an account of their own must not clear their address by logging in while they guess at others.
    from quantflux.accounts.guessing import Attempt, Guessing

    guessing = Guessing(desk.clock)

    def begin(name: str) -> Attempt | float:
        desk.clock.advance(0.001)
        with desk.database.transaction() as connection:
            return guessing.begin(connection, name, "192.0.2.66", "")

    for number in range(RULES["address"].free):
        begin(f"user{number}")
    own, guess = begin("own.name"), begin("victim")
    assert isinstance(own, Attempt) and isinstance(
        guess, float
    )  # the delay counts while the password is hashed
    desk.clock.advance(5)
    own = begin("own.name")
    desk.clock.advance(5)
    guess = begin("victim")
    assert isinstance(own, Attempt) and isinstance(guess, Attempt)
    with desk.database.transaction() as connection:
        guessing.succeeded(connection, own)

    assert isinstance(begin("victim"), float)


def test_log_ins_are_audited_with_what_was_wrong(desk):
    desk.add("li.wei")
    outcome(desk, "li.wei", "wrong-secret-word")
    desk.audit.flush()
    entries = desk.audit.entries(action="session.log_in")

    assert [(e.event.outcome, e.event.actor) for e in entries] == [("done", "li.wei"), ("refused", "li.wei")]
    assert entries[-1].event.details["why"] == "password"
    assert "wrong-secret-word" not in str(entries)


def test_a_password_typed_as_the_name_is_in_no_log(desk):
    desk.add("li.wei")
    for _ in range(8):  # refused for being wrong, and then for coming too often
        outcome(desk, "Hunter2-my-secret", PASSWORD)
        outcome(desk, "li.wei", "wrong-secret-word")
    desk.audit.flush()
    refused = [e.event for e in desk.audit.entries(action="session.log_in", outcome="refused")]

    assert "hunter2" not in str(desk.audit.entries(limit=1000)).casefold()
    assert {event.actor for event in refused} == {"", "li.wei"}


@pytest.mark.parametrize("name", ["li.wei ", "li.wei   ", "LI.WEI\t", "lí.wei", "li.wei\u200b"])
def test_a_name_that_is_only_like_one_is_nobodys(name, desk):
    desk.add("li.wei")

    assert outcome(desk, name, PASSWORD)[0] is NotAuthenticated


def test_a_sixth_session_ends_the_oldest(desk):
    tokens = [desk.add("li.wei")]
    for _ in range(5):
        desk.clock.advance(1)
        tokens.append(desk.log_in("li.wei"))

    assert [each.id for each in desk.accounts.sessions(desk.who(tokens[-1]).user_id)] == [
        each.session for each in tokens[1:]
    ]
    with pytest.raises(NotAuthenticated):
        desk.who(tokens[0])


def test_every_log_in_begins_a_session_of_its_own(desk):
    desk.add("li.wei")
    tokens = [desk.log_in("li.wei") for _ in range(4)]

    assert len({each.session for each in tokens}) == len({each.refresh for each in tokens}) == 4


def test_a_password_hashed_at_another_cost_is_hashed_again(desk):
    desk.add("li.wei")
    dearer = desk.another_process()
    dearer.accounts._logging_in._passwords = Passwords(rounds=2, memory_kib=16)

    assert outcome(dearer, "li.wei", PASSWORD)[0] is None
    with desk.database.reading() as connection:
        from quantflux.database.tables.accounts import users

        kept = connection.scalar(users.select().with_only_columns(users.c.password_hash))
    assert "m=16,t=2" in kept
    assert outcome(desk, "li.wei", PASSWORD)[0] is None
