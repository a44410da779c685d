"""From dense blocks to results: longer bars, long rows, time-major panels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from quantflux.core.panel import Panel
from quantflux.data.bars import Bars, Column, Provenance
from quantflux.data.contract import Query, day_of
from quantflux.data.panels import Block, day_number
from quantflux.data.periods import fold_rows, period_starts
from quantflux.data.request import Request
from quantflux.data.schema import Dataset, FieldType
from quantflux.data.sessions import RULES, SLOTS, Floats, instants, labels, resample_grid, run_starts

Mask = npt.NDArray[np.bool_]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = np.int32(-(2**31))


@dataclass(frozen=True)
class Grid:
    """Bars on a dense grid.

    Attributes
    ----------
    stamps : integer array of shape [D], or [D, B] for bars within the day
        Labels: days since 1970, or microseconds since 1970 UTC.
    days : int32 array of shape [D]
    symbols : tuple of str, length N
    values : dict of float64 arrays of shape [D, N] or [D, N, B]
    find_rows : callable
        Returns the boolean array of that shape that says where there are bars. Panels do not need to know.
    minutes : int
        Length of a bar within the day; 0 for days and longer.
    own_stamps : int32 array of shape [D, N] or None
        Labels of each symbol's own, where they are not the same for all.
    """

    stamps: npt.NDArray[np.integer]
    days: npt.NDArray[np.int32]
    symbols: tuple[str, ...]
    values: dict[str, Floats]
    find_rows: Callable[[], Mask]
    minutes: int
    own_stamps: npt.NDArray[np.int32] | None = None

    @cached_property
    def rows(self) -> Mask:
        """Where there are bars."""
        return self.find_rows()


def grid_of(block: Block, request: Request) -> Grid:
    """Return the bars of a request, folded from the stored ones if they are longer."""
    frequency = request.frequency
    values = {name: block.values[name] for name in request.fields}
    if not frequency.minutes:
        if frequency.derived:
            return _folded_days(block, values, request)
        return Grid(block.days, block.days, block.symbols, values, lambda: block.present, 0)
    period = frequency.minutes
    if frequency.derived:
        values = resample_grid(values, period)

    def rows() -> Mask:
        present = block.present
        if not frequency.derived:
            return present
        return np.asarray(present.reshape(*present.shape[:2], SLOTS // period, period).any(axis=-1))

    return Grid(instants(block.days, period), block.days, block.symbols, values, rows, period)


def _folded_days(block: Block, values: dict[str, Floats], request: Request) -> Grid:
    """Fold days into weeks or months.

    In a panel they are labelled by their last day on the block's axis, as rows by the symbol's own last day with a
    row. What is labelled by a day before the start asked for is left out.
    """
    starts = run_starts(period_starts(request.frequency.period, block.days))
    if not len(starts):
        return Grid(block.days, block.days, block.symbols, values, lambda: block.present, 0)
    labelled = block.days[np.append(starts[1:], len(block.days)) - 1]
    folded = {name: fold_rows(array, starts, RULES[name]) for name, array in values.items()}
    have = np.where(block.present, block.days[:, None], _NEVER)
    own = np.maximum.reduceat(have, starts, axis=0)
    earliest = _NEVER + 1 if request.start is None else day_number(day_of(request.start))
    kept = slice(int(labelled[0] < earliest), None)
    days, own = labelled[kept], own[kept]
    folded = {name: array[kept] for name, array in folded.items()}
    return Grid(days, days, block.symbols, folded, lambda: own >= earliest, 0, own)


def bars_from(grid: Grid, request: Request, provenance: Provenance) -> Bars:
    """Return the bars of a grid as rows, sorted by symbol and time."""
    inside = _inside(grid, request)
    rows = (
        grid.rows
        if inside is None
        else grid.rows & (inside[:, None, :] if grid.rows.ndim == 3 else inside[:, None])
    )
    if len(grid.symbols) == 1:
        return _single(grid, rows, request, provenance)
    shape = (len(grid.symbols), grid.stamps.size)
    by_symbol = np.ascontiguousarray(np.moveaxis(rows, 1, 0)).reshape(shape)
    whole = bool(by_symbol.all())
    counts = by_symbol.sum(axis=1)
    codes = np.repeat(np.arange(len(grid.symbols), dtype=np.int32), counts)
    every = grid.stamps.reshape(-1) if grid.own_stamps is None else grid.own_stamps.T
    stamps = np.broadcast_to(every, shape)
    picked = stamps.reshape(-1) if whole else stamps[by_symbol]
    columns = {}
    for name, values in grid.values.items():
        lines = np.ascontiguousarray(np.moveaxis(values, 1, 0)).reshape(shape)
        columns[name] = _typed(lines.reshape(-1) if whole else lines[by_symbol], request.dataset, name)
    return Bars(request.dataset, grid.symbols, codes, picked, columns, provenance)


def _single(grid: Grid, rows: Mask, request: Request, provenance: Provenance) -> Bars:
    flat = rows.reshape(-1)
    stamps = (grid.stamps if grid.own_stamps is None else grid.own_stamps).reshape(-1)
    values = {name: array.reshape(-1) for name, array in grid.values.items()}
    if not flat.all():
        stamps = stamps[flat]
        values = {name: array[flat] for name, array in values.items()}
    columns = {name: _typed(array, request.dataset, name) for name, array in values.items()}
    return Bars(request.dataset, grid.symbols, None, stamps, columns, provenance)


def _inside(grid: Grid, request: Request) -> Mask | None:
    """Return which labels lie within the bounds of a request, if a bound lies inside a day."""
    if not request.within_day:
        return None
    low, high = Query(request.dataset, None, request.start, request.end).bounds
    kept = np.ones(grid.stamps.shape, dtype=bool)
    if isinstance(low, datetime):
        kept &= grid.stamps >= _microseconds(low)
    if isinstance(high, datetime):
        kept &= grid.stamps <= _microseconds(high)
    return kept


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _typed(values: Floats, dataset: Dataset, name: str) -> Column:
    """Return whole numbers as int64. They are exact in float64, and a required field has no nulls to lose."""
    field = dataset.by_name[name]
    return values.astype(np.int64) if field.type is FieldType.INTEGER and field.required else values


def panel_from(grid: Grid, request: Request) -> Panel:
    """Return the bars of a grid as a time-major panel: a view of the same memory for daily bars."""
    if not grid.minutes:
        return Panel(grid.stamps.astype("datetime64[D]"), grid.symbols, grid.values)
    minutes = grid.days.astype(np.int64)[:, None] * 1440 + labels(grid.minutes)[None, :]
    times = (minutes.reshape(-1) * 60).astype("datetime64[s]")
    shape = (len(times), len(grid.symbols))
    fields = {name: values.transpose(0, 2, 1).reshape(shape) for name, values in grid.values.items()}
    inside = _inside(grid, request)
    if inside is not None:
        kept = inside.reshape(-1)
        times, fields = times[kept], {name: values[kept] for name, values in fields.items()}
    return Panel(times, grid.symbols, fields)
