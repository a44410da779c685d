"""What the panel tier answers is what the store holds, to the bit."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.clock import FixedClock
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.columnar import open_store as open_columnar
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import Query
from quantflux.data.panels import PanelTier
from quantflux.data.schema import DAILY, DAILY_BASIC, MINUTE, Dataset
from tests.data.market_tables import DATASETS, DAYS, SYMBOLS, daily_bars, table_of, tables

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))


def bits(table: pa.Table) -> list[object]:
    """Return a table so that equality means the same bits: floats as integers, nulls as None."""
    columns = [table.schema]
    for column in table.columns:
        flat = column.combine_chunks()
        if pa.types.is_floating(flat.type):
            missing = flat.is_null().to_pylist()
            raw = flat.fill_null(0.0).to_numpy().view(np.int64).tolist()
            columns.append([None if gone else value for gone, value in zip(missing, raw, strict=True)])
        else:
            columns.append(flat.to_pylist())
    return columns


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
@given(data=st.data())
@settings(deadline=None, max_examples=12)
def test_panels_hold_what_the_store_holds_after_every_write(dataset: Dataset, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as root:
        store = open_store(clock=CLOCK)
        layer = DataAccessLayer(store, PanelTier(store, Path(root), clock=CLOCK), clock=CLOCK)
        for _ in range(data.draw(st.integers(1, 3), label="writes")):
            layer.write(dataset, data.draw(tables(dataset)))
            known = store.symbols(dataset)
            symbols = data.draw(st.none() | st.lists(st.sampled_from(known), min_size=1, unique=True))
            start, end = sorted(data.draw(st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS))))
            fields = data.draw(st.none() | st.just(["close"]))

            if dataset is MINUTE:
                bars = layer.get_many(symbols, start, end, "1min", fields)
            else:
                bars = layer.get_many(symbols, start, end, fields=fields, dataset=dataset)

            wanted = None if symbols is None else tuple(sorted(symbols))
            query = Query(dataset, wanted, start, end, None if fields is None else tuple(fields))
            assert bars.provenance.tier == "panel"
            assert bars.provenance.version == store.version(dataset)
            assert bits(bars.to_arrow()) == bits(store.read(query))


@pytest.mark.parametrize("dataset", [DAILY, DAILY_BASIC], ids=lambda d: d.name)
@given(data=st.data())
@settings(deadline=None, max_examples=12)
def test_a_daily_panel_is_the_table_pivoted(dataset: Dataset, data: st.DataObject) -> None:
    table = data.draw(tables(dataset))
    with tempfile.TemporaryDirectory() as root:
        store = open_store(clock=CLOCK)
        layer = DataAccessLayer(store, PanelTier(store, Path(root), clock=CLOCK), clock=CLOCK)
        layer.write(dataset, table)

        panel = layer.panel(["close"], dataset=dataset)

        cells = {}
        for row in table.to_pylist():
            cells[row["trade_date"], row["symbol"]] = row["close"]
        for t, day in enumerate(panel.times.tolist()):
            for n, symbol in enumerate(panel.symbols.tolist()):
                value = cells.pop((day, symbol), None)
                got = panel["close"][t, n]
                assert got == value if value is not None else np.isnan(got)
        assert not cells


def test_integers_beyond_exact_floats_are_served_by_the_store(tmp_path: Path) -> None:
    store = open_store(clock=CLOCK)
    layer = DataAccessLayer(store, PanelTier(store, tmp_path, clock=CLOCK), clock=CLOCK)
    rows = daily_bars(["600519.SH"], date(2024, 1, 1), 3)
    huge = 2**53 + 1
    layer.write(
        DAILY, rows.set_column(rows.schema.get_field_index("volume"), "volume", pa.array([1, huge, 2]))
    )

    bars = layer.get_stock_data("600519.SH")

    assert bars.provenance.tier == "store"
    assert bars["volume"].tolist() == [1, huge, 2]


def test_a_segment_too_large_to_keep_is_read_twice_and_stays_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.data.panels.build.KEPT_BYTES", 100)
    store = open_store(clock=CLOCK)
    layer = DataAccessLayer(store, PanelTier(store, tmp_path, clock=CLOCK), clock=CLOCK)
    layer.write(DAILY, daily_bars(SYMBOLS, date(2023, 12, 1), 60))

    bars = layer.get_many()

    assert bars.provenance.tier == "panel"
    assert bits(bars.to_arrow()) == bits(store.read(Query(DAILY)))


def test_panels_over_the_columnar_store_are_exact(tmp_path: Path) -> None:
    store = open_columnar(path=tmp_path / "lake", clock=CLOCK)
    layer = DataAccessLayer(store, PanelTier(store, tmp_path / "panels", clock=CLOCK), clock=CLOCK)
    keys = [(s, d, slot) for s in SYMBOLS for d in DAYS for slot in (0, 7, 119, 120, 239)]
    layer.write(MINUTE, table_of(MINUTE, keys, seed=1))
    layer.write(MINUTE, table_of(MINUTE, keys[::3], seed=2))

    bars = layer.get_many(frequency="1min")

    assert bars.provenance.tier == "panel"
    assert bits(bars.to_arrow()) == bits(store.read(Query(MINUTE)))
    store.close()
