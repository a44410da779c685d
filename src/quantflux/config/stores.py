"""Settings of the truth stores: which one is used, and how each is reached."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr

from quantflux.config.fields import OptionalPath, Secret, Section, Text, setting


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine.

    Examples
    --------
    >>> [is_loopback(h) for h in ("localhost", "127.0.0.9", "::1", "influx.example", "0.0.0.0")]
    [True, True, True, False, False]
    """
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _web_address(text: str) -> str:
    parts = _split(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// address with a host")
    if "@" in parts.netloc:
        raise ValueError("holds credentials; give username and password, or token, as settings of their own")
    if parts.query or parts.fragment:
        raise ValueError("holds a query or fragment, which an InfluxDB address has not")
    return text.rstrip("/")


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # computed on access: an impossible port raises here
    except ValueError as exc:
        raise ValueError("is not a well-formed address") from exc
    return parts


WebAddress = Annotated[Text, AfterValidator(_web_address)]


def _shard(days: int, what: str) -> Any:
    return setting(days, f"Shard duration of {what}.", unit="days", ge=1, le=36_500)


class ColumnarSettings(Section):
    """The embedded columnar store (Delta Lake tables of Parquet files)."""

    directory: OptionalPath = setting(
        None, "Where its tables live.", valid="a path; empty: the folder `columnar` in data_dir"
    )


class ShardDays(Section):
    """How much time one InfluxDB shard holds, per measurement.

    Long shards make histories small and quick; short ones make deletes and cross-sections quick.
    """

    stock_daily_data: int = _shard(3650, "daily bars")
    stock_minute_data: int = _shard(30, "minute bars")
    stock_daily_basic: int = _shard(3650, "daily valuation figures")
    stock_moneyflow: int = _shard(3650, "daily money flow")
    stock_chip: int = _shard(3650, "daily cost distribution")
    factor_values: int = _shard(3650, "factor values")
    predictions: int = _shard(3650, "model predictions")
    instruments: int = _shard(36_500, "instrument histories")
    income_statement: int = _shard(36_500, "income statements")
    balance_sheet: int = _shard(36_500, "balance sheets")
    cash_flow: int = _shard(36_500, "cash flow statements")


class InfluxSettings(Section):
    """InfluxDB 1.x, 2.x or 3, over HTTP."""

    url: WebAddress = setting(
        "http://127.0.0.1:8086",
        "Address of the server.",
        valid="an http:// or https:// address without credentials",
    )
    dialect: Literal["1", "2", "3"] = setting("1", "Major version whose protocol the server speaks.")
    database: Text = setting(
        "quantflux", "Database that holds the measurements (dialects 1 and 3, and the 2.x mapping)."
    )
    org: Text = setting("", "Organisation (dialect 2).")
    bucket: Text = setting("", "Bucket (dialect 2).")
    token: Secret = setting(SecretStr(""), "API token (dialects 2 and 3).")
    username: Text = setting("", "User name (dialect 1).")
    password: Secret = setting(SecretStr(""), "Password of that user (dialect 1).")
    verify_tls: bool = setting(True, "Check the server's certificate on https addresses.")
    connect_timeout_seconds: float = setting(
        2.0, "Longest wait for a connection.", unit="seconds", gt=0, le=60
    )
    read_timeout_seconds: float = setting(
        30.0, "Longest wait for the next bytes of an answer.", unit="seconds", gt=0, le=600
    )
    total_timeout_seconds: float = setting(
        120.0, "Longest time for one whole request.", unit="seconds", gt=0, le=3600
    )
    batch_lines: int = setting(5000, "Most lines in one write request.", unit="lines", ge=1, le=100_000)
    batch_bytes: int = setting(
        1_000_000, "Most bytes in one write request.", unit="bytes", ge=10_000, le=25_000_000
    )
    spool_directory: OptionalPath = setting(
        None,
        "Where unconfirmed batches wait to be sent again.",
        valid="a path; empty: the folder `spool` in data_dir",
    )
    breaker_failures: int = setting(
        3, "Failures in a row after which calls are refused at once.", unit="failures", ge=1, le=1000
    )
    breaker_reset_seconds: float = setting(
        5.0, "How long calls are refused before one may try again.", unit="seconds", gt=0, le=3600
    )
    shard_days: ShardDays = ShardDays()


class MySQLSettings(Section):
    """MySQL or MariaDB with the version 1 tables."""

    host: Text = setting("127.0.0.1", "Host name or address of the server.")
    port: int = setting(3306, "TCP port of the server.", ge=1, le=65_535)
    user: Text = setting("", "User name.")
    password: Secret = setting(SecretStr(""), "Password of that user.")
    database: Text = setting("stock_cursor", "Database (schema) that holds the tables.")
    connect_timeout_seconds: float = setting(
        2.0, "Longest wait for a connection.", unit="seconds", ge=1, le=60
    )
    read_timeout_seconds: float = setting(
        30.0, "Longest wait for the next bytes of an answer.", unit="seconds", gt=0, le=3600
    )
    write_timeout_seconds: float = setting(30.0, "Longest wait to send bytes.", unit="seconds", gt=0, le=3600)
    rounding: Literal["refuse", "round"] = setting(
        "refuse", "What happens to a value with more decimals than its column holds."
    )


class StoreSettings(Section):
    """The truth store."""

    name: Literal["columnar", "influxdb", "mysql", "memory"] = setting(
        "columnar", "Which store holds the truth."
    )
    columnar: ColumnarSettings = ColumnarSettings()
    influxdb: InfluxSettings = InfluxSettings()
    mysql: MySQLSettings = MySQLSettings()
