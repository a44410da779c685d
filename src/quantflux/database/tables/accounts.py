"""Users and what proves who they are. Secrets are kept as hashes; times are microseconds of UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from quantflux.database.tables.base import metadata

IDENTITY = BigInteger().with_variant(Integer(), "sqlite")
"""Counted up by the database. SQLite does that for INTEGER alone."""

users = Table(
    "users",
    metadata,
    Column("id", IDENTITY, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(255), nullable=False),
    Column("must_change_password", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    # Counted up by whatever must end access that was given before: a token says under which count it was made.
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("password_changed_at", BigInteger, nullable=False),
    Column("totp_secret", String(64), nullable=False),
    Column("totp_confirmed", Boolean, nullable=False),
    Column("totp_step", BigInteger, nullable=False),  # the last half minute whose code was used
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("address", String(45), nullable=False),
    Column("label", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("end_reason", String(20), nullable=False),
    Index("ix_sessions_user_id", "user_id", "ended_at"),
    Index("ix_sessions_expires_at", "expires_at"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("session_id", String(32), ForeignKey("sessions.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("exchanged_at", BigInteger, nullable=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False, index=True),
    Column("hash", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=True),
    Column("revoked_at", BigInteger, nullable=True),
)

devices = Table(
    "devices",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("subject", String(80), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False, index=True),
    Column("blocked_until", BigInteger, nullable=False),
)

revocations = Table(
    "revocations",
    metadata,
    Column("id", IDENTITY, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("user_id", BigInteger, nullable=False),
    Column(
        "version", BigInteger, nullable=False
    ),  # tokens made under an older count are void; 0: none of them
    Column("session_id", String(32), nullable=False),
    Column("key_id", String(16), nullable=False),
)
