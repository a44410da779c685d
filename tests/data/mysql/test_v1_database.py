"""A database as v1's loaders left it: made by its DDL, filled by INSERTs like theirs, read in canonical form."""

from __future__ import annotations

import logging
from datetime import date, datetime

import pyarrow as pa
import pytest

from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import StoreCorrupt, Unsupported
from quantflux.data.adapters.mysql.ddl import create_table, v1_tables
from quantflux.data.contract import Query, Span
from quantflux.data.schema import (
    CHIP,
    DAILY,
    DAILY_BASIC,
    FACTOR_VALUES,
    INSTRUMENTS,
    MINUTE,
    MONEYFLOW,
    PREDICTIONS,
    dataset,
    datasets,
)
from tests.data.conformance.samples import bars, changed, sample
from tests.data.mysql.conftest import OpenStore
from tests.services.mariadb import MariaDBServer

pytestmark = pytest.mark.mysql


class V1:
    """v1's database: its tables under a collation that folds case, as its scripts made them."""

    def __init__(self, server: MariaDBServer, database: str) -> None:
        self.server, self.database = server, database

    def make(self, table: str, scale: int = 2) -> None:
        self.server.execute(create_table(table, scale=scale), self.database)

    def insert(self, table: str, columns: str, *rows: tuple[object, ...]) -> None:
        names = ", ".join(f"`{name}`" for name in columns.split())
        places = ", ".join(["%s"] * len(columns.split()))
        for row in rows:
            self.server.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", self.database, row)


@pytest.fixture
def v1(mariadb_server: MariaDBServer, mariadb_database: str) -> V1:
    return V1(mariadb_server, mariadb_database)


DAILY_COLUMNS = "ts_code trade_date open high low close pre_close change_c pct_chg vol amount"


@pytest.fixture
def v1_daily(v1: V1) -> V1:
    v1.make("stock_daily_history")
    v1.insert(
        "stock_daily_history",
        DAILY_COLUMNS,
        # Tushare's dates are strings, its numbers have more places than the columns, and v1 let the server round.
        (
            "600519.SH",
            "20240102",
            1715.0,
            1718.19,
            1678.1,
            1685.01,
            1726.0,
            -40.99,
            -2.3749,
            32156.44,
            5440082.49,
        ),
        (
            "600519.SH",
            "20240103",
            1681.11,
            1695.22,
            1676.33,
            1694.0,
            1685.01,
            8.99,
            0.5335,
            20219.5,
            3408902.2,
        ),
        ("600519.SH", "20240104", 847.0, 850.0, 840.5, 845.0, 847.0, -2.0, -0.2361, 40000, 3400000),
        ("000001.SZ", "20240102", 9.39, 9.42, 9.21, 9.21, 9.39, -0.18, -1.9169, 1158366.45, 1075742.252),
    )
    return v1


def test_daily_bars_in_our_units(v1_daily: V1, open_mysql: OpenStore) -> None:
    found = open_mysql().read(Query(DAILY, ("600519.SH",), date(2024, 1, 2), date(2024, 1, 2)))

    assert found.to_pylist() == [
        {
            "symbol": "600519.SH",
            "trade_date": date(2024, 1, 2),
            "open": 1715.0,
            "high": 1718.19,
            "low": 1678.1,
            "close": 1685.01,
            "volume": 3_215_600,
            "amount": 5_440_082_490.0,
            "adj_factor": 1.0,
        }
    ]


def test_factors_come_from_the_chain_of_previous_closes(v1_daily: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()

    whole = store.read(Query(DAILY, columns=("adj_factor",)))
    late = store.read(Query(DAILY, ("600519.SH",), date(2024, 1, 4), date(2024, 1, 4), ("adj_factor",)))

    assert whole.column("adj_factor").to_pylist() == [1.0, 1.0, 1.0, 1694.0 / 847.0]
    assert late.column("adj_factor").to_pylist() == [2.0]


def test_v1s_later_days_are_chained_to_our_factors(v1_daily: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()
    store.write(DAILY, changed(bars("600519.SH", [date(2024, 1, 3)], 1694.0), adj_factor=8.0))

    found = store.read(Query(DAILY, ("600519.SH",), columns=("adj_factor",)))

    assert found.column("adj_factor").to_pylist() == [8.0, 8.0, 16.0]


def test_writing_over_an_event_keeps_the_chain(v1_daily: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()
    store.write(DAILY, changed(bars("600519.SH", [date(2024, 1, 4)], 845.0), adj_factor=8.0))

    found = store.read(Query(DAILY, ("600519.SH",), columns=("adj_factor",)))

    assert found.column("adj_factor").to_pylist() == [4.0, 4.0, 8.0]


def test_a_first_write_starts_behind_v1s_version(v1_daily: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()
    before = store.version(DAILY)

    receipt = store.write(DAILY, bars("600519.SH", [date(2024, 1, 5)]))

    assert before > 1_000_000_000  # the second of v1's last change
    assert receipt.version == before + 1 == store.version(DAILY)
    assert store.changes(DAILY, before).spans == (Span(date(2024, 1, 5), date(2024, 1, 5)),)
    assert store.changes(DAILY, 0).spans == (Span(date(2024, 1, 2), date(2024, 1, 5)),)


def test_a_database_that_only_v1_writes_is_left_as_it_is(v1_daily: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()
    store.read(Query(DAILY))
    version = store.version(DAILY)

    assert not store.changes(DAILY, version)
    assert store.changes(DAILY, version - 1).spans == (Span(date(2024, 1, 2), date(2024, 1, 4)),)
    assert store.changes(DAILY, version + 5).spans == (Span(date(2024, 1, 2), date(2024, 1, 4)),)
    assert v1_daily.server.execute("SHOW TABLES", v1_daily.database) == [("stock_daily_history",)]


def test_announced_changes_are_seen(v1_daily: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()
    version = store.write(DAILY, bars("600519.SH", [date(2024, 1, 5)])).version
    v1_daily.insert(
        "stock_daily_history", DAILY_COLUMNS, ("600519.SH", "20240108", 1, 1, 1, 1, 1, 0, 0, 1, 1)
    )
    unseen = store.changes(DAILY, version)

    raised = store.announce(DAILY, Span(date(2024, 1, 8), date(2024, 1, 8)))

    assert not unseen
    assert raised == version + 1
    assert store.changes(DAILY, version).spans == (Span(date(2024, 1, 8), date(2024, 1, 8)),)


def test_both_precisions_are_read(v1: V1, open_mysql: OpenStore) -> None:
    v1.make("stock_daily_history", scale=4)
    v1.insert(
        "stock_daily_history",
        DAILY_COLUMNS,
        ("600519.SH", "20240102", 10.0001, 10.9999, 9.8765, 10.1234, 10, 0.1234, 1.234, 5, 1.2345),
    )

    [row] = open_mysql().read(Query(DAILY)).to_pylist()

    assert (row["open"], row["high"], row["low"], row["close"]) == (10.0001, 10.9999, 9.8765, 10.1234)
    assert (row["volume"], row["amount"]) == (500, 1234.5)


def test_rows_that_are_no_bars_are_left_out_and_told(
    v1_daily: V1, open_mysql: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    v1_daily.insert(
        "stock_daily_history",
        DAILY_COLUMNS,
        ("600519.SH", "20240105", None, None, None, None, 10, 0, 0, 0, 0),  # suspended
        ("600519.SH", "20240108", 0, 0, 0, 0, 10, 0, 0, 0, 0),
        ("sh600519", "20240105", 1, 1, 1, 1, 1, 0, 0, 1, 1),
        ("600519.sh", "20240109", 1, 1, 1, 1, 1, 0, 0, 1, 1),  # the same key to a collation that folds case
    )
    store = open_mysql()

    with caplog.at_level(logging.WARNING):
        found = store.read(Query(DAILY, ("600519.SH",)))
        everything = store.read(Query(DAILY, columns=("close",)))

    assert found.column("trade_date").to_pylist() == [date(2024, 1, d) for d in (2, 3, 4)]
    assert everything.num_rows == 4
    assert "no open" in caplog.text and "no symbol" in caplog.text
    assert store.symbols(DAILY) == ["000001.SZ", "600519.SH"]


def test_the_zero_date_is_reported_not_guessed(v1_daily: V1, open_mysql: OpenStore) -> None:
    v1_daily.server.execute(
        "SET STATEMENT sql_mode='' FOR INSERT INTO stock_daily_history (ts_code, trade_date, close) "
        "VALUES ('600519.SH', '0000-00-00', 1)",
        v1_daily.database,
    )

    with pytest.raises(StoreCorrupt, match="stock_daily_history"):
        open_mysql().read(Query(DAILY, ("600519.SH",)))


def test_the_newest_of_repeated_minutes_counts(v1: V1, open_mysql: OpenStore) -> None:
    v1.make("stock_minute_data")
    columns = "ts_code datetime period_type open high low close volume amount"
    bar = "2024-01-02 09:31:00"
    v1.insert(
        "stock_minute_data",
        columns,
        ("600519.SH", "2024-01-02 09:32:00", "1min", 12.4, 12.4, 12.4, 12.4, 7, 86.8),
        ("600519.SH", bar, "1min", 12.34, 12.34, 12.34, 12.34, 100, 1234.0),
        ("600519.SH", bar, "1min", 12.34, 12.34, 12.34, 12.35, 300, 3705.5),
        ("600519.SH", "2024-01-02 09:35:00", "5min", 1, 1, 1, 1, 1, 1),
        ("600519.SH", "2024-01-02 09:30:00", "1min", 1, 1, 1, 1, 1, 1),  # made up: no bar closes then
    )
    store = open_mysql()

    found = store.read(Query(MINUTE))
    store.write(MINUTE, changed(found, close=[12.5, 12.6]))
    again = store.read(Query(MINUTE))

    assert found.column("close").to_pylist() == [12.35, 12.4]
    assert found.column("volume").to_pylist() == [300, 7]
    assert found.column("bar_time").to_pylist()[0] == datetime(2024, 1, 2, 9, 31, tzinfo=SHANGHAI)
    assert again.column("close").to_pylist() == [12.5, 12.6]
    assert v1.server.execute("SELECT COUNT(*) FROM stock_minute_data", v1.database) == [(5,)]


def test_baostock_minutes(v1: V1, open_mysql: OpenStore) -> None:
    v1.make("stock_1min_history")
    columns = "ts_code timestamp open high low close volume amount"
    v1.insert(
        "stock_1min_history",
        columns,
        ("sz.000001", "2024-01-02 09:31:00", 9.3901, 9.42, 9.21, 9.21, 115837, 1075742.2525),
        ("sh.600519", "2024-01-02 09:31:00", 1, 1, 1, 1, 1, 1),
        ("sh.430047", "2024-01-02 09:31:00", 1, 1, 1, 1, 1, 1),
    )
    store = open_mysql(minute_table="stock_1min_history")

    rows = store.read(Query(MINUTE))
    store.write(MINUTE, changed(rows, open=2.0))

    assert (
        rows.column("symbol").to_pylist() == ["000001.SZ", "430047.BJ", "600519.SH"] == store.symbols(MINUTE)
    )
    assert rows.slice(0, 1).to_pylist()[0]["amount"] == 1075742.2525
    assert store.read(Query(MINUTE, ("430047.BJ",))).column("open").to_pylist() == [2.0]
    assert v1.server.execute("SELECT COUNT(*) FROM stock_1min_history", v1.database) == [(3,)]


def test_valuations_flows_and_chips(v1: V1, open_mysql: OpenStore) -> None:
    v1.make("stock_daily_basic")
    v1.make("stock_moneyflow")
    v1.make("stock_cyq_perf")
    v1.insert(
        "stock_daily_basic",
        "ts_code trade_date close pe total_share total_mv",
        ("600519.SH", "20240102", 1685.01, None, 125619.78, 211670586.12),
    )
    v1.insert(
        "stock_moneyflow",
        "ts_code trade_date buy_sm_vol net_mf_amount",
        ("600519.SH", "20240102", 12.5, -3.21),
    )
    v1.insert(
        "stock_cyq_perf",
        "ts_code trade_date cost_50pct winner_rate",
        ("600519.SH", "20240102", 1650.5, 43.21),
    )
    store = open_mysql()

    [basic] = store.read(Query(DAILY_BASIC)).to_pylist()
    [flow] = store.read(Query(MONEYFLOW)).to_pylist()
    [chip] = store.read(Query(CHIP)).to_pylist()

    assert (basic["pe"], basic["total_share"], basic["total_mv"]) == (
        None,
        1_256_197_800.0,
        2_116_705_861_200.0,
    )
    assert (flow["buy_sm_vol"], flow["net_mf_amount"]) == (1250.0, -32100.0)
    assert (chip["cost_50pct"], chip["winner_rate"]) == (1650.5, 43.21)


INCOME = dataset("income_statement")
STATEMENT = "ts_code end_date ann_date f_ann_date report_type basic_eps total_revenue"


@pytest.fixture
def v1_income(v1: V1) -> V1:
    v1.make("stock_income_statement")
    v1.insert(
        "stock_income_statement",
        STATEMENT,
        ("600519.SH", "20221231", "20230331", "20230331", "1", 49.93, 127553959355.97),
        ("600519.SH", "20230331", "20230426", None, None, 16.55, 39378937459.34),
        ("600519.SH", "20230630", None, None, "1", 28.64, 1.0),  # never announced: nobody could have known it
    )
    return v1


def test_statements_with_their_announcements(v1_income: V1, open_mysql: OpenStore) -> None:
    columns = ("basic_eps", "total_revenue", "ann_date")
    found = open_mysql().read(Query(INCOME, ("600519.SH",), date(2022, 12, 31), date(2023, 6, 30), columns))

    assert found.to_pylist() == [
        {
            "symbol": "600519.SH",
            "end_date": date(2022, 12, 31),
            "report_type": "1",
            "f_ann_date": date(2023, 3, 31),
            "basic_eps": 49.93,
            "total_revenue": 127553959355.97,
            "ann_date": date(2023, 3, 31),
        },
        {
            "symbol": "600519.SH",
            "end_date": date(2023, 3, 31),
            "report_type": "1",
            "f_ann_date": date(2023, 4, 26),
            "basic_eps": 16.55,
            "total_revenue": 39378937459.34,
            "ann_date": date(2023, 4, 26),
        },
    ]


def test_a_restatement_that_v1_has_no_room_for_is_refused(v1_income: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()
    stored = store.read(Query(INCOME))
    restated = changed(stored.slice(0, 1), f_ann_date=date(2024, 3, 31), basic_eps=50.0)

    with pytest.raises(Unsupported, match="one row for each"):
        store.write(INCOME, restated)
    other = changed(restated, end_date=date(2021, 12, 31))
    with pytest.raises(Unsupported, match="one row for each"):
        store.write(INCOME, pa.concat_tables([other, changed(other, report_type="4")]))
    store.write(INCOME, changed(stored, basic_eps=51.0))

    assert store.read(Query(INCOME)).equals(changed(stored, basic_eps=51.0))


def test_factor_values_and_predictions(v1: V1, open_mysql: OpenStore) -> None:
    v1.make("factor_values")
    v1.make("ml_predictions")
    v1.insert(
        "factor_values",
        "ts_code trade_date factor_id factor_value percentile_rank z_score",
        ("600519.SH", "2024-01-02", "动量_20", -0.123457, 99.5, 1.2346),
        ("600519.SH", "2024-01-02", "pe_rank", None, None, None),
    )
    v1.insert(
        "ml_predictions",
        "ts_code trade_date model_id predicted_return probability_score rank_score",
        ("600519.SH", "2024-01-02", 'rf, "v1"\n', 0.0123, 0.5, 1),
    )
    store = open_mysql()

    values = store.read(Query(FACTOR_VALUES))
    [prediction] = store.read(Query(PREDICTIONS)).to_pylist()

    assert values.column("factor_id").to_pylist() == ["pe_rank", "动量_20"]
    assert values.column("value").to_pylist() == [None, -0.123457]
    assert prediction["model_id"] == 'rf, "v1"\n'
    assert (prediction["predicted_return"], prediction["rank_score"]) == (0.0123, 1)


def test_stocks_are_instruments(v1: V1, open_mysql: OpenStore) -> None:
    v1.make("stock_basic")
    v1.insert(
        "stock_basic",
        "ts_code symbol name area industry list_date",
        ("600519.SH", "600519", "贵州茅台", "贵州", "白酒", "20010827"),
        ("300750.SZ", "300750", "宁德时代", "福建", None, "20180611"),
    )
    store = open_mysql()

    found = store.read(Query(INSTRUMENTS))
    store.write(INSTRUMENTS, changed(found.slice(1), industry="酿酒"))

    assert found.to_pylist()[1] == {
        "symbol": "600519.SH",
        "valid_from": date(2001, 8, 27),
        "instrument_id": "600519.SH",
        "name": "贵州茅台",
        "board": "main",
        "industry": "白酒",
        "status": "normal",
        "list_date": date(2001, 8, 27),
        "delist_date": None,
    }
    area = v1.server.execute(
        "SELECT area, industry FROM stock_basic WHERE ts_code = '600519.SH'", v1.database
    )
    assert area == [("贵州", "酿酒")]
    with pytest.raises(Unsupported, match="status"):
        store.write(INSTRUMENTS, changed(found, status="delisted"))


LOOK_ALIKES = ["Aapl", "AAPL", "aapl ", "ÀAPL", "ss", "ß", "é", "e\u0301", "ﬁ", "fi"]


def test_keys_that_a_collation_confuses_are_refused(v1: V1, open_mysql: OpenStore) -> None:
    v1.make("factor_values")
    store = open_mysql()
    row = sample(FACTOR_VALUES, ["600519.SH"], [date(2024, 1, 2)])
    store.write(FACTOR_VALUES, changed(row, factor_id="aapl"))

    with pytest.raises(Unsupported, match="collation"):
        store.write(FACTOR_VALUES, changed(row, factor_id="Aapl"))
    with pytest.raises(Unsupported, match="collation"):
        store.write(FACTOR_VALUES, pa.concat_tables([changed(row, factor_id=n) for n in ("Mom", "mom")]))

    assert store.read(Query(FACTOR_VALUES)).column("factor_id").to_pylist() == ["aapl"]


def test_look_alike_keys_stay_apart_in_tables_of_ours(open_mysql: OpenStore) -> None:
    store = open_mysql()
    row = sample(FACTOR_VALUES, ["600519.SH"], [date(2024, 1, 2)])

    store.write(FACTOR_VALUES, pa.concat_tables([changed(row, factor_id=name) for name in LOOK_ALIKES]))

    found = store.read(Query(FACTOR_VALUES)).column("factor_id").to_pylist()
    assert found == sorted(LOOK_ALIKES, key=str.encode)


def test_every_table_of_v1_can_be_made(v1: V1, open_mysql: OpenStore) -> None:
    for name in v1_tables():
        v1.make(name)
    store = open_mysql()

    made = {name for (name,) in v1.server.execute("SHOW TABLES", v1.database)}
    assert made == set(v1_tables())
    columns = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    counts = {n: v1.server.execute(columns, arguments=(v1.database, n))[0][0] for n in made}
    assert (counts["stock_income_statement"], counts["stock_balance_sheet"], counts["stock_cash_flow"]) == (
        85,
        152,
        97,
    )
    assert (counts["stock_factor"], counts["stock_daily_basic"], counts["stock_moneyflow"]) == (35, 18, 20)
    for data in datasets().values():
        assert store.read(Query(data)).num_rows == 0
        assert store.version(data) == 0


def test_the_index_by_day_is_added_on_request(v1_daily: V1, open_mysql: OpenStore) -> None:
    store = open_mysql()
    indexes = "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = %s"
    before = v1_daily.server.execute(indexes, arguments=(v1_daily.database,))

    store.add_day_index(DAILY)

    after = v1_daily.server.execute(indexes, arguments=(v1_daily.database,))
    assert {name for (name,) in after} - {name for (name,) in before} == {"quantflux_day"}
    assert store.read(Query(DAILY, None, date(2024, 1, 2), date(2024, 1, 2))).num_rows == 2
