"""Computes expressions over a panel: the simple way in. `program` has the parts for everything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from quantflux.core.panel import Panel
from quantflux.expressions.nodes import Node
from quantflux.expressions.program.flow import ArraySink, PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import quote
from quantflux.expressions.program.run import Shape, run


def evaluate(
    expressions: Node | Mapping[str, Node],
    panel: Panel,
    *,
    dtype: type = np.float64,
    threads: int | None = None,
    max_bytes: int | None = None,
    shape: Shape | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Panel:
    """Return a panel with one field for each expression.

    Parameters
    ----------
    expressions : Node or mapping of str to Node
        One expression gives a field called `value`.
    panel : Panel
        Holds the fields that they read; NaN means not traded, and an infinite number counts as NaN.
    dtype : {np.float64, np.float32}
        Of the results; the computation itself is in float64.
    threads : int, optional
        All processors unless given.
    max_bytes : int, optional
        The most memory for the run and its results.
    shape : Shape, optional
        How to cut the run, instead of having it chosen. It changes no bit of the results.
    progress, cancelled : callable
        See `program.run.run`.

    Raises
    ------
    NotFound
        If the panel lacks a field.
    InvalidRequest
        If an expression reads no field, or the memory does not suffice.

    Examples
    --------
    >>> from quantflux.expressions import Field, parse
    >>> days = np.arange("2024-01-02", "2024-01-06", dtype="datetime64[D]")
    >>> close = np.array([[1.0, 8.0], [2.0, 4.0], [3.0, 2.0], [6.0, 1.0]])
    >>> panel = Panel(days, ["A", "B"], {"close": close})
    >>> evaluate(parse("rank(close / delay(close, 1))"), panel)["value"].tolist()
    [[nan, nan], [1.0, 0.5], [1.0, 0.5], [1.0, 0.5]]
    """
    named = {"value": expressions} if isinstance(expressions, Node) else expressions
    program = Program(named)
    source = PanelSource(panel, program.fields)
    rows, columns = panel.shape
    if shape is None:
        held = len(named) * rows * columns * np.dtype(dtype).itemsize
        shape = quote(program, rows, columns, threads=threads, max_bytes=max_bytes, held_bytes=held).shape
    program.compile()
    sink = ArraySink(len(named), panel.shape, dtype)
    run(program, source, sink, shape=shape, progress=progress, cancelled=cancelled)
    return Panel(panel.times, panel.symbols, dict(zip(named, sink.arrays, strict=True)))
