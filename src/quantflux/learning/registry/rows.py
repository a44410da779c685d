"""The registry's rows in one SQLite file: versions of models and the history of their stages, only ever added to.

A write is one transaction that nobody else's can interleave with; the file itself refuses to change or delete a row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from quantflux.core.errors import StoreCorrupt, StoreFull, StoreUnavailable
from quantflux.learning.registry.records import PRODUCTION, RETIRED, ModelVersion, StageChange

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS model_versions (
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        created TEXT NOT NULL,
        actor TEXT NOT NULL,
        digest TEXT NOT NULL,
        facts TEXT NOT NULL,
        PRIMARY KEY (id, version)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS model_stages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        stage TEXT NOT NULL,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        reason TEXT NOT NULL,
        replaced_by INTEGER,
        FOREIGN KEY (id, version) REFERENCES model_versions (id, version)
    )
    """,
    *(
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{action} BEFORE {action} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'rows of the registry are only ever added'); END"
        for table in ("model_versions", "model_stages")
        for action in ("UPDATE", "DELETE")
    ),
)
_NEWEST = """
    SELECT v.id, v.version, v.created, v.actor, v.digest, v.facts, s.stage, s.at
    FROM model_versions v JOIN model_stages s ON s.number =
        (SELECT max(number) FROM model_stages WHERE id = v.id AND version = v.version)
"""


@dataclass(frozen=True)
class NewVersion:
    """What is known of a version before it has a number."""

    id: str
    created: datetime
    actor: str
    digest: str
    facts: dict[str, Any]


class Rows:
    """The rows, within one transaction; there are none without a file."""

    def __init__(self, connection: sqlite3.Connection | None, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """Return all versions, or those of one model, sorted."""
        if name is None:
            return self._versions("ORDER BY v.id, v.version")
        return self._versions("WHERE v.id = ? ORDER BY v.version", name)

    def history(self, name: str) -> list[StageChange]:
        """Return the changes of a model's stages, the oldest first."""
        if self._connection is None:
            return []
        rows = self._connection.execute(
            "SELECT id, version, stage, at, actor, reason, replaced_by FROM model_stages WHERE id = ? "
            "ORDER BY number",
            (name,),
        )
        return [
            StageChange(name, version, stage, datetime.fromisoformat(at), actor, said, other)
            for name, version, stage, at, actor, said, other in rows
        ]

    def add(self, version: int, new: NewVersion) -> None:
        """Add a version; it needs a stage, too."""
        self._write(
            "INSERT INTO model_versions VALUES (?, ?, ?, ?, ?, ?)",
            (new.id, version, new.created.isoformat(), new.actor, new.digest, json.dumps(new.facts)),
        )

    def change(self, change: StageChange) -> None:
        """Add a line to the history of stages."""
        self._write(
            "INSERT INTO model_stages (id, version, stage, at, actor, reason, replaced_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                change.id,
                change.version,
                change.stage,
                change.at.isoformat(),
                change.actor,
                change.reason,
                change.replaced_by,
            ),
        )

    def promote(self, change: StageChange) -> None:
        """Bring a version to a stage; what it replaces in production is retired."""
        if change.stage == PRODUCTION:
            for former in self.versions(change.id):
                if former.stage == PRODUCTION and former.version != change.version:
                    reason = f"replaced by version {change.version}"
                    self.change(
                        StageChange(
                            change.id,
                            former.version,
                            RETIRED,
                            change.at,
                            change.actor,
                            reason,
                            change.version,
                        )
                    )
        self.change(change)

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        assert self._connection is not None  # noqa: S101 - a transaction that writes has a file
        self._connection.execute(statement, values)

    def _versions(self, clauses: str, *values: str) -> list[ModelVersion]:
        if self._connection is None:
            return []
        rows = self._connection.execute(f"{_NEWEST} {clauses}", values).fetchall()
        return [self._version(*row) for row in rows]

    def _version(
        self,
        name: str,
        version: int,
        created: str,
        actor: str,
        digest: str,
        facts: str,
        stage: str,
        since: str,
    ) -> ModelVersion:
        told: dict[str, Any] = json.loads(facts)
        return ModelVersion(
            id=name,
            version=version,
            stage=stage,
            since=datetime.fromisoformat(since),
            created=datetime.fromisoformat(created),
            actor=actor,
            digest=digest,
            folder=self._folder / name / str(version),
            first=date.fromisoformat(told.pop("first")),
            last=date.fromisoformat(told.pop("last")),
            **told,
        )


class RowFile:
    """Opens the file.

    Parameters
    ----------
    path : Path
        Made, with its folder, when something is first added.
    folder : Path
        In which the models' folders are.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Open what is there for reading."""
        if not self._path.exists():
            yield Rows(None, self._folder)
            return
        with self._connected("rw") as connection:
            made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'model_stages'")
            yield Rows(connection if made.fetchone() else None, self._folder)

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Open it for writing, alone; all that is added is kept, or nothing if the block fails."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be made: {error.strerror or error}") from error
        with self._connected("rwc") as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement in _TABLES:
                    connection.execute(statement)
                yield Rows(connection, self._folder)
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _connected(self, mode: str) -> Iterator[sqlite3.Connection]:
        """Yield a connection of its own; `rw` is read-only where the file is."""
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(self._path.absolute()))}?mode={mode}",
                uri=True,
                timeout=30,
                isolation_level=None,
            )
            try:
                yield connection
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            kind = StoreFull if full else StoreUnavailable
            raise kind(f"the model registry in {self._path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StoreCorrupt(
                f"the model registry in {self._path} cannot be read: {error}; bring back a copy",
                str(self._path),
            ) from error
