"""The shape in which everything is computed: times x symbols, one array for each field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from quantflux.core.axes import When, checked_symbols, checked_times, is_daily, moment_of, shared_positions
from quantflux.core.errors import InvalidRequest, MissingDependency, NotFound, UnknownSymbol
from quantflux.core.long_form import arrays_of, table_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Panel:
    """Fields of many symbols over time, as read-only arrays of shape (T, N), time-major.

    NaN means no trade; a symbol that has no row at a time is NaN in every field. Arrays are taken as they
    are, memory-mapped ones included: nothing is copied, and what is handed out cannot be written to.

    Parameters
    ----------
    times : array of datetime64[D] (days) or datetime64[s] (Shanghai wall clock), shape (T,)
        Strictly increasing.
    symbols : array or sequence of str, shape (N,)
        Strictly increasing.
    fields : mapping of str to array of float64 or float32, shape (T, N)

    Raises
    ------
    InvalidRequest
        If times or symbols are not strictly increasing, or an array has another shape or type.

    Examples
    --------
    >>> days = np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> panel = Panel(days, ["000001.SZ", "600519.SH"], {"close": np.array([[9.2, 1685.0], [9.1, np.nan]])})
    >>> panel
    Panel(2 days 2024-01-02..2024-01-03 x 2 symbols, fields: close)
    >>> panel["close"][panel.row_of("2024-01-02"), panel.column_of("600519.SH")]
    np.float64(1685.0)
    >>> panel.select(symbols=["600519.SH"]).to_arrow().to_pydict()
    {'symbol': ['600519.SH'], 'trade_date': [datetime.date(2024, 1, 2)], 'close': [1685.0]}
    """

    __slots__ = ("_fields", "_symbols", "_times")

    def __init__(
        self, times: np.ndarray, symbols: np.ndarray | Sequence[str], fields: Mapping[str, np.ndarray]
    ) -> None:
        self._times = _frozen(checked_times(times))
        self._symbols = _frozen(checked_symbols(symbols))
        shape = (len(self._times), len(self._symbols))
        self._fields = {name: _frozen(_checked_field(name, values, shape)) for name, values in fields.items()}

    @classmethod
    def _trusted(cls, times: np.ndarray, symbols: np.ndarray, fields: dict[str, np.ndarray]) -> Self:
        """Make a panel of parts of a panel, which need no second check."""
        panel = cls.__new__(cls)
        panel._times, panel._symbols, panel._fields = times, symbols, fields
        return panel

    @classmethod
    def from_table(
        cls,
        table: pa.Table,
        *,
        time: str | None = None,
        fields: Sequence[str] | None = None,
        dtype: type = np.float64,
    ) -> Self:
        """Return the panel of a long table, whose rows may stand in any order.

        See `quantflux.core.long_form.arrays_of` for what is taken and what is refused.

        Examples
        --------
        >>> days = np.array(["2024-01-03", "2024-01-03"], dtype="datetime64[D]")
        >>> table = pa.table({"symbol": ["B", "A"], "trade_date": days, "close": [2.0, 1.0]})
        >>> Panel.from_table(table)["close"].tolist()
        [[1.0, 2.0]]
        """
        return cls(*arrays_of(table, time=time, fields=fields, dtype=dtype))

    @property
    def times(self) -> np.ndarray:
        """Days (datetime64[D]) or instants (datetime64[s], Shanghai wall clock), increasing, shape (T,)."""
        return self._times

    @property
    def symbols(self) -> np.ndarray:
        """Symbols, increasing, shape (N,)."""
        return self._symbols

    @property
    def fields(self) -> Mapping[str, np.ndarray]:
        """Arrays by field name, read-only, in the order in which they were given."""
        return MappingProxyType(self._fields)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of times and of symbols."""
        return len(self._times), len(self._symbols)

    @property
    def is_daily(self) -> bool:
        """Whether rows are days rather than instants."""
        return is_daily(self._times)

    @property
    def nbytes(self) -> int:
        """Bytes that the fields span, mapped or in memory."""
        return sum(values.nbytes for values in self._fields.values())

    def field(self, name: str) -> np.ndarray:
        """Return one field, shape (T, N); `NotFound` lists the fields there are."""
        try:
            return self._fields[name]
        except KeyError:
            known = ", ".join(self._fields) or "none"
            raise NotFound(f"the panel has no field {name!r}; it has: {known}") from None

    __getitem__ = field

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._times)

    def row_of(self, when: When) -> int:
        """Return the row of a day or instant; `NotFound` names the rows around it."""
        moment = moment_of(when, self._times.dtype, end_of_day=False)
        row = int(np.searchsorted(self._times, moment))
        if row < len(self._times) and self._times[row] == moment:
            return row
        around = " and ".join(str(t) for t in self._times[max(row - 1, 0) : row + 1]) or "no rows"
        raise NotFound(f"the panel has no row at {moment}; nearest: {around}")

    def column_of(self, symbol: str) -> int:
        """Return the column of a symbol; `UnknownSymbol` names similar ones."""
        return int(self._columns_of([symbol])[0])

    def rows_between(self, start: When | None = None, end: When | None = None) -> slice:
        """Return the rows from `start` to `end`, both inclusive; None is open, a day is the whole day.

        Examples
        --------
        >>> days = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
        >>> Panel(days, ["A"], {}).rows_between("2024-01-03", "2024-01-05")
        slice(2, 5, None)
        """
        low = moment_of(start, self._times.dtype, end_of_day=False) if start is not None else None
        high = moment_of(end, self._times.dtype, end_of_day=True) if end is not None else None
        if low is not None and high is not None and low > high:
            raise InvalidRequest(f"start must not be after end, was {start} .. {end}")
        first = 0 if low is None else int(np.searchsorted(self._times, low, "left"))
        last = len(self._times) if high is None else int(np.searchsorted(self._times, high, "right"))
        return slice(first, last)

    def select(
        self,
        symbols: Sequence[str] | np.ndarray | None = None,
        start: When | None = None,
        end: When | None = None,
        fields: Sequence[str] | None = None,
    ) -> Self:
        """Return a part of the panel: views of the same memory where the symbols are neighbours, else copies.

        Parameters
        ----------
        symbols : sequence of str, optional
            In any order and repeated at will; the result has each once, in order.
        start, end : day or instant, optional
            Both inclusive. An empty span gives a panel of no rows.
        fields : sequence of str, optional

        Raises
        ------
        UnknownSymbol, NotFound
            If a symbol or field is not in the panel.
        """
        rows = self.rows_between(start, end)
        columns = slice(None) if symbols is None else _as_slice(np.unique(self._columns_of(symbols)))
        names = self._fields if fields is None else dict.fromkeys(fields)
        chosen = {name: _frozen(self.field(name)[rows][:, columns]) for name in names}
        return self._trusted(self._times[rows], _frozen(self._symbols[columns]), chosen)

    def with_field(self, name: str, values: np.ndarray) -> Self:
        """Return the panel with one more, or one replaced, field; the others are shared, not copied."""
        added = _frozen(_checked_field(name, values, self.shape))
        return self._trusted(self._times, self._symbols, {**self._fields, name: added})

    def reindex(
        self, *, times: np.ndarray | None = None, symbols: np.ndarray | Sequence[str] | None = None
    ) -> Self:
        """Return the panel on other times and symbols: unknown cells are NaN, labels not named are left out.

        Examples
        --------
        >>> day = np.array(["2024-01-02"], dtype="datetime64[D]")
        >>> Panel(day, ["A"], {"close": np.array([[1.0]])}).reindex(symbols=["A", "B"])["close"].tolist()
        [[1.0, nan]]
        """
        new_times = self._times if times is None else _frozen(checked_times(times))
        new_symbols = self._symbols if symbols is None else _frozen(checked_symbols(symbols))
        if new_times.dtype != self._times.dtype:
            raise InvalidRequest(f"a panel of {self._times.dtype} cannot be laid on {new_times.dtype}")
        rows, old_rows = shared_positions(new_times, self._times)
        columns, old_columns = shared_positions(new_symbols, self._symbols)
        fields = {}
        for name, values in self._fields.items():
            moved = np.full((len(new_times), len(new_symbols)), np.nan, dtype=values.dtype)
            moved[np.ix_(rows, columns)] = values[np.ix_(old_rows, old_columns)]
            fields[name] = _frozen(moved)
        return self._trusted(new_times, new_symbols, fields)

    def equals(self, other: Panel) -> bool:
        """Whether times, symbols, field names, types and values are the same, NaN equal to NaN."""
        return (
            np.array_equal(self._times, other._times)
            and np.array_equal(self._symbols, other._symbols)
            and self._fields.keys() == other._fields.keys()
            and all(_same(values, other._fields[name]) for name, values in self._fields.items())
        )

    def to_arrow(
        self, *, time: str | None = None, types: Mapping[str, pa.DataType] | None = None
    ) -> pa.Table:
        """Return the long table, sorted by symbol and time, without absent rows; NaN becomes null.

        Parameters
        ----------
        time : str, optional
            Name of the time column: `trade_date` or `bar_time` unless given.
        types : mapping of field to Arrow type, optional
            Fields to cast, such as `{"volume": pa.int64()}`.
        """
        return table_of(self._times, self._symbols, self._fields, time=time, types=types)

    def to_polars(self, *, time: str | None = None) -> pl.DataFrame:
        """Return the long table as a Polars frame."""
        import polars  # noqa: PLC0415 - slow to import, and most callers stay with arrays

        frame = polars.from_arrow(self.to_arrow(time=time))
        assert isinstance(frame, polars.DataFrame)  # noqa: S101 - a table never becomes a series
        return frame

    def to_pandas(self, *, time: str | None = None) -> pd.DataFrame:
        """Return the long table as a pandas frame; `MissingDependency` without pandas."""
        try:
            import pandas  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise MissingDependency("pandas", "pandas") from error
        return self.to_arrow(time=time).to_pandas(date_as_object=False)

    def __repr__(self) -> str:
        unit = "days" if self.is_daily else "times"
        span = f" {self._times[0]}..{self._times[-1]}" if len(self._times) else ""
        fields = ", ".join(self._fields)
        return f"Panel({len(self)} {unit}{span} x {len(self._symbols)} symbols, fields: {fields})"

    def _columns_of(self, symbols: Sequence[str] | np.ndarray) -> np.ndarray:
        if isinstance(symbols, str):
            raise InvalidRequest(f"symbols must be a list of symbols, was the text {symbols!r}")
        wanted = np.asarray(symbols, dtype=np.str_)
        if len(self._symbols) == 0:
            known = np.zeros(len(wanted), dtype=bool)
            columns = np.zeros(len(wanted), dtype=np.intp)
        else:
            columns = np.minimum(np.searchsorted(self._symbols, wanted), len(self._symbols) - 1)
            known = self._symbols[columns] == wanted
        if not known.all():
            missing = [str(s) for s in wanted[~known]]
            similar = get_close_matches(missing[0], self._symbols.tolist(), n=3)
            raise UnknownSymbol(missing, "the panel", similar)
        return columns


def _frozen(values: np.ndarray) -> np.ndarray:
    view = values.view()
    view.flags.writeable = False
    return view


def _checked_field(name: str, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype not in (np.float64, np.float32):
        raise InvalidRequest(f"field {name!r} must be float64 or float32, was {array.dtype}")
    if array.shape != shape:
        raise InvalidRequest(f"field {name!r} must have shape {shape} (times, symbols), had {array.shape}")
    return array


def _as_slice(columns: np.ndarray) -> slice | np.ndarray:
    """Return neighbouring columns as a slice, whose selection is a view."""
    if len(columns) == 0:
        return slice(0, 0)
    first, last = int(columns[0]), int(columns[-1])
    return slice(first, last + 1) if last - first + 1 == len(columns) else columns


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True)
