"""The values of a run's formulas on the arena."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quantflux.backtest.arena import Arena
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.expressions.nodes import OPERATORS, Field
from quantflux.expressions.program.flow import ArraySink, PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import left_of, quote
from quantflux.expressions.program.run import run
from quantflux.factors.fields import load_fields
from quantflux.factors.formula import Formula
from quantflux.factors.stored import Hooks


def values_of(
    data: DataAccessLayer,
    formulas: Mapping[str, Formula],
    arena: Arena,
    *,
    hooks: Hooks | None = None,
    max_memory: int | None = None,
) -> tuple[dict[str, np.ndarray], Mapping[str, int]]:
    """Return the values of formulas on the arena, and the versions of the datasets they were made of.

    They are computed over all days up to the arena's last and all shares, as ranks are among all and some averages
    never end, and are NaN where the name did not trade.

    Returns
    -------
    values : dict of str to array of float64, shape (T, N)
    versions : mapping of str to int
    """
    if not formulas:
        return {}, {}
    told = hooks or Hooks()
    traded = Field("close")
    program = Program({key: OPERATORS["mask"](each.node, traded) for key, each in formulas.items()})
    venue = arena.venue
    loaded = load_fields(data, program.fields, end=venue.times[-1].item())
    rows, columns = loaded.panel.shape
    held = len(formulas) * rows * columns * 8
    cut = quote(program, rows, columns, max_bytes=left_of(max_memory), held_bytes=held)
    told.quoted(cut)
    program.compile(told.compiled)
    sink = ArraySink(len(formulas), loaded.panel.shape, np.float64)
    source = PanelSource(loaded.panel, program.fields)
    run(program, source, sink, shape=cut.shape, progress=told.progress, cancelled=told.cancelled)
    made = Panel(loaded.panel.times, loaded.panel.symbols, dict(zip(program.names, sink.arrays, strict=True)))
    same = np.array_equal(made.times, venue.times) and np.array_equal(made.symbols, venue.symbols)
    laid = made if same else made.reindex(times=venue.times, symbols=venue.symbols)
    return {key: laid[key] for key in formulas}, loaded.dataset_versions
