"""Where a run's fields come from and where its results go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from quantflux.core.errors import NotFound
from quantflux.core.panel import Panel


class Source(Protocol):
    """Fields of shape (rows, columns), read a piece at a time."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def read(self, field: str, rows: slice, columns: slice, out: np.ndarray) -> None:
        """Copy a piece of a field to `out`, as float64."""


class Sink(Protocol):
    """Takes results as they come: a chunk of rows of all expressions at a time."""

    def target(self, expression: int, first: int, rows: int) -> tuple[np.ndarray, int]:
        """Return an array of shape (.., N) for these rows of an expression, and which of its rows is the first."""

    def written(self, first: int, rows: int) -> None:
        """Hear that these rows of all expressions are complete."""


class PanelSource:
    """The fields of a panel, memory-mapped or not.

    Raises
    ------
    NotFound
        If the panel lacks one of the fields wanted.
    """

    def __init__(self, panel: Panel, fields: Sequence[str]) -> None:
        missing = [name for name in fields if name not in panel]
        if missing:
            raise NotFound(
                f"the panel has no field {', '.join(missing)}; it has: {', '.join(panel) or 'none'}"
            )
        self._fields: Mapping[str, np.ndarray] = {name: panel[name] for name in fields}
        self.shape = panel.shape

    def read(self, field: str, rows: slice, columns: slice, out: np.ndarray) -> None:
        """Copy a piece of a field."""
        out[:] = self._fields[field][rows, columns]


class ArraySink:
    """Keeps whole results in memory.

    Attributes
    ----------
    arrays : array of shape (expressions, T, N)
    """

    def __init__(self, expressions: int, shape: tuple[int, int], dtype: type = np.float32) -> None:
        self.arrays: np.ndarray = np.empty((expressions, *shape), dtype=dtype)

    def target(self, expression: int, first: int, rows: int) -> tuple[np.ndarray, int]:
        """Return the expression's array."""
        return self.arrays[expression], first

    def written(self, first: int, rows: int) -> None:
        """Nothing is left to do."""
