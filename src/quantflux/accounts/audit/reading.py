"""Reads of the log's tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Select, select

from quantflux.accounts.audit.chain import Head, Row
from quantflux.accounts.audit.events import LOG_IN, AuditEntry, AuditEvent, Outcome
from quantflux.accounts.audit.texts import plain
from quantflux.core.errors import InvalidRequest
from quantflux.database.engine import Database
from quantflux.database.tables.audit import ACTION, NAME, audit_entries, audit_head
from quantflux.database.times import from_micros, to_micros

MOST_ENTRIES = 10_000
_CHUNK = 5000
_ROW = [audit_entries.c[name] for name in Row.__slots__]


def head_of(connection: Connection, *, hold: bool = False) -> Head | None:
    """Return the end of the chain; with `hold` nobody else may move it until the transaction ends."""
    query = select(audit_head.c.seq, audit_head.c.mac, audit_head.c.signature).where(audit_head.c.id == 1)
    found = connection.execute(query.with_for_update() if hold else query).one_or_none()
    return None if found is None else Head(*found)


def mac_of(connection: Connection, seq: int) -> str | None:
    """Return the code of one entry."""
    return connection.execute(select(audit_entries.c.mac).where(audit_entries.c.seq == seq)).scalar()


def rows_after(connection: Connection, seq: int | None) -> Iterator[tuple[Row, str]]:
    """Yield rows and their codes in the order of their numbers, above `seq` or from the lowest there is."""
    while True:
        query = select(*_ROW, audit_entries.c.mac).order_by(audit_entries.c.seq).limit(_CHUNK)
        found = connection.execute(query if seq is None else query.where(audit_entries.c.seq > seq)).all()
        for *fields, mac in found:
            yield Row(*fields), mac
        if len(found) < _CHUNK:
            return
        seq = found[-1].seq


def entries_of(
    database: Database,
    *,
    after: int,
    before: int | None,
    limit: int,
    action: str | None,
    actor: str | None,
    outcome: Outcome | None,
    since: datetime | None,
    until: datetime | None,
    newest_first: bool,
) -> list[AuditEntry]:
    """Read entries that match; see `AuditLog.entries`."""
    if not 1 <= limit <= MOST_ENTRIES:
        raise InvalidRequest(f"limit is from 1 to {MOST_ENTRIES}, was {limit}")
    order = audit_entries.c.seq.desc() if newest_first else audit_entries.c.seq
    query = select(*_ROW).where(audit_entries.c.seq > after).order_by(order).limit(limit)
    if before is not None:
        query = query.where(audit_entries.c.seq < before)
    if action is not None:
        query = _with_action(query, action)
    if actor is not None:
        query = query.where(audit_entries.c.actor == plain(actor, NAME))
    if outcome is not None:
        query = query.where(audit_entries.c.outcome == outcome)
    if since is not None:
        query = query.where(audit_entries.c.at >= to_micros(since))
    if until is not None:
        query = query.where(audit_entries.c.at < to_micros(until))
    with database.reading() as connection:
        return [_entry_of(Row(*fields)) for fields in connection.execute(query)]


def log_ins_of(database: Database, actor: str, before: int, most: int) -> list[tuple[int, str]]:
    """Return time (microseconds) and address of a user's newest log-ins that lie before an entry, newest first."""
    query = (
        select(audit_entries.c.at, audit_entries.c.address)
        .where(
            audit_entries.c.actor == plain(actor, NAME),
            audit_entries.c.action == LOG_IN,
            audit_entries.c.seq < before,
            audit_entries.c.outcome == "done",
        )
        .order_by(audit_entries.c.seq.desc())
        .limit(most)
    )
    with database.reading() as connection:
        return [(at, address) for at, address in connection.execute(query)]


def _with_action(query: Select[tuple[Any, ...]], action: str) -> Select[tuple[Any, ...]]:
    if action.endswith("."):
        return query.where(audit_entries.c.action.startswith(action, autoescape=True))
    return query.where(audit_entries.c.action == plain(action, ACTION))


def _entry_of(row: Row) -> AuditEntry:
    try:
        details = json.loads(row.details)
    except ValueError:  # somebody changed the row; `verify` says where, and reading goes on
        details = {"unreadable": plain(row.details, 500)}
    event = AuditEvent(
        row.action,
        cast("Outcome", row.outcome),
        row.actor,
        row.address,
        row.request_id,
        row.target,
        details,
        row.hash_before,
        row.hash_after,
    )
    return AuditEntry(row.seq, from_micros(row.at), event)
