from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import struct
import threading

import pytest

from quantflux.accounts.permissions import ROLES, Permission, Role
from quantflux.accounts.principal import Principal
from quantflux.core.errors import Conflict, Forbidden, LimitReached, NotAuthenticated
from tests.accounts.material import ADDRESS, PASSWORD, Desk


def code_at(secret: str, seconds: float) -> str:
    """RFC 6238 with SHA-1, six digits and half minutes, written from the text of the RFC."""
    key = base64.b32decode(secret)
    mac = hmac.digest(key, struct.pack(">Q", int(seconds) // 30), hashlib.sha1)
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def test_the_second_method_gives_the_codes_of_the_rfc():
    # RFC 6238, appendix B, the last six of the eight digits.
    secret = base64.b32encode(b"12345678901234567890").decode()

    assert [code_at(secret, t) for t in (59, 1_111_111_109, 20_000_000_000)] == ["287082", "081804", "353130"]


def now(desk: Desk) -> float:
    return desk.clock.now().timestamp()


def set_up(desk: Desk, name: str = "li.wei", role: Role = Role.RESEARCHER) -> tuple[Principal, str]:
    who = desk.who(desk.add(name, role))
    secret = desk.accounts.set_up_totp(who, PASSWORD).secret
    tokens = desk.accounts.confirm_totp(who, code_at(secret, now(desk)))
    desk.clock.advance(60)
    return desk.who(tokens), secret


def test_log_in_asks_for_a_code_only_after_it_was_confirmed(desk):
    who = desk.who(desk.add("li.wei"))
    setup = desk.accounts.set_up_totp(who, PASSWORD)
    assert not desk.log_in("li.wei").needs_totp
    assert setup.secret in setup.address and "li.wei" in setup.address
    with pytest.raises(NotAuthenticated):
        desk.accounts.confirm_totp(who, code_at(setup.secret, now(desk) + 3600))
    desk.accounts.confirm_totp(who, code_at(setup.secret, now(desk)))
    desk.clock.advance(60)

    asked = desk.log_in("li.wei")
    assert asked.needs_totp and not asked.access and not asked.refresh and not asked.device
    assert desk.who(desk.log_in("li.wei", code=code_at(setup.secret, now(desk)))).name == "li.wei"


def test_with_a_wrong_password_nothing_is_said_of_a_code(desk):
    _, secret = set_up(desk)

    with pytest.raises(NotAuthenticated):
        desk.log_in("li.wei", "wrong")
    with pytest.raises(NotAuthenticated):
        desk.log_in("li.wei", "wrong", code=code_at(secret, now(desk)))


def test_each_code_is_taken_once_also_out_of_order(desk):
    _, secret = set_up(desk)
    code, earlier = code_at(secret, now(desk)), code_at(secret, now(desk) - 30)
    desk.log_in("li.wei", code=code)

    for used in (code, earlier):  # the one before was not used, but comes after a later one
        with pytest.raises(NotAuthenticated):
            desk.log_in("li.wei", code=used)
    desk.clock.advance(30)
    desk.log_in("li.wei", code=code_at(secret, now(desk)))


def test_the_code_that_confirmed_is_used_up(desk):
    who = desk.who(desk.add("li.wei"))
    secret = desk.accounts.set_up_totp(who, PASSWORD).secret
    code = code_at(secret, now(desk))
    desk.accounts.confirm_totp(who, code)

    with pytest.raises(NotAuthenticated):
        desk.log_in("li.wei", code=code)


def test_of_many_log_ins_with_one_code_at_once_one_succeeds(desk):
    _, secret = set_up(desk)
    code, let_in = code_at(secret, now(desk)), []

    def try_it(number: int) -> None:
        with contextlib.suppress(NotAuthenticated, LimitReached):
            let_in.append(desk.log_in("li.wei", code=code, address=f"192.0.2.{number}"))

    threads = [threading.Thread(target=try_it, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(let_in) == 1


@pytest.mark.parametrize(("drift", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_telephones_clock_may_be_half_a_minute_off(drift, taken, desk):
    _, secret = set_up(desk)
    try:
        desk.log_in("li.wei", code=code_at(secret, now(desk) + drift))
        assert taken
    except NotAuthenticated:
        assert not taken


@pytest.mark.parametrize(
    "code", ["12345", "1234567", "abcdef", "１２３４５６", " 12345", "-12345", "000000\n", "\ud800"]
)
def test_what_is_no_code_is_a_wrong_code(code, desk):
    set_up(desk)

    with pytest.raises(NotAuthenticated):
        desk.log_in("li.wei", code=code)


def test_codes_cannot_be_tried_one_after_another_with_a_known_password(desk):
    set_up(desk)
    refused = []
    for number in range(30):
        try:
            desk.log_in("li.wei", code=f"{number:06}", address=f"192.0.2.{number}")
        except (NotAuthenticated, LimitReached) as failure:
            refused.append(type(failure))

    assert refused.count(NotAuthenticated) <= 6 and len(refused) == 30


def test_it_is_set_up_and_removed_with_the_password_alone_that_is_counted(desk):
    who = desk.who(desk.add("li.wei"))
    for _ in range(6):
        with pytest.raises(NotAuthenticated):
            desk.accounts.set_up_totp(who, "wrong")
    with pytest.raises(LimitReached):
        desk.accounts.set_up_totp(who, PASSWORD)
    assert desk.log_in("li.wei").access  # the thief of a session does not lock its owner out


def test_codes_cannot_be_tried_one_after_another_to_remove_it(desk):
    who, _ = set_up(desk)
    refused = []
    for number in range(30):
        try:
            desk.accounts.remove_totp(who, PASSWORD, f"{number:06}")
        except (NotAuthenticated, LimitReached) as failure:
            refused.append(type(failure))

    assert refused.count(NotAuthenticated) <= 6 and len(refused) == 30


def test_it_can_be_removed_and_set_up_anew(desk):
    who, secret = set_up(desk)
    with pytest.raises(Conflict, match="already"):
        desk.accounts.set_up_totp(who, PASSWORD)
    with pytest.raises(NotAuthenticated):
        desk.accounts.remove_totp(who, PASSWORD, "000000")
    with pytest.raises(NotAuthenticated):
        desk.accounts.remove_totp(who, "wrong", code_at(secret, now(desk)))
    tokens = desk.accounts.remove_totp(who, PASSWORD, code_at(secret, now(desk)))

    assert not desk.accounts.users.get("li.wei").has_totp
    assert not desk.log_in("li.wei").needs_totp
    with pytest.raises(NotAuthenticated):  # the session from before ended
        desk.accounts.authenticate_request("Bearer x", None, address=ADDRESS)
    assert desk.accounts.set_up_totp(desk.who(tokens), PASSWORD).secret != secret


def test_an_administrator_without_one_may_only_set_it_up_if_that_is_required(desk):
    strict = desk.another_process(require_totp=True)
    tokens = strict.add("root.user", Role.ADMIN)
    assert strict.who(tokens).permissions == {Permission.ACCOUNT_OWN}
    assert strict.who(strict.add("li.wei")).permissions == ROLES[Role.RESEARCHER]
    who = strict.who(tokens)
    secret = strict.accounts.set_up_totp(who, PASSWORD).secret
    fresh = strict.accounts.confirm_totp(who, code_at(secret, now(desk)))

    assert strict.who(fresh).permissions == ROLES[Role.ADMIN]


def test_an_api_key_cannot_touch_the_account(desk):
    from datetime import timedelta

    who = desk.who(desk.add("li.wei"))
    end = desk.clock.now() + timedelta(days=9)
    _, text = desk.accounts.create_api_key(who, "script", [Permission.MARKET_READ], end)
    key = desk.by_key(text)
    own = desk.accounts
    for act in (
        lambda: own.set_up_totp(key, PASSWORD),
        lambda: own.confirm_totp(key, "000000"),
        lambda: own.remove_totp(key, PASSWORD, "000000"),
        lambda: own.change_password(key, PASSWORD, "nine hills and a river"),
        lambda: own.create_api_key(key, "more", [Permission.MARKET_READ], end),
        lambda: own.revoke_api_key(key, text[3:15]),
        lambda: own.log_out(key),
        lambda: own.log_out_everywhere(key),
        lambda: own.end_session(key, who.session),
    ):
        with pytest.raises(Forbidden):
            act()


def test_what_does_not_prove_who_changes_an_account_is_audited(desk):
    who, secret = set_up(desk)
    own, sent = desk.accounts, {"address": "192.0.2.9", "request_id": "r-1"}
    wrong = "a wrong password", code_at(secret, now(desk) + 3600)
    new = desk.who(desk.add("zhao.min"))
    own.set_up_totp(new, PASSWORD)

    for attempt, why in (
        (lambda: own.change_password(who, wrong[0], "nine hills and a river", **sent), "password"),
        (lambda: own.set_up_totp(who, wrong[0], **sent), "password"),
        (lambda: own.remove_totp(who, wrong[0], "000000", **sent), "password"),
        (lambda: own.remove_totp(who, PASSWORD, wrong[1], **sent), "code"),
        (lambda: own.confirm_totp(new, "no code", **sent), "code"),
    ):
        with pytest.raises(NotAuthenticated):
            attempt()
        desk.audit.flush()  # those of one second are one entry
        event = desk.audit.entries(action="user.prove", newest_first=True)[0].event
        assert (event.outcome, event.address, event.request_id) == ("refused", "192.0.2.9", "r-1")
        assert event.details == {"why": why} and event.target.startswith("user:")
    entries = desk.audit.entries(action="user.prove")
    assert [e.event.actor for e in entries] == ["li.wei"] * 4 + ["zhao.min"]
    assert not any(text in str(entries) for text in wrong)
