from __future__ import annotations

from datetime import timedelta

import jwt as pyjwt
import pytest

from quantflux.accounts.permissions import Permission
from quantflux.accounts.tokens import JWTManager
from quantflux.core.errors import ConfigError, NotAuthenticated
from tests.accounts.forged import Genuine, claims_of, forged, header_of, signed
from tests.accounts.material import ADDRESS, KEY, KID, Desk


@pytest.fixture
def genuine(desk: Desk) -> Genuine:
    tokens = desk.add("li.wei")
    end = desk.clock.now() + timedelta(days=1)
    _, api_key = desk.accounts.create_api_key(desk.who(tokens), "script", [Permission.MARKET_READ], end)
    return Genuine(tokens.access, tokens.refresh, api_key, KEY, KID)


def test_the_good_ones_that_are_forged_from_are_good(desk, genuine):
    own = signed(header_of(genuine), claims_of(genuine.access), KEY)

    for token in (genuine.access, own):
        assert desk.accounts.authenticate_request(f"Bearer {token}", None, address="").name == "li.wei"
    assert desk.accounts.authenticate_request(f"bearer {own}", None, address="").name == "li.wei"
    assert desk.by_key(genuine.api_key).name == "li.wei"


def test_no_forged_credential_gets_in_and_all_get_one_answer(desk, genuine):
    headers = forged(genuine)
    admitted, answers = [], set()
    for name, header in headers.items():
        try:
            desk.accounts.authenticate_request(header, None, address=ADDRESS)
            admitted.append(name)
        except NotAuthenticated as refused:
            answers.add(str(refused))

    assert len(headers) >= 60
    assert admitted == []
    assert len(answers) == 1


def test_what_is_no_api_key_gets_the_same_answer(desk, genuine):
    public, secret = genuine.api_key[3:15], genuine.api_key[16:]
    keys = {
        "access token": genuine.access,
        "refresh token": genuine.refresh,
        "no secret": f"qf_{public}_",
        "other secret": f"qf_{public}_{'A' * 43}",
        "other public": f"qf_{'0' * 12}_{secret}",
        "upper case": genuine.api_key.upper(),
        "longer": genuine.api_key + "A",
        "line break": genuine.api_key + "\n",
        "empty": "",
        "a megabyte": "q" * 1_000_000,
        "a query": "qf_' OR 1=1 --_x",
    }
    answers = set()
    for key in keys.values():
        with pytest.raises(NotAuthenticated) as refused:
            desk.by_key(key)
        answers.add(str(refused.value))
    with pytest.raises(NotAuthenticated) as refused:
        desk.accounts.authenticate_request(None, None, address=ADDRESS)

    assert answers == {str(refused.value)}


def test_two_credentials_at_once_are_refused_even_if_both_are_good(desk, genuine):
    with pytest.raises(NotAuthenticated):
        desk.accounts.authenticate_request(f"Bearer {genuine.access}", genuine.api_key, address=ADDRESS)
    desk.by_key(genuine.api_key)
    desk.accounts.authenticate_request(f"Bearer {genuine.access}", None, address=ADDRESS)
    with pytest.raises(NotAuthenticated):
        desk.accounts.authenticate_request(f"Bearer {genuine.access}", genuine.api_key, address=ADDRESS)
    with pytest.raises(NotAuthenticated):  # a key in the wrong header, although it was seen in the right one
        desk.accounts.authenticate_request(genuine.api_key, None, address=ADDRESS)


def test_the_reason_goes_to_the_audit_log_and_the_credential_does_not(desk, genuine):
    for number, header in enumerate(forged(genuine).values()):
        with pytest.raises(NotAuthenticated):  # refusals at one address become one entry
            desk.accounts.authenticate_request(header, None, address=f"192.0.2.{number}")
    desk.audit.flush()
    told = [str(entry.event) for entry in desk.audit.entries(action="access", limit=1000)]

    assert {"kid", "signature or claims", "header", "session"} <= {
        why for text in told for why in text.split("'")
    }
    assert not any(genuine.access[-20:] in text or genuine.refresh in text for text in told)


def test_a_second_implementation_reads_the_same_from_a_token(clock):
    ours = JWTManager({KID: KEY}, "quantflux", "quantflux-api", clock)
    token = ours.issue(7, "5e55", version=3, seconds=60)

    theirs = pyjwt.PyJWT().decode(
        token, KEY, algorithms=["HS256"], audience="quantflux-api", issuer="quantflux", options={"verify_iat": False,
                                                                                              "verify_nbf": False}
    )  # fmt: skip

    assert (theirs["sub"], theirs["sid"], theirs["ver"]) == ("7", "5e55", 3)
    assert theirs["exp"] - theirs["iat"] == 60 and theirs["iat"] == int(clock.now().timestamp())


def test_older_keys_verify_and_the_newest_signs(clock):
    old = JWTManager({"a": KEY}, "quantflux", "quantflux-api", clock)
    both = JWTManager({"b": KEY[::-1], "a": KEY}, "quantflux", "quantflux-api", clock)
    new = JWTManager({"b": KEY[::-1]}, "quantflux", "quantflux-api", clock)
    before, after = (manager.issue(7, "s", version=1, seconds=60) for manager in (old, both))

    assert both.verify(before).user_id == both.verify(after).user_id == new.verify(after).user_id == 7
    with pytest.raises(NotAuthenticated):
        new.verify(before)
    with pytest.raises(NotAuthenticated):
        old.verify(after)


def test_no_token_lives_longer_than_ten_minutes(clock):
    tokens = JWTManager({KID: KEY}, "quantflux", "quantflux-api", clock)
    token = tokens.issue(7, "s", version=1, seconds=86_400)
    clock.advance(599)
    tokens.verify(token)
    clock.advance(1)

    with pytest.raises(NotAuthenticated):
        tokens.verify(token)


@pytest.mark.parametrize(("keys", "said"), [({}, "no key"), ({"a": b"x" * 31}, "31 bytes")])
def test_keys_that_are_absent_or_short_are_refused(keys, said, clock):
    with pytest.raises(ConfigError, match=said):
        JWTManager(keys, "quantflux", "quantflux-api", clock)


def test_keys_for_other_purposes_differ(clock):
    tokens = JWTManager({KID: KEY}, "quantflux", "quantflux-api", clock)

    assert len({KEY, tokens.derive("refresh"), tokens.derive("other")}) == 3
