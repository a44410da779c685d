"""The job ledger: one row for each piece of long work, and what it gave.

Whatever sends jobs about (threads of this process, or a broker) may lose them: these rows are what is true.
Times are microseconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import MEDIUMBLOB

from quantflux.database.tables.base import metadata

_sequence = BigInteger().with_variant(Integer(), "sqlite")
_document = LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb")

jobs = Table(
    "jobs",
    metadata,
    Column("seq", _sequence, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False),  # random: an id that is not told cannot be guessed
    Column("kind", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("api_key", String(64), nullable=False),  # public part of the key it was asked with, or empty
    Column("request_id", String(64), nullable=False),
    Column("idempotency_key", String(64)),  # digest: servers that ignore case or blanks cannot confuse keys
    Column("fingerprint", String(64), nullable=False),  # of kind and payload
    Column("payload", _document, nullable=False),  # JSON
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),  # runs that were begun
    Column("setbacks", Integer, nullable=False),  # runs that died, or failed in a way that may pass
    Column(
        "runner", String(64), nullable=False
    ),  # who runs it; with `attempts` the fence against late writers
    Column("not_before", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),  # of the last run
    Column("heartbeat_at", BigInteger),
    Column("cancel_asked_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("progress_done", BigInteger, nullable=False),
    Column("progress_total", BigInteger, nullable=False),  # 0 means not known
    Column("progress_text", String(200), nullable=False),
    Column("error_code", String(64), nullable=False),
    Column("error_text", String(2000), nullable=False),
    Column("result_bytes", BigInteger),
    Column("result_place", String(16), nullable=False),  # "", "ledger" or "file"
    Column("result_digest", String(64), nullable=False),
    UniqueConstraint("id"),
    UniqueConstraint("owner", "idempotency_key"),
    CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
    Index(None, "state", "seq"),
    Index("ix_jobs_owner_seq", "owner", "seq"),
    Index("ix_jobs_owner_started_at", "owner", "started_at"),  # whose turn it is
    Index(None, "finished_at"),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
"""What was asked, by whom, how it went."""

job_results = Table(
    "job_results",
    metadata,
    Column("seq", _sequence, ForeignKey("jobs.seq", ondelete="CASCADE"), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("data", _document, nullable=False),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
"""Results in pieces that stay below the packet that a database server takes, apart from what lists read."""
