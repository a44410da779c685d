"""A log on a SQLite file, and an enemy who writes to the file behind its back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantflux.accounts.audit import AuditEvent, AuditLog
from quantflux.accounts.audit.chain import Chain, Row
from quantflux.core.clock import Clock
from quantflux.database import Database

KEY = b"an audit key of thirty-two bytes"
FIELDS = (*Row.__slots__, "mac")


@dataclass(frozen=True)
class Site:
    """Where everything of one log is."""

    database: Database
    log: AuditLog
    file: Path
    head_file: Path

    def add(self, count: int, action: str = "user.add") -> None:
        """Record some events in one transaction."""
        with self.database.transaction() as connection:
            for i in range(count):
                event = AuditEvent(
                    action, "done", "root", "203.0.113.9", f"r{i}", f"user:{i}", {"i": i}, "aa", "bb"
                )
                self.log.record(connection, event)

    @contextmanager
    def behind(self) -> Iterator[sqlite3.Connection]:
        """Give a connection of somebody who owns the file and has taken the triggers away."""
        connection = sqlite3.connect(self.file, isolation_level=None)
        try:
            for trigger in ("audit_entries_no_update", "audit_entries_no_delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            connection.execute("PRAGMA synchronous = OFF")
            yield connection
        finally:
            connection.close()


def site_of(folder: Path, clock: Clock, **options: Any) -> Site:
    """Open a log in a folder; notes wait for a flush unless `note_seconds` says otherwise."""
    database = Database.open(f"sqlite:///{folder}/own.db")
    head_file = folder / "elsewhere" / "head.json"
    log = AuditLog(database, KEY, head_file, clock, **{"note_seconds": 3600.0, **options})
    return Site(database, log, folder / "own.db", head_file)


def rows_of(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return all entries, whole."""
    return connection.execute(f"SELECT {', '.join(FIELDS)} FROM audit_entries ORDER BY seq").fetchall()


def head_at(rows: list[tuple[Any, ...]], seq: int) -> tuple[int, str, str]:
    """Return the signed end of the log as it was after `seq` entries: what a backup of that time holds."""
    mac = rows[seq - 1][-1] if seq else "0" * 64
    return seq, mac, Chain(KEY).sign(seq, mac).signature
