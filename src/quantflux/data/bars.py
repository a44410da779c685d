"""Rows as the data access layer hands them out: NumPy columns, turned into tables only when asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import MissingDependency, NotFound
from quantflux.data.schema import Dataset, TimeKind

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Column = npt.NDArray[np.float64] | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where rows come from.

    Attributes
    ----------
    version : int
        The dataset's version that they show.
    tier : {"panel", "store"}
        What answered.
    frequency, adjust : str
        As asked for.
    """

    dataset: str
    version: int
    tier: str
    frequency: str = "1d"
    adjust: str = "none"


class Bars:
    """Rows of one dataset, sorted by symbol and time, as one array for each field.

    Parameters
    ----------
    dataset : Dataset
        Its schema names the time column and gives fields their types.
    axis : sequence of str
        Symbols that `codes` point into.
    codes : integer array of shape (rows,), or None
        Position of each row's symbol; None if all rows are of `axis[0]`.
    stamps : array of shape (rows,)
        int32 days since 1970, or int64 microseconds since 1970 UTC for minute bars.
    columns : mapping of field to array of shape (rows,)
        float64 with NaN for null; int64 for whole numbers that have no null.
    provenance : Provenance
    """

    __slots__ = ("_codes", "_columns", "_dataset", "_stamps", "axis", "provenance")

    def __init__(
        self,
        dataset: Dataset,
        axis: Sequence[str],
        codes: npt.NDArray[np.integer] | None,
        stamps: npt.NDArray[np.integer],
        columns: dict[str, Column],
        provenance: Provenance,
    ) -> None:
        self._dataset = dataset
        self.axis = axis
        self._codes = codes
        self._stamps = stamps
        self._columns = columns
        self.provenance = provenance

    def __len__(self) -> int:
        return len(self._stamps)

    def __getitem__(self, field: str) -> Column:
        try:
            return self._columns[field]
        except KeyError:
            raise NotFound(
                f"these bars have no field {field!r}; they have: {', '.join(self._columns)}"
            ) from None

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in the order asked for."""
        return tuple(self._columns)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that have rows, sorted."""
        if self._codes is None:
            return (self.axis[0],) if len(self) else ()
        return tuple(self.axis[i] for i in np.unique(self._codes))

    @property
    def kind(self) -> TimeKind:
        """How the rows are dated."""
        return self._dataset.kind

    @property
    def stamps(self) -> npt.NDArray[np.integer]:
        """Time of each row as a number: days since 1970, or microseconds since 1970 UTC for minute bars."""
        return self._stamps

    @property
    def codes(self) -> npt.NDArray[np.integer] | None:
        """Position in `axis` of each row's symbol; None if all rows are of `axis[0]`."""
        return self._codes

    @property
    def time(self) -> str:
        """Name of the time column."""
        return self._dataset.time

    @property
    def times(self) -> npt.NDArray[np.datetime64]:
        """Time of each row: datetime64[D], or the bar's close as datetime64[s] on Shanghai's wall clock."""
        if self._dataset.kind is TimeKind.DAY:
            return self._stamps.astype("datetime64[D]")
        local = pc.local_timestamp(self._arrow_times()).cast(pa.timestamp("s"))
        return np.asarray(local.to_numpy(zero_copy_only=False), dtype="datetime64[s]")

    def part(self, first: int, stop: int) -> Bars:
        """Return the rows from `first` up to but without `stop`, as views."""
        rows = slice(first, stop)
        codes = None if self._codes is None else self._codes[rows]
        columns = {name: values[rows] for name, values in self._columns.items()}
        return Bars(self._dataset, self.axis, codes, self._stamps[rows], columns, self.provenance)

    def to_numpy(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return every column by name: symbol (only if several), time, fields."""
        result: dict[str, npt.NDArray[np.generic]] = {}
        if self._codes is not None:
            result["symbol"] = (
                np.asarray(self.axis, dtype=np.str_)[self._codes] if len(self) else np.empty(0, "U9")
            )
        return {**result, self._dataset.time: self.times, **self._columns}

    def to_arrow(self) -> pa.Table:
        """Return a table in the dataset's schema: symbol, time, fields; NaN becomes null.

        A field that must not be null in the store may be here, if prices were adjusted without a factor.
        """
        schema = self._dataset.schema_of(self.fields)
        arrays = [self._arrow_symbols(), self._arrow_times()]
        arrays += [_arrow(self._columns[name], schema.field(name).type) for name in self.fields]
        for i, array in enumerate(arrays):
            if array.null_count and not schema.field(i).nullable:
                schema = schema.set(i, schema.field(i).with_nullable(True))
        return pa.Table.from_arrays(arrays, schema=schema)

    def to_polars(self) -> pl.DataFrame:
        """Return a Polars frame of the same columns."""
        import polars  # noqa: PLC0415 - slow to import, and arrays do not need it

        return polars.DataFrame(self.to_arrow())

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas frame of the same columns; `MissingDependency` without pandas."""
        try:
            import pandas  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise MissingDependency("pandas", "pandas") from error
        return self.to_arrow().to_pandas(date_as_object=False)

    def _arrow_symbols(self) -> pa.Array:
        if self._codes is None:
            return pa.repeat(pa.scalar(self.axis[0], pa.string()), len(self))
        names = pa.array(self.axis, pa.string())
        return names.take(pa.array(self._codes))

    def _arrow_times(self) -> pa.Array:
        if self._dataset.kind is TimeKind.DAY:
            return pa.array(self._stamps, pa.int32()).view(pa.date32())
        return pa.array(self._stamps, pa.int64()).view(self._dataset.kind.arrow)

    def __repr__(self) -> str:
        origin = self.provenance
        return (
            f"Bars({len(self)} rows of {len(self.symbols)} symbols, {origin.dataset} version {origin.version} from the "
            f"{origin.tier}, frequency {origin.frequency}, adjust {origin.adjust}, fields: {', '.join(self.fields)})"
        )


def _arrow(values: Column, kind: pa.DataType) -> pa.Array:
    array = pa.array(values, from_pandas=True)
    return array if array.type == kind else array.cast(kind)


def bars_of(
    table: pa.Table, dataset: Dataset, symbols: tuple[str, ...] | None, provenance: Provenance
) -> Bars:
    """Return a store's answer to a query for `symbols` as bars. Whole numbers without nulls stay whole."""
    times = table.column(dataset.time)
    stamps = times.cast(pa.int32() if dataset.kind is TimeKind.DAY else pa.int64()).to_numpy()
    columns = {name: table.column(name).to_numpy() for name in table.column_names if name not in dataset.key}
    if symbols is not None and len(symbols) == 1:
        return Bars(dataset, symbols, None, stamps, columns, provenance)
    encoded = pc.dictionary_encode(table.column("symbol").combine_chunks())
    axis = encoded.dictionary.to_pylist()
    return Bars(dataset, axis, encoded.indices.to_numpy(), stamps, columns, provenance)
