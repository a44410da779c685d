"""Reads dense blocks of values, from the panel tier when it can answer and from the store when it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

import numpy as np
import pyarrow as pa

from quantflux.core.errors import InvalidRequest, UnknownSymbol, Unsupported
from quantflux.data.contract import AsOf, CanReadAsOf, HasIdentity, MarketStore, Period, Query, day_of
from quantflux.data.panels import Block, Layout, NotExactError, PanelTier, Snapshot, block_of, day_number
from quantflux.data.request import Limits
from quantflux.data.rows import in_key_order
from quantflux.data.schema import Dataset
from quantflux.data.sessions import SLOTS
from quantflux.data.stores import store_names

_BATCH_ROWS = 262_144


@dataclass(frozen=True, slots=True)
class Answer:
    """A block, the dataset's version that it shows, and the tier that gave it."""

    block: Block
    version: int
    tier: str


class BlockReader:
    """Where the data access layer gets its values.

    Parameters
    ----------
    store : MarketStore
    panels : PanelTier or None
    limits : Limits
    """

    def __init__(self, store: MarketStore, panels: PanelTier | None, limits: Limits) -> None:
        self._store = store
        self._panels = panels
        self._limits = limits
        self._known: dict[str, tuple[tuple[str, int], frozenset[str]]] = {}

    def snapshot(self, query: Query) -> Snapshot | None:
        """Return the panels that answer a query, or None if the store has to."""
        panels = None if self._panels is None else self._panels.of(query.dataset)
        if panels is None or not set(query.value_columns) <= set(panels.layout.numeric):
            return None
        first, last = _days(query)
        return panels.snapshot(first, last)

    def at_hand(self, query: Query) -> bool:
        """Whether the panels of a query are open already, so that it is answered without waiting for anything."""
        panels = None if self._panels is None else self._panels.of(query.dataset)
        if panels is None or not set(query.value_columns) <= set(panels.layout.numeric):
            return False
        return panels.at_hand(*_days(query))

    def state(self, dataset: Dataset) -> tuple[str, int]:
        """Return which dataset reads show, and the version they show at least: what may be remembered with values.

        Panels may be `check_seconds` behind the store, so values read from them are not the store's newest.
        """
        panels = None if self._panels is None else self._panels.of(dataset)
        shown = None if panels is None else panels.state()
        return self._stored(dataset) if shown is None else shown

    def _stored(self, dataset: Dataset) -> tuple[str, int]:
        identity = self._store.identity(dataset) if isinstance(self._store, HasIdentity) else ""
        return identity, self._store.version(dataset)

    def lookup(self, query: Query, as_of: AsOf | None) -> Block:
        """Return the values that a query asks for; symbols that nobody knows have none."""
        snapshot = self.snapshot(query) if as_of is None else None
        return self.answer(query, snapshot, as_of, unknown_too=True).block

    def answer(
        self, query: Query, snapshot: Snapshot | None, as_of: AsOf | None = None, *, unknown_too: bool = False
    ) -> Answer:
        """Return the values that a query asks for, with its symbols as columns if it names any.

        Raises
        ------
        UnknownSymbol
            If the dataset has no row at all of a symbol that the query names.
        InvalidRequest
            If the answer would be larger than the limits allow, or cannot be a block.
        """
        if snapshot is None:
            return self._read_store(query, as_of, unknown_too=unknown_too)
        if query.symbols is not None and not unknown_too:
            self.require_known(query.dataset, snapshot.lacks(query.symbols))
        first, last = _days(query)
        self._check_size(snapshot.size(query.symbols, first, last), snapshot.layout)
        block = snapshot.block(query.value_columns, query.symbols, first, last)
        return Answer(block, snapshot.version, "panel")

    def blocks(self, query: Query, snapshot: Snapshot, period: Period) -> list[Block]:
        """Return the values of a query in blocks of whole periods: one a segment, except for weeks.

        A segment's block is a view of its memory, which spares copying the whole history.
        """
        symbols = snapshot.symbols if query.symbols is None else query.symbols
        self.require_known(query.dataset, snapshot.lacks(symbols))
        first, last = _days(query)
        parts = [snapshot] if period is Period.WEEK or not snapshot.segments else snapshot.parts()
        return [part.block(query.value_columns, symbols, first, last) for part in parts]

    def _read_store(self, query: Query, as_of: AsOf | None, *, unknown_too: bool) -> Answer:
        layout = Layout(query.dataset)
        presence = () if layout.presence not in query.dataset.by_name else (layout.presence,)
        columns = tuple(dict.fromkeys((*query.value_columns, *presence)))
        odd = [name for name in query.value_columns if name not in layout.numeric]
        if odd:
            raise InvalidRequest(f"{query.dataset.name}.{odd[0]} is not a number, so it cannot be a panel")
        table, version = self.rows(replace(query, columns=columns), as_of, unknown_too=unknown_too)
        try:
            block = block_of(table, layout, query.value_columns, query.symbols)
        except NotExactError as reason:
            raise InvalidRequest(f"{reason}; ask for the bars as they are stored") from reason
        self._check_size((len(block.days), len(block.symbols)), layout)
        return Answer(block, version, "store")

    def with_every_day(self, answer: Answer, query: Query, as_of: AsOf | None) -> Answer:
        """Return an answer whose days are those on which any symbol of the dataset has a row.

        Panels have those already; the store gave only the days of the symbols asked for, so the keys of all the
        others are read as well.
        """
        if answer.tier == "panel" or query.symbols is None:
            return answer
        everyone = replace(query, symbols=None, columns=())
        layout, days = Layout(query.dataset), [answer.block.days]
        if as_of is None:
            days += [np.unique(layout.days_of(b)) for b in self._store.iter_batches(everyone, _BATCH_ROWS)]
        else:
            days.append(layout.days_of(self.rows(everyone, as_of)[0]))
        block = answer.block.on_days(np.unique(np.concatenate(days)))
        self._check_size((len(block.days), len(block.symbols)), layout)
        return replace(answer, block=block)

    def _check_size(self, size: tuple[int, int], layout: Layout) -> None:
        days, symbols = size
        self._limits.check_cells(symbols, days * (SLOTS if layout.minutes else 1))

    def rows(
        self, query: Query, as_of: AsOf | None = None, *, unknown_too: bool = False
    ) -> tuple[pa.Table, int]:
        """Return rows in key order, and the version that they show (-1 if it is known only as an instant)."""
        if as_of is not None:
            if isinstance(as_of, bool) or not isinstance(as_of, int | datetime):
                raise InvalidRequest(
                    f"as_of must be a version number or an aware datetime, was {as_of!r:.60}"
                )
            if not isinstance(self._store, CanReadAsOf):
                raise Unsupported(
                    f"the store {self._store.name!r} keeps no history, so as_of cannot be answered; columnar does "
                    f"(installed stores: {', '.join(store_names())})"
                )
            return self._store.read_as_of(query, as_of), as_of if isinstance(as_of, int) else -1
        version = self._store.version(query.dataset)
        batches, rows = [], 0
        for batch in self._store.iter_batches(query, _BATCH_ROWS):
            batches.append(batch)
            rows += batch.num_rows
            self._limits.check_cells(1, rows)
        table = in_key_order(query.dataset, pa.Table.from_batches(batches, schema=query.schema))
        if not unknown_too:
            self.require_rows(query, table)
        return table, version

    def symbols(self, dataset: Dataset) -> frozenset[str]:
        """Return every symbol with rows, remembered per version."""
        state = self._stored(dataset)
        known = self._known.get(dataset.name)
        if known is None or known[0] != state:
            known = (state, frozenset(self._store.symbols(dataset)))
            self._known[dataset.name] = known
        return known[1]

    def require_rows(self, query: Query, answer: pa.Table) -> None:
        """Refuse symbols that a query names, if they have no row in its answer nor anywhere in the dataset."""
        if query.symbols is not None:
            found = set(answer.column("symbol").unique().to_pylist())
            self.require_known(query.dataset, [s for s in query.symbols if s not in found])

    def require_known(self, dataset: Dataset, symbols: Sequence[str]) -> None:
        """Refuse symbols of which the dataset has no row at all."""
        if not symbols:
            return
        known = self.symbols(dataset)
        unknown = [symbol for symbol in symbols if symbol not in known]
        if unknown:
            raise UnknownSymbol(unknown, dataset.name, similar(unknown[0], known))


def similar(symbol: str, known: frozenset[str]) -> list[str]:
    """Return known symbols that look like `symbol`: the same code elsewhere first."""
    elsewhere = sorted(s for s in known if s[:6] == symbol[:6])
    return list(dict.fromkeys([*elsewhere, *get_close_matches(symbol, sorted(known), n=5, cutoff=0.7)]))


def _days(query: Query) -> tuple[int | None, int | None]:
    first = None if query.start is None else day_number(day_of(query.start))
    last = None if query.end is None else day_number(day_of(query.end))
    return first, last
