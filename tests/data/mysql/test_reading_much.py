"""Reads larger than a packet, wherever the server and the client think they are on the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from quantflux.core.clock import SHANGHAI, FixedClock
from quantflux.core.errors import StoreError
from quantflux.data.adapters.mysql.connection import Server
from quantflux.data.adapters.mysql.store import MySQLAdapter
from quantflux.data.contract import Query, Span
from quantflux.data.schema import DAILY, FACTOR_VALUES, MINUTE, PREDICTIONS
from tests.data.conformance.samples import bars, changed, sample
from tests.services.mariadb import MariaDBServer
from tests.services.process import require

pytestmark = pytest.mark.mysql


@pytest.fixture
def tight(clock: FixedClock) -> Iterator[MySQLAdapter]:
    """A store whose server sends packets of at most 16 KB."""
    require("mariadbd", "mariadb-server")
    with MariaDBServer.temporary(["--max-allowed-packet=16384"]) as server:
        store = MySQLAdapter(Server("127.0.0.1", server.port, "root", "", server.create_database()), clock)
        yield store
        store.close()


def test_a_text_that_outgrew_its_packet_is_fetched_in_halves(tight: MySQLAdapter) -> None:
    days = [date(2000, 1, 3) + timedelta(days=n) for n in range(3000)]
    rows = pa.concat_tables([bars("000001.SZ", days), bars("600519.SH", days[:100], 12.34)])
    tight.write(DAILY, rows)

    assert tight.read(Query(DAILY)).equals(rows)
    assert sum(batch.num_rows for batch in tight.iter_batches(Query(DAILY, columns=("close",)), 500)) == 3100


def test_minutes_are_halved_between_days(tight: MySQLAdapter) -> None:
    rows = bars("600519.SH", [date(2024, 1, 2) + timedelta(days=n) for n in range(200)], data=MINUTE)
    tight.write(MINUTE, rows)

    assert tight.read(Query(MINUTE)).equals(rows)


def test_one_day_that_no_packet_holds_is_an_error_not_a_cut(tight: MySQLAdapter) -> None:
    row = sample(FACTOR_VALUES, ["600519.SH"], [date(2024, 1, 2)])
    rows = pa.concat_tables([changed(row, factor_id=f"factor number {n:030}") for n in range(300)])
    tight.write(FACTOR_VALUES, rows)

    with pytest.raises(StoreError, match="max_allowed_packet"):
        tight.read(Query(FACTOR_VALUES))


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Shanghai"])
def test_no_clock_but_ours_matters(monkeypatch: pytest.MonkeyPatch, clock: FixedClock, zone: str) -> None:
    require("mariadbd", "mariadb-server")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with MariaDBServer.temporary() as server:
            database = server.create_database()
            store = MySQLAdapter(Server("127.0.0.1", server.port, "root", "", database), clock)
            daily, minutes = (
                bars("600519.SH", [date(2024, 7, 1)]),
                bars("600519.SH", [date(2024, 7, 1)], data=MINUTE),
            )
            predicted = sample(PREDICTIONS, ["600519.SH"], [date(2024, 7, 1)])
            store.write(DAILY, daily)
            store.write(MINUTE, minutes)
            store.write(PREDICTIONS, predicted)

            [(wall,)] = server.execute("SELECT MIN(datetime) FROM stock_minute_data", database)
            [(age,)] = server.execute(
                "SELECT ABS(TIMESTAMPDIFF(SECOND, MAX(committed_at), UTC_TIMESTAMP())) FROM quantflux_commits",
                database,
            )

            assert wall == datetime(2024, 7, 1, 9, 31)
            assert age < 3600
            assert store.read(Query(DAILY, None, date(2024, 7, 1), date(2024, 7, 1))).equals(daily)
            assert store.read(Query(MINUTE, None, date(2024, 7, 1), date(2024, 7, 1))).equals(minutes)
            first = datetime(2024, 7, 1, 9, 31, tzinfo=SHANGHAI)
            assert store.read(Query(MINUTE, None, first, first)).num_rows == 1
            assert store.span(MINUTE) == Span(date(2024, 7, 1), date(2024, 7, 1))
            store.close()
    finally:
        monkeypatch.undo()
        time.tzset()
