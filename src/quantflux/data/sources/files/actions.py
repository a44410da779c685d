"""Imports files of corporate actions, in the layouts of `ACTION_LAYOUTS`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.core.symbols import parse_symbol
from quantflux.data.contract import MarketStore, Span
from quantflux.data.quality import latest_day
from quantflux.data.schema import CORPORATE_ACTIONS
from quantflux.data.sources.files.action_rows import ACTION_LAYOUTS, ActionLayout, action_rows
from quantflux.data.sources.files.layouts import normal_header
from quantflux.data.sources.files.reading import Opened, batches, open_file
from quantflux.data.sources.upsert import write_changes


@dataclass(frozen=True, slots=True)
class ActionsReport:
    """What importing a file of corporate actions did.

    Attributes
    ----------
    layout : str
        Title of the file's layout.
    rows_read : int
        Rows of the file.
    planned : int
        Rows that are no actions: plans not carried out, without an ex-date or with one to come, or giving nothing.
    rows_refused : int
        Rows with a cell that could not be read; ignored.
    stored, unchanged : int
        Actions, one a symbol and ex-date, that were stored or were there already.
    span : Span or None
        First and last ex-date.
    """

    layout: str
    rows_read: int
    planned: int
    rows_refused: int
    stored: int
    unchanged: int
    symbols: int
    span: Span | None
    version: int


def import_actions(
    path: Path, store: MarketStore, *, clock: Clock, symbol: str | None = None, dry_run: bool = False
) -> ActionsReport:
    """Store the corporate actions of a file.

    Parameters
    ----------
    path : Path
        CSV or Parquet. A whole market's history is some hundred thousand rows, so it is read at once.
    store : MarketStore
    clock : Clock
        What goes ex later than tomorrow is still a plan.
    symbol : str, optional
        Of a file that names none, as Sina's tables do not.
    dry_run : bool
        Count only.

    Raises
    ------
    InvalidRequest
        If the header fits no layout, or names no symbol and none is given.
    InvalidData
        If the file is damaged, or none of its rows can be read.
    """
    opened = open_file(path)
    layout, mapping = _recognised(opened)
    if "symbol" not in mapping and symbol is None:
        raise InvalidRequest(f"{path.name} names no symbol; say whose actions they are with --symbol")
    frame = pl.concat(list(batches(opened, list(mapping.values()))))
    cells = frame.select(pl.col(theirs).alias(ours) for ours, theirs in mapping.items())
    read = action_rows(cells, layout, parse_symbol(symbol) if symbol is not None else "")
    if read.unreadable == frame.height:
        raise InvalidData(
            f"{path.name} has no readable corporate action; nothing was stored",
            dataset=CORPORATE_ACTIONS.name,
        )
    rows = read.rows.filter(pl.col(CORPORATE_ACTIONS.time) <= latest_day(CORPORATE_ACTIONS, clock))
    days = rows[CORPORATE_ACTIONS.time]
    stored = 0
    if rows.height:
        held = store.span(CORPORATE_ACTIONS)
        stored = write_changes(store, CORPORATE_ACTIONS, rows.to_arrow(), held=held, dry_run=dry_run)
    return ActionsReport(
        layout.title,
        frame.height,
        read.planned + read.rows.height - rows.height,
        read.unreadable,
        stored,
        rows.height - stored,
        rows["symbol"].n_unique(),
        Span(days.min(), days.max()) if rows.height else None,  # type: ignore[arg-type]
        store.version(CORPORATE_ACTIONS),
    )


def _recognised(opened: Opened) -> tuple[ActionLayout, dict[str, str]]:
    """Return the first layout whose columns the header has, and which header each field is under."""
    present = {normal_header(header): header for header in opened.header}
    for layout in ACTION_LAYOUTS.values():
        found = {ours: present.get(normal_header(theirs)) for ours, theirs in layout.columns.items()}
        if all(found[ours] or ours in layout.optional for ours in found):
            return layout, {ours: theirs for ours, theirs in found.items() if theirs}
    needs = "; ".join(
        f"{layout.title} ({', '.join(h for f, h in layout.columns.items() if f not in layout.optional)})"
        for layout in ACTION_LAYOUTS.values()
    )
    raise InvalidRequest(
        f"{opened.path.name} is no file of corporate actions; it has: {', '.join(opened.header[:30])}. Known: {needs}"
    )
