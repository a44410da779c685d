"""What a run carries from row to row, so that it can go on later as if it had never stopped."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np

from quantflux.core.errors import StoreCorrupt
from quantflux.expressions.program.schedule import Schedule

_MAGIC = b"quantflux state 2\n"


@dataclass(frozen=True)
class State:
    """Tails and kernel states after some rows.

    Attributes
    ----------
    digest : str
        Of the program it belongs to.
    rows : int
        Rows run so far, from the first row of the data.
    local_tails, wide_tails, states : list of array
        Each of shape (rows of past or state, N).
    """

    digest: str
    rows: int
    local_tails: list[np.ndarray]
    wide_tails: list[np.ndarray]
    states: list[np.ndarray]

    @classmethod
    def fresh(cls, digest: str, schedule: Schedule, columns: int) -> Self:
        """Return the state before the first row."""

        def arrays(heights: list[int], value: float) -> list[np.ndarray]:
            return [np.full((height, columns), value) for height in heights]

        return cls(
            digest,
            0,
            arrays(schedule.local_tails, np.nan),
            arrays(schedule.wide_tails, np.nan),
            arrays(schedule.states, 0.0),
        )

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All of them, in the order in which they are written."""
        return (*self.local_tails, *self.wide_tails, *self.states)

    @property
    def columns(self) -> int:
        """Symbols; 0 if it carries nothing, and so goes with any number of them."""
        return self.arrays[0].shape[1] if self.arrays else 0

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(a.nbytes for a in self.arrays)

    def on_columns(self, positions: np.ndarray, columns: int) -> State:
        """Return the state on more symbols: its own go to `positions`, the others have had no row yet."""

        def moved(array: np.ndarray, value: float) -> np.ndarray:
            wider = np.full((len(array), columns), value)
            wider[:, positions] = array
            return wider

        return State(
            self.digest,
            self.rows,
            [moved(a, np.nan) for a in self.local_tails],
            [moved(a, np.nan) for a in self.wide_tails],
            [moved(a, 0.0) for a in self.states],
        )

    def encode(self) -> bytes:
        """Return it as bytes: a line with the checksum of the rest, a line of JSON, the arrays one after the other."""
        head = {
            "digest": self.digest,
            "rows": self.rows,
            "columns": self.columns,
            "heights": [
                [len(a) for a in group] for group in (self.local_tails, self.wide_tails, self.states)
            ],
        }
        parts = [json.dumps(head).encode() + b"\n", *(np.ascontiguousarray(a).tobytes() for a in self.arrays)]
        checksum = 0
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        return b"".join([_MAGIC, b"%08x\n" % checksum, *parts])

    @classmethod
    def decode(cls, content: bytes, path: str = "") -> Self:
        """Return a state from its bytes.

        Raises
        ------
        StoreCorrupt
            If they are cut short, of another form, or not what was written.
        """
        try:
            (magic, checksum, line), start = _first_lines(content, 3)
            if magic + b"\n" != _MAGIC:
                raise ValueError("unknown form")
            if checksum != b"%08x" % zlib.crc32(memoryview(content)[len(magic) + len(checksum) + 2 :]):
                raise ValueError("the checksum does not fit")
            head = json.loads(line)
            columns = int(head["columns"])
            numbers = np.frombuffer(content, dtype=np.float64, offset=start)
            groups, position = [], 0
            for heights in head["heights"]:
                group = []
                for height in heights:
                    size = height * columns
                    group.append(numbers[position : position + size].reshape(height, columns).copy())
                    position += size
                groups.append(group)
            if position != len(numbers):
                raise ValueError(f"{len(numbers)} numbers instead of {position}")
            return cls(str(head["digest"]), int(head["rows"]), *groups)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise StoreCorrupt(f"{path or 'a saved state'} cannot be read: {error}", path) from error


def _first_lines(content: bytes, count: int) -> tuple[list[bytes], int]:
    """Return the first lines, and where the rest begins; `ValueError` if there are fewer."""
    lines, start = [], 0
    for _ in range(count):
        end = content.index(b"\n", start)
        lines.append(content[start:end])
        start = end + 1
    return lines, start
