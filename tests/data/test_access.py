"""The data access layer: requests, frequencies, results, history, limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.clock import SHANGHAI, FixedClock
from quantflux.core.errors import InvalidRequest, NotFound, UnknownDataset, UnknownSymbol, Unsupported
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.columnar import open_store as open_columnar
from quantflux.data.adapters.memory import MemoryStore, open_store
from quantflux.data.aggregates import aggregate_table
from quantflux.data.contract import Aggregation, Function, Measure, Period, Query
from quantflux.data.panels import PanelTier
from quantflux.data.request import Limits
from quantflux.data.schema import DAILY, DAILY_BASIC, FACTOR_VALUES, MINUTE
from tests.data.market_tables import DAYS, SYMBOLS, daily_bars, table_of, tables

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))


MINUTE_ROWS = table_of(
    MINUTE, [(s, d, slot) for s in SYMBOLS[:2] for d in DAYS[3:6] for slot in range(240)], seed=5
)
BASIC_ROWS = table_of(DAILY_BASIC, [(s, d, 0) for s in SYMBOLS for d in DAYS], seed=6)


@pytest.fixture
def store() -> MemoryStore:
    store = open_store(clock=CLOCK)
    store.write(DAILY, daily_bars(SYMBOLS[:3], date(2023, 11, 1), 100))
    store.write(MINUTE, MINUTE_ROWS)
    store.write(DAILY_BASIC, BASIC_ROWS)
    return store


@pytest.fixture(params=["panel", "store"])
def layer(request: pytest.FixtureRequest, store: MemoryStore, tmp_path: Path) -> DataAccessLayer:
    """Every test runs on the panel tier and on the bare store: the answers must be the same."""
    panels = PanelTier(store, tmp_path, clock=CLOCK) if request.param == "panel" else None
    return DataAccessLayer(store, panels, clock=CLOCK)


@pytest.mark.parametrize("symbol", ["000001.SZ", "sz000001", "000001", "SZ.000001", "000001.XSHE"])
def test_any_spelling_of_a_symbol_is_read(layer: DataAccessLayer, symbol: str) -> None:
    assert layer.get_stock_data(symbol, "2023-11-01", "2023-11-05").symbols == ("000001.SZ",)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2023-12-30", "2024-01-02"),
        (date(2023, 12, 30), date(2024, 1, 2)),
        (datetime(2023, 12, 30, 9, 30), datetime(2024, 1, 2, 15, 0)),
        (datetime(2023, 12, 29, 17, 0, tzinfo=UTC), datetime(2024, 1, 2, 0, 0, tzinfo=UTC)),
        ("2023-12-30T10:00:00", "2024-01-02T09:00:00+08:00"),
    ],
)
def test_bounds_are_inclusive_days_in_any_form(layer: DataAccessLayer, start: object, end: object) -> None:
    bars = layer.get_stock_data("000001.SZ", start, end, fields=["close"])  # type: ignore[arg-type]

    assert bars.times.astype(str).tolist() == ["2023-12-30", "2023-12-31", "2024-01-01", "2024-01-02"]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda d: d.get_stock_data("000001.SZ", "2024-01-02", "2024-01-01"), "start must not be after end"),
        (lambda d: d.get_stock_data("000001.SZ", "1800-01-01"), "start must lie in 1900-01-01"),
        (lambda d: d.get_stock_data("000001.SZ", end="9999-12-31"), "end must lie in"),
        (
            lambda d: d.get_stock_data("000001.SZ", "yesterday"),
            "start must be a day or an instant in ISO 8601",
        ),
        (lambda d: d.get_stock_data("000001.SZ", 20240102), "start must be a day"),
        (lambda d: d.get_stock_data("000001.SZ", frequency="2min"), "frequency must be one of 1d, 1w"),
        (
            lambda d: d.get_stock_data("000001.SZ", adjust="qfq"),
            "adjust must be one of none, forward, backward",
        ),
        (lambda d: d.get_stock_data("000001.SZ", fields=["vwap"]), "has no column 'vwap'; it has: open"),
        (lambda d: d.get_stock_data("000001.SZ", fields="close"), "fields must be a list"),
        (lambda d: d.get_stock_data("../etc/passwd"), "is not a symbol"),
        (
            lambda d: d.get_stock_data("000001.SZ", frequency="1w", fields=["adj_factor"]),
            "have no adj_factor",
        ),
        (lambda d: d.cross_section(None), "needs a day"),
        (lambda d: d.get_many(adjust="forward", dataset=DAILY_BASIC), "holds no prices to adjust"),
        (lambda d: d.get_many(frequency="5min", dataset=DAILY_BASIC), "has no bars of 5min"),
        (lambda d: d.get_many(dataset=MINUTE), "has no bars of 1d; its rows are read with frequency='1min'"),
        (lambda d: d.cross_section("2024-01-02", dataset=MINUTE), "has no bars of 1d"),
        (lambda d: d.get_stock_data("000001.SZ", "9999-12-31T23:59:59Z"), "start must lie in"),
        (lambda d: d.get_stock_data("000001.SZ", end="0001-01-01T00:00+14:00"), "end must lie in"),
        (lambda d: d.get_stock_data("000001.SZ", anchor="9999-12-31T23:59:59Z"), "anchor must lie in"),
        (lambda d: d.get_stock_data("000001.SZ", as_of="yesterday"), "as_of must be a version number"),
        (lambda d: d.get_stock_data("000001.SZ", as_of=True), "as_of must be a version number"),
    ],
)
def test_requests_without_sense_say_what_would_be_valid(
    layer: DataAccessLayer, ask: Callable[[DataAccessLayer], object], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        ask(layer)


def test_an_unknown_symbol_names_similar_ones(layer: DataAccessLayer) -> None:
    with pytest.raises(UnknownSymbol) as caught:
        layer.get_many(["000001.SZ", "000003.SZ"])

    assert caught.value.symbols == ("000003.SZ",)
    assert set(caught.value.similar) >= {"000001.SZ", "000002.SZ"}


def test_an_unknown_dataset_names_the_known_ones(layer: DataAccessLayer) -> None:
    with pytest.raises(UnknownDataset, match="stock_daily_data"):
        layer.version("stock_daily")


def test_a_span_without_bars_is_empty_and_typed(layer: DataAccessLayer) -> None:
    for bars in (
        layer.get_stock_data("000001.SZ", "2030-01-01", "2030-12-31"),
        layer.get_many(None, "2030-01-01", "2030-12-31"),
        layer.cross_section("2030-01-01"),
    ):
        assert len(bars) == 0
        assert bars.symbols == ()
        assert bars.to_arrow().equals(DAILY.schema.empty_table())
        assert bars.to_polars().shape == (0, 9)


def test_bars_within_a_day_end_where_asked(layer: DataAccessLayer) -> None:
    bars = layer.get_stock_data(
        "000001.SZ", "2023-01-31 14:58", datetime(2023, 2, 1, 9, 32), "1min", ["close"]
    )

    assert bars.times.astype(str).tolist() == [
        "2023-01-31T14:58:00",
        "2023-01-31T14:59:00",
        "2023-01-31T15:00:00",
        "2023-02-01T09:31:00",
        "2023-02-01T09:32:00",
    ]


def test_a_longer_bar_that_closes_after_the_end_is_left_out(layer: DataAccessLayer) -> None:
    bars = layer.get_stock_data("000001.SZ", "2023-02-01 09:31", "2023-02-01 09:44", "5min")

    assert bars.times.astype(str).tolist() == ["2023-02-01T09:35:00", "2023-02-01T09:40:00"]


@pytest.mark.parametrize("frequency", ["1min", "5min", "15min", "30min", "60min"])
def test_panels_and_bars_agree(layer: DataAccessLayer, frequency: str) -> None:
    panel = layer.panel(None, None, "2023-01-31", "2023-02-01", frequency)
    bars = layer.get_many(None, "2023-01-31", "2023-02-01", frequency)

    table = panel.to_arrow(types={"volume": pa.int64()})
    assert panel.shape == (2 * 240 // max(int(frequency[:-3]), 1), 2)
    assert table.cast(bars.to_arrow().schema).equals(bars.to_arrow())


def test_a_daily_panel_within_a_year_is_a_view_that_cannot_be_written(
    store: MemoryStore, tmp_path: Path
) -> None:
    layer = DataAccessLayer(store, PanelTier(store, tmp_path, clock=CLOCK), clock=CLOCK)

    panel = layer.panel(["close"], start="2023-11-10", end="2023-12-20")

    assert not panel["close"].flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        panel["close"][0, 0] = 1.0


def test_panel_columns_are_the_symbols_asked_for(layer: DataAccessLayer) -> None:
    panel = layer.panel(["pe"], ["688981", "000001"], dataset="stock_daily_basic")

    assert panel.symbols.tolist() == ["000001.SZ", "688981.SH"]


def test_datasets_with_more_keys_have_no_bars(layer: DataAccessLayer) -> None:
    layer.write(
        FACTOR_VALUES,
        pa.table(
            {"symbol": ["000001.SZ"], "trade_date": [date(2024, 1, 2)], "factor_id": ["roc"], "value": [1.0]}
        ),
    )

    with pytest.raises(InvalidRequest, match=r"factor_values has no bars: .* trade_date, factor_id"):
        layer.panel(["value"], dataset=FACTOR_VALUES)


@pytest.mark.parametrize(("frequency", "rule"), [("1w", "W-SUN"), ("1mo", "ME")])
def test_weeks_and_months_are_folded_like_pandas_does(
    layer: DataAccessLayer, frequency: str, rule: str
) -> None:
    daily = layer.get_stock_data("000001.SZ").to_pandas().set_index("trade_date")
    grouped = daily.assign(label=daily.index).resample(rule)
    expected = grouped.agg(
        {
            "open": "first",
            "high": "max",
            "low": "min",
            "close": "last",
            "volume": "sum",
            "amount": "sum",
            "label": "last",
        }
    )

    bars = layer.get_stock_data("000001.SZ", frequency=frequency).to_pandas()

    assert bars["trade_date"].tolist() == expected["label"].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert bars[name].tolist() == expected[name].tolist()
    np.testing.assert_allclose(bars["amount"], expected["amount"])


def test_the_last_week_ends_where_asked_and_the_first_is_whole(layer: DataAccessLayer) -> None:
    bars = layer.get_stock_data("000001.SZ", "2023-11-15", "2023-11-22", "1w")  # Wednesday to Wednesday

    assert bars.times.astype(str).tolist() == ["2023-11-19", "2023-11-22"]
    assert bars["open"][0] == layer.get_stock_data("000001.SZ", "2023-11-13", "2023-11-13")["open"][0]


def test_a_suspended_symbol_ends_its_week_on_its_own_last_day(layer: DataAccessLayer) -> None:
    rows = daily_bars(["688981.SH"], date(2023, 11, 13), 12)  # Monday; the others trade every day
    layer.write(DAILY, pa.concat_tables([rows.slice(0, 3), rows.slice(8, 4)]))

    bars = layer.get_stock_data("688981.SH", frequency="1w")
    late = layer.get_stock_data("688981.SH", "2023-11-17", frequency="1w")
    panel = layer.panel(["close"], ["688981.SH"], "2023-11-13", "2023-11-24", "1w")

    assert bars.times.astype(str).tolist() == ["2023-11-15", "2023-11-24"]
    assert late.times.astype(str).tolist() == ["2023-11-24"]
    assert panel.times.astype(str).tolist() == ["2023-11-19", "2023-11-24"]


def test_a_panel_has_the_days_of_the_market_and_the_symbols_of_the_span(layer: DataAccessLayer) -> None:
    layer.write(DAILY, daily_bars(["688981.SH"], date(2023, 11, 20), 1))

    alone = layer.panel(["close"], ["688981.SH"], "2023-11-19", "2023-11-21")
    everyone = layer.panel(["close"], None, "2023-11-01", "2023-11-02")

    assert np.isnan(alone["close"][:, 0]).tolist() == [True, False, True]
    assert everyone.symbols.tolist() == sorted(SYMBOLS[:3])


def test_many_weeks_of_many_symbols_are_those_of_each(store: MemoryStore, tmp_path: Path) -> None:
    layer = DataAccessLayer(store, PanelTier(store, tmp_path, clock=CLOCK), clock=CLOCK)
    symbols = [f"{600000 + i}.SH" for i in range(12)]
    layer.write(DAILY, daily_bars(symbols, date(2024, 1, 1), 40))

    together = layer.get_many(symbols, frequency="1w").to_arrow()

    apart = pa.concat_tables([layer.get_stock_data(s, frequency="1w").to_arrow() for s in symbols])
    assert together.drop("amount").equals(apart.drop("amount").combine_chunks())
    np.testing.assert_allclose(together["amount"], apart["amount"], rtol=1e-12)


def test_results_turn_into_every_kind_of_table(layer: DataAccessLayer) -> None:
    bars = layer.get_many(["000001.SZ", "000002.SZ"], "2023-11-01", "2023-11-02", fields=["close", "volume"])
    arrow = bars.to_arrow()

    assert arrow.schema.equals(DAILY.schema_of(("close", "volume")))
    assert bars.to_polars().equals(pl.DataFrame(arrow))
    assert (
        bars.to_pandas()["trade_date"].tolist()
        == [pd.Timestamp("2023-11-01"), pd.Timestamp("2023-11-02")] * 2
    )
    columns = bars.to_numpy()
    assert list(columns) == ["symbol", "trade_date", "close", "volume"]
    assert columns["symbol"].tolist() == arrow["symbol"].to_pylist()
    assert columns["volume"].dtype == np.int64
    with pytest.raises(NotFound, match="no field 'open'; they have: close, volume"):
        bars["open"]


def test_one_symbol_needs_no_symbol_column(layer: DataAccessLayer) -> None:
    for start in ("2023-11-01", "2030-01-01"):
        columns = layer.get_stock_data("000001.SZ", start, fields=["close"]).to_numpy()
        assert list(columns) == ["trade_date", "close"]


def test_no_symbols_give_no_rows(layer: DataAccessLayer) -> None:
    assert len(layer.get_many([])) == 0
    assert layer.panel(["close"], []).shape[1] == 0


def test_provenance_says_what_answered(layer: DataAccessLayer) -> None:
    origin = layer.get_stock_data("000001.SZ", frequency="1w", adjust="backward").provenance

    assert origin.dataset == "stock_daily_data"
    assert origin.version == layer.version()
    assert origin.tier == ("panel" if layer.panels is not None else "store")
    assert (origin.frequency, origin.adjust) == ("1w", "backward")


def test_reads_see_a_write_through_the_same_layer_at_once(store: MemoryStore, tmp_path: Path) -> None:
    layer = DataAccessLayer(store, PanelTier(store, tmp_path, clock=CLOCK, check_seconds=3600), clock=CLOCK)
    layer.get_many()

    layer.write(DAILY, daily_bars(["600519.SH"], date(2024, 1, 1), 1))

    assert layer.get_stock_data("600519.SH").provenance.version == store.version(DAILY)


def test_as_of_reads_what_stood_then(layer: DataAccessLayer) -> None:
    version, before = layer.version(), layer.get_stock_data("000001.SZ").to_arrow()
    layer.write(DAILY, daily_bars(["000001.SZ"], date(2023, 11, 1), 100, seed=9))

    assert layer.get_stock_data("000001.SZ", as_of=version).to_arrow().equals(before)
    assert not layer.get_stock_data("000001.SZ").to_arrow().equals(before)
    old = layer.panel(["close"], ["000001.SZ"], as_of=version, adjust="backward")
    factors = before["adj_factor"].to_numpy()
    assert old["close"][:, 0].tolist() == (before["close"].to_numpy() * factors).tolist()


def test_a_version_number_cannot_date_minutes_and_their_factors_together(layer: DataAccessLayer) -> None:
    with pytest.raises(InvalidRequest, match="versions are counted for each dataset"):
        layer.get_stock_data("000001.SZ", frequency="1min", adjust="forward", as_of=1)


def test_as_of_needs_a_store_that_keeps_history(layer: DataAccessLayer) -> None:
    class Forgetful:
        """The bare contract, without optional powers."""

        name = "forgetful"

        def __init__(self, inner: MemoryStore) -> None:
            self.version, self.symbols, self.iter_batches = inner.version, inner.symbols, inner.iter_batches

    assert isinstance(layer.store, MemoryStore)
    bare = DataAccessLayer(Forgetful(layer.store), clock=CLOCK)  # type: ignore[arg-type]

    with pytest.raises(Unsupported, match=r"'forgetful' keeps no history.*columnar"):
        bare.get_stock_data("000001.SZ", as_of=1)
    with pytest.raises(Unsupported, match="compacts itself"):
        bare.compact(DAILY, keep_history=timedelta(0))


def test_rows_of_several_years_stand_in_key_order_whatever_the_store_streams_first(tmp_path: Path) -> None:
    store = open_columnar(path=tmp_path, clock=CLOCK)  # streams year by year
    store.write(DAILY, daily_bars(SYMBOLS[:3], date(2023, 12, 1), 60))
    layer = DataAccessLayer(store, clock=CLOCK)

    for table in (layer.get_many().to_arrow(), layer.read(Query(DAILY))):
        keys = list(zip(table["symbol"].to_pylist(), table["trade_date"].to_pylist(), strict=True))
        assert len(keys) == 180
        assert keys == sorted(keys)


def test_aggregates_of_an_unknown_symbol_are_refused_by_every_tier(layer: DataAccessLayer) -> None:
    monthly = Aggregation(Period.MONTH, (Measure("last", "close", Function.LAST),))

    for dataset in (DAILY, MINUTE):
        with pytest.raises(UnknownSymbol):
            layer.aggregate(Query(dataset, ("600000.SH",)), monthly)


def test_compaction_changes_no_row(tmp_path: Path) -> None:
    store = open_columnar(path=tmp_path / "lake", clock=CLOCK)
    layer = DataAccessLayer(store, PanelTier(store, tmp_path / "panels", clock=CLOCK), clock=CLOCK)
    for day in range(1, 5):
        layer.write(DAILY, daily_bars(SYMBOLS, date(2024, 1, day), 1, seed=day))
    before = layer.get_many().to_arrow()

    layer.compact("stock_daily_data", keep_history=timedelta(0))

    assert layer.get_many().to_arrow().equals(before)
    store.close()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_symbols=2), "3 symbols were named, one request may name 2"),
        (Limits(max_cells=50), "more than the 50 cells"),
    ],
)
def test_limits_are_stated(layer: DataAccessLayer, limits: Limits, message: str) -> None:
    small = DataAccessLayer(layer.store, layer.panels, clock=CLOCK, limits=limits)

    with pytest.raises(InvalidRequest, match=message):
        small.get_many(SYMBOLS[:3])
    with pytest.raises(InvalidRequest, match=message):
        small.panel(["close"], SYMBOLS[:3])


def test_coverage_counts_rows_by_symbol(layer: DataAccessLayer) -> None:
    coverage = layer.coverage(MINUTE).to_pylist()

    assert coverage == [
        {"symbol": s, "first": date(2023, 1, 3), "last": date(2023, 2, 1), "rows": 720} for s in SYMBOLS[:2]
    ]
    assert layer.coverage().num_rows == 3
    assert layer.coverage(FACTOR_VALUES).num_rows == 0


def test_symbols_follow_the_version(layer: DataAccessLayer) -> None:
    assert layer.symbols() == sorted(SYMBOLS[:3])

    layer.write(DAILY, daily_bars(["688981.SH"], date(2024, 1, 1), 1))

    assert "688981.SH" in layer.symbols()


@pytest.mark.parametrize("period", list(Period))
@given(table=tables(DAILY), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=10)
def test_panel_aggregates_are_those_of_the_rows(period: Period, table: pa.Table, seed: int) -> None:
    measures = [Measure(f"{f}_{c}", c, f) for f in Function for c in ("close", "volume", "amount")]
    aggregation = Aggregation(period, tuple(measures))
    store = open_store(clock=CLOCK)
    store.write(DAILY, table)
    symbols = None if seed % 2 else (store.symbols(DAILY)[0],)
    query = Query(DAILY, symbols, DAYS[1], DAYS[-2])
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        layer = DataAccessLayer(store, PanelTier(store, Path(root), clock=CLOCK), clock=CLOCK)

        got = layer.aggregate(query, aggregation)

    expected = aggregate_table(store.read(query), DAILY, aggregation)
    assert got.schema.equals(expected.schema)
    assert got.select(["symbol", "period_start"]).equals(expected.select(["symbol", "period_start"]))
    for measure in measures:
        ours, theirs = got[measure.name], expected[measure.name]
        assert ours.is_null().equals(theirs.is_null()), measure.name
        np.testing.assert_allclose(
            np.nan_to_num(ours.to_numpy()), np.nan_to_num(theirs.to_numpy()), rtol=1e-9, err_msg=measure.name
        )


def test_minute_aggregates_come_from_the_store(layer: DataAccessLayer) -> None:
    volume = Aggregation(Period.DAY, (Measure("volume", "volume", Function.SUM),))
    query = Query(MINUTE, ("000001.SZ",))

    assert layer.aggregate(query, volume).equals(aggregate_table(layer.read(query), MINUTE, volume))


def test_the_clock_of_shanghai_rules_minute_labels(layer: DataAccessLayer) -> None:
    bars = layer.get_stock_data("000001.SZ", "2023-02-01", "2023-02-01", "60min")

    closing = [t.astimezone(SHANGHAI).strftime("%H:%M") for t in bars.to_arrow()["bar_time"].to_pylist()]
    assert closing == ["10:30", "11:30", "14:00", "15:00"]
