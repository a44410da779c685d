"""The files of one set of factors that were computed together.

``meta.json`` says what is there and is replaced whole; everything else is only ever added, so a reader sees the old
values or the new ones. Values lie in segments: runs of rows with one symbol axis, each a file of float32 numbers,
row by row, factor by factor (rows x factors x symbols), so that a day more is appended. Rows beyond what
``meta.json`` counts are what a killed writer left, and are overwritten. States are files named by their rows.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.core.errors import StoreCorrupt
from quantflux.expressions.program.state import State

FORMAT = 1
META, LOCK = "meta.json", ".lock"
_ITEM = 4


@dataclass(frozen=True)
class SegmentEntry:
    """One segment: its file, its symbols, and how many of its rows count."""

    name: str
    rows: int
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Meta:
    """What a folder holds.

    Attributes
    ----------
    program : str
        Digest of the program whose states these are.
    names, texts, digests : tuple of str
        The factors, in the order of the values.
    versions : mapping of str to [identity, version]
        The datasets that the values reflect.
    days : tuple of int
        Of the rows, as days since 1970.
    segments : tuple of SegmentEntry
    states : tuple of int
        After how many rows a state is kept.
    last_row : int
        Checksum of what the fields were on the last day.
    reason : str
        Why the last computation took the course it took.
    """

    program: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    digests: tuple[str, ...]
    versions: dict[str, tuple[str, int]] = field(default_factory=dict)
    days: tuple[int, ...] = ()
    segments: tuple[SegmentEntry, ...] = ()
    states: tuple[int, ...] = ()
    last_row: int = 0
    reason: str = ""

    def encode(self) -> bytes:
        """Return it as JSON, sealed with a checksum."""
        body: dict[str, Any] = {"format": FORMAT} | {
            k: v for k, v in self.__dict__.items() if k != "segments"
        }
        body["segments"] = [[s.name, s.rows, list(s.symbols)] for s in self.segments]
        raw = json.dumps(body, separators=(",", ":")).encode()
        return b"%08x\n" % zlib.crc32(raw) + raw

    @classmethod
    def decode(cls, raw: bytes) -> Meta | None:
        """Read what `encode` wrote; None if it is torn or of another format."""
        seal, _, body = raw.partition(b"\n")
        if seal != b"%08x" % zlib.crc32(body):
            return None
        told = json.loads(body)
        if told.pop("format") != FORMAT:
            return None
        segments = tuple(SegmentEntry(n, r, tuple(s)) for n, r, s in told.pop("segments"))
        versions = {k: (str(v[0]), int(v[1])) for k, v in told.pop("versions").items()}
        return cls(
            program=told.pop("program"),
            versions=versions,
            segments=segments,
            last_row=told.pop("last_row"),
            reason=told.pop("reason"),
            **{k: tuple(v) for k, v in told.items()},
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol of any segment, sorted."""
        return tuple(sorted({s for entry in self.segments for s in entry.symbols}))

    def cut(self, rows: int) -> Meta:
        """Return it with the first rows alone."""
        kept, left = [], rows
        for entry in self.segments:
            if left > 0:
                kept.append(replace(entry, rows=min(entry.rows, left)))
            left -= entry.rows
        states = tuple(s for s in self.states if s <= rows)
        return replace(self, days=self.days[:rows], segments=tuple(kept), states=states)


class SetFolder:
    """Reads and writes the files of one set."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Meta | None:
        """Return what the folder holds; None if nothing that can be read."""
        try:
            return Meta.decode((self.path / META).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None

    def save(self, meta: Meta) -> None:
        """Publish what the folder holds. Call with the lock held."""
        temporary = self.path / f"{META}.new"
        temporary.write_bytes(meta.encode())
        temporary.replace(self.path / META)

    def sweep(self, meta: Meta) -> None:
        """Delete files that are no longer named."""
        named = {META, LOCK, *(s.name for s in meta.segments), *(_state_name(r) for r in meta.states)}
        for child in self.path.iterdir():
            if child.name not in named:
                child.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything that the folder holds. Call with the lock held."""
        (self.path / META).unlink(missing_ok=True)
        for child in self.path.iterdir():
            if child.name != LOCK:
                child.unlink(missing_ok=True)

    def file_rows(self, entry: SegmentEntry, factors: int) -> int:
        """Return how many rows a segment's file has room for."""
        row = factors * len(entry.symbols) * _ITEM
        return (self.path / entry.name).stat().st_size // row

    def mapped(self, entry: SegmentEntry, factors: int) -> np.ndarray:
        """Return the values of a segment, shape (rows, factors, symbols), mapped into memory.

        Raises
        ------
        StoreCorrupt
            If the file is shorter than it should be.
        """
        path, shape = self.path / entry.name, (entry.rows, factors, len(entry.symbols))
        try:
            return np.memmap(path, dtype="<f4", mode="r", shape=shape)
        except (ValueError, OSError) as error:
            raise StoreCorrupt(f"{path} does not hold {entry.rows} rows: {error}", str(path)) from error

    def read_state(self, rows: int) -> State:
        """Return the state after so many rows."""
        path = self.path / _state_name(rows)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise StoreCorrupt(f"{path} cannot be read: {error}", str(path)) from error
        seal, body = raw[:8], raw[8:]
        if seal != b"%08x" % zlib.crc32(body):
            raise StoreCorrupt(f"{path} fails its checksum", str(path))
        return State.decode(body, str(path))

    def write_state(self, state: State) -> None:
        """Keep a state."""
        body = state.encode()
        path = self.path / _state_name(state.rows)
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as out:
            out.write(b"%08x" % zlib.crc32(body))
            out.write(body)
        temporary.replace(path)

    def bytes(self) -> int:
        """Return what the folder takes on disk."""
        return sum(f.stat().st_size for f in self.path.iterdir() if f.is_file())


def _state_name(rows: int) -> str:
    return f"state-{rows}.bin"


class SegmentWriter:
    """A sink that appends rows to a segment's file.

    Parameters
    ----------
    path : Path
    rows : int
        How many rows of the file count; writing begins behind them.
    factors, symbols : int
    chunk : int
        The most rows that come at once.
    """

    def __init__(self, path: Path, rows: int, factors: int, symbols: int, chunk: int) -> None:
        self._buffer = np.empty((chunk, factors, symbols), dtype="<f4")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._file = os.fdopen(handle, "r+b")
        start = rows * factors * symbols * _ITEM
        self._file.truncate(start)
        self._file.seek(start)
        self.rows = rows

    def target(self, expression: int, first: int, rows: int) -> tuple[np.ndarray, int]:
        """Return where to put these rows of an expression."""
        return self._buffer[:, expression], 0

    def written(self, first: int, rows: int) -> None:
        """Write the rows of a chunk."""
        self._buffer[:rows].tofile(self._file)
        self.rows += rows

    def close(self) -> None:
        """Hand everything to the operating system."""
        self._file.close()


def assembled(
    folder: SetFolder, meta: Meta, factors: Sequence[int], rows: slice, symbols: Sequence[str]
) -> np.ndarray:
    """Return stored values of some factors, shape (factors, rows, symbols); NaN where there is none."""
    out = np.full((len(factors), rows.stop - rows.start, len(symbols)), np.nan, dtype=np.float32)
    wanted = np.array(symbols, dtype=np.str_)
    position = 0
    for entry in meta.segments:
        low, high = max(rows.start, position), min(rows.stop, position + entry.rows)
        if low < high:
            own = np.array(entry.symbols, dtype=np.str_)
            columns = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
            known = np.flatnonzero(own[columns] == wanted)
            values = folder.mapped(entry, len(meta.names))[low - position : high - position]
            for number, factor in enumerate(factors):
                out[number, low - rows.start : high - rows.start, known] = values[:, factor, columns[known]].T
        position += entry.rows
    return out
