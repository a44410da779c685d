"""The wire forms of InfluxDB 2.x and 3, checked header by header, and what their refusals become."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quantflux.core.errors import (
    AccessDenied,
    ConfigError,
    InvalidRequest,
    OutcomeUnknown,
    PartialWrite,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from quantflux.data.adapters.influxdb import InfluxDBAdapter
from quantflux.data.adapters.influxdb.dialects import DIALECTS, dialect
from quantflux.data.adapters.influxdb.lineprotocol import encode
from quantflux.data.contract import Query, Span
from quantflux.data.schema import DAILY
from tests.data.adapters.influxdb.conftest import OpenStore
from tests.data.adapters.influxdb.protocol_server import (
    ORG,
    TOKEN,
    InfluxDB2,
    InfluxDB3,
    ProtocolServer,
    Reply,
)
from tests.data.conformance.samples import bars

ROWS = bars("600519.SH", [date(2024, 1, 2), date(2024, 1, 3)])
LINES = bytes(encode(DAILY, ROWS).block).decode().splitlines()
STAMPS = [1704153600000000000, 1704240000000000000]


@pytest.fixture(params=[InfluxDB2, InfluxDB3])
def server(request: pytest.FixtureRequest) -> Iterator[ProtocolServer]:
    with request.param() as server:
        yield server
        assert server.objections == []


@pytest.fixture
def store(server: ProtocolServer, open_influxdb: OpenStore) -> InfluxDBAdapter:
    name = "2" if isinstance(server, InfluxDB2) else "3"
    return open_influxdb(server.url, dialect=name, database="market", org=ORG, token=TOKEN, breaker_rest=0.0)


def lay_out(server: ProtocolServer, statement: str, columns: dict[str, list[Any]]) -> None:
    """Let the server answer a statement with a table in its own form."""
    if isinstance(server, InfluxDB2):
        values = [list(row) for row in zip(*columns.values(), strict=True)]
        series = {"name": "m", "columns": list(columns), "values": values}
        body = json.dumps({"results": [{"statement_id": 0, "series": [series]}]}, separators=(",", ":"))
        server.answers[statement] = body.encode() + b"\n"
    else:
        count = len(next(iter(columns.values())))
        table = pa.table({"iox::measurement": ["m"] * count, **columns})
        if "time" in columns:
            index = table.schema.get_field_index("time")
            table = table.set_column(index, "time", table.column("time").cast(pa.timestamp("ns")))
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        server.answers[statement] = buffer.getvalue()


def test_a_write_makes_the_place_and_sends_lines_then_the_commit(
    store: InfluxDBAdapter, server: ProtocolServer
) -> None:
    lay_out(server, "count(", {"time": [0], "count": [5]})

    receipt = store.write(DAILY, ROWS)

    assert (receipt.version, receipt.rows, receipt.span) == (5, 2, Span(date(2024, 1, 2), date(2024, 1, 3)))
    assert server.written[:2] == LINES
    assert server.written[2].startswith("quantflux_commits,dataset=stock_daily_data,writer=")
    assert server.written[2].endswith(' first="2024-01-02",last="2024-01-03",rows=2i')
    if isinstance(server, InfluxDB2):
        days = {name: seconds / 86_400 for name, seconds in server.buckets.items()}
        assert days == {"market.stock_daily_data": 364, "market.quantflux_commits": 3640}
        names = ("stock_daily_data", "quantflux_commits")
        assert set(server.mappings) == {(f"market.{name}", name) for name in names}
    else:
        assert server.databases == {"market"}


def test_a_second_write_makes_nothing_anew(store: InfluxDBAdapter, server: ProtocolServer) -> None:
    lay_out(server, "count(", {"time": [0], "count": [1]})
    store.write(DAILY, ROWS)
    calls = len(server.calls)

    store.write(DAILY, ROWS)

    assert len(server.calls) == calls + 3, "lines, commit, version"


def test_what_exists_already_is_left_alone(
    server: ProtocolServer, store: InfluxDBAdapter, open_influxdb: OpenStore
) -> None:
    lay_out(server, "count(", {"time": [0], "count": [1]})
    store.write(DAILY, ROWS)

    other = "2" if isinstance(server, InfluxDB2) else "3"
    again = open_influxdb(server.url, dialect=other, database="market", org=ORG, token=TOKEN)

    assert again.write(DAILY, ROWS).rows == 2


def test_a_refused_place_is_not_taken_for_refused_rows(
    store: InfluxDBAdapter, server: ProtocolServer
) -> None:
    no = Reply(400, b'{"code":"invalid","message":"no more buckets on this plan"}')
    server.place_refusals.append(no)

    with pytest.raises(
        StoreError, match="did not make a place for stock_daily_data: no more buckets"
    ) as error:
        store.write(DAILY, ROWS)

    assert not isinstance(error.value, PartialWrite)
    assert server.written == []


def test_a_read_binds_its_values(store: InfluxDBAdapter, server: ProtocolServer) -> None:
    if isinstance(server, InfluxDB2):
        server.mappings["market.stock_daily_data", "stock_daily_data"] = "1"
    elif isinstance(server, InfluxDB3):
        server.databases.add("market")
    columns = {"time": STAMPS, "symbol": ["600519.SH"] * 2, "close": [10.0, 10.5]}
    lay_out(server, '"close"', columns)

    found = store.read(Query(DAILY, ("600519.SH",), date(2024, 1, 2), date(2024, 1, 3), ("close",)))

    assert found.to_pydict() == {
        "symbol": ["600519.SH"] * 2,
        "trade_date": [date(2024, 1, 2), date(2024, 1, 3)],
        "close": [10.0, 10.5],
    }
    ((statement, values),) = server.asked
    assert values == {"s0": "600519.SH", "low": STAMPS[0], "high": STAMPS[1]}
    assert "600519" not in statement
    assert '("symbol" = $s0) AND time >= $low AND time <= $high' in statement


def test_ping_names_the_product_and_checks_the_token(
    store: InfluxDBAdapter, server: ProtocolServer, open_influxdb: OpenStore
) -> None:
    name = "2" if isinstance(server, InfluxDB2) else "3"

    assert store.ping() in ("InfluxDB v2.7.12 (dialect 2)", "InfluxDB 3.2.1 (dialect 3)")
    with pytest.raises(AccessDenied, match="unauthorized"):
        open_influxdb(server.url, dialect=name, database="market", org=ORG, token="guess").ping()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(500, b'{"code":"internal error","message":"no space left on device"}'), StoreFull),
        (Reply(503, b'{"code":"unavailable","message":"try later"}'), StoreUnavailable),
        (Reply(500, b'{"code":"internal error","message":"timeout"}'), OutcomeUnknown),
        (Reply(403, b'{"code":"forbidden","message":"insufficient permissions"}'), AccessDenied),
    ],
)
def test_statuses_become_our_errors(
    store: InfluxDBAdapter, server: ProtocolServer, reply: Reply, kind: type[Exception]
) -> None:
    server.refusals = [reply] * 3

    with pytest.raises(kind) as error:
        store.write(DAILY, ROWS)

    assert type(error.value).__mro__.index(kind) <= 1
    assert server.written == [] or kind is OutcomeUnknown


def test_a_refused_batch_is_halved_down_to_the_bad_row(
    store: InfluxDBAdapter, server: ProtocolServer
) -> None:
    lay_out(server, "count(", {"time": [0], "count": [1]})
    bad = Reply(422, b'{"code":"unprocessable entity","message":"field type conflict"}')
    server.refusals = [bad, bad]

    with pytest.raises(PartialWrite) as partial:
        store.write(DAILY, ROWS)

    assert (partial.value.accepted, [row.row for row in partial.value.rejected]) == (1, [0])
    assert server.written[0] == LINES[1]


def test_options_are_checked() -> None:
    with pytest.raises(InvalidRequest, match="1, 2, 3"):
        dialect("4")
    assert list(DIALECTS) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dialect": "2", "token": "x"}, "needs the option 'org'"),
        ({"dialect": "3"}, "needs the option 'token'"),
        ({"database": 'x"; DROP DATABASE y'}, "database must match"),
        ({"timeouts": {"conect": 1.0}}, "timeouts may name"),
        ({"shard_days": {"stock_daily_data": 0}}, "at least 1 day"),
    ],
)
def test_missing_and_malformed_options_are_named(
    open_influxdb: OpenStore, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        open_influxdb("http://127.0.0.1:1", **options)
