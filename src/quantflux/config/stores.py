"""Settings of the truth stores: which one is used, and how each is reached."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr, StringConstraints

from quantflux.config.fields import OptionalPath, Secret, Section, Text, setting


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
PlaceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
OptionalPlaceName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$")]
_PLACE = "at most 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit"


def _shard(what: str, days: int = 364) -> Any:
    # Measured on 1.6.7 (docs/stores.md): years suit daily rows, four weeks suit minutes.
    return setting(days, f"Shard duration of {what}.", unit="days", ge=1, le=36_500)


def _wait(seconds: float, what: str, longest: float) -> Any:
    return setting(float(seconds), f"Longest wait {what}.", unit="seconds", gt=0, le=longest)


class ColumnarSettings(Section):
    """The embedded columnar store (Delta Lake tables of Parquet files)."""

    directory: OptionalPath = setting(
        None, "Where its tables live.", valid="a path; empty: the folder `columnar` in data_dir"
    )
    compression_level: int = setting(3, "Effort of zstd on appended files.", unit="level", ge=1, le=22)
    lock_timeout_seconds: float = setting(
        60.0, "Longest wait for another writer of the same dataset.", unit="seconds", gt=0, le=3600
    )


class ShardDays(Section):
    """How much time one InfluxDB shard holds, per measurement.

    Long shards make histories small and quick; short ones make deletes and cross-sections quick.
    """

    stock_daily_data: int = _shard("daily bars")
    stock_minute_data: int = _shard("minute bars", 28)
    stock_daily_basic: int = _shard("daily valuation figures")
    stock_moneyflow: int = _shard("daily money flow")
    stock_chip: int = _shard("daily cost distribution")
    factor_values: int = _shard("factor values")
    predictions: int = _shard("model predictions")
    instruments: int = _shard("instrument histories")
    corporate_actions: int = _shard("dividends, share distributions and rights issues")
    income_statement: int = _shard("income statements")
    balance_sheet: int = _shard("balance sheets")
    cash_flow: int = _shard("cash flow statements")


class InfluxSettings(Section):
    """InfluxDB 1.x, 2.x or 3, over HTTP."""

    url: WebAddress = setting(
        "http://127.0.0.1:8086",
        "Address of the server.",
        valid="an http:// or https:// address without credentials",
    )
    dialect: Literal["1", "2", "3"] = setting("1", "Major version whose protocol the server speaks.")
    database: PlaceName = setting(
        "quantflux", "Database of the measurements; with 2.x, what buckets are mapped to.", valid=_PLACE
    )
    org: Text = setting("", "Organisation (2.x).")
    bucket: OptionalPlaceName = setting(
        "", "What bucket names begin with (2.x).", valid=f"{_PLACE}; empty: the database's name"
    )
    token: Secret = setting(SecretStr(""), "API token (2.x and 3).")
    username: Text = setting("", "User name (1.x).")
    password: Secret = setting(SecretStr(""), "Password of that user (1.x).")
    verify_tls: bool = setting(True, "Check the server's certificate on https addresses.")
    ca_file: OptionalPath = setting(
        None, "Authority to trust for that.", valid="a path; empty: the usual authorities"
    )
    connect_timeout_seconds: float = _wait(2, "for a connection", 60)
    read_timeout_seconds: float = _wait(15, "for the next bytes of an answer", 600)
    write_timeout_seconds: float = _wait(15, "for the server to take the next bytes", 600)
    total_timeout_seconds: float = _wait(120, "for one whole attempt", 3600)
    attempts: int = setting(3, "How often a request is tried before it fails.", unit="attempts", ge=1, le=20)
    connections: int = setting(8, "Most connections at a time.", unit="connections", ge=1, le=1000)
    compressed: bool = setting(False, "Ask for compressed answers: worth it over a slow network only.")
    batch_lines: int = setting(5000, "Most lines in one write request.", unit="lines", ge=1, le=100_000)
    batch_bytes: int = setting(
        1_000_000, "Most bytes in one write request.", unit="bytes", ge=10_000, le=25_000_000
    )
    dead_letter_directory: OptionalPath = setting(
        None,
        "Where rows go that the server refuses.",
        valid="a path; empty: the folder `dead-letters` in data_dir",
    )
    manifest_directory: OptionalPath = setting(
        None,
        "Where the record of what the server acknowledged is kept; all writers of the database share it.",
        valid="a path; empty: the folder `manifest` in data_dir",
    )
    breaker_rest_seconds: float = setting(
        5.0, "How long calls are refused after three failures in a row.", unit="seconds", gt=0, le=3600
    )
    shard_days: ShardDays = ShardDays()


class MySQLSettings(Section):
    """MySQL or MariaDB with the version 1 tables."""

    host: Text = setting("127.0.0.1", "Host name or address of the server.")
    port: int = setting(3306, "TCP port of the server.", ge=1, le=65_535)
    user: Text = setting("", "User name.")
    password: Secret = setting(SecretStr(""), "Password of that user.")
    database: Text = setting("stock_cursor", "Database (schema) that holds the tables.")
    ca_file: OptionalPath = setting(
        None,
        "Authority to trust; the connection is then encrypted and the server's name checked.",
        valid="a path; empty: not encrypted",
    )
    connect_timeout_seconds: float = _wait(2, "for a connection and its greeting", 60)
    read_timeout_seconds: float = _wait(60, "for the next bytes of an answer", 3600)
    write_timeout_seconds: float = _wait(60, "for the server to take the next bytes", 3600)
    lock_timeout_seconds: int = setting(
        5, "Longest wait for a row lock before the transaction is run again.", unit="seconds", ge=1, le=3600
    )
    pool_timeout_seconds: float = _wait(1, "for a free connection", 600)
    pool_size: int = setting(4, "Connections kept and shared.", unit="connections", ge=1, le=1000)
    rounding: Literal["refuse", "v1"] = setting(
        "refuse", "A value that its column would change is refused, or stored as version 1 would."
    )
    minute_table: Literal["stock_minute_data", "stock_1min_history"] = setting(
        "stock_minute_data", "Table of the one-minute bars."
    )
    price_decimals: Literal[2, 4] = setting(
        2, "Decimals of prices in a daily table that has to be made.", unit="decimals"
    )


class StoreSettings(Section):
    """The truth store."""

    name: Literal["columnar", "influxdb", "mysql", "memory"] = setting(
        "columnar", "Which store holds the truth."
    )
    columnar: ColumnarSettings = ColumnarSettings()
    influxdb: InfluxSettings = InfluxSettings()
    mysql: MySQLSettings = MySQLSettings()
