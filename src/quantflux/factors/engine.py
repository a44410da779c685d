"""Computes factors by name on the data of an installation: stored, kept up to date, ranked by day.

`calculate` and its asynchronous twin `calculate_factors` answer for one day; `compute` gives panels; `save` writes
into the truth store; `export` streams into a file. All of them see a factor only where its symbol traded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import WriteReceipt, day_of
from quantflux.data.request import WhenLike, parse_symbols, parse_when
from quantflux.data.schema import FACTOR_VALUES
from quantflux.expressions.kernels.row_ranks import ROW_RANK
from quantflux.expressions.kernels.rows import ROW_ZSCORE, run_rows
from quantflux.expressions.nodes import OPERATORS, Field, Node
from quantflux.expressions.program.flow import PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import Quote, left_of, quote
from quantflux.expressions.program.run import run
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.fields import load_fields
from quantflux.factors.parquet import CELL_BYTES, ParquetSink
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Decision, ValueKeeper
from quantflux.factors.stored.folder import Meta
from quantflux.factors.stored.keeper import Hooks, Update

_SAVED_DAYS = 20  # days of values in one write to the store


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
            is, sorted by factor and symbol.

        Raises
        ------
        NotFound
            If nothing traded on that day, or a factor is unknown.
        InvalidRequest
            If no day is given.
        """
        when = parse_when(trade_date, "trade_date")
        if when is None:
            raise InvalidRequest("calculate needs a trade_date")
        day = day_of(when)
        chosen = self.registry.select(factors)
        panel = self.compute(factors, day, day)
        if len(panel) == 0:
            raise NotFound(f"there are no bars on {day}, so no factor has a value then")
        wanted = parse_symbols(symbols, self._data.limits)
        return _long_table(panel, [f.id for f in chosen], None if wanted is None else set(wanted))

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
            float32, one field a factor; NaN where the symbol did not trade or the value does not exist.
        """
        expressions = self.expressions(factors)
        self._keeper.update(expressions, max_memory=self._max_memory, hooks=hooks)
        low, high = parse_when(start, "start"), parse_when(end, "end")
        return self._keeper.values(
            expressions,
            list(expressions),
            None if low is None else day_of(low),
            None if high is None else day_of(high),
            parse_symbols(symbols, self._data.limits),
        )

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
        panel = self.compute(factors, start, end, hooks=hooks)
        written: list[WriteReceipt] = []
        for first in range(0, len(panel), _SAVED_DAYS):
            days = panel.times[first : first + _SAVED_DAYS]
            table = _long_table(panel.select(start=days[0], end=days[-1]), list(panel), None)
            if table.num_rows:
                written.append(self._data.write(FACTOR_VALUES, table))
        spans = [receipt.span for receipt in written if receipt.span is not None]
        if not spans:
            return None
        rows = sum(receipt.rows for receipt in written)
        return WriteReceipt(FACTOR_VALUES.name, written[-1].version, rows, spans[0] | spans[-1])

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
        the windows need them, but not written.
        """
        told = hooks or Hooks()
        expressions = self.expressions(factors)
        program = Program(expressions)
        panel = load_fields(self._data, {*program.fields, "close"}, end=end).panel
        estimate = self._quote(program, panel, CELL_BYTES)
        told.quoted(estimate)
        program.compile(told.compiled)
        first = panel.rows_between(start, None).start
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
        return self._quote(program, load_fields(self._data, program.fields).panel, 4)

    def expressions(self, factors: Sequence[str]) -> dict[str, Node]:
        """Return the expressions of factors by id, missing where the symbol did not trade."""
        return {f.id: self._masked(f) for f in self.registry.select(factors)}

    @staticmethod
    def _masked(factor: FactorDefinition) -> Node:
        return OPERATORS["mask"](factor.node, Field("close"))

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


def _long_table(panel: Panel, names: Sequence[str], symbols: set[str] | None) -> pa.Table:
    """Return values with ranks and z-scores as rows of `factor_values`."""
    keep = np.ones(panel.shape[1], dtype=bool)
    if symbols is not None:
        keep = np.array([s in symbols for s in panel.symbols.tolist()], dtype=bool)
    parts = [_rows_of(name, panel, keep) for name in names]
    return pa.concat_tables(parts).cast(FACTOR_VALUES.schema)


def _rows_of(name: str, panel: Panel, keep: np.ndarray) -> pa.Table:
    values = panel[name].astype(np.float64)
    numbers: Mapping[str, np.ndarray] = {
        "value": values,
        "percentile_rank": 100 * run_rows(ROW_RANK, values),
        "z_score": run_rows(ROW_ZSCORE, values),
    }
    column, row = np.nonzero((~np.isnan(values) & keep).T)
    there = {label: array[row, column] for label, array in numbers.items()}
    key = {
        "symbol": pa.array(panel.symbols[column].tolist(), pa.string()),
        "trade_date": pa.array(panel.times.astype("datetime64[D]")[row]),
        "factor_id": pa.array([name] * len(row), pa.string()),
    }
    return pa.table(key | {label: pa.array(array, from_pandas=True) for label, array in there.items()})
