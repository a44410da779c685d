"""Our own record of what InfluxDB acknowledged: it drops a damaged write-ahead log without a word.

One SQLite file a dataset holds a hash for every row, packed by series and stretch of time: 10 bytes a row. A write
goes through three steps, under a lock that lets one writer of a dataset in at a time:

1. *Announced*: the hashes of its rows are put aside, on disk, before anything is sent.
2. The rows are sent.
3. *Confirmed*: the hashes take the place of those of the same rows, before `write` returns.

A write that fails or dies between 1 and 3 may or may not have changed its rows. The next one to take the lock finds
its announcement, and notes for these rows that either version is right, and for new ones that they may be absent;
writing them again settles it. So a scrub never blames the server for an unknown outcome, and never overlooks a row
that was acknowledged.
"""

from __future__ import annotations

import fcntl
import io
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from quantflux.core.errors import OutcomeUnknown, StoreCorrupt, StoreUnavailable, Unsupported
from quantflux.data.adapters.influxdb.fingerprints import ABSENT, MINUTES_A_DAY, SEPARATOR, fingerprints
from quantflux.data.schema import Dataset, TimeKind

Confirm = Callable[[Collection[int]], None]
"""Called when the server has acknowledged the rows, with the places of those that it refused."""

_TABLES = """
CREATE TABLE IF NOT EXISTS blocks (
    series TEXT NOT NULL, block INTEGER NOT NULL, entries BLOB NOT NULL, PRIMARY KEY (series, block)
);
CREATE TABLE IF NOT EXISTS announced (write INTEGER PRIMARY KEY, rows BLOB NOT NULL);
"""
_UPSERT = "INSERT INTO blocks VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET entries = excluded.entries"

_ENTRY = np.dtype([("at", "<u2"), ("hash", "<u8")])
_BLOCK_TICKS = {TimeKind.DAY: 64, TimeKind.MINUTE: MINUTES_A_DAY}
"""Short enough that writing one day of all symbols rewrites little, long enough that a history is few blocks."""

_LOCK_SECONDS, _POLL_SECONDS = 600.0, 0.002
_AFTER_SEPARATOR = chr(ord(SEPARATOR) + 1)


class Manifest:
    """The record of one database.

    Parameters
    ----------
    folder : Path or None
        Made on first use; None keeps no record.
    place : str
        Name of the database or bucket, which file names begin with.
    """

    def __init__(self, folder: Path | None, place: str) -> None:
        self._folder = folder
        self._place = place
        self._open: dict[str, sqlite3.Connection] = {}

    @contextmanager
    def recording(self, data: Dataset, rows: pa.Table) -> Iterator[Confirm]:
        """Announce rows, let the caller send them, and take note when it calls what this yields.

        Raises
        ------
        StoreUnavailable
            If the record cannot be written, or other writers hold it too long; nothing was sent.
        OutcomeUnknown
            If it cannot be written after the rows were acknowledged.
        """
        if self._folder is None:
            yield lambda _: None
            return
        new = fingerprints(data, rows)
        with self.locked(data) as db:
            body = io.BytesIO()
            new.write_ipc(body, compression="lz4")
            with db:
                db.execute("INSERT INTO announced (rows) VALUES (?)", (body.getvalue(),))

            def confirm(refused: Collection[int]) -> None:
                stored = new if not refused else new[np.delete(np.arange(len(new)), list(refused))]
                try:
                    with self._translated(data), db:
                        _merge(db, data, stored, doubtful=False)
                        db.execute("DELETE FROM announced")
                except (StoreUnavailable, StoreCorrupt) as exc:
                    raise OutcomeUnknown(
                        f"{len(stored)} rows of {data.name} were stored, but not noted in the manifest ({exc});"
                        " send them again"
                    ) from exc

            yield confirm

    @contextmanager
    def locked(self, data: Dataset) -> Iterator[sqlite3.Connection]:
        """Keep all other writers of a dataset out, with the record up to date."""
        if self._folder is None:
            raise Unsupported("InfluxDB was opened without a manifest; give the option 'manifest' a folder")
        handle = self._lock(self._folder, data)
        try:
            with self._translated(data):
                db = self._connection(self._folder, data)
                with db:
                    _settle(db, data)
                yield db
        finally:
            # Closing alone would not free it while a forked child has the handle too.
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def _lock(self, folder: Path, data: Dataset) -> int:
        """Take the lock; the kernel frees it when the handle is closed or its process dies."""
        path = folder / f"{self._place}.{data.name}.lock"
        deadline = time.monotonic() + _LOCK_SECONDS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise StoreUnavailable(f"the manifest {path} cannot be used: {exc}") from exc
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(handle)
                    raise StoreUnavailable(
                        f"another writer has held {path} for {_LOCK_SECONDS:g} s"
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                return handle

    def _connection(self, folder: Path, data: Dataset) -> sqlite3.Connection:
        """Return the dataset's file. It stays open, used by one thread at a time: whoever has the lock."""
        db = self._open.get(data.name)
        if db is None:
            db = sqlite3.connect(self._path(folder, data), timeout=30.0, check_same_thread=False)
            db.execute("PRAGMA page_size = 8192")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_TABLES)
            self._open[data.name] = db
        return db

    def _path(self, folder: Path, data: Dataset) -> Path:
        return folder / f"{self._place}.{data.name}.sqlite"

    @contextmanager
    def _translated(self, data: Dataset) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as exc:
            raise StoreUnavailable(f"the manifest of {data.name} cannot be used: {exc}") from exc
        except sqlite3.DatabaseError as exc:
            raise StoreCorrupt(
                f"the manifest of {data.name} is damaged: {exc}; move {self._place}.{data.name}.sqlite away and begin"
                " a new one with quantflux data quality --adopt"
            ) from exc


def sizes(db: sqlite3.Connection, data: Dataset, first: int | None, last: int | None) -> dict[str, int]:
    """Return how many rows are on record, by symbol, in blocks that hold a tick of `first` to `last`."""
    size = _BLOCK_TICKS[data.kind]
    found: dict[str, int] = {}
    sql = "SELECT series, sum(length(entries)) FROM blocks WHERE block BETWEEN ? AND ? GROUP BY series"
    for series, length in db.execute(sql, _blocks(size, first, last)):
        symbol = series.partition(SEPARATOR)[0]
        found[symbol] = found.get(symbol, 0) + length // _ENTRY.itemsize
    return found


def expected(
    db: sqlite3.Connection, data: Dataset, symbols: Sequence[str], first: int | None, last: int | None
) -> pl.DataFrame:
    """Return what is on record of these symbols, as `fingerprints` does; a row in doubt has several hashes."""
    size = _BLOCK_TICKS[data.kind]
    sql = (
        "SELECT series, block, entries FROM blocks WHERE series >= ? AND series < ? AND block BETWEEN ? AND ?"
    )
    blocks = _blocks(size, first, last)
    rows = [r for s in symbols for r in db.execute(sql, (s, s + _AFTER_SEPARATOR, *blocks))]
    entries = np.frombuffer(b"".join(r[2] for r in rows), _ENTRY)
    counts = [len(r[2]) // _ENTRY.itemsize for r in rows]
    series = pl.Series([r[0] for r in rows], dtype=pl.String)
    places = np.repeat(np.arange(len(rows)), counts)
    starts = np.repeat(np.array([r[1] for r in rows], np.int64), counts) * size
    found = pl.DataFrame(
        {"series": series.gather(places), "tick": starts + entries["at"], "hash": entries["hash"].copy()}
    )
    low, high = first if first is not None else -(2**62), last if last is not None else 2**62
    return found.filter(pl.col("tick").is_between(low, high))


def note(db: sqlite3.Connection, data: Dataset, rows: pl.DataFrame) -> None:
    """Put rows, as `fingerprints` returns them, on record in a transaction of their own."""
    if rows.height:
        with db:
            _merge(db, data, rows.sort("series", "tick"), doubtful=False)


def _blocks(size: int, first: int | None, last: int | None) -> tuple[int, int]:
    return (-(2**62) if first is None else first // size, 2**62 if last is None else last // size)


def _settle(db: sqlite3.Connection, data: Dataset) -> None:
    """Note that rows of writes that never ended may or may not be as announced."""
    for (body,) in db.execute("SELECT rows FROM announced ORDER BY write").fetchall():
        _merge(db, data, pl.read_ipc(io.BytesIO(body)), doubtful=True)
    db.execute("DELETE FROM announced")


def _merge(db: sqlite3.Connection, data: Dataset, new: pl.DataFrame, *, doubtful: bool) -> None:
    """Put hashes into their blocks: instead of those of the same rows or, if doubtful, beside them."""
    size = _BLOCK_TICKS[data.kind]
    new = new.select("series", (pl.col("tick") // size).alias("block"), pl.col("tick") % size, "hash")
    if data.extra_keys:  # else the order of the key is this order already
        new = new.sort("series", "block", "tick")
    groups = new.group_by("series", "block", maintain_order=True).len()
    keys = list(groups.select("series", "block").iter_rows())
    sql = "SELECT entries FROM blocks WHERE series = ? AND block = ?"
    bodies = [(db.execute(sql, key).fetchone() or (b"",))[0] for key in keys]
    old = np.frombuffer(b"".join(bodies), _ENTRY)
    old_places = _places([len(body) // _ENTRY.itemsize for body in bodies], old["at"])
    places, hashes = _places(groups["len"].to_numpy(), new["tick"].to_numpy()), new["hash"].to_numpy()
    if doubtful:
        fresh = places[~np.isin(places, old_places)]
        places = np.concatenate([old_places, fresh, places])
        hashes = np.concatenate([old["hash"], np.full(len(fresh), ABSENT, np.uint64), hashes])
        pairs = pl.DataFrame({"place": places, "hash": hashes}).unique().sort("place")
        places, hashes = pairs["place"].to_numpy(), pairs["hash"].to_numpy()
    elif len(old):
        kept = ~np.isin(old_places, places)
        places = np.concatenate([old_places[kept], places])
        hashes = np.concatenate([old["hash"][kept], hashes])
        order = np.argsort(places, kind="stable")
        places, hashes = places[order], hashes[order]
    _put(db, keys, places, hashes)


def _places(lengths: Sequence[int] | np.ndarray, ats: np.ndarray) -> np.ndarray:
    """Return one sortable number for each entry: the group it belongs to, and its tick within the block."""
    return (np.repeat(np.arange(len(lengths)), lengths) << 16) + ats.astype(np.int64)


def _put(
    db: sqlite3.Connection, keys: Sequence[tuple[str, int]], places: np.ndarray, hashes: np.ndarray
) -> None:
    entries = np.empty(len(places), _ENTRY)
    entries["at"] = places & 0xFFFF
    entries["hash"] = hashes
    ends = (np.searchsorted(places, np.arange(len(keys) + 1) << 16) * _ENTRY.itemsize).tolist()
    body = entries.tobytes()
    db.executemany(_UPSERT, [(*key, body[ends[i] : ends[i + 1]]) for i, key in enumerate(keys)])
