"""From dense blocks to results: longer bars, long rows, time-major panels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from quantflux.core.panel import Panel
from quantflux.data.bars import Bars, Column, Provenance
from quantflux.data.contract import Query, When, day_of
from quantflux.data.panels import Block, day_number
from quantflux.data.request import Frequency, Request
from quantflux.data.schema import Dataset, FieldType
from quantflux.data.sessions import RULES, Floats, instants, labels, resample_grid, run_starts

Mask = npt.NDArray[np.bool_]


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
    rows : boolean array of that shape
        Where there are bars.
    minutes : int
        Length of a bar within the day; 0 for days and longer.
    """

    stamps: npt.NDArray[np.integer]
    days: npt.NDArray[np.int32]
    symbols: tuple[str, ...]
    values: dict[str, Floats]
    rows: Mask
    minutes: int


def grid_of(block: Block, request: Request) -> Grid:
    """Return the bars of a request, folded from the stored ones if they are longer."""
    frequency = request.frequency
    values = {name: block.values[name] for name in request.fields}
    if block.values[block.presence].ndim == 3:
        rows = block.present
        if frequency.derived:
            values = resample_grid(values, frequency.minutes)
            rows = rows.reshape(*rows.shape[:2], -1, frequency.minutes).any(axis=-1)
        period = max(frequency.minutes, 1)
        return Grid(instants(block.days, period), block.days, block.symbols, values, rows, period)
    grid = Grid(block.days, block.days, block.symbols, values, block.present, 0)
    return _folded_days(grid, frequency, request.start) if frequency.derived else grid


def _folded_days(grid: Grid, frequency: Frequency, start: When | None) -> Grid:
    """Fold days into weeks or months, labelled by their last day with rows of any symbol.

    The first is left out if that day lies before `start`.
    """
    starts = run_starts(frequency.periods(grid.days))
    ends = np.append(starts[1:], len(grid.days))[: len(starts)]
    labelled = grid.days[ends - 1] if len(starts) else grid.days
    kept = np.ones(len(starts), dtype=bool)
    if start is not None:
        kept = labelled >= day_number(day_of(start))
    runs = list(zip(starts[kept].tolist(), ends[kept].tolist(), strict=True))
    values = {name: _fold_rows(array, runs, RULES[name]) for name, array in grid.values.items()}
    rows = np.array([grid.rows[a:b].any(axis=0) for a, b in runs], dtype=bool).reshape(
        len(runs), len(grid.symbols)
    )
    days = labelled[kept]
    return Grid(days, days, grid.symbols, values, rows, 0)


def _fold_rows(array: Floats, runs: list[tuple[int, int]], rule: str) -> Floats:
    result = np.full((len(runs), array.shape[1]), np.nan)
    for into, (a, b) in zip(result, runs, strict=True):
        part = array[a:b]
        if rule == "max":
            np.fmax.reduce(part, axis=0, out=into)
        elif rule == "min":
            np.fmin.reduce(part, axis=0, out=into)
        elif rule == "sum":
            gaps = np.isnan(part)
            np.add.reduce(np.where(gaps, 0.0, part), axis=0, out=into)
            into[gaps.all(axis=0)] = np.nan
        else:
            for row in part if rule == "last" else part[::-1]:
                np.copyto(into, row, where=~np.isnan(row))
    return result


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
    by_symbol = np.ascontiguousarray(np.moveaxis(rows, 1, 0)).reshape(len(grid.symbols), -1)
    whole = bool(by_symbol.all())
    counts = by_symbol.sum(axis=1)
    codes = np.repeat(np.arange(len(grid.symbols), dtype=np.int32), counts)
    stamps = np.broadcast_to(grid.stamps.reshape(-1), by_symbol.shape)
    picked = stamps.reshape(-1) if whole else stamps[by_symbol]
    columns = {}
    for name, values in grid.values.items():
        lines = np.ascontiguousarray(np.moveaxis(values, 1, 0)).reshape(by_symbol.shape)
        columns[name] = _typed(lines.reshape(-1) if whole else lines[by_symbol], request.dataset, name)
    return Bars(request.dataset, grid.symbols, codes, picked, columns, provenance)


def _single(grid: Grid, rows: Mask, request: Request, provenance: Provenance) -> Bars:
    flat = rows.reshape(-1)
    stamps = grid.stamps.reshape(-1)
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
    return (
        round(instant.timestamp()) * 1_000_000 + instant.microsecond
        if instant.microsecond
        else round(instant.timestamp()) * 1_000_000
    )


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
    width = len(grid.symbols)
    fields = {name: values.transpose(0, 2, 1).reshape(-1, width) for name, values in grid.values.items()}
    inside = _inside(grid, request)
    if inside is not None:
        kept = inside.reshape(-1)
        times, fields = times[kept], {name: values[kept] for name, values in fields.items()}
    return Panel(times, grid.symbols, fields)
