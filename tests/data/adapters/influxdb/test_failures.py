"""What a client of a real InfluxDB 1.x meets: lost replies, refused rows, limits, missing rights, dead servers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from quantflux.core.errors import (
    AccessDenied,
    InvalidData,
    InvalidRequest,
    OutcomeUnknown,
    PartialWrite,
    StoreUnavailable,
)
from quantflux.data.adapters.influxdb import InfluxDBAdapter
from quantflux.data.adapters.influxdb.lineprotocol import encode
from quantflux.data.adapters.influxdb.security import judge
from quantflux.data.adapters.influxdb.statements import Statement
from quantflux.data.contract import Query, Span
from quantflux.data.schema import DAILY, DAILY_BASIC, FACTOR_VALUES
from tests.data.adapters.influxdb.conftest import QUICK, OpenStore
from tests.data.conformance.samples import bars, changed, sample
from tests.services.fault_proxy import Fault, FaultProxy
from tests.services.influxdb import (
    READER,
    READER_PASSWORD,
    WRITER,
    WRITER_PASSWORD,
    InfluxServer,
)

pytestmark = pytest.mark.influxdb

MAUTAI = "600519.SH"
FIRST = date(2024, 1, 2)


def days(count: int, first: date = FIRST) -> list[date]:
    return [first + timedelta(days=i) for i in range(count)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop_reply=True, when=b"POST /write", times=1),
        Fault(cut_reply_at=20, when=b"POST /write", times=1),
    ],
    ids=["reset instead of the reply", "reply cut off"],
)
def test_a3_a_lost_reply_is_an_unknown_outcome_and_sending_again_changes_nothing(
    behind_proxy: InfluxDBAdapter, proxy: FaultProxy, fault: Fault
) -> None:
    rows = bars(MAUTAI, days(5))
    behind_proxy.write(DAILY, rows.slice(0, 1))

    with proxy.failing(fault), pytest.raises(OutcomeUnknown):
        behind_proxy.write(DAILY, rows)
    assert behind_proxy.read(Query(DAILY)).equals(rows), "it had been applied"
    behind_proxy.write(DAILY, rows)

    assert behind_proxy.read(Query(DAILY)).equals(rows)
    assert behind_proxy.changes(DAILY, 1).spans == (Span(FIRST, days(5)[-1]),)


def test_a3_a_lost_reply_is_tried_again_by_itself(
    open_influxdb: OpenStore, proxy: FaultProxy, influxdb_database: str
) -> None:
    store = open_influxdb(proxy.url, database=influxdb_database, timeouts=QUICK)
    rows = bars(MAUTAI, days(3))

    with proxy.failing(Fault(drop_reply=True, when=b"POST /write", times=2)):
        receipt = store.write(DAILY, rows)

    assert receipt.rows == 3
    assert store.read(Query(DAILY)).equals(rows)


def test_a3_requests_cut_at_any_byte_store_whole_rows_or_none(
    behind_proxy: InfluxDBAdapter, proxy: FaultProxy
) -> None:
    old, new = bars(MAUTAI, days(3), 1.0), bars(MAUTAI, days(3), 2.0)
    behind_proxy.write(DAILY, old)

    for cut in range(0, 600, 25):
        with proxy.failing(Fault(cut_request_at=cut, when=b"POST /write")), pytest.raises(OutcomeUnknown):
            behind_proxy.write(DAILY, new)
        found = behind_proxy.read(Query(DAILY))
        assert found.num_rows == 3
        for row in range(3):
            assert found.slice(row, 1).equals(old.slice(row, 1)) or found.slice(row, 1).equals(
                new.slice(row, 1)
            )
    behind_proxy.write(DAILY, new)

    assert behind_proxy.read(Query(DAILY)).equals(new)


def test_a3_a_commit_whose_reply_is_lost_still_raises_the_version(
    behind_proxy: InfluxDBAdapter, proxy: FaultProxy
) -> None:
    rows = bars(MAUTAI, days(2))
    behind_proxy.write(DAILY, rows)

    with (
        proxy.failing(Fault(drop_reply=True, when=b"rp=quantflux_commits")),
        pytest.raises(OutcomeUnknown, match="2 rows"),
    ):
        behind_proxy.write(DAILY, rows)

    assert behind_proxy.version(DAILY) >= 2


def test_a3_a_frozen_server_leaves_the_outcome_unknown_and_opens_the_breaker(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    server = start_influxdb()
    store = open_influxdb(server.url, timeouts=QUICK, breaker_rest=60.0)
    rows = bars(MAUTAI, days(4))
    store.write(DAILY, rows.slice(0, 1))

    server.freeze()
    with pytest.raises(OutcomeUnknown):
        store.write(DAILY, rows)
    with pytest.raises(StoreUnavailable, match="3 times in a row"):
        store.read(Query(DAILY))
    server.thaw()

    again = open_influxdb(server.url)
    again.write(DAILY, rows)
    assert again.read(Query(DAILY)).equals(rows)


def test_a13_a_blackhole_or_a_dead_port_costs_no_more_than_the_time_outs(
    behind_proxy: InfluxDBAdapter, proxy: FaultProxy, open_influxdb: OpenStore
) -> None:
    with proxy.failing(Fault(blackhole=True)), pytest.raises(StoreUnavailable, match="ReadTimeout"):
        behind_proxy.read(Query(DAILY))
    with proxy.failing(Fault(refuse=True)), pytest.raises(StoreUnavailable):
        behind_proxy.ping()
    with pytest.raises(StoreUnavailable, match="cannot reach"):
        open_influxdb("http://127.0.0.1:9", timeouts=QUICK, attempts=1).write(DAILY, bars(MAUTAI, days(1)))


def test_a13_a_server_that_starts_later_is_found(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    server = start_influxdb()
    server.kill()
    store = open_influxdb(server.url, attempts=1, breaker_rest=0.0)

    for call in (store.ping, lambda: store.read(Query(DAILY)), lambda: store.version(DAILY)):
        with pytest.raises(StoreUnavailable):
            call()
    server.start()

    assert store.ping().startswith("InfluxDB 1.")
    assert store.write(DAILY, bars(MAUTAI, days(1))).version == 1


def test_a2_rows_that_the_server_refuses_are_named_and_kept(
    open_influxdb: OpenStore, influxdb_server: InfluxServer, influxdb_database: str, tmp_path: Path
) -> None:
    store = open_influxdb(influxdb_server.url, database=influxdb_database, dead_letter=tmp_path / "dead")
    rows = sample(FACTOR_VALUES, days=days(20))
    names = rows.column("factor_id").to_pylist()
    bad = {3, 17, 18, 59}
    rows = changed(rows, factor_id=["f" * 70_000 if i in bad else name for i, name in enumerate(names)])

    with pytest.raises(PartialWrite) as refused:
        store.write(FACTOR_VALUES, rows)

    good = rows.filter(pa.array([i not in bad for i in range(rows.num_rows)]))
    assert refused.value.accepted == good.num_rows
    assert {row.row for row in refused.value.rejected} == bad
    assert all("max key length exceeded" in row.reason for row in refused.value.rejected)
    assert store.read(Query(FACTOR_VALUES)).equals(
        good.sort_by([(n, "ascending") for n in FACTOR_VALUES.key])
    )
    assert store.version(FACTOR_VALUES) == 1
    letters = [
        json.loads(line) for line in (tmp_path / "dead" / "factor_values.jsonl").read_text().splitlines()
    ]
    assert len(letters) == len(bad)
    assert all(letter["line"].startswith("factor_values,") and letter["reason"] for letter in letters)


def test_a2_a_type_conflict_in_one_shard_refuses_only_its_rows(
    open_influxdb: OpenStore, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    store = open_influxdb(influxdb_server.url, database=influxdb_database, shard_days={DAILY.name: 7})
    store.write(DAILY, bars("600000.SH", [date(2020, 1, 1)]))
    spoiled = int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()) * 10**9
    influxdb_server.write_lines(f"{DAILY.name},symbol=x volume=1.5 {spoiled}", influxdb_database, DAILY.name)
    rows = bars(MAUTAI, days(20))

    with pytest.raises(PartialWrite) as refused:
        store.write(DAILY, rows)

    lost = {row.row for row in refused.value.rejected}
    assert 0 < len(lost) <= 7
    assert all("field type conflict" in row.reason for row in refused.value.rejected)
    kept = rows.filter(pa.array([i not in lost for i in range(20)]))
    assert store.read(Query(DAILY, (MAUTAI,), end=date(2024, 1, 3))).equals(kept.slice(0, 2))
    assert refused.value.accepted == kept.num_rows


def test_a2_a_table_that_fits_nowhere_is_not_tried_row_by_row_to_the_end(
    open_influxdb: OpenStore, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    store = open_influxdb(influxdb_server.url, database=influxdb_database, batch_lines=10)
    store.write(DAILY, bars("600000.SH", [date(1999, 1, 1)]))
    day = int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()) * 10**9
    influxdb_server.write_lines(f"{DAILY.name},symbol=x open=true {day}", influxdb_database, DAILY.name)

    with pytest.raises(PartialWrite) as refused:
        store.write(DAILY, bars(MAUTAI, days(40)))

    assert refused.value.accepted == 0
    assert [row.row for row in refused.value.rejected] == list(range(40))
    assert refused.value.rejected[-1].reason.startswith("not sent")


def test_a6_an_error_with_status_200_is_raised(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    server = start_influxdb(max_select_buckets=1000)
    store = open_influxdb(server.url)
    store.write(DAILY, bars(MAUTAI, days(3)))
    source = f'"{DAILY.name}"."{DAILY.name}"'
    text = f'SELECT mean("close") FROM {source} WHERE time >= $low AND time <= $high GROUP BY time(1s)'

    with pytest.raises(InvalidRequest, match="max-select-buckets"):
        store._reader.ask(DAILY.name, Statement(text, {"low": 0, "high": 2 * 10**18}), {"mean": pa.float64()})


def test_a7_grouping_by_time_without_both_bounds_is_never_sent() -> None:
    for values in ({}, {"low": 0}, {"high": 1}):
        with pytest.raises(ValueError, match="needs"):
            Statement('SELECT mean("close") FROM "stock_daily_data" GROUP BY time(1s)', values)


def test_a6_a_row_limit_does_not_shorten_a_read(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    server = start_influxdb(max_row_limit=10)
    store = open_influxdb(server.url)
    rows = bars(MAUTAI, days(400))
    store.write(DAILY, rows)

    assert store.read(Query(DAILY)).equals(rows)


def test_a8_a_row_written_with_fewer_values_keeps_none_of_the_old_ones(store: InfluxDBAdapter) -> None:
    full = sample(DAILY_BASIC, [MAUTAI], days(3), seed=1)
    full = changed(full, pe=7.0, pb=8.0, close=9.0)
    bare = changed(full, pe=None, pb=None)
    store.write(DAILY_BASIC, full)

    store.write(DAILY_BASIC, bare)

    assert store.read(Query(DAILY_BASIC)).equals(bare)
    assert store.read(Query(DAILY_BASIC, columns=("pe",))).column("pe").null_count == 3
    store.write(DAILY_BASIC, full)
    assert store.read(Query(DAILY_BASIC)).equals(full)


def test_a8_a_row_without_any_value_is_still_a_row(store: InfluxDBAdapter) -> None:
    names = DAILY_BASIC.value_names
    empty = changed(sample(DAILY_BASIC, [MAUTAI], days(2)), **dict.fromkeys(names))

    store.write(DAILY_BASIC, empty)

    assert store.read(Query(DAILY_BASIC)).equals(empty)
    assert store.read(Query(DAILY_BASIC, columns=("pe",))).num_rows == 2


def test_a9_the_same_bar_twice_is_one_point(
    store: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    for close in (1.0, 2.0, 3.0):
        store.write(DAILY, bars(MAUTAI, [FIRST], close))

    answer = influxdb_server.query(
        f'SELECT count("close") FROM "{DAILY.name}"."{DAILY.name}"', influxdb_database
    )
    assert json.loads(answer)["results"][0]["series"][0]["values"][0][1] == 1


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9], ids=["ns", "us", "ms", "s"])
def test_a10_times_of_the_wrong_unit_are_refused(store: InfluxDBAdapter, unit: int) -> None:
    seconds = int(datetime(2024, 1, 2, tzinfo=UTC).timestamp())
    mistaken = datetime.fromtimestamp(seconds * unit / 10**12, UTC).date()

    with pytest.raises(InvalidData, match="must lie in 1990-12-19"):
        store.write(DAILY, bars(MAUTAI, [mistaken]))

    assert store.version(DAILY) == 0
    assert store.symbols(DAILY) == []


def test_a11_rights_are_respected_and_told_apart(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    server = start_influxdb(auth=True)
    server.query("CREATE DATABASE quantflux")
    server.query('CREATE RETENTION POLICY "stock_daily_data" ON quantflux DURATION INF REPLICATION 1')
    server.query('CREATE RETENTION POLICY "quantflux_commits" ON quantflux DURATION INF REPLICATION 1')
    server.grant("quantflux")
    rows = bars(MAUTAI, days(2))

    stranger = open_influxdb(server.url)
    wrong = open_influxdb(server.url, username=WRITER, password="guess")
    reader = open_influxdb(server.url, username=READER, password=READER_PASSWORD)
    writer = open_influxdb(server.url, username=WRITER, password=WRITER_PASSWORD)

    for store in (stranger, wrong):
        with pytest.raises(AccessDenied):
            store.ping()
    writer.write(DAILY, rows)
    assert reader.read(Query(DAILY)).equals(rows)
    with pytest.raises(AccessDenied):
        reader.write(DAILY, rows)
    assert reader.check_security() == []
    with pytest.raises(AccessDenied, match="administrator"):
        open_influxdb(server.url, username=WRITER, password=WRITER_PASSWORD, database="other").write(
            DAILY, rows
        )


def test_a11_an_open_server_is_refused_unless_it_is_on_this_machine(store: InfluxDBAdapter) -> None:
    (finding,) = store.check_security()
    assert not finding.fatal, "on loopback it is only a finding"

    far = judge(loopback=False, encrypted=False, anonymous_query=True, anonymous_metrics=True)
    assert [f.fatal for f in far] == [True, False, False]
    assert judge(loopback=False, encrypted=True, anonymous_query=False, anonymous_metrics=False) == []


def test_a11_a_store_that_is_not_on_loopback_asks_before_its_first_use(
    store: InfluxDBAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantflux.data.adapters.influxdb.store.is_loopback", lambda url: False)
    monkeypatch.setattr(store, "_admitted", False)

    for call in (
        lambda: store.write(DAILY, bars(MAUTAI, days(1))),
        lambda: store.read(Query(DAILY)),
        store.ping,
    ):
        with pytest.raises(AccessDenied, match="answers queries without credentials"):
            call()


def test_a12_large_tables_travel_in_small_requests(store: InfluxDBAdapter) -> None:
    symbols = [f"{600000 + i}.SH" for i in range(60)]
    rows = sample(DAILY, symbols, days(1000))
    lines = encode(DAILY, rows)

    for start, stop in lines.batches(5_000, 1_000_000):
        assert stop - start <= 5_000
        assert len(lines.body(start, stop)) <= 1_000_000
    store.write(DAILY, rows)

    assert store.read(Query(DAILY)).equals(rows)


def test_a12_a_server_that_takes_less_gets_less(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    server = start_influxdb(max_body_size=20_000)
    store = open_influxdb(server.url)
    rows = sample(DAILY, days=days(1000))

    store.write(DAILY, rows)

    assert store.read(Query(DAILY)).equals(rows)


def test_a14_a_wedged_disk_exhausts_neither_time_nor_connections(
    open_influxdb: OpenStore, start_influxdb: Callable[..., InfluxServer]
) -> None:
    server = start_influxdb(prefix=("prlimit", "--fsize=60000"))
    store = open_influxdb(server.url, timeouts=QUICK, connections=2, breaker_rest=60.0)
    rows = sample(DAILY, days=days(1000))

    before = time.monotonic()
    with pytest.raises((OutcomeUnknown, StoreUnavailable)):
        store.write(DAILY, rows)
    for _ in range(100):
        with pytest.raises(StoreUnavailable, match="times in a row"):
            store.version(DAILY)

    assert time.monotonic() - before < 30, "a hang, not a slow machine, takes this long"
