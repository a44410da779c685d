"""Computes rows behind those that a set holds already, and adds them to its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from quantflux.core.panel import Panel
from quantflux.expressions.program.flow import PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import Quote
from quantflux.expressions.program.run import run
from quantflux.expressions.program.state import State
from quantflux.factors.stored.folder import ITEM, Meta, SegmentEntry, SetFolder, StateEntry
from quantflux.factors.stored.segments import SegmentWriter

CHECKPOINT_ROWS = 250
"""A state is kept after each year of days, about."""

KEPT_STATES = 4
"""How many of those; an older change means computing everything. Kept besides are the last state, and the last but one:
what is mended most often is the newest day."""


@dataclass(frozen=True)
class Hooks:
    """How a long computation speaks and listens."""

    quoted: Callable[[Quote], None] = lambda _: None
    compiled: Callable[[int, int], None] = lambda done, total: None
    progress: Callable[[int, int], None] = lambda done, total: None
    cancelled: Callable[[], bool] = lambda: False


def width_of(symbols: int) -> int:
    """Return how many columns a new segment gets: some are left for symbols that are listed later."""
    return symbols + max(symbols // 32, 16)


def append(
    folder: SetFolder,
    base: Meta,
    program: Program,
    panel: Panel,
    begin: State | None,
    estimate: Quote,
    hooks: Hooks,
) -> Meta:
    """Compute the rows of a panel, and return what the folder holds with them: prepared, for the caller to publish.

    Parameters
    ----------
    base : Meta
        What stays of what the folder holds.
    panel : Panel
        The rows behind it. Its symbols are those of `base` and any others.
    begin : State, optional
        After the rows of `base`, on its symbols; None if it has no rows.
    """
    known = set(base.symbols)
    symbols = (*base.symbols, *(s for s in panel.symbols.tolist() if s not in known))
    place = {symbol: column for column, symbol in enumerate(symbols)}
    columns = np.array([place[s] for s in panel.symbols.tolist()], dtype=np.intp)
    entry = _segment_for(folder, base, len(symbols))
    last = len(base.days) + len(panel)
    states: list[StateEntry] = []

    def keep(state: State) -> None:
        if last - state.rows < KEPT_STATES * CHECKPOINT_ROWS:
            states.append(folder.write_state(state, len(symbols)))

    writer = SegmentWriter(
        folder.path / entry.name, entry.rows, len(base.names), columns, entry.columns, estimate.shape.chunk
    )
    with writer:
        state = run(
            program,
            PanelSource(panel, program.fields),
            writer,
            shape=estimate.shape,
            state=None if begin is None else _moved(begin, base, panel),
            progress=hooks.progress,
            cancelled=hooks.cancelled,
            checkpoint=keep,
            checkpoint_rows=CHECKPOINT_ROWS,
        )
        writer.sync()
        if not states or states[-1].rows != state.rows:
            keep(state)
        after = replace(
            base,
            symbols=symbols,
            days=(*base.days, *panel.times.astype("datetime64[D]").astype(np.int64).tolist()),
            segments=(*(s for s in base.segments if s.name != entry.name), replace(entry, rows=writer.rows)),
            states=_worth_keeping((*base.states, *states)),
        )
        folder.prepare(after)
    return after


def _segment_for(folder: SetFolder, base: Meta, symbols: int) -> SegmentEntry:
    """Return the segment that takes new rows: the last one, if nothing stands behind its rows, or a new one."""
    if base.segments:
        entry = base.segments[-1]
        size = entry.rows * len(base.names) * entry.columns * ITEM
        # Rows that no longer count may still be read by somebody who came before they were replaced.
        if symbols <= entry.columns and (folder.path / entry.name).stat().st_size == size:
            return entry
    return SegmentEntry(folder.new_name("values", "f4"), 0, width_of(symbols))


def _moved(state: State, base: Meta, panel: Panel) -> State:
    """Return a state on the columns of a panel that has all of its symbols."""
    before = np.array(sorted(base.symbols), dtype=np.str_)
    return state.on_columns(np.searchsorted(panel.symbols, before), len(panel.symbols))


def _worth_keeping(states: tuple[StateEntry, ...]) -> tuple[StateEntry, ...]:
    regular = [s for s in states[:-1] if s.rows % CHECKPOINT_ROWS == 0][-KEPT_STATES:]
    return tuple(s for s in states if s in regular or s in states[-2:])
