"""What is refused of the secrets of the served platform."""

from __future__ import annotations

import secrets

import pytest

from quantflux.config import ConfigRequest, load
from quantflux.config.rules import is_weak_key
from quantflux.config.signing import parse_signing_keys
from quantflux.core.errors import ConfigError

GOOD = "Kq3v8ZtJx0Rm5Yw1Nc7Lb4Hd9Pf2Gs6T"

# Published in documentation, samples or images of well-known projects, or what people type when asked for 32 bytes.
KNOWN = [
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "a-string-secret-at-least-256-bits-long",
    "my-32-character-ultra-secure-and-ultra-long-secret",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "mysupersecretkeythatisatleast32byteslong",
    "django-insecure-4f$x9!k2m@q7w#e1r5t8y0u3i6o",
    "this-is-a-super-secret-key-for-development",
    "please-change-this-key-before-production-changethis",
    "replace-me: default signing key of the image",
    "example-key-example-key-example-key-example",
    "password-password-password-password",
    "0123456789abcdef0123456789abcdef",
    "12345678901234567890123456789012",
    "abcdefghijklmnopqrstuvwxyz123456",
    "qwertyuiopasdfghjklzxcvbnm123456",
    "00000000000000000000000000000000",
    "abababababababababababababababab",
    "secret-and-secret-and-secret-and-",
    "deadbeefdeadbeefdeadbeefdeadbeef",
    "k3vQz9tr81xx0P7mk3vQz9tr81xx0P7m",
]


def problems(*overrides: str, environment: str = "production") -> str:
    try:
        load(ConfigRequest(environment=environment, overrides=overrides), {})
    except ConfigError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("key", KNOWN)
def test_production_refuses_keys_that_are_known_or_no_keys(key):
    assert "the key k1" in problems(f"accounts.signing_keys=k1:{key}")
    assert "audit.key" in problems(f"audit.key={key}")
    assert problems(f"accounts.signing_keys=k1:{key}", f"audit.key={key}", environment="development") == ""
    assert key not in problems(f"accounts.signing_keys=k1:{key}")


def test_a_weak_old_key_is_as_bad_as_a_weak_new_one():
    assert "the key old" in problems(f"accounts.signing_keys=new:{GOOD},old:{KNOWN[0]}")


def test_random_keys_are_taken():
    assert problems(f"accounts.signing_keys=k2:{GOOD}, k1:{GOOD[::-1]}", f"audit.key={GOOD[::-1]}") == ""
    for _ in range(200):
        for key in (secrets.token_hex(16), secrets.token_urlsafe(32)):
            assert is_weak_key(key) == ""


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    ("override", "said"),
    [
        (f"accounts.signing_keys=k1:{GOOD[:31]}", "the key k1 has 31 bytes; valid are at least 32"),
        (f"accounts.signing_keys={GOOD}", "key 1 does not begin with a name"),
        (f"accounts.signing_keys=k1:{GOOD},{GOOD}", "key 2 does not begin with a name"),
        (f"accounts.signing_keys=../x:{GOOD}", "key 1 does not begin with a name"),
        (f"accounts.signing_keys=k1:{GOOD},k1:{GOOD[::-1]}", "two keys are called k1"),
        (f"audit.key={GOOD[:31]}", "has 31 bytes; valid are at least 32"),
        ("database.url=oracle://host/db", "does not begin with sqlite:///"),
        ("database.url=mysql+pymysql:///db", "names no host"),
    ],
)
def test_what_cannot_work_is_refused_everywhere(override, said, environment):
    assert said in problems(override, environment=environment)


@pytest.mark.parametrize("dialect", ["mysql+pymysql", "postgresql+psycopg"])
def test_production_wants_a_password_for_a_remote_database(dialect):
    assert "its password is missing" in problems(f"database.url={dialect}://user@db.example/quantflux")
    assert "well-known default" in problems(f"database.url={dialect}://user:password@db.example/quantflux")
    assert problems(f"database.url={dialect}://user:k3vQz9tr81xx0P7m@db.example/quantflux") == ""
    assert problems(f"database.url={dialect}://user@127.0.0.1/quantflux") == ""
    assert problems("database.url=sqlite:////var/lib/quantflux/own.db") == ""


def test_keys_are_read_in_their_order():
    assert parse_signing_keys(f"b:{GOOD}:x, a:{GOOD}") == {"b": f"{GOOD}:x".encode(), "a": GOOD.encode()}
    assert parse_signing_keys("") == {}
