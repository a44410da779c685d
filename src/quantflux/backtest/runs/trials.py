"""The ledger of strategies tried on the data of an installation, in one SQLite file.

The best of many strategies looks good by chance alone. How much, depends on how many were tried, and nobody remembers
that; so every backtest and every set of a sweep is written down. Running the same strategy again is no new trial, nor
is replaying one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from quantflux.core.errors import StoreCorrupt, StoreFull, StoreUnavailable

_TABLE = """
CREATE TABLE IF NOT EXISTS trials (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    sharpe REAL,
    days INTEGER NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    runs INTEGER NOT NULL
)
"""
_ADD = """
INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (digest) DO UPDATE SET
    name = excluded.name, sharpe = excluded.sharpe, days = excluded.days, last = excluded.last, runs = runs + 1
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A strategy that was tried.

    Attributes
    ----------
    digest : str
        Names what the run file says, its name aside: equal digests are one strategy.
    name : str
    sharpe : float or None
        By the year; None where it has none.
    days : int
        Days of its record.
    """

    digest: str
    name: str
    sharpe: float | None
    days: int


class TrialLedger:
    """Counts trials.

    Parameters
    ----------
    path : Path
        Made, with its folder, when the first trial is added.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, trials: Sequence[Trial], made: str) -> int:
        """Write trials down, all or none, and return how many different ones there are now.

        Parameters
        ----------
        trials : sequence of Trial
        made : str
            When they were run, in ISO 8601.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be made: {error.strerror or error}") from error
        rows = [(t.digest, t.name, t.sharpe, t.days, made, made) for t in trials]
        with self._connected("rwc") as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            connection.executemany(_ADD, rows)
            count = int(connection.execute("SELECT COUNT(*) FROM trials").fetchone()[0])
            connection.execute("COMMIT")
        return count

    def count(self, also: Collection[str] = ()) -> int:
        """Return how many different strategies were tried; `also` are digests of some that are about to be."""
        return len(self._digests().union(also))

    def _digests(self) -> set[str]:
        if not self._path.exists():
            return set()
        with self._connected("rw") as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchone():
                return set()
            return {digest for (digest,) in connection.execute("SELECT digest FROM trials")}

    @contextmanager
    def _connected(self, mode: str) -> Iterator[sqlite3.Connection]:
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
                connection.close()  # what was not committed is rolled back
        except sqlite3.OperationalError as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            kind = StoreFull if full else StoreUnavailable
            raise kind(f"the ledger of trials in {self._path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StoreCorrupt(
                f"the ledger of trials in {self._path} cannot be read: {error}; bring back a copy, or move the file "
                "away to begin a new one",
                str(self._path),
            ) from error
