"""Versions rise with every write and changes never leave one out, whoever writes and however late."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.data.adapters.influxdb import InfluxDBAdapter
from quantflux.data.adapters.influxdb.commits import LATENESS_NS, merged
from quantflux.data.contract import Span
from quantflux.data.schema import DAILY, MINUTE
from quantflux.data.sources.synthetic import SyntheticMarket
from tests.data.adapters.influxdb.conftest import OpenStore
from tests.data.conformance.samples import bars
from tests.services.influxdb import InfluxServer

pytestmark = pytest.mark.influxdb


def commit_at(server: InfluxServer, database: str, nanoseconds: int, day: date) -> None:
    """Put a commit into the log as another writer would, at a time of our choice."""
    line = (
        f'quantflux_commits,dataset={DAILY.name},writer=zz first="{day}",last="{day}",rows=1i {nanoseconds}'
    )
    server.write_lines(line, database, "quantflux_commits")


def test_a_commit_that_lands_before_those_seen_is_still_reported(
    store: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    store.write(DAILY, bars("600519.SH", [date(2024, 1, 2)]))
    base = 1_700_000_000_000_000_000
    for i in range(10):
        commit_at(influxdb_server, influxdb_database, base + i * 10 * LATENESS_NS, date(2001, 1, 1 + i))
    seen = store.version(DAILY)
    # The commit of the write above is stamped with the present and stays the last of all.
    tenth = base + 9 * 10 * LATENESS_NS
    assert seen == 11

    late = date(1999, 12, 31)
    commit_at(influxdb_server, influxdb_database, tenth - LATENESS_NS // 2, late)

    changes = store.changes(DAILY, 10)
    assert changes.version == seen + 1
    assert any(span.first <= late <= span.last for span in changes.spans)
    assert not any(span.first <= date(2001, 1, 5) <= span.last for span in changes.spans), "long seen"


def test_two_writers_at_once_raise_the_version_by_all_their_writes(
    open_influxdb: OpenStore, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    def write(number: int) -> None:
        store = open_influxdb(influxdb_server.url, database=influxdb_database)
        for day in range(1, 11):
            store.write(DAILY, bars(f"60000{number}.SH", [date(2024, number + 1, day)]))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    store = open_influxdb(influxdb_server.url, database=influxdb_database)
    assert store.version(DAILY) == 40
    assert len(store.changes(DAILY, 0).spans) == 4


def test_datasets_have_versions_of_their_own(store: InfluxDBAdapter) -> None:
    store.write(DAILY, bars("600519.SH", [date(2024, 1, 2)]))

    assert (store.version(DAILY), store.version(MINUTE)) == (1, 0)
    with pytest.raises(InvalidRequest, match="versions 0 to 0"):
        store.changes(MINUTE, 1)


def test_spans_that_touch_become_one() -> None:
    first = Span(date(2024, 1, 1), date(2024, 1, 5))
    inside = Span(date(2024, 1, 2), date(2024, 1, 3))
    apart = Span(date(2024, 1, 7), date(2024, 1, 8))

    assert merged([apart, inside, first]) == (first, apart)
    assert merged([first, Span(date(2024, 1, 6), date(2024, 1, 6)), apart]) == (
        Span(first.first, apart.last),
    )
    assert merged([]) == ()


def test_a_database_made_anew_has_another_identity_at_the_same_version(
    influxdb_server: InfluxServer, influxdb_database: str, open_influxdb: OpenStore
) -> None:
    rows = next(
        SyntheticMarket(seed=1, companies=2, start=date(2024, 1, 2), end=date(2024, 1, 5)).daily_tables()
    )

    def first_write() -> tuple[int, str]:
        store = open_influxdb(influxdb_server.url, database=influxdb_database)
        assert store.identity(DAILY) == ""
        version = store.write(DAILY, rows).version
        named = store.identity(DAILY)
        store.write(DAILY, rows)
        assert store.identity(DAILY) == named
        return version, named

    old_version, old_name = first_write()
    influxdb_server.query(f'DROP DATABASE "{influxdb_database}"')
    influxdb_server.query(f'CREATE DATABASE "{influxdb_database}"')
    version, name = first_write()

    assert version == old_version
    assert "" != name != old_name
