"""Requests that carry an Idempotency-Key: what was asked, and the answer that a repetition gets.

Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table
from sqlalchemy.dialects.mysql import MEDIUMBLOB

from quantflux.database.tables.base import metadata

_document = LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb")

requests = Table(
    "requests",
    metadata,
    Column("id", String(64), primary_key=True),  # digest of owner, method, route and key
    Column("owner", String(64), nullable=False),
    Column("route", String(200), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # of path, query and body
    Column("claim", String(32), nullable=False),  # who works on it; empty once it is answered
    Column(
        "claimed_until", BigInteger, nullable=False
    ),  # a process that died must not block its key for a day
    Column("created_at", BigInteger, nullable=False),
    Column("status", Integer),  # of the answer; null while it is worked on
    Column("headers", LargeBinary),  # JSON
    Column("body", _document),
    Index(None, "created_at"),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
"""One row for each key that somebody used on a route."""
