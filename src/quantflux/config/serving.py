"""Settings of the served platform: the database of our own tables, accounts, audit, limits, cache and HTTP server."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, SecretStr

from quantflux.config.fields import OptionalPath, Secret, Section, Text, setting
from quantflux.core.hosts import network_of, split_list


def _networks(text: str) -> str:
    for part in split_list(text):
        network_of(part)
    return text


def _origins(text: str) -> str:
    for part in split_list(text):
        if not part.startswith(("http://", "https://")) or part.count("/") != 2:
            raise ValueError("holds something that is no origin, such as https://desk.example")
    return text


Networks = Annotated[Text, AfterValidator(_networks)]
Origins = Annotated[Text, AfterValidator(_origins)]
_NETWORKS = "addresses or networks, separated by commas, such as 10.0.0.0/8, 192.168.1.7"


def _rate(calls: int, what: str) -> Any:
    return setting(calls, f"Most {what}.", unit="requests per minute", ge=1, le=10_000_000, restart=False)


class DatabaseSettings(Section):
    """The database of users, sessions, jobs and the audit log."""

    url: Secret = setting(
        SecretStr(""),
        "Where our own tables live; secret, as it may hold a password.",
        valid="a sqlite:///, mysql+pymysql:// or postgresql+psycopg:// address; empty: a SQLite file in data_dir",
    )
    pool_size: int = setting(
        5, "Connections kept open to a database server.", unit="connections", ge=1, le=200
    )
    wait_seconds: float = setting(
        5.0, "Longest wait for a connection or a lock.", unit="seconds", gt=0, le=300
    )


class AccountSettings(Section):
    """Log-in, tokens and sessions."""

    signing_keys: Secret = setting(
        SecretStr(""),
        "Keys that sign access tokens, newest first; older ones still verify.",
        valid="kid:key pairs separated by commas, each key at least 32 bytes; empty: a file in data_dir, made when "
        "first needed",
    )
    access_seconds: int = setting(
        600, "How long an access token is valid.", unit="seconds", ge=30, le=600, restart=False
    )
    idle_seconds: int = setting(
        1800, "How long a session may go without a refresh.", unit="seconds", ge=60, le=86_400, restart=False
    )
    session_seconds: int = setting(
        43_200, "How long a session may last at most.", unit="seconds", ge=300, le=2_592_000, restart=False
    )
    max_sessions: int = setting(
        5, "Sessions that one user may have; the oldest ends.", unit="sessions", ge=1, le=100, restart=False
    )
    require_totp: bool = setting(
        False,
        "Refuse administrators everything but setting up a second factor until they have one.",
        restart=False,
    )


class AuditSettings(Section):
    """The audit log."""

    key: Secret = setting(
        SecretStr(""),
        "Key of the log's authentication code.",
        valid="at least 32 bytes; empty: a file in data_dir, made when first needed",
    )
    head_file: OptionalPath = setting(
        None,
        "Where the signed head of the log is copied; best on another disk.",
        valid="a path; empty: the folder `audit` in data_dir",
    )


class LimitSettings(Section):
    """How often one may ask, and how much work one request may mean."""

    backend: Literal["memory", "redis"] = setting(
        "memory", "Where requests are counted; workers and hosts share a count in Redis, at cache.url."
    )
    reads_per_minute: int = _rate(6000, "reads by a user")
    work_per_minute: int = _rate(120, "requests that compute, by a user")
    writes_per_minute: int = _rate(600, "changes by a user")
    address_per_minute: int = _rate(12_000, "requests from one address")
    logins_per_minute: int = _rate(20, "log-ins from one address")
    total_per_minute: int = _rate(600_000, "requests in all")
    work_seconds: float = setting(
        300.0,
        "Most computing time that one request may be estimated to take.",
        unit="seconds",
        gt=0,
        le=86_400,
        restart=False,
    )
    budget_seconds: float = setting(
        3600.0,
        "Computing time that a user may start in an hour.",
        unit="seconds",
        gt=0,
        le=86_400,
        restart=False,
    )


def _lifetime(seconds: int, what: str) -> int:
    field: int = setting(
        seconds, f"How long cached {what} live.", unit="seconds", ge=1, le=86_400, restart=False
    )
    return field


class CacheSettings(Section):
    """The cache of query results and its lifetimes by kind of entry."""

    backend: Literal["memory", "redis"] = setting("memory", "Where cached results are kept.")
    url: Secret = setting(
        SecretStr(""),
        "Address of Redis; secret, as it may hold a password.",
        valid="a redis:// or rediss:// address",
    )
    memory_bytes: int = setting(
        256_000_000, "Most memory that a process keeps of cached results.", unit="bytes", ge=1_000_000
    )
    realtime_seconds: int = _lifetime(300, "real-time data")
    hot_stocks_seconds: int = _lifetime(1800, "data of often-read stocks")
    results_seconds: int = _lifetime(3600, "computed results")
    user_queries_seconds: int = _lifetime(900, "users' query results")
    hot_stocks: int = setting(
        100, "Often-read stocks that are kept warm.", unit="stocks", ge=0, le=5000, restart=False
    )


class ServerSettings(Section):
    """The HTTP server."""

    host: Text = setting("127.0.0.1", "Address that it listens on.", valid="an address or host name")
    port: int = setting(8000, "Port that it listens on.", unit="port", ge=0, le=65_535)
    workers: int = setting(1, "Processes that answer; they share the panels.", unit="processes", ge=1, le=256)
    jobs: int = setting(1, "Long jobs that run at once.", unit="jobs", ge=1, le=64)
    max_requests: int = setting(
        256,
        "Requests that one process works on at once; more are told to come back.",
        unit="requests",
        ge=8,
        le=100_000,
    )
    max_body_bytes: int = setting(
        10_000_000, "Largest body of a request.", unit="bytes", ge=1000, le=1_000_000_000
    )
    max_upload_bytes: int = setting(
        100_000_000, "Largest file that may be uploaded.", unit="bytes", ge=1000, le=10_000_000_000
    )
    stop_seconds: float = setting(
        30.0, "How long requests may go on after the server was told to stop.", unit="seconds", ge=0, le=3600
    )
    trusted_proxies: Networks = setting(
        "", "Proxies whose word on the client's address is taken.", valid=_NETWORKS
    )
    origins: Origins = setting(
        "",
        "Other web origins that may call the API.",
        valid="origins such as https://desk.example, by commas",
    )
    docs: Literal["signed-in", "public", "off"] = setting(
        "signed-in", "Who may read /docs and the OpenAPI file."
    )
    metrics_networks: Networks = setting(
        "127.0.0.0/8, ::1", "Who may read /metrics without logging in.", valid=_NETWORKS
    )


class V1Settings(Section):
    """The routes of the MySQL system that quantflux replaces."""

    enabled: bool = setting(True, "Answer them.")
    open_to: Networks = setting(
        "",
        "Networks from which they answer without logging in, with a viewer's and researcher's rights.",
        valid=_NETWORKS + "; empty: nobody",
    )
