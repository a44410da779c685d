"""What a run carries from row to row, so that it can go on later as if it had never stopped."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Self

import numpy as np

from quantflux.core.errors import StoreCorrupt
from quantflux.expressions.program.schedule import Schedule

_MAGIC = b"quantflux state 1\n"


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
    def columns(self) -> int:
        """Symbols."""
        groups = (*self.local_tails, *self.wide_tails, *self.states)
        return groups[0].shape[1] if groups else 0

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(a.nbytes for a in (*self.local_tails, *self.wide_tails, *self.states))

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
        """Return it as bytes: a line of JSON, then the arrays one after the other."""
        head = {
            "digest": self.digest,
            "rows": self.rows,
            "columns": self.columns,
            "heights": [
                [len(a) for a in group] for group in (self.local_tails, self.wide_tails, self.states)
            ],
        }
        out = io.BytesIO()
        out.write(_MAGIC)
        out.write(json.dumps(head).encode() + b"\n")
        for array in (*self.local_tails, *self.wide_tails, *self.states):
            out.write(np.ascontiguousarray(array).tobytes())
        return out.getvalue()

    @classmethod
    def decode(cls, content: bytes, path: str = "") -> Self:
        """Return a state from its bytes.

        Raises
        ------
        StoreCorrupt
            If they are cut short or of another form.
        """
        try:
            magic, line, rest = content.split(b"\n", 2)
            if magic + b"\n" != _MAGIC:
                raise ValueError("unknown form")
            head = json.loads(line)
            columns = int(head["columns"])
            numbers = np.frombuffer(rest, dtype=np.float64)
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
        except (ValueError, KeyError, TypeError) as error:
            raise StoreCorrupt(f"{path or 'a saved state'} cannot be read: {error}", path) from error
