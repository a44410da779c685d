"""Users' definitions of factors in one SQLite file: versions that are only ever added.

A write is one transaction that nobody else's can interleave with. Reading makes no file, and works where nothing may be
written.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import quote

from quantflux.core.errors import StoreCorrupt, StoreFull, StoreUnavailable

_TABLE = """
CREATE TABLE IF NOT EXISTS factor_versions (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    expression TEXT NOT NULL,
    description TEXT NOT NULL,
    orientation INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created TEXT NOT NULL,
    retired INTEGER NOT NULL,
    PRIMARY KEY (id, version)
)
"""

_AT_ONCE = 500
"""Names in one question: SQLite takes no more than 999 parameters in its older versions."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a user's factor, as it is kept.

    Attributes
    ----------
    created : str
        When, in ISO 8601.
    retired : bool
        Whether it says that the factor is no longer in use.
    """

    id: str
    version: int
    expression: str
    description: str
    orientation: int
    owner: str
    created: str
    retired: bool = False


class Versions:
    """The versions in a file, within one transaction; there are none without a file."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection

    def of(self, name: str) -> list[Version]:
        """Return all versions of a factor, the oldest first."""
        return self._select("WHERE id = ? ORDER BY version", name)

    def last(self, name: str) -> Version | None:
        """Return the newest version of a factor, if there is one."""
        found = self._select("WHERE id = ? ORDER BY version DESC LIMIT 1", name)
        return found[0] if found else None

    def numbers(self, names: Sequence[str]) -> dict[str, int]:
        """Return the newest version's number of those of some names that are factors."""
        found: dict[str, int] = {}
        for first in range(0, len(names) if self._connection is not None else 0, _AT_ONCE):
            part = names[first : first + _AT_ONCE]
            marks = ", ".join("?" * len(part))
            rows = self._connection.execute(  # type: ignore[union-attr]  # there is one, or no round
                f"SELECT id, MAX(version) FROM factor_versions WHERE id IN ({marks}) GROUP BY id",  # noqa: S608
                part,
            )
            found |= dict(rows)
        return found

    def all(self) -> list[Version]:
        """Return all versions of all factors, sorted."""
        return self._select("ORDER BY id, version")

    def newest(self) -> list[Version]:
        """Return the newest version of every factor, sorted."""
        return list({version.id: version for version in self.all()}.values())

    def add(self, version: Version) -> None:
        """Add a version."""
        assert self._connection is not None  # noqa: S101 - a transaction that writes has a file
        self._connection.execute(
            "INSERT INTO factor_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(version)
        )

    def _select(self, clauses: str, *values: str) -> list[Version]:
        if self._connection is None:
            return []
        rows = self._connection.execute(f"SELECT * FROM factor_versions {clauses}", values)  # noqa: S608
        return [Version(*(*row[:-1], bool(row[-1]))) for row in rows]


class DefinitionFile:
    """Opens the file.

    Parameters
    ----------
    path : Path or None
        Made, with its folder, when something is first defined; None keeps everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory: sqlite3.Connection | None = None
        self._guard = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[Versions]:
        """Open what is there for reading."""
        if self._path is None:
            with self.writing() as versions:
                yield versions
        elif not self._path.exists():
            yield Versions(None)
        else:
            with _connected(self._path, "rw") as connection:
                made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'factor_versions'")
                yield Versions(connection if made.fetchone() else None)

    @contextmanager
    def writing(self) -> Iterator[Versions]:
        """Open it for writing, alone; all that is added is kept, or nothing if the block fails."""
        if self._path is None:
            with self._guard, _transaction(self._in_memory()) as versions:
                yield versions
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be made: {error.strerror or error}") from error
        # Threads queue here: SQLite has those that wait for its lock ask again and again, and some for seconds.
        with self._guard, _connected(self._path, "rwc") as connection, _transaction(connection) as versions:
            yield versions

    def close(self) -> None:
        """Forget what is kept in memory."""
        with self._guard:
            if self._memory is not None:
                self._memory.close()
                self._memory = None

    def _in_memory(self) -> sqlite3.Connection:
        if self._memory is None:
            self._memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        return self._memory


@contextmanager
def _connected(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Yield a connection of its own; `rw` is read-only where the file is."""
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, timeout=30, isolation_level=None
        )
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        kind = StoreFull if full else StoreUnavailable
        raise kind(f"the factor definitions in {path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreCorrupt(
            f"the factor definitions in {path} cannot be read: {error}; bring back a copy, or move the file away and "
            "import an export",
            str(path),
        ) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[Versions]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TABLE)
        yield Versions(connection)
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
