"""Random histories of writes, reads and reopenings against a dictionary, which is obviously right."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from quantflux.data.contract import CanCompact, CanReadAsOf, MarketStore, Query, Span
from quantflux.data.schema import DAILY
from tests.data.conformance.samples import bars
from tests.data.conformance.stores import StoreUnderTest

SYMBOLS = ["000001.SZ", "300750.SZ", "430047.BJ", "600519.SH", "688981.SH"]
DAYS = [date(2023, 12, 27) + timedelta(days=n) for n in range(10)]

Model = dict[tuple[str, date], float]
symbols = st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=4, unique=True)
days = st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True)
prices = st.integers(1, 5).map(float)


def rows_of(model: Model) -> pa.Table:
    """Return a model's rows, sorted by key."""
    tables = [bars(symbol, [day], close) for (symbol, day), close in sorted(model.items())]
    return pa.concat_tables(tables).combine_chunks() if tables else DAILY.schema.empty_table()


def selected(model: Model, names: list[str] | None, start: date | None, end: date | None) -> Model:
    """Return the part of a model that a query asks for."""
    return {
        (symbol, day): close
        for (symbol, day), close in model.items()
        if (names is None or symbol in names) and (start or DAYS[0]) <= day <= (end or DAYS[-1])
    }


def machine(subject: StoreUnderTest) -> type[RuleBasedStateMachine]:
    """Return a state machine that plays on the data behind `subject`."""

    class StoreAndDictionary(RuleBasedStateMachine):
        store: MarketStore

        @initialize()
        def begin(self) -> None:
            subject.renew()
            self.store = subject.open()
            self.model: Model = {}
            self.versions: dict[int, Model] = {0: {}}

        @rule(names=symbols, on=days, close=prices)
        def write(self, names: list[str], on: list[date], close: float) -> None:
            before = self.store.version(DAILY)
            rows = pa.concat_tables([bars(name, on, close) for name in names])
            new = {(name, day): close for name in names for day in on}
            differ = [day for (name, day) in new if self.model.get((name, day)) != close]

            receipt = self.store.write(DAILY, rows)

            self.model |= new
            self.versions[receipt.version] = dict(self.model)
            spans = self.store.changes(DAILY, before).spans
            assert all(any(span.overlaps(Span(day, day)) for span in spans) for day in differ)
            assert receipt.version > before or not differ

        @rule(
            names=st.none() | symbols,
            first=st.sampled_from([None, *DAYS]),
            last=st.sampled_from([None, *DAYS]),
        )
        def read(self, names: list[str] | None, first: date | None, last: date | None) -> None:
            if first is not None and last is not None and first > last:
                first, last = last, first

            found = self.store.read(Query(DAILY, None if names is None else tuple(names), first, last))

            assert found.equals(rows_of(selected(self.model, names, first, last)))

        @rule(names=st.none() | symbols, batch_rows=st.sampled_from([1, 7, 1000]))
        def stream(self, names: list[str] | None, batch_rows: int) -> None:
            query = Query(DAILY, None if names is None else tuple(names))
            together = pa.Table.from_batches(self.store.iter_batches(query, batch_rows), DAILY.schema)
            expected = rows_of(selected(self.model, names, None, None))
            assert together.sort_by([(name, "ascending") for name in DAILY.key]).equals(expected)

        @rule(data=st.data())
        def read_earlier(self, data: st.DataObject) -> None:
            if isinstance(self.store, CanReadAsOf):
                version = data.draw(st.sampled_from(sorted(self.versions)))
                assert self.store.read_as_of(Query(DAILY), version).equals(rows_of(self.versions[version]))

        @rule()
        def compact(self) -> None:
            if isinstance(self.store, CanCompact):
                self.store.compact(DAILY, keep_history=timedelta(days=1))

        @rule()
        def reopen(self) -> None:
            if subject.survives:
                self.store.close()
                self.store = subject.open()

        @invariant()
        def names_and_span_agree(self) -> None:
            if not hasattr(self, "model"):
                return
            assert self.store.symbols(DAILY) == sorted({symbol for symbol, _ in self.model})
            held = [day for _, day in self.model]
            assert self.store.span(DAILY) == (Span(min(held), max(held)) if held else None)

        def teardown(self) -> None:
            if hasattr(self, "store"):
                self.store.close()

    return StoreAndDictionary


def test_store_equals_dictionary(subject: StoreUnderTest) -> None:
    run_state_machine_as_test(
        machine(subject),
        settings=settings(
            max_examples=subject.model_examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
