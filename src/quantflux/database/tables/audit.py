"""The audit log's tables: the entries, chained by authentication codes, and the one row that marks the chain's end.

Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from quantflux.database.tables.base import metadata

ACTION, OUTCOME, NAME, ADDRESS, REQUEST, TARGET, HASH = 64, 16, 128, 64, 64, 255, 128
"""Most characters of each text; what is longer is cut before it is authenticated."""

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("action", String(ACTION), nullable=False),
    Column("outcome", String(OUTCOME), nullable=False),
    Column("actor", String(NAME), nullable=False),
    Column("address", String(ADDRESS), nullable=False),
    Column("request_id", String(REQUEST), nullable=False),
    Column("target", String(TARGET), nullable=False),
    Column("details", Text, nullable=False),
    Column("hash_before", String(HASH), nullable=False),
    Column("hash_after", String(HASH), nullable=False),
    Column("mac", String(64), nullable=False),
    Index("ix_audit_entries_at", "at"),
    Index("ix_audit_entries_action", "action", "seq"),
    Index("ix_audit_entries_actor", "actor", "action", "seq"),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",  # a filter for one actor must not find another who differs by case
)
"""One row an event. `seq` counts from 1 without a gap; `mac` authenticates the row and the `mac` before it."""

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("mac", String(64), nullable=False),
    Column("signature", String(64), nullable=False),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
)
"""One row, id 1: the last entry and a signature of it. Who appends locks it first, so the chain never forks."""
