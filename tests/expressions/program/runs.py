"""Runs of the engine in one go and in pieces, for comparing their bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from quantflux.core.panel import Panel
from quantflux.expressions.nodes import Node
from quantflux.expressions.program.flow import ArraySink, PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.run import Shape, run
from quantflux.expressions.program.state import State

Array = np.ndarray

ONE_PIECE = Shape(4096, 4096, 1)


def named(roots: Sequence[Node]) -> dict[str, Node]:
    """Return expressions by made-up names."""
    return {f"v{i}": root for i, root in enumerate(roots)}


def rows_of(panel: Panel, first: int, last: int) -> Panel:
    """Return some rows of a panel."""
    return Panel(panel.times[first:last], panel.symbols, {n: a[first:last] for n, a in panel.fields.items()})


def columns_of(panel: Panel, positions: Sequence[int]) -> Panel:
    """Return some symbols of a panel."""
    chosen = list(positions)
    return Panel(panel.times, panel.symbols[chosen], {n: a[:, chosen] for n, a in panel.fields.items()})


def fed(
    program: Program, panel: Panel, shape: Shape = ONE_PIECE, state: State | None = None
) -> tuple[Array, State]:
    """Return what a program gives for a panel's rows, shape (expressions, T, N), and the state after them."""
    sink = ArraySink(len(program.names), panel.shape, np.float64)
    after = run(program, PanelSource(panel, program.fields), sink, shape=shape, state=state)
    return sink.arrays, after


def compute(roots: Sequence[Node], panel: Panel, shape: Shape = ONE_PIECE) -> Array:
    """Return the values of expressions over a whole panel, shape (expressions, T, N)."""
    return fed(Program(named(roots)), panel, shape)[0]


def in_pieces(program: Program, panel: Panel, cuts: Sequence[int], shape: Shape = ONE_PIECE) -> Array:
    """Return the same from consecutive runs that begin at these rows, each from the saved state of the one before."""
    state: State | None = None
    parts = []
    edges = [0, *cuts, len(panel)]
    for first, last in pairwise(edges):
        values, after = fed(program, rows_of(panel, first, last), shape, state)
        state = State.decode(after.encode())
        parts.append(values)
    return np.concatenate(parts, axis=1)


def assert_same_bits(found: Array, expected: Array, names: Mapping[str, Node] | Sequence[str]) -> None:
    """Assert that values of shape (expressions, T, N) are the same to the last bit; name the first that are not."""
    for name, one, two in zip(names, found, expected, strict=True):
        differs = ~((one == two) | (np.isnan(one) & np.isnan(two)))
        if differs.any():
            t, j = np.argwhere(differs)[0].tolist()
            raise AssertionError(f"{name} at row {t}, column {j}: {one[t, j]!r} instead of {two[t, j]!r}")
