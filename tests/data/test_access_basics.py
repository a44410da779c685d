"""The first path: bars and panels over the memory store."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import UnknownSymbol
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import open_store
from quantflux.data.panels import PanelTier
from quantflux.data.schema import DAILY

ROWS = [
    ("000001.SZ", date(2023, 12, 29), 9.0, 100, 2.0),
    ("000001.SZ", date(2024, 1, 2), 10.0, 2**40 + 1, 2.0),
    ("600519.SH", date(2024, 1, 2), 1685.0, 300, None),
]


@pytest.fixture
def layer(tmp_path: Path, clock: FixedClock) -> DataAccessLayer:
    store = open_store(clock=clock)
    layer = DataAccessLayer(store, PanelTier(store, tmp_path / "panels", clock=clock), clock=clock)
    symbols, days, prices, volumes, factors = zip(*ROWS, strict=True)
    columns = dict.fromkeys(("open", "high", "low", "close"), prices)
    layer.write(
        DAILY,
        pa.table(
            {"symbol": symbols, "trade_date": days, **columns, "volume": volumes, "adj_factor": factors}
        ),
    )
    return layer


def test_bars_of_one_symbol_come_from_the_panel(layer: DataAccessLayer) -> None:
    bars = layer.get_stock_data("sz000001", "2024-01-01")

    assert bars.provenance.tier == "panel"
    assert bars["volume"].tolist() == [2**40 + 1]
    assert bars.to_arrow()["trade_date"].to_pylist() == [date(2024, 1, 2)]


def test_a_symbol_without_rows_is_unknown_and_similar_ones_are_named(layer: DataAccessLayer) -> None:
    with pytest.raises(UnknownSymbol, match=r"600518\.SH.*Similar: 600519\.SH"):
        layer.get_stock_data("600518.SH")


def test_a_known_symbol_without_bars_in_the_span_gives_no_rows(layer: DataAccessLayer) -> None:
    assert len(layer.get_stock_data("000001.SZ", "2020-01-01", "2020-12-31")) == 0


def test_a_panel_spans_segments(layer: DataAccessLayer) -> None:
    panel = layer.panel(["close"])

    assert panel.shape == (2, 2)
    assert panel["close"][0, 0] == 9.0
