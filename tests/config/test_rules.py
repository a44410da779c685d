"""What must hold between settings, and what production refuses."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from quantflux.config import ConfigRequest, load
from quantflux.config.rules import SHORTEST_SECRET, is_weak, known_defaults
from quantflux.core.errors import ConfigError
from quantflux.core.hosts import is_loopback

STRONG = "k3vQz9tr81xx0P7m"
REMOTE = ("store.name=influxdb", "store.influxdb.url=http://influx.example:8086")


def refusal(*overrides: str, environment: str = "production") -> str:
    with pytest.raises(ConfigError) as caught:
        load(ConfigRequest(environment=environment, overrides=overrides), {})
    return str(caught.value)


def accepted(*overrides: str, environment: str = "production") -> bool:
    return (
        load(ConfigRequest(environment=environment, overrides=overrides), {}).settings.environment
        == environment
    )


def test_production_refuses_a_remote_influxdb_that_anybody_may_enter():
    assert "store.influxdb.url: is a remote server without credentials" in refusal(*REMOTE)
    assert "without credentials" in refusal(REMOTE[0], "store.influxdb.url=https://10.0.0.8")
    assert accepted(*REMOTE, f"store.influxdb.token={STRONG}")
    assert accepted(*REMOTE, "store.influxdb.username=w", f"store.influxdb.password={STRONG}")
    assert accepted("store.name=influxdb", "store.influxdb.url=http://127.0.0.1:8086")
    assert accepted(*REMOTE, environment="development")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_only_this_machine_counts_as_loopback(host, local):
    assert is_loopback(host) is local


def test_production_checks_the_certificate_of_a_remote_server():
    remote = ("store.name=influxdb", "store.influxdb.url=https://h", f"store.influxdb.token={STRONG}")

    assert "store.influxdb.verify_tls" in refusal(*remote, "store.influxdb.verify_tls=false")
    assert accepted(*remote)


DEFAULTS = [
    "admin", "changeme", "Change-Me", "change_this", "password", "Password123", "P" * 20, "secret",
    "supersecret", "SuperSecretToken", "my-super-secret-auth-token", "my-super-secret-admin-token", "root",
    "toor", "letmein", "your_password_here", "your-token-here", "<token>", "${INFLUX_TOKEN}", "example",
    "quantflux", "testpassword", "123456789012", "1234567890123456", "aaaabbbbaaaabbbb",
]  # fmt: skip


@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("key", ["store.influxdb.token", "store.mysql.password", "sources.tushare.token"])
def test_production_refuses_known_defaults(key, default):
    assert f"{key}: " in refusal(f"{key}={default}")
    assert accepted(f"{key}={default}", environment="testing")


def test_known_defaults_are_written_as_they_are_compared():
    assert len(known_defaults()) >= 20
    assert all(d == "".join(c for c in d.casefold() if c.isalnum()) for d in known_defaults())


def test_the_shortest_secret_is_just_long_enough():
    assert is_weak(SecretStr(STRONG[: SHORTEST_SECRET - 1])) == "is shorter than 12 characters"
    assert is_weak(SecretStr(STRONG[:SHORTEST_SECRET])) == ""


def test_production_needs_a_password_for_mysql():
    mysql = ("store.name=mysql", "store.mysql.user=quant")

    assert "store.mysql.password: is empty; production needs one" in refusal(*mysql)
    assert accepted(*mysql, f"store.mysql.password={STRONG}")
    assert accepted(*mysql, environment="testing")


def test_production_needs_a_store_that_lasts():
    assert "forgets everything" in refusal("store.name=memory")


def test_a_remote_redis_needs_a_password_in_production():
    redis = "cache.backend=redis"

    assert "its password is missing" in refusal(redis, "cache.url=redis://cache.example:6379")
    assert "its password is a well-known default" in refusal(
        redis, "cache.url=rediss://:changeme@cache.example"
    )
    assert accepted(redis, f"cache.url=rediss://:{STRONG}@cache.example")
    assert accepted(redis, "cache.url=redis://127.0.0.1:6379/0")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["cache.backend=redis"], "cache.url: is empty"),
        (["cache.url=http://x"], "cache.url: is not a redis://"),
        (["cache.url=redis://[x"], "cache.url: is not a redis://"),
        (
            ["store.influxdb.username=u"],
            "store.influxdb.password: is empty; username and password go together",
        ),
        (
            ["store.influxdb.password=p"],
            "store.influxdb.username: is empty; username and password go together",
        ),
        (["store.influxdb.total_timeout_seconds=1"], "store.influxdb.total_timeout_seconds: found 1"),
        (
            ["store.name=influxdb", "store.influxdb.dialect=2"],
            "store.influxdb.org: is empty; dialect 2 needs it",
        ),
        (
            ["store.name=influxdb", "store.influxdb.database="],
            'store.influxdb.database: found ""; valid is at most 63',
        ),
        (["store.name=mysql"], "store.mysql.user: is empty"),
    ],
)
def test_settings_must_fit_each_other(overrides, says):
    assert says in refusal(*overrides, environment="development")


def test_a_complaint_names_the_place_to_mend(load_text, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_text('[cache]\nbackend = "redis"\n')

    assert str(caught.value).startswith(f"{tmp_path / 'user.toml'}: cache.url: ")
