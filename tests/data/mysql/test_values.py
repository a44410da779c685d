"""Values keep every bit on their way through v1's columns, or are refused; nothing is rounded unasked."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidData
from quantflux.data.adapters.mysql.layout import Storage, Stored
from quantflux.data.adapters.mysql.literals import Target, literals
from quantflux.data.adapters.mysql.store import MySQLAdapter
from quantflux.data.conform import conform
from quantflux.data.contract import Query
from quantflux.data.schema import CHIP, DAILY, DAILY_BASIC, FACTOR_VALUES, MINUTE, MONEYFLOW
from tests.data.conformance.samples import bars, changed, sample
from tests.data.mysql.conftest import OpenStore, valuations
from tests.services.mariadb import MariaDBServer

pytestmark = pytest.mark.mysql

OVER = [HealthCheck.function_scoped_fixture]
"""Each example writes over the rows of the one before."""

DAYS = [date(2024, 1, 2) + timedelta(days=n) for n in range(5)]


@pytest.fixture
def shared(open_mysql: OpenStore) -> MySQLAdapter:
    return open_mysql()


def decimal_column(scale: int, precision: int = 20) -> Stored:
    return Stored("column", Storage.DECIMAL, precision, scale, True, "")


def stored_as(value: float, scale: int, shift: int, rounding: str = "refuse") -> str:
    """Return the literal of one value."""
    target = Target("set", "field", decimal_column(scale), shift, rounding)  # type: ignore[arg-type]
    [text] = literals(pa.chunked_array([pa.array([value], pa.float64())]), target).to_pylist()
    return str(text)


def reference(value: float, scale: int, shift: int) -> Decimal:
    """Return what the column would hold, by decimal arithmetic alone."""
    return Decimal(repr(value)).scaleb(-shift).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


AMOUNTS = st.one_of(
    st.floats(-1e14, 1e14, exclude_min=True, exclude_max=True),
    st.decimals(-(10**12), 10**12, places=4).map(float),
    st.decimals(-(10**9), 10**9, places=2).map(float),
    st.integers(-(10**12), 10**12).map(float),
)


@settings(deadline=None, max_examples=500)
@given(AMOUNTS, st.sampled_from([2, 4, 6]), st.sampled_from([0, 2, 3, 4]))
@example(1.005, 2, 0)
@example(12340.0, 2, 3)
@example(9007199254740993.0, 2, 0)
@example(0.285, 2, 0)
@example(5e-324, 6, 0)
def test_a_decimal_is_exact_or_refused(value: float, scale: int, shift: int) -> None:
    expected = reference(value, scale, shift)
    exact = float(expected.scaleb(shift)) == value and not (value == 0 and np.signbit(value))

    assert Decimal(stored_as(value, scale, shift, "v1")) == expected
    if exact:
        assert Decimal(stored_as(value, scale, shift)) == expected
    else:
        with pytest.raises(InvalidData):
            stored_as(value, scale, shift)


@pytest.mark.parametrize("value", [1e18, -1e18, 1e300, 1.7976931348623157e308])
@pytest.mark.parametrize("rounding", ["refuse", "v1"])
def test_what_a_column_has_no_room_for_is_refused(value: float, rounding: str) -> None:
    with pytest.raises(InvalidData, match=r"range|change"):
        stored_as(value, 2, 0, rounding)


def test_every_cent_up_to_a_thousand_yuan_comes_back(open_mysql: OpenStore) -> None:
    cents = np.arange(1, 100_001) / 100
    days = pa.array(np.datetime64("2000-01-01") + np.arange(5000))
    symbols = [f"{600000 + i}.SH" for i in range(20)]
    table = pa.table(
        {"symbol": np.repeat(symbols, 5000), "trade_date": pa.concat_arrays([days] * 20), "his_low": cents}
    )
    store = open_mysql()

    store.write(CHIP, table)

    assert store.read(Query(CHIP)).column("his_low").to_numpy().tobytes() == cents.tobytes()


@pytest.mark.parametrize("scale", [2, 4])
def test_both_price_precisions(open_mysql: OpenStore, scale: int) -> None:
    store = open_mysql(scale=scale)
    fine = bars("600519.SH", DAYS[:1], 12.3456)
    coarse = changed(bars("600519.SH", DAYS[1:2], 12.34), amount=1230.0)

    store.write(DAILY, coarse)
    if scale == 4:
        store.write(DAILY, changed(fine, amount=1234.5))
        assert store.read(Query(DAILY, columns=("close", "amount"))).to_pylist()[0]["close"] == 12.3456
    else:
        with pytest.raises(InvalidData, match=r"DECIMAL\(10,2\)"):
            store.write(DAILY, fine)

    assert store.read(Query(DAILY, start=DAYS[1])).equals(coarse)


@settings(deadline=None, max_examples=15, suppress_health_check=OVER)
@given(st.lists(st.floats(min_value=5e-324, allow_infinity=False), min_size=1, max_size=40))
@example([9.63081888121398e-08])  # 24 characters, more than CONCAT makes room for by itself
def test_adjustment_factors_are_doubles(shared: MySQLAdapter, factors: list[float]) -> None:
    days = [date(2000, 1, 1) + timedelta(days=n) for n in range(len(factors))]
    rows = changed(bars("600519.SH", days), adj_factor=factors)

    shared.write(DAILY, rows)

    found = shared.read(Query(DAILY, end=days[-1], columns=("adj_factor",))).column("adj_factor")
    assert found.to_numpy().tobytes() == np.array(factors).tobytes()


@settings(deadline=None, max_examples=15, suppress_health_check=OVER)
@given(st.lists(st.floats(0.015625, 2.0**100, width=32), min_size=1, max_size=40))
def test_minute_prices_are_the_shortest_decimal_of_their_32_bits(
    shared: MySQLAdapter, singles: list[float]
) -> None:
    named = [float(str(np.float32(x))) for x in singles]
    days = [date(2000, 1, 1) + timedelta(days=n) for n in range(len(named))]
    rows = bars("600519.SH", days, data=MINUTE)
    rows = rows.filter(pc.equal(pc.hour(pc.local_timestamp(rows.column("bar_time"))), 15))

    shared.write(MINUTE, changed(rows, close=named))

    found = shared.read(Query(MINUTE, end=days[-1], columns=("close",))).column("close")
    assert found.to_pylist() == named


def test_a_32_bit_column_refuses_or_rounds_an_eighth_digit(open_mysql: OpenStore) -> None:
    rows = changed(bars("600519.SH", DAYS[:1], data=MINUTE), amount=[1.0, 2.0, 12345678.9, 3.0])

    with pytest.raises(InvalidData, match="seven digits") as caught:
        open_mysql().write(MINUTE, rows)
    open_mysql(rounding="v1").write(MINUTE, rows)

    assert (caught.value.row, caught.value.count) == (2, 1)
    assert open_mysql().read(Query(MINUTE)).column("amount").to_pylist() == [1.0, 2.0, 12345679.0, 3.0]


def test_odd_lots_are_refused_or_rounded_as_v1_did(open_mysql: OpenStore) -> None:
    rows = changed(bars("600519.SH", DAYS), volume=[100, 149, 150, 0, 12_345_600])

    with pytest.raises(InvalidData, match="multiples of 100") as caught:
        open_mysql().write(DAILY, rows)
    store = open_mysql(rounding="v1")
    store.write(DAILY, rows)

    assert (caught.value.row, caught.value.count) == (1, 2)
    assert store.read(Query(DAILY)).column("volume").to_pylist() == [100, 100, 200, 0, 12_345_600]


def test_refused_rows_are_named_by_their_place_in_the_table_as_given(open_mysql: OpenStore) -> None:
    rows = valuations("600519.SH", DAYS, [1.0, 2.0, 1.005, 4.0, 5.0]).take([4, 3, 2, 1, 0])
    store = open_mysql()

    with pytest.raises(InvalidData, match="row 2") as caught:
        store.write(DAILY_BASIC, rows)

    assert (caught.value.row, caught.value.column, caught.value.dataset) == (2, "pe", "stock_daily_basic")
    assert store.read(Query(DAILY_BASIC)).num_rows == 0


def test_an_empty_minute_amount_is_refused_or_stored_as_v1_would(open_mysql: OpenStore) -> None:
    rows = changed(bars("600519.SH", DAYS[:1], data=MINUTE), amount=None)

    with pytest.raises(InvalidData, match="cannot be empty"):
        open_mysql().write(MINUTE, rows)
    store = open_mysql(rounding="v1")
    store.write(MINUTE, rows)

    assert store.read(Query(MINUTE)).column("amount").to_pylist() == [0.0] * 4


def test_units_are_v1s_in_the_table_and_ours_outside(
    open_mysql: OpenStore, mariadb_server: MariaDBServer, mariadb_database: str
) -> None:
    store = open_mysql()
    store.write(DAILY, changed(bars("600519.SH", DAYS[:1]), volume=1_234_500, amount=987_650.0))
    flows = changed(sample(MONEYFLOW, ["600519.SH"], DAYS[:1]), buy_sm_vol=2300.0, net_mf_amount=-1_234_500.0)
    none = [n for n in MONEYFLOW.value_names if n not in ("buy_sm_vol", "net_mf_amount")]
    store.write(MONEYFLOW, changed(flows, **dict.fromkeys(none)))

    [bar] = mariadb_server.execute("SELECT vol, amount FROM stock_daily_history", mariadb_database)
    [flow] = mariadb_server.execute("SELECT buy_sm_vol, net_mf_amount FROM stock_moneyflow", mariadb_database)

    assert bar == (12345, Decimal("987.65"))
    assert flow == (Decimal("23.00"), Decimal("-123.45"))


def test_v1s_derived_columns_follow_the_bars(
    open_mysql: OpenStore, mariadb_server: MariaDBServer, mariadb_database: str
) -> None:
    store = open_mysql()
    closes = [10.0, 11.0, 5.6, 5.5, 5.5]
    rows = changed(bars("600519.SH", DAYS, closes), adj_factor=[1.0, 1.0, 2.0, 2.0, 2.0])

    store.write(DAILY, rows.take([4, 2, 0]))
    store.write(DAILY, rows.take([1, 3]))  # between stored rows: those that follow must be brought up to date

    found = mariadb_server.execute(
        "SELECT pre_close, change_c, pct_chg FROM stock_daily_history ORDER BY trade_date", mariadb_database
    )
    text = [tuple(None if v is None else str(v) for v in row) for row in found]
    assert text == [
        (None, None, None),
        ("10.00", "1.00", "10.00"),
        ("5.50", "0.10", "1.82"),  # two for one: 11.00 becomes 5.50
        ("5.60", "-0.10", "-1.79"),
        ("5.50", "0.00", "0.00"),
    ]


def test_factor_values_beyond_the_column_are_refused(open_mysql: OpenStore) -> None:
    rows = changed(sample(FACTOR_VALUES, ["600519.SH"], DAYS[:1]), value=1_000_000_000.0)

    with pytest.raises(InvalidData, match="range"):
        open_mysql(rounding="v1").write(FACTOR_VALUES, rows)


@pytest.mark.parametrize("bad", [float("inf"), float("-inf")])
def test_infinity_is_refused_and_nan_is_null(open_mysql: OpenStore, bad: float) -> None:
    store = open_mysql()

    with pytest.raises(InvalidData, match="finite"):
        store.write(DAILY_BASIC, valuations("600519.SH", DAYS[:2], [bad, 1.0]))
    store.write(DAILY_BASIC, valuations("600519.SH", DAYS[:2], [float("nan"), 1.0]))

    assert store.read(Query(DAILY_BASIC, columns=("pe",))).column("pe").to_pylist() == [None, 1.0]


def test_writing_the_same_rows_again_changes_no_version(open_mysql: OpenStore, clock: object) -> None:
    store = open_mysql()
    rows = bars("600519.SH", DAYS)

    first, second = store.write(DAILY, rows), store.write(DAILY, rows)

    assert (first.version, second.version, second.rows) == (1, 1, 5)
    assert conform(DAILY, rows, store._clock).equals(store.read(Query(DAILY)))
