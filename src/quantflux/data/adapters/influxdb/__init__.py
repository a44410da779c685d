"""The truth store in InfluxDB 1.x, 2.x and 3, over HTTP, with no client library.

Where things are: `layout` (how a dataset lies in InfluxDB), `lineprotocol` and `writer` (rows out), `statements`,
`paging`, `decode` and `rows` (rows in), `commits` (versions and changes), `dialects` and `places` (what differs
between versions of InfluxDB), `transport`, `breaker` and `errors` (what can go wrong), `fingerprints`, `manifest` and
`scrub` (whether the server still has what it acknowledged), `store` (the whole).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from quantflux.core.clock import Clock
from quantflux.core.errors import ConfigError
from quantflux.data.adapters.influxdb.breaker import Breaker
from quantflux.data.adapters.influxdb.deadletter import DeadLetters
from quantflux.data.adapters.influxdb.dialects import dialect as find_dialect
from quantflux.data.adapters.influxdb.manifest import Manifest
from quantflux.data.adapters.influxdb.places import Places
from quantflux.data.adapters.influxdb.security import Finding
from quantflux.data.adapters.influxdb.store import InfluxDBAdapter
from quantflux.data.adapters.influxdb.transport import Retries, Timeouts, Transport
from quantflux.data.adapters.influxdb.writer import MAX_BYTES, MAX_LINES

__all__ = ["Finding", "InfluxDBAdapter", "open_store"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def open_store(
    *,
    clock: Clock,
    url: str = "http://127.0.0.1:8086",
    dialect: str = "1",
    database: str = "quantflux",
    org: str = "",
    bucket: str = "",
    token: str = "",
    username: str = "",
    password: str = "",
    timeouts: Mapping[str, float] | None = None,
    attempts: int = 3,
    breaker_rest: float = 5.0,
    batch_lines: int = MAX_LINES,
    batch_bytes: int = MAX_BYTES,
    shard_days: Mapping[str, int] | None = None,
    dead_letter: str | Path | None = None,
    manifest: str | Path | None = None,
    connections: int = 8,
    compressed: bool = False,
    verify: bool | str = True,
) -> InfluxDBAdapter:
    """Open InfluxDB as a truth store. Nothing is sent before the first use.

    Parameters
    ----------
    clock : Clock
    url : str
    dialect : {"1", "2", "3"}
        The server's generation.
    database : str
        Holds one retention policy a dataset (1.x), or is what the buckets are mapped to (2.x).
    org, bucket : str
        For 2.x: the organisation, and what bucket names begin with (`<bucket>.<dataset>`); by default the database.
    token : str
        For 2.x and 3.
    username, password : str
        For 1.x.
    timeouts : mapping
        Seconds by name: connect, read, write, pool, total. See `Timeouts` for the defaults.
    attempts : int
        How often a request is tried before it fails.
    breaker_rest : float
        Seconds in which calls fail at once after three failures in a row, before one may try again.
    batch_lines, batch_bytes : int
        Most lines and bytes in one request.
    shard_days : mapping
        Length of a shard by dataset, in days, used when a dataset's place is first made.
    dead_letter : path or None
        Folder for rows that the server refuses; None keeps them in the error only.
    manifest : path or None
        Folder for the record of what was acknowledged, which `scrub` compares with the server. All writers of the
        database must share it. None keeps no record.
    connections : int
        Most connections at a time.
    compressed : bool
        Ask for compressed answers: worth it over a slow network, a loss on a fast one.
    verify : bool or str
        Check the server's certificate; a path names the authority's file.

    Raises
    ------
    ConfigError
        If an option is missing or malformed.
    InvalidRequest
        If there is no such dialect.
    """
    chosen = find_dialect(dialect)
    given = {"org": org, "bucket": bucket or database, "token": token, "database": database}
    for name in chosen.needs:
        if not given[name]:
            raise ConfigError(f"influxdb: dialect {dialect} needs the option {name!r}")
    for dataset, days in (shard_days or {}).items():
        if days < 1:
            raise ConfigError(f"influxdb: a shard has at least 1 day, was {days} for {dataset}")
    for name in ("database", "bucket"):
        if not _NAME.fullmatch(given[name]):
            raise ConfigError(f"influxdb: {name} must match {_NAME.pattern}, was {given[name]!r}")
    try:
        limits = Timeouts(**(timeouts or {}))
    except TypeError as exc:
        raise ConfigError(f"influxdb: timeouts may name connect, read, write, pool, total: {exc}") from exc
    transport = Transport(
        url.rstrip("/"),
        clock=clock,
        headers={"Authorization": chosen.authorization.format(token=token)} if token else {},
        auth=(username, password) if username else None,
        timeouts=limits,
        retries=Retries(attempts),
        breaker=Breaker(clock, rest=breaker_rest),
        connections=connections,
        compressed=compressed,
        verify=verify,
    )
    return InfluxDBAdapter(
        clock=clock,
        dialect=chosen,
        transport=transport,
        places=Places(chosen, transport, given, shard_days or {}),
        dead_letters=DeadLetters(None if dead_letter is None else Path(dead_letter), clock),
        manifest=Manifest(None if manifest is None else Path(manifest), given["bucket"]),
        batch_lines=batch_lines,
        batch_bytes=batch_bytes,
    )
