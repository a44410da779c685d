"""Columns of daily datasets on the axes of the daily bars.

Datasets are read year by year: a year is a view of the panel tier's memory where there is one, so that each field is
copied once, into its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quantflux.core.axes import shared_positions
from quantflux.core.panel import Panel
from quantflux.core.symbols import is_share
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Span
from quantflux.data.schema import DAILY, Dataset


@dataclass(frozen=True, eq=False)
class Axes:
    """The days and symbols of a load.

    Attributes
    ----------
    days : datetime64[D] array of shape (T,)
        Days on which any symbol has a bar.
    symbols : str array of shape (N,)
    """

    days: np.ndarray
    symbols: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of days and of symbols."""
        return len(self.days), len(self.symbols)


_Index = tuple[slice | np.ndarray, slice | np.ndarray]


class DailyColumns:
    """Some columns of one daily dataset over a span.

    Parameters
    ----------
    data : DataAccessLayer
    dataset : Dataset
    columns : sequence of str
    symbols : tuple of str or None
        Of those, symbols of which the dataset has no row are skipped; None means all.
    span : Span
    """

    def __init__(
        self,
        data: DataAccessLayer,
        dataset: Dataset,
        columns: Sequence[str],
        symbols: tuple[str, ...] | None,
        span: Span,
    ) -> None:
        if symbols is not None and dataset is not DAILY:
            known = set(data.symbols(dataset))
            symbols = tuple(s for s in symbols if s in known)
        nothing = symbols == ()
        years = [] if nothing else [data.panel(columns, symbols, *y, dataset=dataset) for y in _years(span)]
        self._years = [year for year in years if len(year)]
        self._symbols = symbols
        self._places: list[tuple[_Index, _Index]] | None = None

    def axes(self) -> Axes:
        """Return the days, and the symbols asked for or else all shares, that they span."""
        empty = np.zeros(0, dtype="datetime64[D]")
        days = np.concatenate([empty, *(year.times for year in self._years)])
        if self._symbols is not None:
            return Axes(days, np.array(self._symbols, dtype=np.str_))
        found: set[str] = set().union(*(year.symbols.tolist() for year in self._years))
        return Axes(days, np.array(sorted(s for s in found if is_share(s)), dtype="U9"))

    def lay(self, column: str, axes: Axes) -> np.ndarray:
        """Return a column on the axes: a new float64 array of shape (T, N), NaN where there is no value."""
        if self._places is None:
            self._places = [_place(year, axes) for year in self._years]
        laid = np.full(axes.shape, np.nan)
        for year, (target, source) in zip(self._years, self._places, strict=True):
            laid[target] = year[column][source]
        return laid


def _place(year: Panel, axes: Axes) -> tuple[_Index, _Index]:
    """Return which cells of the axes a year fills, and with which of its own."""
    rows, own_rows = shared_positions(axes.days, year.times)
    columns, own_columns = shared_positions(axes.symbols, year.symbols)
    return _cells(rows, columns), _cells(own_rows, own_columns)


def _cells(rows: np.ndarray, columns: np.ndarray) -> _Index:
    down, across = _sliced(rows), _sliced(columns)
    if isinstance(down, np.ndarray) and isinstance(across, np.ndarray):
        return down[:, None], across
    return down, across


def _sliced(positions: np.ndarray) -> slice | np.ndarray:
    """Return neighbouring positions as a slice, which selects without copying."""
    if not len(positions):
        return slice(0, 0)
    first, last = int(positions[0]), int(positions[-1])
    return slice(first, last + 1) if last - first + 1 == len(positions) else positions


def _years(span: Span | None) -> Iterator[tuple[date, date]]:
    if span is None or span.first > span.last:
        return
    for year in range(span.first.year, span.last.year + 1):
        yield max(span.first, date(year, 1, 1)), min(span.last, date(year, 12, 31))


def symbols_with_values(
    data: DataAccessLayer, dataset: Dataset, column: str, symbols: Sequence[str], *, outside: Span
) -> set[str]:
    """Return which of these symbols have a value in a column of a daily dataset on any day but those of a span.

    The years are searched from the newest, and no further once every symbol is found.
    """
    found: set[str] = set()
    for first, last in reversed(list(_years(data.store.span(dataset)))):
        left = tuple(s for s in symbols if s not in found)
        if left and not (outside.first <= first and last <= outside.last):
            panel = data.panel([column], left, first, last, dataset=dataset)
            found.update(panel.symbols[~np.isnan(panel[column]).all(axis=0)].tolist())
    return found


def columns_with_values(data: DataAccessLayer, dataset: Dataset, columns: Sequence[str]) -> set[str]:
    """Return which numeric columns of a daily dataset have any value, searching from the newest year."""
    found: set[str] = set()
    for first, last in reversed(list(_years(data.store.span(dataset)))):
        left = [c for c in columns if c not in found]
        if left:
            panel = data.panel(left, None, first, last, dataset=dataset)
            found.update(c for c in left if not np.isnan(panel[c]).all())
    return found
