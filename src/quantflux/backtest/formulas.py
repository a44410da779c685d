"""The expressions of a run: what their texts mean, and their values on the arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.backtest.arena import Arena
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.expressions.labels import horizon_of
from quantflux.expressions.nodes import OPERATORS, Field, Node
from quantflux.expressions.program.flow import ArraySink, PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import left_of, quote
from quantflux.expressions.program.run import run
from quantflux.expressions.text import to_text
from quantflux.factors.fields import catalogue, load_fields
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Hooks


@dataclass(frozen=True)
class Formula:
    """What a text of a run file means.

    Attributes
    ----------
    text : str
        As it was written: a factor's name or an expression.
    node : Node
    orientation : {1, -1}
        -1 if it names a factor of which less is better.
    """

    text: str
    node: Node
    orientation: int = 1

    @property
    def told(self) -> dict[str, str]:
        """The canonical text, in which no name is left, and the digest of the expression."""
        return {"text": to_text(self.node), "digest": self.node.digest}


def formula(registry: FactorRegistry, text: str, key: str) -> Formula:
    """Return what a text means; `key` is where it stands in the run file.

    Raises
    ------
    NotFound
        If it is a name, but of no factor or field.
    InvalidRequest
        If it is no expression, reads no field, or looks into the future.
    """
    try:
        found = _meaning(registry, text)
    except NotFound as error:
        raise NotFound(f"{key}: {error}") from error
    except InvalidRequest as error:
        raise InvalidRequest(f"{key}: {error}") from error
    if ahead := horizon_of(found.node):
        raise InvalidRequest(f"{key}: looks {ahead} rows ahead; what is known only later cannot be traded on")
    return found


def _meaning(registry: FactorRegistry, text: str) -> Formula:
    if text not in catalogue():
        try:
            factor = registry.get(text)
        except NotFound:
            if text.replace(".", "").isidentifier():
                raise
        else:
            return Formula(text, factor.node, factor.orientation or 1)
    return Formula(text, registry.parse(text))


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
