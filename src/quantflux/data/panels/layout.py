"""The shape of a dataset's segments: which fields, cut where, and how rows find their cell.

A segment holds one year of a daily dataset or one month of a minute dataset, as one float64 array:

* daily: `[field, day, symbol]`. A day's whole market is one run of memory; a symbol's history a strided one.
* minute: `[field, day, symbol, 240]`. A symbol's day is one run, and a day's whole market one block.

A cell without a row is NaN in every field; so is a null. A row is there if its presence field is not NaN: the first
required field, `close` by preference, or for datasets that require none a layer of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.contract import Span
from quantflux.data.schema import Dataset, FieldType, TimeKind
from quantflux.data.sessions import SLOTS, Floats, locate

PRESENCE_LAYER = "_row"
"""Name of the extra layer of datasets without a required field: 1.0 where there is a row."""

EXACT = 2**53
"""Largest magnitude up to which every integer is a float64."""

_EPOCH = date(1970, 1, 1).toordinal()


class NotExactError(ValueError):
    """A value cannot be held exactly in float64, so the panel tier must not hold it."""


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def day_from(number: int) -> date:
    """Return the date of a day number."""
    return date.fromordinal(int(number) + _EPOCH)


@dataclass(frozen=True)
class Layout:
    """The segments of one dataset."""

    dataset: Dataset

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """The fields that panels can hold."""
        kinds = (FieldType.FLOAT, FieldType.INTEGER)
        return tuple(f.name for f in self.dataset.fields if f.type in kinds)

    @cached_property
    def presence(self) -> str:
        """The field whose NaN says that there is no row."""
        required = [name for name in self.numeric if self.dataset.by_name[name].required]
        if not required:
            return PRESENCE_LAYER
        return "close" if "close" in required else required[0]

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Everything a segment stores, in order."""
        return self.numeric if self.presence in self.numeric else (*self.numeric, self.presence)

    @property
    def minutes(self) -> bool:
        """Whether cells are days of 240 minutes instead of single values."""
        return self.dataset.kind is TimeKind.MINUTE

    def shape(self, days: int, symbols: int) -> tuple[int, ...]:
        """Return the shape of one field over so many days and symbols."""
        return (days, symbols, SLOTS) if self.minutes else (days, symbols)

    def keys(self, span: Span) -> Iterator[str]:
        """Yield the keys of the segments that cover a span, oldest first: "2024", or "2024-03" by month."""
        if not self.minutes:
            yield from (f"{year:04d}" for year in range(span.first.year, span.last.year + 1))
            return
        first, last = (d.year * 12 + d.month - 1 for d in (span.first, span.last))
        yield from (f"{m // 12:04d}-{m % 12 + 1:02d}" for m in range(first, last + 1))

    def span_of(self, key: str) -> Span:
        """Return the days that a segment covers."""
        if not self.minutes:
            return Span(date(int(key), 1, 1), date(int(key), 12, 31))
        year, month = int(key[:4]), int(key[5:])
        following = date(year + month // 12, month % 12 + 1, 1)
        return Span(date(year, month, 1), following - timedelta(days=1))

    def days_of(self, rows: pa.RecordBatch | pa.Table) -> npt.NDArray[np.int32]:
        """Return the day number of each row."""
        times = rows.column(self.dataset.time)
        days = locate(times)[0] if self.minutes else times.cast(pa.int32()).to_numpy()
        return np.asarray(days, dtype=np.int32)

    def scatter(
        self,
        rows: pa.RecordBatch | pa.Table,
        days: npt.NDArray[np.int32],
        symbols: pa.Array,
        targets: dict[str, Floats],
    ) -> bool:
        """Put rows into their cells.

        Parameters
        ----------
        rows : record batch or table of the dataset
        days, symbols : arrays
            The sorted axes of the targets.
        targets : dict of arrays shaped by `shape`
            Written in place. Contiguous.

        Returns
        -------
        bool
            False if some row has no cell because its day or symbol is not on the axes; nothing is written then.

        Raises
        ------
        NotExactError
            If an integer is beyond 2**53.
        """
        cells = self._cells(rows, days, symbols)
        if cells is None:
            return False
        for name, target in targets.items():
            flat = target.reshape(-1)
            flat[cells] = (
                1.0 if name == PRESENCE_LAYER else as_floats(rows.column(name), f"{self.dataset.name}.{name}")
            )
        return True

    def _cells(
        self, rows: pa.RecordBatch | pa.Table, days: npt.NDArray[np.int32], symbols: pa.Array
    ) -> npt.NDArray[np.int64] | None:
        if self.minutes:
            row_days, slots = locate(rows.column(self.dataset.time))
        else:
            row_days = self.days_of(rows)
        names = rows.column("symbol")
        if isinstance(names, pa.ChunkedArray):
            names = names.combine_chunks()
        encoded = pc.dictionary_encode(names)
        found = pc.index_in(encoded.dictionary, value_set=symbols)
        position = np.minimum(np.searchsorted(days, row_days), max(len(days) - 1, 0))
        if found.null_count or not np.array_equal(days[position], row_days):
            return None
        places: npt.NDArray[np.int64] = found.to_numpy(zero_copy_only=False).astype(np.int64)
        column = places[encoded.indices.to_numpy()]
        cells: npt.NDArray[np.int64] = position * len(symbols) + column
        return cells * SLOTS + slots if self.minutes else cells


def as_floats(column: pa.Array | pa.ChunkedArray, name: str) -> Floats:
    """Return a numeric column as float64 with NaN for null; refuse integers that float64 cannot hold."""
    if pa.types.is_integer(column.type):
        bounds = pc.min_max(column)
        low, high = bounds["min"].as_py(), bounds["max"].as_py()
        if low is not None and (low < -EXACT or high > EXACT):
            raise NotExactError(
                f"{name} holds {high if high > EXACT else low}, beyond 2**53: float64 would round it"
            )
        column = column.cast(pa.float64())
    return np.asarray(
        column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    )
