"""Computes factors by name on the data of an installation: stored, kept up to date, ranked by day.

`calculate` and its asynchronous twin `calculate_factors` answer for one day; `compute` gives panels; `save` writes
into the truth store; `export` streams into a file. All of them see a factor only where its symbol traded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query, WriteReceipt, day_of
from quantflux.data.request import WhenLike, parse_symbols, parse_when
from quantflux.data.schema import DAILY, FACTOR_VALUES
from quantflux.expressions.kernels.row_ranks import ROW_RANK
from quantflux.expressions.kernels.rows import ROW_ZSCORE, run_rows
from quantflux.expressions.nodes import OPERATORS, Field, Node, fields_of
from quantflux.expressions.program.flow import PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import Quote, left_of, quote
from quantflux.expressions.program.run import run
from quantflux.factors.fields import field_named, load_fields
from quantflux.factors.parquet import CELL_BYTES, ParquetSink, check_target
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Decision, Hooks, Meta, StoredValues, Update, ValueKeeper

_ITEM = 4  # bytes of a value
_SAVED_ROWS = 1_000_000  # of one write to the store, or a day's if that has more


class FactorEngine:
    """Factors over the data access layer.

    Parameters
    ----------
    data : DataAccessLayer
    registry : FactorRegistry
    keeper : ValueKeeper
        Keeps values between calls.
    threads : int, optional
        All processors unless given.
    max_memory : int, optional
        Most bytes that the process may hold while it computes.
    """

    def __init__(
        self,
        data: DataAccessLayer,
        registry: FactorRegistry,
        keeper: ValueKeeper,
        *,
        threads: int | None = None,
        max_memory: int | None = None,
    ) -> None:
        self.registry = registry
        self._data = data
        self._keeper = keeper
        self._threads = threads
        self._max_memory = max_memory

    async def calculate_factors(
        self, symbols: Sequence[str] | None, trade_date: WhenLike, factors: Sequence[str] = ("v1",)
    ) -> pa.Table:
        """Return what `calculate` returns, computed beside the event loop."""
        return await asyncio.to_thread(self.calculate, symbols, trade_date, factors)

    def calculate(
        self, symbols: Sequence[str] | None, trade_date: WhenLike, factors: Sequence[str] = ("v1",)
    ) -> pa.Table:
        """Return the factors of one day.

        Parameters
        ----------
        symbols : sequence of str or None
            In any spelling; None means all. Ranks and z-scores are among all symbols whichever are asked for.
        trade_date : day
            A day with bars.
        factors : sequence of str
            Names of factors or libraries.

        Returns
        -------
        pyarrow.Table
            symbol, trade_date, factor_id, value, percentile_rank (0 to 100), z_score; one row for each value there
            is, in the order of the factors and then of the symbols.

        Raises
        ------
        NotFound
            If nothing traded on that day, or a factor is unknown.
        UnknownSymbol
            If a symbol never had a bar.
        InvalidRequest
            If no day is given.
        """
        when = parse_when(trade_date, "trade_date")
        if when is None:
            raise InvalidRequest("calculate needs a trade_date")
        day = day_of(when)
        wanted = parse_symbols(symbols, self._data.limits)
        stored = self._values(factors)
        rows = stored.rows(day, day)
        if rows.start == rows.stop:
            raise NotFound(_no_bars_on(day, stored))
        if wanted is not None:
            stored.check_symbols(wanted)
        return _long_table(stored.panel(rows), wanted)

    def compute(
        self,
        factors: Sequence[str],
        start: WhenLike = None,
        end: WhenLike = None,
        symbols: Sequence[str] | None = None,
        *,
        hooks: Hooks | None = None,
    ) -> Panel:
        """Return values by factor, brought up to date first.

        Returns
        -------
        Panel
            float32, one field a factor; NaN where the symbol did not trade or the value does not exist. Columns are
            the symbols asked for, sorted, or all that ever had a bar.

        Raises
        ------
        UnknownSymbol
            If a symbol never had a bar.
        InvalidRequest
            If the answer, or the computation, does not fit into `max_memory`.
        """
        span = span_of(start, end)
        wanted = parse_symbols(symbols, self._data.limits)
        stored = self._values(factors, hooks)
        rows = stored.rows(*span)
        self._check_fits(stored, rows, len(stored.symbols if wanted is None else wanted))
        return stored.panel(rows, wanted)

    def last_day(
        self,
        factors: Sequence[str],
        start: WhenLike = None,
        end: WhenLike = None,
        symbols: Sequence[str] | None = None,
    ) -> Panel:
        """Return what `compute` does for the last day alone; no row if the span has no day."""
        span = span_of(start, end)
        wanted = parse_symbols(symbols, self._data.limits)
        stored = self._values(factors)
        rows = stored.rows(*span)
        return stored.panel(slice(max(rows.stop - 1, rows.start), rows.stop), wanted)

    def update(self, factors: Sequence[str], *, hooks: Hooks | None = None) -> Update:
        """Bring stored values up to date, and say what that took."""
        return self._keeper.update(self.expressions(factors), max_memory=self._max_memory, hooks=hooks)

    def explain(self, factors: Sequence[str]) -> Decision:
        """Say what an update would compute again, and why."""
        return self._keeper.decide(self.expressions(factors))

    def stored(self) -> list[tuple[Meta, int]]:
        """Return what is stored, and the bytes it takes."""
        return self._keeper.stored_sets()

    def save(
        self,
        factors: Sequence[str],
        start: WhenLike = None,
        end: WhenLike = None,
        *,
        hooks: Hooks | None = None,
    ) -> WriteReceipt | None:
        """Write values, percentile ranks and z-scores into the truth store; None if there were none.

        Days that are there already are replaced. A write that fails leaves whole days written, the earlier ones first;
        saving again is harmless.
        """
        span = span_of(start, end)
        stored = self._values(factors, hooks)
        rows = stored.rows(*span)
        step = max(_SAVED_ROWS // (len(stored.names) * len(stored.symbols)), 1)
        written: list[WriteReceipt] = []
        for first in range(rows.start, rows.stop, step):
            table = _long_table(stored.panel(slice(first, min(first + step, rows.stop))))
            if table.num_rows:
                written.append(self._data.write(FACTOR_VALUES, table))
        spans = [receipt.span for receipt in written if receipt.span is not None]
        if not spans:
            return None
        count = sum(receipt.rows for receipt in written)
        return WriteReceipt(FACTOR_VALUES.name, written[-1].version, count, spans[0] | spans[-1])

    def export(
        self,
        factors: Sequence[str],
        path: Path,
        start: WhenLike = None,
        end: WhenLike = None,
        *,
        hooks: Hooks | None = None,
    ) -> int:
        """Compute factors straight into a Parquet file, storing nothing, and return its rows.

        Memory stays within `max_memory` however large the file becomes. With `start`, days before it are computed, as
        the windows need them, but not written. A file of that name is replaced.
        """
        told = hooks or Hooks()
        low, _ = span_of(start, end)
        check_target(path)
        expressions = self.expressions(factors)
        program = Program(expressions)
        panel = load_fields(self._data, program.fields, end=end).panel
        estimate = self._quote(program, panel, CELL_BYTES)
        told.quoted(estimate)
        program.compile(told.compiled)
        first = panel.rows_between(low).start
        with ParquetSink(path, list(expressions), panel, estimate.shape.chunk, first) as sink:
            run(
                program,
                PanelSource(panel, program.fields),
                sink,
                shape=estimate.shape,
                progress=told.progress,
                cancelled=told.cancelled,
            )
        return sink.rows

    def quote(self, factors: Sequence[str]) -> Quote:
        """Say what computing factors over everything takes, without doing it."""
        program = Program(self.expressions(factors))
        return self._quote(program, load_fields(self._data, program.fields).panel, _ITEM)

    def expressions(self, factors: Sequence[str]) -> dict[str, Node]:
        """Return the expressions of factors by id, missing where the symbol did not trade.

        Of a library, those that the data do not allow are left out; `left_out` names them.

        Raises
        ------
        NotFound
            If nothing is left.
        """
        traded, lacks = Field("close"), self.left_out(factors)
        kept = [f for f in self.registry.select(factors) if f.id not in lacks]
        if not kept:
            raise NotFound(f"the data allow no factor of {', '.join(factors)}: {next(iter(lacks.values()))}")
        return {f.id: OPERATORS["mask"](f.node, traded) for f in kept}

    def stored_values(self, expressions: Mapping[str, Node], *, hooks: Hooks | None = None) -> StoredValues:
        """Return the values of expressions that need no name in the registry, brought up to date first.

        They are computed as they are: where a symbol did not trade, too, unless they say otherwise.

        Parameters
        ----------
        expressions : mapping of str to Node
            What is stored for the same ones under the same names is used again.

        Raises
        ------
        NotFound
            If there are no bars, or a field has no data.
        InvalidRequest
            If an expression looks ahead, or the memory does not suffice.
        """
        return self._keeper.values(expressions, max_memory=self._max_memory, hooks=hooks)

    def current_values(self, expressions: Mapping[str, Node]) -> StoredValues | None:
        """Return what `stored_values` would if nothing has to be computed for it, else None."""
        return self._keeper.current(expressions)

    def left_out(self, factors: Sequence[str]) -> dict[str, str]:
        """Return which factors of the libraries named read datasets that hold no rows here, and what they lack.

        A factor that is named itself is never left out: computing it says what is missing.
        """
        libraries = [name for name in factors if name in self.registry.libraries()]
        if not libraries:
            return {}
        named = {f.id for name in factors if name not in libraries for f in [self.registry.get(name)]}
        empty: dict[str, bool] = {}
        lacks: dict[str, str] = {}
        for factor in self.registry.select(libraries):
            sources = {field_named(name).source.dataset for name in fields_of(factor.node)}
            for dataset in sources:
                if dataset.name not in empty:
                    empty[dataset.name] = self._data.store.span(dataset) is None
            missing = sorted(dataset.name for dataset in sources if empty[dataset.name])
            if missing and factor.id not in named:
                lacks[factor.id] = f"no rows in {', '.join(missing)}"
        return lacks

    def _values(self, factors: Sequence[str], hooks: Hooks | None = None) -> StoredValues:
        return self.stored_values(self.expressions(factors), hooks=hooks)

    def _check_fits(self, stored: StoredValues, rows: slice, symbols: int) -> None:
        """Refuse an answer that is larger than the memory that is left."""
        needed = _ITEM * len(stored.names) * (rows.stop - rows.start) * symbols
        left = left_of(self._max_memory)
        if left is not None and needed > left:
            raise InvalidRequest(
                f"{len(stored.names)} factors x {rows.stop - rows.start:,} days x {symbols:,} symbols are "
                f"{needed / 1e6:,.0f} MB, {max(left, 0) / 1e6:,.0f} MB are left of factors.max_memory_bytes; ask for "
                "fewer at once, or export them to a file"
            )

    def _quote(self, program: Program, panel: Panel, cell_bytes: int) -> Quote:
        rows, columns = panel.shape
        return quote(
            program,
            rows,
            columns,
            threads=self._threads,
            max_bytes=left_of(self._max_memory),
            row_bytes=cell_bytes * columns * len(program.names),
        )


def span_of(start: WhenLike, end: WhenLike) -> tuple[date | None, date | None]:
    """Return the first and last day asked for; refuse spans that are no spans."""
    low, high = Query(DAILY, None, parse_when(start, "start"), parse_when(end, "end")).bounds
    return None if low is None else day_of(low), None if high is None else day_of(high)


def _no_bars_on(day: date, stored: StoredValues) -> str:
    row = stored.rows(day).start
    around = " and ".join(str(near) for near in stored.days[max(row - 1, 0) : row + 1])
    return f"there are no bars on {day}, so no factor has a value then; nearest: {around}"


def _long_table(panel: Panel, symbols: Sequence[str] | None = None) -> pa.Table:
    """Return values with ranks and z-scores among all symbols of the panel; rows for some symbols, or for all."""
    keep = np.ones(panel.shape[1], dtype=bool)
    if symbols is not None:
        keep = np.isin(panel.symbols, np.array(symbols, dtype=np.str_))
    return pa.concat_tables([_rows_of(name, panel, keep) for name in panel]).cast(FACTOR_VALUES.schema)


def _rows_of(name: str, panel: Panel, keep: np.ndarray) -> pa.Table:
    values = panel[name].astype(np.float64)
    numbers: Mapping[str, np.ndarray] = {
        "value": values,
        "percentile_rank": 100 * run_rows(ROW_RANK, values),
        "z_score": run_rows(ROW_ZSCORE, values),
    }
    column, row = np.nonzero((~np.isnan(values) & keep).T)
    key = {
        "symbol": pa.array(panel.symbols.tolist(), pa.string()).take(pa.array(column)),
        "trade_date": pa.array(panel.times.astype("datetime64[D]")[row]),
        "factor_id": pa.repeat(pa.scalar(name), len(row)),
    }
    told = {label: pa.array(array[row, column], from_pandas=True) for label, array in numbers.items()}
    return pa.table(key | told)
