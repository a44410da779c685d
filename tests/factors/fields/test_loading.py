"""Fields on common axes: adjusted like the data access layer, never carried, the same for any span and symbols."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol, VersionConflict
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import MemoryStore
from quantflux.data.contract import Query
from quantflux.data.request import Limits
from quantflux.data.schema import CHIP, DAILY, DAILY_BASIC, INSTRUMENTS, MONEYFLOW, Dataset
from quantflux.factors.fields import available_fields, load_fields
from tests.data.market_tables import daily_bars
from tests.factors.fields.conftest import CLOCK, stored
from tests.factors.fields.reports import INCOME, written

PRICES = ["open", "high", "low", "close"]
ONE, TWO, THREE, INDEX = "000002.SZ", "600519.SH", "688981.SH", "000001.SH"
FIRST = date(2022, 12, 20)


def layer_of(*tables: tuple[Dataset, pa.Table]) -> DataAccessLayer:
    return DataAccessLayer(stored(dict(tables)), clock=CLOCK)


def bars(*symbols: str, days: int = 30, first: date = FIRST, **changed: object) -> pa.Table:
    table = daily_bars(list(symbols), first, days, seed=3)
    for name, values in changed.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    return table


def assert_same(one: Panel, other: Panel) -> None:
    assert one.symbols.tolist() == other.symbols.tolist()
    np.testing.assert_array_equal(one.times, other.times)
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_prices_are_adjusted_as_the_data_access_layer_adjusts_them(data: DataAccessLayer) -> None:
    got = load_fields(data, [*PRICES, "volume", "amount"]).panel

    expected = data.panel([*PRICES, "volume", "amount"], adjust="backward")
    assert_same(got, expected)
    assert (got["close"] != data.panel(["close"])["close"]).any()


def test_raw_prices_are_as_stored_and_the_factor_leads_from_one_to_the_other(data: DataAccessLayer) -> None:
    got = load_fields(data, ["raw_close", "adj_factor", "close"]).panel

    np.testing.assert_array_equal(got["raw_close"], data.panel(["close"])["close"])
    np.testing.assert_array_equal(got["raw_close"] * got["adj_factor"], got["close"])


def test_the_axes_are_all_days_with_a_bar_and_all_shares() -> None:
    layer = layer_of((DAILY, pa.concat_tables([bars(ONE, INDEX), bars(TWO, first=date(2023, 1, 10))])))

    everything = load_fields(layer, ["close"]).panel
    named = load_fields(layer, ["close"], ["sh600519", INDEX], "2023-01-17").panel

    assert everything.symbols.tolist() == [ONE, TWO]
    assert (str(everything.times[0]), str(everything.times[-1])) == ("2022-12-20", "2023-02-08")
    assert named.symbols.tolist() == [INDEX, TWO]
    assert str(named.times[0]) == "2023-01-17"
    with pytest.raises(UnknownSymbol, match=r"300750\.SZ"):
        load_fields(layer, ["close"], ["300750.SZ"])


def test_only_shares_that_traded_in_the_span_have_a_column_unless_named() -> None:
    layer = layer_of((DAILY, pa.concat_tables([bars(ONE), bars(TWO, first=date(2023, 1, 10))])))

    assert load_fields(layer, ["close"], end="2022-12-31").panel.symbols.tolist() == [ONE]
    assert load_fields(layer, ["close"], [ONE, TWO], end="2022-12-31").panel.symbols.tolist() == [ONE, TWO]


def test_a_symbol_without_any_factor_counts_as_adjusted_already() -> None:
    factors = [None] * 30 + [2.0] * 30
    layer = layer_of((DAILY, bars(ONE, TWO, adj_factor=factors)))

    loaded = load_fields(layer, ["close", "raw_close", "adj_factor"])

    panel = loaded.panel
    np.testing.assert_array_equal(panel["close"], panel["raw_close"] * [1.0, 2.0])
    np.testing.assert_array_equal(panel["adj_factor"], np.tile([1.0, 2.0], (30, 1)))
    assert loaded.notes == (f"{ONE}: no adj_factor, so prices count as adjusted already",)


@pytest.mark.parametrize("kept", [range(20, 30), range(5)])
def test_a_factor_is_never_guessed_whatever_the_span(kept: range) -> None:
    factors = [2.0 if i in kept else None for i in range(30)]
    layer = layer_of((DAILY, bars(ONE, TWO, adj_factor=factors + [3.0] * 30)))

    whole = load_fields(layer, ["close", "raw_close"])
    part = load_fields(layer, ["close", "raw_close"], start="2022-12-28", end="2023-01-03")

    expected = whole.panel["raw_close"] * np.column_stack([[f or np.nan for f in factors], [3.0] * 30])
    np.testing.assert_array_equal(whole.panel["close"], expected)
    np.testing.assert_array_equal(part.panel["close"], expected[8:15])
    assert whole.notes == (f"{ONE}: {30 - len(kept)} bars without adj_factor, so without adjusted prices",)
    assert part.notes == (f"{ONE}: 7 bars without adj_factor, so without adjusted prices",)


def test_vwap_is_the_adjusted_average_price() -> None:
    volume = [0, 3, *[100] * 28]
    amount = [0.0, 30.0, None, *[1500.0] * 27]
    layer = layer_of((DAILY, bars(ONE, volume=volume, amount=amount, adj_factor=[2.0] * 30)))

    loaded = load_fields(layer, ["vwap"])

    assert loaded.panel["vwap"][:4, 0].tolist() == pytest.approx([np.nan, 20.0, np.nan, 30.0], nan_ok=True)
    assert loaded.notes == ()


def test_without_any_amount_vwap_is_the_typical_price_and_says_so() -> None:
    table = bars(ONE, amount=[None] * 30, adj_factor=[2.0] * 30)
    layer = layer_of((DAILY, table))

    loaded = load_fields(layer, ["vwap", "raw_high", "raw_low", "raw_close"])

    panel = loaded.panel
    typical = (panel["raw_high"] + panel["raw_low"] + panel["raw_close"]) / 3 * 2
    np.testing.assert_allclose(panel["vwap"], typical, rtol=1e-15)
    assert loaded.notes == ("the bars hold no amount: vwap is the typical price (high + low + close) / 3",)


def test_a_span_without_amounts_is_not_filled_with_typical_prices_if_others_have_them() -> None:
    layer = layer_of((DAILY, bars(ONE, amount=[None] * 20 + [900.0] * 10)))

    loaded = load_fields(layer, ["vwap"], end="2022-12-31")

    assert np.isnan(loaded.panel["vwap"]).all()
    assert loaded.notes == ("no value of vwap is known for these days and symbols",)


def test_daily_values_stand_on_their_own_day_and_symbol_only() -> None:
    days = [date(2022, 12, d) for d in (19, 20, 22)]  # the first has no bars
    symbols = [ONE, THREE, "688999.SH"]  # the last has none
    basic = pa.table(
        {
            "symbol": pa.array(np.repeat(symbols, 3)),
            "trade_date": pa.array(days * 3, pa.date32()),
            "pb": np.arange(9.0),
        }
    )
    layer = layer_of((DAILY, bars(ONE, TWO, THREE, days=4)), (DAILY_BASIC, basic))

    got, part = (load_fields(layer, ["pb"], named).panel for named in (None, [ONE, TWO]))

    nothing = [np.nan] * 3
    expected = np.array([[1.0, np.nan, 4.0], nothing, [2.0, np.nan, 5.0], nothing])
    np.testing.assert_array_equal(got["pb"], expected)
    np.testing.assert_array_equal(part["pb"], expected[:, :2])


def test_cap_is_the_market_value(data: DataAccessLayer) -> None:
    panel = load_fields(data, ["cap", "total_mv"]).panel

    np.testing.assert_array_equal(panel["cap"], panel["total_mv"])
    assert np.isfinite(panel["cap"]).any()


def test_flows_and_costs_are_those_of_their_datasets(data: DataAccessLayer) -> None:
    panel = load_fields(data, ["buy_elg_amount", "winner_rate"]).panel

    for name, source in (("buy_elg_amount", MONEYFLOW), ("winner_rate", CHIP)):
        np.testing.assert_array_equal(panel[name], data.panel([name], dataset=source)[name])


def test_statements_count_from_the_trading_day_after_their_announcement() -> None:
    reports = [("2021-12-31", "1", "2022-03-30", 100.0), ("2022-12-31", "1", "2023-01-06", 120.0)]
    income = written(INCOME, "n_income_attr_p", reports, symbol=ONE)
    week = bars(ONE, TWO, days=40).filter(
        pa.array([date(2022, 12, 20).toordinal() + i % 40 not in (738527, 738528) for i in range(80)])
    )
    assert date.fromordinal(738527) == date(2023, 1, 7)  # a Saturday
    layer = layer_of((DAILY, week), (INCOME, income))

    panel = load_fields(layer, ["net_profit_ttm", "net_profit_ttm_prev_year"]).panel

    known = panel["net_profit_ttm"][:, 0]
    friday, monday = panel.row_of("2023-01-06"), panel.row_of("2023-01-09")
    assert monday == friday + 1
    assert known[: friday + 1].tolist() == [100.0] * (friday + 1)
    assert known[monday:].tolist() == [120.0] * (len(panel) - monday)
    assert panel["net_profit_ttm_prev_year"][monday, 0] == 100.0
    assert np.isnan(panel["net_profit_ttm"][:, 1]).all()


def test_premature_reports_and_a_statement_without_consolidated_ones_are_told() -> None:
    early = written(INCOME, "revenue", [("2022-12-31", "1", "2022-12-30", 1.0)], symbol=ONE)
    parents = written(INCOME, "revenue", [("2022-09-30", "6", "2022-10-30", 1.0)], symbol=ONE)

    notes = load_fields(layer_of((DAILY, bars(ONE)), (INCOME, early)), ["revenue_ttm"]).notes

    assert notes[0].startswith("1 reports in income_statement claim to have been announced before")
    with pytest.raises(NotFound, match="1 reports of type 6 and none of type 1, 4, 5"):
        load_fields(layer_of((DAILY, bars(ONE)), (INCOME, parents)), ["revenue_ttm"])


def test_industries_come_with_their_names(data: DataAccessLayer, tables: dict[Dataset, pa.Table]) -> None:
    loaded = load_fields(data, ["industry"])

    rows = tables[INSTRUMENTS]
    texts = dict(zip(rows["symbol"].to_pylist(), rows["industry"].to_pylist(), strict=True))
    last = loaded.panel["industry"][-1]
    names = [loaded.labels["industry"][int(code)] for code in last]
    assert names == [texts[s] for s in loaded.panel.symbols]
    assert len(set(names)) > 5


def test_every_field_is_the_same_from_a_part_of_the_days_and_symbols(data: DataAccessLayer) -> None:
    names = [field.name for field in available_fields(data)]
    whole = load_fields(data, names).panel
    chosen = whole.symbols[3:20].tolist()

    part = load_fields(data, names, chosen, "2022-03-01", "2022-09-30").panel

    assert_same(part, whole.select(chosen, "2022-03-01", "2022-09-30"))
    assert all(np.isfinite(part[name]).any() for name in names)


@pytest.mark.parametrize("day", ["2021-12-31", "2022-06-15"])
def test_no_field_looks_ahead(tables: dict[Dataset, pa.Table], day: str) -> None:
    """A market that knows nothing announced, traded or valid after a day has the same values up to that day."""
    cut = pa.scalar(date.fromisoformat(day))
    known_by = {s: "f_ann_date" if "f_ann_date" in s.by_name else s.time for s in tables}
    past = {s: t.filter(pc.less_equal(t[known_by[s]], cut)) for s, t in tables.items()}
    whole, earlier = (DataAccessLayer(stored(t), clock=CLOCK) for t in (tables, past))
    names = [field.name for field in available_fields(whole)]

    got = load_fields(earlier, names).panel

    assert_same(got, load_fields(whole, names, end=day).panel)


def test_versions_are_those_of_the_datasets_read(data: DataAccessLayer) -> None:
    assert load_fields(data, ["close"]).dataset_versions == {DAILY.name: 1}
    assert set(load_fields(data, ["pb", "revenue_ttm", "industry"]).dataset_versions) == {
        "stock_daily_data",
        "stock_daily_basic",
        "income_statement",
        "instruments",
    }


class Wrapped:
    """A store that does something before it is read."""

    def __init__(self, store: MemoryStore, before: Callable[[Query], None]) -> None:
        self._store = store
        self._before = before

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def iter_batches(self, query: Query, batch_rows: int = 65_536) -> object:
        self._before(query)
        return self._store.iter_batches(query, batch_rows)


def test_data_written_while_they_are_read_are_read_again() -> None:
    store = stored({DAILY: bars(ONE, days=3)})
    news = [bars(TWO, days=2)]
    layer = DataAccessLayer(
        Wrapped(store, lambda _: [store.write(DAILY, news.pop()) for _ in news[:1]]), clock=CLOCK
    )

    loaded = load_fields(layer, ["close", "volume"])

    assert loaded.dataset_versions == {DAILY.name: 2}
    assert loaded.panel.symbols.tolist() == [ONE, TWO]


def test_data_written_all_the_time_are_refused() -> None:
    store = stored({DAILY: bars(ONE, days=3)})
    days = iter(range(1, 100))
    layer = DataAccessLayer(
        Wrapped(store, lambda _: store.write(DAILY, bars(TWO, days=next(days)))), clock=CLOCK
    )

    with pytest.raises(VersionConflict, match="stock_daily_data were written to"):
        load_fields(layer, ["close"])


def test_nothing_is_read_but_what_was_asked_for(tables: dict[Dataset, pa.Table]) -> None:
    read: set[tuple[str, str]] = set()

    def note(query: Query) -> None:
        read.update((query.dataset.name, column) for column in query.value_columns)

    layer = DataAccessLayer(Wrapped(stored(tables), note), clock=CLOCK)
    load_fields(layer, ["raw_open", "pb"])

    assert read == {(DAILY.name, "open"), (DAILY.name, "close"), (DAILY_BASIC.name, "pb")}


def test_what_cannot_be_loaded_is_refused() -> None:
    layer = layer_of((DAILY, bars(ONE)))

    with pytest.raises(NotFound, match="'clse'; similar: close"):
        load_fields(layer, ["close", "clse"])
    with pytest.raises(NotFound, match="'pb' is read from stock_daily_basic, which holds no rows"):
        load_fields(layer, ["close", "pb"])
    with pytest.raises(NotFound, match="stock_daily_data, which holds no rows"):
        load_fields(layer_of(), ["close"])
    with pytest.raises(InvalidRequest, match="list of symbols is empty"):
        load_fields(layer, ["close"], [])
    with pytest.raises(InvalidRequest, match="start must not be after end"):
        load_fields(layer, ["close"], start="2023-01-02", end="2023-01-01")
    small = DataAccessLayer(layer.store, clock=CLOCK, limits=Limits(max_cells=20))
    with pytest.raises(InvalidRequest, match="more than the 20 cells"):
        load_fields(small, ["close"])


def test_a_span_without_bars_gives_no_rows(data: DataAccessLayer) -> None:
    names = ["close", "pb", "net_profit_ttm", "industry"]

    assert load_fields(data, names, start="2035-01-01").panel.shape == (0, 0)
    later = load_fields(data, names, data.symbols()[:2], end="1999-01-01")
    assert later.panel.shape == (0, 2)
    assert later.notes == ()


def test_the_fields_stand_in_the_order_asked_for_each_once_and_cannot_be_written_to(
    data: DataAccessLayer,
) -> None:
    panel = load_fields(data, ["volume", "close", "volume"]).panel

    assert list(panel) == ["volume", "close"]
    assert all(panel[name].dtype == np.float64 and not panel[name].flags.writeable for name in panel)
