from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantflux.accounts.audit.texts import MOST_DETAILS, details_text, plain


@given(st.text(max_size=80), st.integers(3, 60))
def test_a_text_is_one_printable_line_of_bounded_length(text, most):
    shown = plain(text, most)

    assert len(shown) <= most
    assert not any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in shown)


def test_an_escape_cannot_be_forged():
    assert plain("\\x1b", 20) != plain("\x1b", 20)


def test_chinese_names_stay_as_they_are():
    assert plain("张三 (研究员)", 20) == "张三 (研究员)"


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "authorization: bearer c2VjcmV0c2VjcmV0",
        "redis://user:c2VjcmV0@cache:6379",
        "qf_0123456789abcdef_c2VjcmV0c2VjcmV0c2VjcmV0",
        "$argon2id$v=19$m=65536,t=3,p=4$c2VjcmV0$c2VjcmV0",
    ],
)
def test_what_looks_like_a_credential_is_struck_out(text):
    assert "c2VjcmV0" not in plain(text, 200)
    assert "c2VjcmV0" not in details_text({"note": [text]})
    assert "[redacted]" in plain(text, 200)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "old_password",
        "passwd",
        "secret",
        "refresh_token",
        "Cookie",
        "totp",
        "code",
        "api_key",
        "key",
    ],
)
def test_what_is_called_a_secret_is_struck_out(name):
    assert json.loads(details_text({name: "hunter2", "role": "admin"})) == {
        name: "[redacted]",
        "role": "admin",
    }


def test_details_are_bounded_in_size_and_depth():
    deep: dict[str, object] = {}
    for _ in range(1000):
        deep = {"d": deep}
    wide = {f"k{i}": "x" * 10_000 for i in range(10_000)}

    assert len(details_text(deep)) < MOST_DETAILS
    told = json.loads(details_text(wide))
    assert told["cut"] is True and len(told["keys"]) == 50


def test_details_are_always_json():
    odd = {"inf": float("inf"), "none": None, "set": {1}, 7: "number", "object": object, "huge": 10**5000}

    told = json.loads(details_text(odd))

    assert told["inf"] == "inf" and told["none"] is None and told["set"] == [1] and told["7"] == "number"
