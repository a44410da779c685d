"""The quality ledger: what was imported from where, and what was odd about it, by symbol and day.

One SQLite file in the data folder, in WAL mode: what was recorded survives a killed process, readers do not wait for
a writer. Findings are only ever added; finding the same thing again in the same source marks it as seen by the
later run. Releasing a quarantined row adds a release, it deletes nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, StoreCorrupt, StoreUnavailable

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    facts TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS findings (
    finding INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL,
    symbol TEXT NOT NULL,
    day TEXT NOT NULL,
    at TEXT NOT NULL,
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    cell TEXT NOT NULL,
    source TEXT NOT NULL,
    source_row INTEGER NOT NULL,
    detail TEXT NOT NULL,
    raw TEXT,
    first_run INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    UNIQUE (dataset, symbol, at, rule, cell, source, source_row)
);
CREATE INDEX IF NOT EXISTS findings_by_day ON findings (dataset, day, symbol);
CREATE INDEX IF NOT EXISTS findings_by_run ON findings (last_run, rule);
CREATE TABLE IF NOT EXISTS batches (
    run INTEGER NOT NULL REFERENCES runs,
    symbol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    rows INTEGER NOT NULL,
    first TEXT,
    last TEXT,
    digest TEXT NOT NULL,
    PRIMARY KEY (run, symbol)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS releases (
    finding INTEGER NOT NULL REFERENCES findings,
    at TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS releases_by_finding ON releases (finding);
"""

_COLUMNS = [
    "finding",
    "dataset",
    "symbol",
    "day",
    "at",
    "rule",
    "severity",
    "cell",
    "source",
    "source_row",
    "detail",
    "raw",
    "first_run",
    "last_run",
]
_RESULT = pl.Schema(
    {
        c: pl.Int64() if c in {"finding", "source_row", "first_run", "last_run"} else pl.String()
        for c in _COLUMNS
    }
    | {"released": pl.Boolean()}
)


@dataclass(frozen=True, slots=True)
class Run:
    """One import, sync or audit, as the ledger keeps it."""

    run: int
    dataset: str
    kind: str
    source: str
    started: str
    finished: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one symbol's rows of a run came from; first and last are days, None if the answer was empty."""

    symbol: str
    endpoint: str
    fetched_at: str
    rows: int
    first: str | None
    last: str | None
    digest: str


class Ledger:
    """Findings and provenance of one data folder.

    Parameters
    ----------
    folder : Path
        Holds `ledger.sqlite`; both are made on first use.
    clock : Clock

    Raises
    ------
    StoreUnavailable
        If the file cannot be opened or stays locked.
    StoreCorrupt
        If the file is not a ledger.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.path = folder / "ledger.sqlite"
        self._clock = clock
        self._prepared = False

    def begin(self, dataset: str, kind: str, source: str, facts: Mapping[str, Any]) -> int:
        """Open a run and return its number."""
        with self._connection() as db:
            row = db.execute(
                "INSERT INTO runs (dataset, kind, source, started, facts) VALUES (?, ?, ?, ?, ?) RETURNING run",
                (dataset, kind, source, self._now(), _json(facts)),
            ).fetchone()
        return int(row[0])

    def record(self, run: int, dataset: str, source: str, findings: pl.DataFrame) -> None:
        """Add findings (in `checker.FINDING_SCHEMA`); one already there is marked as seen by this run."""
        if not findings.height:
            return
        rows = findings.select(
            pl.lit(dataset),
            pl.col("symbol").fill_null(""),
            pl.col("day").cast(pl.String).fill_null(""),
            pl.col("at").fill_null(""),
            "rule",
            "severity",
            "cell",
            pl.lit(source).alias("source"),
            "source_row",
            "detail",
            "raw",
            pl.lit(run).alias("first_run"),
            pl.lit(run).alias("last_run"),
        )
        marks = ", ".join("?" * len(rows.columns))
        sql = (
            f"INSERT INTO findings ({', '.join(_COLUMNS[1:])}) VALUES ({marks}) "  # noqa: S608 - constants
            "ON CONFLICT DO UPDATE SET last_run = excluded.last_run, detail = excluded.detail"
        )
        with self._connection() as db:
            db.executemany(sql, rows.iter_rows())

    def finish(self, run: int, facts: Mapping[str, Any]) -> None:
        """Close a run, adding facts to those it began with."""
        with self._connection() as db:
            (old,) = db.execute("SELECT facts FROM runs WHERE run = ?", (run,)).fetchone()
            merged = json.loads(old) | dict(facts)
            db.execute(
                "UPDATE runs SET finished = ?, facts = ? WHERE run = ?", (self._now(), _json(merged), run)
            )

    def runs(self, dataset: str | None = None, limit: int = 100) -> list[Run]:
        """Return the latest runs, newest first. One without `finished` was cut short."""
        where, values = ("WHERE dataset = ?", (dataset,)) if dataset else ("", ())
        sql = f"SELECT * FROM runs {where} ORDER BY run DESC LIMIT ?"  # noqa: S608 - constants
        with self._connection() as db:
            rows = db.execute(sql, (*values, limit)).fetchall()
        return [Run(r[0], r[1], r[2], r[3], r[4], r[5], json.loads(r[6])) for r in rows]

    def unfinished(self, dataset: str, kind: str, source: str, facts: Mapping[str, Any]) -> int | None:
        """Return the newest run of this kind if it was cut short and began with the same facts, else None."""
        where = "dataset = ? AND kind = ? AND source = ?"
        sql = f"SELECT run, finished, facts FROM runs WHERE {where} ORDER BY run DESC LIMIT 1"  # noqa: S608 - constants
        with self._connection() as db:
            row = db.execute(sql, (dataset, kind, source)).fetchone()
        if row is None or row[1] is not None or json.loads(row[2]) != json.loads(_json(facts)):
            return None
        return int(row[0])

    def record_batches(self, run: int, batches: Sequence[Provenance]) -> None:
        """Note where rows of a run came from, once they are stored."""
        rows = [(run, b.symbol, b.endpoint, b.fetched_at, b.rows, b.first, b.last, b.digest) for b in batches]
        with self._connection() as db:
            db.executemany("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def batches(self, run: int) -> list[Provenance]:
        """Return what is noted of a run, by symbol."""
        columns = "symbol, endpoint, fetched_at, rows, first, last, digest"
        sql = f"SELECT {columns} FROM batches WHERE run = ? ORDER BY symbol"  # noqa: S608 - constants
        with self._connection() as db:
            rows = db.execute(sql, (run,)).fetchall()
        return [Provenance(*row) for row in rows]

    def findings(
        self,
        dataset: str | None = None,
        *,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
        rule: str | None = None,
        severity: str | None = None,
        run: int | None = None,
        limit: int = 1_000,
    ) -> pl.DataFrame:
        """Return findings, in order of symbol and day; `released` says whether a quarantined row was let in.

        Parameters
        ----------
        dataset, symbols, start, end, rule, severity : optional
            Filters; days are inclusive.
        run : int or None
            Only what this run saw.
        limit : int
            At most so many rows.
        """
        where, values = _filters(dataset, symbols, start, end, rule, severity, run)
        sql = (
            f"SELECT {', '.join(_COLUMNS)}, "  # noqa: S608 - constants; values are bound
            "EXISTS (SELECT 1 FROM releases WHERE releases.finding = findings.finding) "
            f"FROM findings {where} ORDER BY symbol, day, at, rule LIMIT ?"
        )
        with self._connection() as db:
            rows = db.execute(sql, (*values, limit)).fetchall()
        return pl.DataFrame([(*r[:-1], bool(r[-1])) for r in rows], schema=_RESULT, orient="row")

    def counts(self, dataset: str | None = None, *, run: int | None = None) -> pl.DataFrame:
        """Return the number of findings by dataset, rule and severity, most frequent first."""
        where, values = _filters(dataset, None, None, None, None, None, run)
        sql = (
            "SELECT dataset, rule, severity, count(*), count(DISTINCT symbol), min(day), max(day) "  # noqa: S608
            f"FROM findings {where} GROUP BY dataset, rule, severity ORDER BY 4 DESC, rule"
        )
        with self._connection() as db:
            rows = db.execute(sql, values).fetchall()
        text, whole = pl.String(), pl.Int64()
        schema = {"dataset": text, "rule": text, "severity": text, "findings": whole, "symbols": whole}
        return pl.DataFrame(rows, schema=schema | {"first": text, "last": text}, orient="row")

    def quarantined(self, dataset: str, findings: Sequence[int]) -> dict[int, str]:
        """Return the raw rows (JSON) of those findings that are quarantined rows of the dataset."""
        sql = (
            "SELECT finding, raw FROM findings WHERE dataset = ? AND severity = 'quarantine' AND raw IS NOT NULL "
            "AND finding IN (SELECT value FROM json_each(?))"
        )
        with self._connection() as db:
            return dict(db.execute(sql, (dataset, json.dumps(list(findings)))).fetchall())

    def release(self, findings: Sequence[int], reason: str) -> None:
        """Note that these quarantined rows were let in after all, and why.

        Raises
        ------
        InvalidRequest
            If no reason is given, or a number is no quarantine finding.
        """
        if not reason.strip():
            raise InvalidRequest("releasing a row needs a reason")
        with self._connection() as db:
            for finding in findings:
                row = db.execute("SELECT severity FROM findings WHERE finding = ?", (finding,)).fetchone()
                if row is None or row[0] != "quarantine":
                    raise InvalidRequest(
                        f"finding {finding} is {'unknown' if row is None else 'not a quarantined row'}"
                    )
                db.execute("INSERT INTO releases VALUES (?, ?, ?)", (finding, self._now(), reason))

    def close(self) -> None:
        """Fold the write-ahead log into the file. Nothing stays open between calls, so this may be left out."""
        if not self.path.exists():
            return
        with self._connection() as db:
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _now(self) -> str:
        return self._clock.now().isoformat()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """One transaction on a connection of its own: safe from any thread or process, nothing to close later."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=30.0)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                if not self._prepared:
                    db.executescript(_TABLES)
                    self._prepared = True
                with db:
                    yield db
            finally:
                db.close()
        except (sqlite3.OperationalError, OSError) as exc:
            raise StoreUnavailable(f"the quality ledger {self.path.name} cannot be used: {exc}") from exc
        except sqlite3.DatabaseError as exc:
            raise StoreCorrupt(
                f"the quality ledger {self.path.name} is damaged: {exc}", str(self.path)
            ) from exc


def _filters(
    dataset: str | None,
    symbols: Sequence[str] | None,
    start: date | None,
    end: date | None,
    rule: str | None,
    severity: str | None,
    run: int | None,
) -> tuple[str, list[Any]]:
    parts: list[tuple[str, Any]] = [
        ("dataset = ?", dataset),
        ("day >= ?", start and start.isoformat()),
        ("day <= ?", end and end.isoformat()),
        ("rule = ?", rule),
        ("severity = ?", severity),
        ("? BETWEEN first_run AND last_run", run),
    ]
    chosen = [(text, value) for text, value in parts if value is not None]
    values = [value for _, value in chosen]
    conditions = [text for text, _ in chosen]
    if symbols is not None:
        conditions.append("symbol IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(symbols)))
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values


def _json(facts: Mapping[str, Any]) -> str:
    def plain(value: object) -> str:
        if isinstance(value, (date, datetime)):
            return value.isoformat()
        return str(value)

    return json.dumps(dict(facts), ensure_ascii=False, default=plain)
