"""What must hold between settings, and what production refuses.

A rule takes whole settings and yields `(key, text)` for each complaint; no text holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from pydantic import SecretStr

from quantflux.config.catalogue import catalogue, value_of
from quantflux.config.settings import Settings
from quantflux.config.signing import SHORTEST_KEY, parse_signing_keys
from quantflux.config.stores import InfluxSettings
from quantflux.core.hosts import is_loopback

SHORTEST_SECRET = 12
"""Characters of the shortest password or token that production accepts."""

DATABASES = ("sqlite:///", "mysql+pymysql://", "postgresql+psycopg://")
"""How addresses of the database of our own tables begin."""

_CHECKED_APART = {"cache.url", "database.url", "accounts.signing_keys"}
"""Secrets that are more than one text, so that the rule for passwords does not fit."""

_PLACEHOLDERS = ("changeme", "changethis", "secretkey", "yoursecret", "mysecret", "supersecret", "topsecret",
                 "insecure", "placeholder", "default", "example", "password")  # fmt: skip

Complaint = tuple[str, str]


@cache
def known_defaults() -> frozenset[str]:
    """Return passwords and tokens of samples and installers, in lower case without punctuation."""
    text = files("quantflux.config").joinpath("default_secrets.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def complaints(settings: Settings) -> Iterator[Complaint]:
    """Yield everything that is wrong between the settings."""
    yield from _influx(settings)
    yield from _mysql(settings)
    yield from _cache(settings)
    yield from _keys(settings)
    yield from _database(settings)
    if settings.environment == "production":
        yield from _production(settings)


def is_weak(secret: SecretStr) -> str:
    """Return why production would refuse a secret, or nothing.

    Examples
    --------
    >>> is_weak(SecretStr("Change-Me!")), is_weak(SecretStr("k3-vQz9-tr81-xx0P"))
    ('is a well-known default', '')
    """
    text = secret.get_secret_value()
    plain = "".join(c for c in text.casefold() if c.isalnum())
    if plain in known_defaults() or text.startswith(("<", "${", "{{")):
        return "is a well-known default"
    if len(text) < SHORTEST_SECRET:
        return f"is shorter than {SHORTEST_SECRET} characters"
    if len(set(text)) < 4:
        return "repeats fewer than four different characters"
    return ""


def is_weak_key(key: str) -> str:
    """Return why production would refuse a key that signs, or nothing.

    Examples
    --------
    >>> is_weak_key("your-super-secret-jwt-token-with-at-least-32-characters-long")
    'is a well-known default'
    >>> is_weak_key("Kq3v8ZtJx0Rm5Yw1Nc7Lb4Hd9Pf2Gs6T")
    ''
    """
    plain = "".join(c for c in key.casefold() if c.isalnum())
    if is_weak(SecretStr(key)) == "is a well-known default" or any(word in plain for word in _PLACEHOLDERS):
        return "is a well-known default"
    if len(key.encode()) < SHORTEST_KEY:
        return f"is shorter than {SHORTEST_KEY} bytes"
    if len(set(key)) < 10 or key in (key + key)[1:-1]:
        return "repeats the same characters"
    return ""


def _influx(settings: Settings) -> Iterator[Complaint]:
    influx = settings.store.influxdb
    if influx.total_timeout_seconds < influx.connect_timeout_seconds:
        yield (
            "store.influxdb.total_timeout_seconds",
            f"found {influx.total_timeout_seconds:g}; valid is at least connect_timeout_seconds",
        )
    if bool(influx.username) != bool(influx.password.get_secret_value()):
        absent = "password" if influx.username else "username"
        yield f"store.influxdb.{absent}", "is empty; username and password go together"
    if settings.store.name != "influxdb":
        return
    needed = {"1": (), "2": ("org", "token"), "3": ("token",)}[influx.dialect]
    for name in needed:
        if not _text(getattr(influx, name)):
            yield f"store.influxdb.{name}", f"is empty; dialect {influx.dialect} needs it"


def _mysql(settings: Settings) -> Iterator[Complaint]:
    if settings.store.name == "mysql":
        for name in ("host", "user", "database"):
            if not getattr(settings.store.mysql, name):
                yield f"store.mysql.{name}", "is empty; the mysql store needs it"


def _cache(settings: Settings) -> Iterator[Complaint]:
    url = settings.cache.url.get_secret_value()
    if settings.cache.backend == "redis" and not url:
        yield "cache.url", "is empty; the redis cache needs a redis:// or rediss:// address"
    elif settings.limits.backend == "redis" and not url:
        yield "cache.url", "is empty; limits that are counted in Redis need a redis:// or rediss:// address"
    elif url and not (url.startswith(("redis://", "rediss://")) and _host(url)):
        yield "cache.url", "is not a redis:// or rediss:// address with a host"


def _keys(settings: Settings) -> Iterator[Complaint]:
    try:
        parse_signing_keys(_text(settings.accounts.signing_keys))
    except ValueError as wrong:
        yield "accounts.signing_keys", str(wrong)
    length = len(_text(settings.audit.key).encode())
    if 0 < length < SHORTEST_KEY:
        yield "audit.key", f"has {length} bytes; valid are at least {SHORTEST_KEY}"


def _database(settings: Settings) -> Iterator[Complaint]:
    url = _text(settings.database.url)
    if url and not url.startswith(DATABASES):
        yield "database.url", f"does not begin with {', '.join(DATABASES)}"
    elif url and not url.startswith("sqlite:") and not _host(url):
        yield "database.url", "names no host"


def _production(settings: Settings) -> Iterator[Complaint]:
    influx = settings.store.influxdb
    if settings.store.name == "influxdb" and not is_loopback(_host(influx.url)):
        if not _has_credentials(influx):
            yield (
                "store.influxdb.url",
                "is a remote server without credentials; production needs token, or username and password",
            )
        if not influx.verify_tls and influx.url.startswith("https:"):
            yield (
                "store.influxdb.verify_tls",
                "found false; production checks the certificate of a remote server",
            )
    if settings.store.name == "mysql" and not _text(settings.store.mysql.password):
        yield "store.mysql.password", "is empty; production needs one"
    if settings.store.name == "memory":
        yield "store.name", 'found "memory", which forgets everything; production needs a lasting store'
    for key, setting in catalogue().items():
        secret = value_of(settings, key)
        if not setting.secret or key in _CHECKED_APART or not secret.get_secret_value():
            continue
        if why := is_weak(secret):
            yield key, f"{why}; production needs a secret of its own, at least {SHORTEST_SECRET} characters"
    yield from _production_cache(settings)
    yield from _production_keys(settings)


def _production_cache(settings: Settings) -> Iterator[Complaint]:
    url = settings.cache.url.get_secret_value()
    used = "redis" in (settings.cache.backend, settings.limits.backend)
    if not used or not _host(url) or is_loopback(_host(url)):
        return
    password = urlsplit(url).password or ""
    if why := is_weak(SecretStr(password)):
        yield (
            "cache.url",
            f"its password {why if password else 'is missing'}; production needs one for a remote Redis",
        )


def _production_keys(settings: Settings) -> Iterator[Complaint]:
    try:
        keys = parse_signing_keys(_text(settings.accounts.signing_keys))
    except ValueError:  # complained of already
        keys = {}
    for kid, secret in keys.items():
        if why := is_weak_key(secret.decode()):
            yield "accounts.signing_keys", f"the key {kid} {why}; production needs random ones"
    if (key := _text(settings.audit.key)) and (why := is_weak_key(key)):
        yield "audit.key", f"{why}; production needs a random one"
    url = _text(settings.database.url)
    if url and not url.startswith("sqlite:") and _host(url) and not is_loopback(_host(url)):
        password = urlsplit(url).password or ""
        if why := is_weak(SecretStr(password)):
            yield (
                "database.url",
                f"its password {why if password else 'is missing'}; production needs one for a remote server",
            )


def _has_credentials(influx: InfluxSettings) -> bool:
    return bool(_text(influx.token) or (influx.username and _text(influx.password)))


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
