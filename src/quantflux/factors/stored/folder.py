"""The files of one set of factors that were computed together.

``meta.json`` says what is there and is replaced whole; what it names is never changed, only added to, so a reader sees
the old values or the new ones. Values lie in segments: runs of rows, each a file of float32 numbers, row by row,
factor by factor (rows x factors x columns). A symbol has the same column in every segment. Columns are given out in
the order in which symbols arrive, and a segment has some to spare, so that a day more is appended even when a symbol
is listed on it. Rows beyond what ``meta.json`` counts are what a killed writer left.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from quantflux.core.errors import StoreCorrupt
from quantflux.core.folder_lock import LOCK
from quantflux.expressions.program.state import State
from quantflux.factors.fields import StandIns

FORMAT = 2
META = "meta.json"
_PREPARED = f"{META}.new"
ITEM = 4
"""Bytes of a value."""


@dataclass(frozen=True)
class SegmentEntry:
    """One segment: its file, how many of its rows count, and its columns, spare ones included."""

    name: str
    rows: int
    columns: int


@dataclass(frozen=True)
class StateEntry:
    """One state: its file, after how many rows it is, and how many symbols had arrived."""

    name: str
    rows: int
    symbols: int


@dataclass(frozen=True)
class Meta:
    """What a folder holds.

    Attributes
    ----------
    engine : str
        What computed the values: digest of the program whose states these are, and release of quantflux.
    names : tuple of str
        The factors, in the order of the values.
    symbols : tuple of str
        In the order of their columns.
    versions : mapping of str to (identity, version)
        The datasets that the values reflect.
    days : tuple of int
        Of the rows, as days since 1970.
    segments : tuple of SegmentEntry
    states : tuple of StateEntry
        By rows; the last one is after the last row.
    stand_ins : StandIns
        What the fields took for data that no day had.
    reason : str
        Why the last computation took the course it took.
    """

    engine: str
    names: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    versions: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    days: tuple[int, ...] = ()
    segments: tuple[SegmentEntry, ...] = ()
    states: tuple[StateEntry, ...] = ()
    stand_ins: StandIns = field(default_factory=StandIns)
    reason: str = ""

    def encode(self) -> bytes:
        """Return it as JSON, sealed with a checksum."""
        raw = json.dumps({"format": FORMAT} | asdict(self), separators=(",", ":")).encode()
        return b"%08x\n" % zlib.crc32(raw) + raw

    @classmethod
    def decode(cls, raw: bytes) -> Meta | None:
        """Read what `encode` wrote; None if it is of another format.

        Raises
        ------
        ValueError
            If it is torn.
        """
        seal, _, body = raw.partition(b"\n")
        if seal != b"%08x" % zlib.crc32(body):
            raise ValueError("it fails its checksum")
        told = json.loads(body)
        if told.pop("format") != FORMAT:
            return None
        stand_ins = told.pop("stand_ins")
        return cls(
            engine=told["engine"],
            names=tuple(told["names"]),
            symbols=tuple(told["symbols"]),
            versions={name: (identity, version) for name, (identity, version) in told["versions"].items()},
            days=tuple(told["days"]),
            segments=tuple(SegmentEntry(**entry) for entry in told["segments"]),
            states=tuple(StateEntry(**entry) for entry in told["states"]),
            stand_ins=StandIns(tuple(stand_ins["unadjusted"]), stand_ins["typical_price"]),
            reason=told["reason"],
        )

    def cut(self, state: StateEntry) -> Meta:
        """Return it with the rows before one of its states alone."""
        segments, left = [], state.rows
        for entry in self.segments:
            if left > 0:
                segments.append(replace(entry, rows=min(entry.rows, left)))
            left -= entry.rows
        return replace(
            self,
            symbols=self.symbols[: state.symbols],
            days=self.days[: state.rows],
            segments=tuple(segments),
            states=tuple(s for s in self.states if s.rows <= state.rows),
        )


class SetFolder:
    """Reads and writes the files of one set, all but the values. Whoever writes holds the folder's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Meta | None:
        """Return what the folder holds; None if nothing, or nothing that this release reads.

        Raises
        ------
        StoreCorrupt
            If what it holds is damaged.
        """
        path = self.path / META
        try:
            return Meta.decode(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise StoreCorrupt(f"{path} cannot be read: {error}", str(path)) from error

    def prepare(self, meta: Meta) -> None:
        """Write down what the folder will hold. Nobody sees it yet."""
        (self.path / _PREPARED).write_bytes(meta.encode())

    def publish(self, meta: Meta) -> None:
        """Let everybody see what was prepared, and delete what it no longer names."""
        (self.path / _PREPARED).replace(self.path / META)
        self.sweep(meta)

    def sweep(self, meta: Meta | None) -> None:
        """Delete files that are not named, as far as that is possible."""
        named = {LOCK, META}
        if meta is not None:
            named |= {entry.name for entry in meta.segments} | {entry.name for entry in meta.states}
        for child in self.path.iterdir():
            if child.name not in named:
                with contextlib.suppress(OSError):
                    child.unlink()

    def new_name(self, kind: str, ending: str) -> str:
        """Return a name that no file of the folder has."""
        numbers = (path.stem.rpartition("-")[2] for path in self.path.glob("*-*.*"))
        return f"{kind}-{1 + max((int(n) for n in numbers if n.isdigit()), default=0)}.{ending}"

    def check(self, meta: Meta) -> None:
        """Raise `StoreCorrupt` if a segment has fewer rows than it should."""
        for entry in meta.segments:
            path = self.path / entry.name
            found = path.stat().st_size if path.exists() else 0
            wanted = entry.rows * len(meta.names) * entry.columns * ITEM
            if found < wanted:
                raise StoreCorrupt(f"{path} has {found:,} bytes instead of {wanted:,}", str(path))

    def read_state(self, entry: StateEntry) -> State:
        """Return a state; `StoreCorrupt` if it is damaged."""
        path = self.path / entry.name
        try:
            raw = path.read_bytes()
        except FileNotFoundError as error:
            raise StoreCorrupt(f"{path} is missing", str(path)) from error
        seal, body = raw[:8], memoryview(raw)[8:]
        if seal != b"%08x" % zlib.crc32(body):
            raise StoreCorrupt(f"{path} fails its checksum", str(path))
        return State.decode(bytes(body), str(path))

    def write_state(self, state: State, symbols: int) -> StateEntry:
        """Keep a state."""
        entry = StateEntry(self.new_name("state", "bin"), state.rows, symbols)
        body = state.encode()
        with (self.path / entry.name).open("xb") as out:
            out.write(b"%08x" % zlib.crc32(body))
            out.write(body)
        return entry

    def touch(self) -> None:
        """Note that the set is in use. Without the right to, eviction just knows less."""
        with contextlib.suppress(OSError):
            os.utime(self.path / META)

    def last_used(self) -> float:
        """Return when the set was last used, in seconds since 1970; 0 if nothing can be said."""
        try:
            return (self.path / META).stat().st_mtime
        except OSError:
            return 0.0

    def bytes(self) -> int:
        """Return what the folder takes on disk."""
        total = 0
        for child in self.path.iterdir():
            with contextlib.suppress(FileNotFoundError):  # swept meanwhile
                total += child.stat().st_size
        return total

    def delete(self) -> None:
        """Delete all of it. Who waits for the lock makes the folder anew."""
        (self.path / META).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)
