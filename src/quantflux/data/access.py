"""The one door to market data: bars, panels, cross-sections, aggregates, writes.

A read is answered from the panel tier when that can, and from the truth store when it cannot; the result says which.
Prices come raw, or adjusted on read; see `quantflux.data.adjustment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, Unsupported
from quantflux.core.instruments import InstrumentTable
from quantflux.core.panel import Panel
from quantflux.data.adjustment import FACTOR, PRICES, Adjuster
from quantflux.data.aggregates import aggregate, check
from quantflux.data.bars import Bars, Provenance, bars_of
from quantflux.data.blocks import BlockReader
from quantflux.data.contract import (
    Aggregation,
    AsOf,
    CanCompact,
    CompactReceipt,
    MarketStore,
    Query,
    WriteReceipt,
)
from quantflux.data.coverage import coverage_of_batches, coverage_of_blocks
from quantflux.data.grids import Grid, bars_from, grid_of, panel_from
from quantflux.data.panel_aggregates import aggregate_blocks
from quantflux.data.panels import Layout, PanelTier, Snapshot
from quantflux.data.request import Adjust, Limits, Request, WhenLike, parse_request
from quantflux.data.schema import DAILY, INSTRUMENTS, MINUTE, Dataset, TimeKind
from quantflux.data.schema import dataset as dataset_named


class DataAccessLayer:
    """Reads and writes market data.

    Parameters
    ----------
    store : MarketStore
        Keeps the truth.
    panels : PanelTier or None
        Answers faster what it can; without it every read goes to the store.
    clock : Clock
    limits : Limits, optional
        The most that one request may ask for.
    """

    def __init__(
        self,
        store: MarketStore,
        panels: PanelTier | None = None,
        *,
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        self.store = store
        self.panels = panels
        self.limits = limits if limits is not None else Limits()
        self._clock = clock
        self._reader = BlockReader(store, panels, self.limits)
        self._adjuster = Adjuster(store, self._reader)
        self._writes = 0
        self._states: dict[str, tuple[float, tuple[str, int]]] = {}
        self._instruments: tuple[tuple[str, int], InstrumentTable] | None = None

    def get_stock_data(
        self,
        symbol: str,
        start: WhenLike = None,
        end: WhenLike = None,
        frequency: str = "1d",
        fields: Sequence[str] | None = None,
        adjust: str = "none",
        as_of: AsOf | None = None,
        *,
        anchor: WhenLike = None,
    ) -> Bars:
        """Return the bars of one symbol.

        Parameters
        ----------
        symbol : str
            In any spelling that `core.symbols.parse_symbol` reads.
        start, end : date, datetime, ISO text or None
            Of the bars' labels, both inclusive. A naive instant is Shanghai wall-clock time; for minute bars a day
            means the whole day.
        frequency : str
            1d, 1w, 1mo, 1min, 5min, 15min, 30min or 60min. The last week or month ends at `end`.
        fields : sequence of str or None
            None means every field of the dataset.
        adjust : {"none", "forward", "backward"}
            Changes open, high, low and close; never volume or amount. Where a day's factor is not stored, its
            adjusted prices are null.
        as_of : int, datetime or None
            A version or an aware instant: the rows as they stood then, if the store keeps history.
        anchor : day or None
            The day whose prices forward adjustment leaves as traded; the last one with a factor unless given.

        Returns
        -------
        Bars
            Empty if the symbol has no bars in the span.

        Raises
        ------
        UnknownSymbol
            If the dataset has no row of it; names similar symbols.
        InvalidRequest
            If the request makes no sense or exceeds the limits, or no adjustment factor is stored.
        Unsupported
            If the store keeps no history for `as_of`.
        """
        request = parse_request(self.limits, symbol, start, end, frequency, fields, adjust, anchor=anchor)
        return self._bars(request, as_of)

    def get_many(
        self,
        symbols: Sequence[str] | None = None,
        start: WhenLike = None,
        end: WhenLike = None,
        frequency: str = "1d",
        fields: Sequence[str] | None = None,
        adjust: str = "none",
        as_of: AsOf | None = None,
        *,
        anchor: WhenLike = None,
        dataset: Dataset | str | None = None,
    ) -> Bars:
        """Return the bars of many symbols (None: all), in long form sorted by symbol and time.

        `dataset` reads another dataset than bars, such as stock_daily_basic; the rest is as in `get_stock_data`.
        """
        source = _resolved(dataset)
        request = parse_request(
            self.limits, symbols, start, end, frequency, fields, adjust, dataset=source, anchor=anchor
        )
        return self._bars(request, as_of)

    def panel(
        self,
        fields: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        start: WhenLike = None,
        end: WhenLike = None,
        frequency: str = "1d",
        adjust: str = "none",
        as_of: AsOf | None = None,
        *,
        anchor: WhenLike = None,
        dataset: Dataset | str | None = None,
    ) -> Panel:
        """Return fields as float64 arrays of shape (times, symbols), NaN where there is no row or no value.

        Rows are the days (or bars of those days) on which any symbol of the dataset has a row. Columns are the
        symbols asked for, or all that have a row in the span. Daily fields within one year are views of the panel
        tier's memory. None of the arrays can be written to.
        """
        source = _resolved(dataset)
        request = parse_request(
            self.limits, symbols, start, end, frequency, fields, adjust, dataset=source, anchor=anchor
        )
        snapshot = self._reader.snapshot(request.query) if as_of is None else None
        grid, _ = self._grid(request, snapshot, as_of, every_day=True)
        return panel_from(grid, request)

    def cross_section(
        self,
        day: WhenLike,
        fields: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        adjust: str = "none",
        as_of: AsOf | None = None,
        *,
        dataset: Dataset | str | None = None,
    ) -> Bars:
        """Return one day of many symbols (None: all) of a daily dataset; no rows if nothing was traded."""
        if day is None:
            raise InvalidRequest("a cross-section needs a day")
        return self.get_many(symbols, day, day, "1d", fields, adjust, as_of, dataset=dataset)

    def aggregate(self, query: Query, aggregation: Aggregation) -> pa.Table:
        """Return measures by symbol and calendar period, in the form that `contract.Aggregation` describes.

        Daily datasets are aggregated on the panels; what those cannot answer, by the store if it has that power,
        and otherwise from the rows it streams.
        """
        check(query.dataset, aggregation)
        wanted = replace(query, columns=aggregation.columns)
        snapshot = self._reader.snapshot(wanted) if query.dataset.kind is TimeKind.DAY else None
        if snapshot is not None:
            return aggregate_blocks(self._reader.blocks(wanted, snapshot, aggregation.period), aggregation)
        result = aggregate(self.store, wanted, aggregation)
        self._reader.require_rows(query, result)
        return result

    def read(self, query: Query, as_of: AsOf | None = None) -> pa.Table:
        """Return rows of any dataset from the store, within the limits."""
        return self._reader.rows(query, as_of)[0]

    def write(self, dataset: Dataset | str, table: pa.Table) -> WriteReceipt:
        """Upsert rows into the store. Reads through this object see them at once."""
        target = _named(dataset)
        receipt = self.store.write(target, table)
        self.expire(target)
        return receipt

    def symbols(self, dataset: Dataset | str = DAILY) -> list[str]:
        """Return the symbols with rows, sorted."""
        return sorted(self._reader.symbols(_named(dataset)))

    def coverage(self, dataset: Dataset | str = DAILY) -> pa.Table:
        """Return symbol, first and last day with a row, and number of rows, for every symbol."""
        target = _named(dataset)
        everything = Query(target, columns=())
        snapshot = self._reader.snapshot(everything)
        if snapshot is None:
            return coverage_of_batches(self.store.iter_batches(everything), Layout(target))
        return coverage_of_blocks([part.block((), part.symbols, None, None) for part in snapshot.parts()])

    def version(self, dataset: Dataset | str = DAILY) -> int:
        """Return the dataset's version; 0 before the first write."""
        return self.store.version(_named(dataset))

    def state(self, dataset: Dataset | str = DAILY) -> tuple[str, int]:
        """Return which dataset reads show (a name that no other ever had), and the version they show at least.

        This is what may be remembered together with values. It costs a look at the store at most once in the panel
        tier's `check_seconds`; of datasets without panels it is asked every time.
        """
        target = _named(dataset)
        writes = self._writes
        state = self._reader.state(target)
        if (
            writes == self._writes
        ):  # else the state may be that of before a write, which this object shows at once
            self._states[target.name] = (self._clock.monotonic(), state)
        return state

    def known_state(self, dataset: Dataset | str, *, max_age: float) -> tuple[str, int] | None:
        """Return what `state` last said if that is at most `max_age` seconds ago; never waits for anything.

        A write through this object ends what is known.
        """
        known = self._states.get(dataset if isinstance(dataset, str) else dataset.name)
        if known is None or self._clock.monotonic() - known[0] > max_age:
            return None
        return known[1]

    def at_hand(self, query: Query) -> bool:
        """Whether the panels that answer a query are open already, so that bars as traded are read without waiting."""
        return self._reader.at_hand(query)

    def expire(self, dataset: Dataset | str) -> None:
        """Ask the store for the version at the next read, since something else than `write` changed it."""
        target = _named(dataset)
        panels = None if self.panels is None else self.panels.of(target)
        if panels is not None:
            panels.expire()
        self._writes += 1
        self._states.pop(target.name, None)

    def instruments(self) -> InstrumentTable:
        """Return every instrument over time, read anew when the dataset has changed."""
        state = self.state(INSTRUMENTS)
        known = self._instruments
        if known is None or known[0] != state:
            known = (state, InstrumentTable.from_table(self.read(Query(INSTRUMENTS))))
            self._instruments = known
        return known[1]

    def compact(self, dataset: Dataset | str, *, keep_history: timedelta) -> CompactReceipt:
        """Rewrite the store's files into fewer; `Unsupported` if the store has none of its own."""
        if not isinstance(self.store, CanCompact):
            raise Unsupported(f"the store {self.store.name!r} compacts itself; there is nothing to do")
        return self.store.compact(_named(dataset), keep_history=keep_history)

    def _bars(self, request: Request, as_of: AsOf | None) -> Bars:
        snapshot = self._reader.snapshot(request.query) if as_of is None else None
        plain = not request.frequency.derived and request.adjust is Adjust.NONE
        if snapshot is None and plain:  # the store's own rows are the answer, whatever their types
            table, version = self._reader.rows(_exact(request), as_of)
            return bars_of(table, request.dataset, request.symbols, _provenance(request, version, "store"))
        grid, origin = self._grid(request, snapshot, as_of)
        return bars_from(grid, request, origin)

    def _grid(
        self, request: Request, snapshot: Snapshot | None, as_of: AsOf | None, *, every_day: bool = False
    ) -> tuple[Grid, Provenance]:
        query = request.query
        adjusting = request.adjust is not Adjust.NONE and not set(request.fields).isdisjoint(PRICES)
        if adjusting and request.dataset is MINUTE and isinstance(as_of, int):
            raise InvalidRequest(
                f"versions are counted for each dataset: as_of={as_of} is one of {MINUTE.name}, and the factors are in "
                f"{DAILY.name}; give an instant to adjust minute bars as of then"
            )
        if adjusting and request.dataset is DAILY:
            query = replace(query, columns=(*request.fields, FACTOR))
        answer = self._reader.answer(query, snapshot, as_of)
        if every_day:
            answer = self._reader.with_every_day(answer, query, as_of)
        block = answer.block
        if adjusting:
            block = self._adjuster.adjusted(block, request.adjust, request.anchor, as_of)
        return grid_of(block, request), _provenance(request, answer.version, answer.tier)


def _exact(request: Request) -> Query:
    return Query(request.dataset, request.symbols, request.start, request.end, request.fields)


def _provenance(request: Request, version: int, tier: str) -> Provenance:
    return Provenance(request.dataset.name, version, tier, request.frequency.value, request.adjust.value)


def _named(dataset: Dataset | str) -> Dataset:
    return dataset_named(dataset) if isinstance(dataset, str) else dataset


def _resolved(dataset: Dataset | str | None) -> Dataset | None:
    return None if dataset is None else _named(dataset)
