"""Hostile text never becomes part of a statement or of another point (a real server, canary measurements)."""

from __future__ import annotations

import itertools
import json
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.data.adapters.influxdb import InfluxDBAdapter
from quantflux.data.adapters.influxdb.layout import quote
from quantflux.data.adapters.influxdb.statements import Statement
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, FACTOR_VALUES, INSTRUMENTS
from tests.data.conformance.samples import bars, changed, sample
from tests.services.influxdb import InfluxServer

pytestmark = pytest.mark.influxdb

QUOTES = ["'", '"', "\\'", '\\"', "", "$low", "/", "`", "''", "\u2019"]
ATTACKS = [
    " OR '1'='1",
    "; DROP MEASUREMENT canary",
    "; DROP MEASUREMENT canary; --",
    '; DROP DATABASE "{database}"; --',
    "; DELETE FROM canary",
    "; CREATE USER x WITH PASSWORD 'x' WITH ALL PRIVILEGES; --",
    " OR time > 0; SELECT * INTO copied FROM canary --",
    ") OR (1=1",
    "|.*/",
    "=~ /.*/",
    "\\",
    "\\\\' OR ''='",
    "\n; DROP MEASUREMENT canary",
    "\x00; DROP MEASUREMENT canary",
    " GROUP BY *",
    " LIMIT 1 -- ",
    " /* */ ; SHOW DATABASES",
    "$s0",
    "％27； DROP MEASUREMENT canary",
]
TAILS = ["", " --", ";"]
PAYLOADS = [a + b + c for a, b, c in itertools.product(QUOTES, ATTACKS, TAILS)]


def canaries(server: InfluxServer, database: str) -> str:
    """Return what must not change: the canary's rows, and all measurements, databases and users."""
    statements = ('SELECT * FROM "canary"', "SHOW MEASUREMENTS", "SHOW USERS", "SHOW DATABASES")
    return "".join(server.query(statement, database) for statement in statements)


@pytest.fixture
def watched(store: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str) -> InfluxDBAdapter:
    store.write(DAILY, bars("600519.SH", [date(2024, 1, 2)]))
    influxdb_server.write_lines("canary,here=yes alive=true 1", influxdb_database)
    return store


def test_k1_symbols_are_values_never_statements(
    watched: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    before = canaries(influxdb_server, influxdb_database)
    assert len(PAYLOADS) >= 500

    for payload in PAYLOADS:
        symbol = payload.replace("{database}", influxdb_database)
        assert watched.read(Query(DAILY, ("600519.SH", symbol))).num_rows == 1, repr(symbol)

    assert canaries(influxdb_server, influxdb_database) == before
    assert "alive" in before


def test_k1_columns_and_datasets_are_identifiers_of_the_schema(
    watched: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    before = canaries(influxdb_server, influxdb_database)

    for payload in filter(None, PAYLOADS):
        with pytest.raises(InvalidRequest):
            Query(DAILY, columns=(payload,))
        with pytest.raises(ValueError, match="identifier"):
            quote(payload)
        with pytest.raises(InvalidData):
            watched.write(DAILY, changed(bars("600519.SH", [date(2024, 1, 2)]), symbol=payload))

    assert canaries(influxdb_server, influxdb_database) == before


def test_k1_one_statement_a_call() -> None:
    with pytest.raises(ValueError, match="one statement"):
        Statement('SELECT "close" FROM "stock_daily_data"; DROP MEASUREMENT "stock_daily_data"')


def test_k1_hostile_text_is_stored_as_text(
    watched: InfluxDBAdapter, influxdb_server: InfluxServer, influxdb_database: str
) -> None:
    names = [p for p in PAYLOADS if not any(ord(c) < 32 for c in p)]
    days = [date.fromordinal(date(2000, 1, 1).toordinal() + i) for i in range(len(names))]
    rows = changed(sample(INSTRUMENTS, ["600519.SH"], days), name=names)

    watched.write(INSTRUMENTS, rows)

    assert watched.read(Query(INSTRUMENTS)).equals(rows)
    shown = json.loads(influxdb_server.query("SHOW MEASUREMENTS", influxdb_database))
    found = {value[0] for value in shown["results"][0]["series"][0]["values"]}
    assert found == {"canary", "instruments", "quantflux_commits", "stock_daily_data"}


printable = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(c) for c in (*range(32), 127)])
awkward = st.sampled_from(
    [*" ,=\\\"'[]{}\u2028\u2029<>&\ufffd\ufeff😀汉", "],[", "null", "true", "1i", "\\\\"]
)
text = st.lists(st.one_of(printable, awkward), max_size=12).map("".join)


texts = st.lists(text, min_size=20, max_size=80)
SLOW_TO_DRAW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def check_round_trip(store: InfluxDBAdapter, texts: list[str]) -> None:
    """Write texts as fields and as tags, and read them back."""
    days = [date.fromordinal(date(2000, 1, 1).toordinal() + i) for i in range(len(texts))]
    fields = changed(
        sample(INSTRUMENTS, ["600519.SH"], days), name=texts, industry=[t or None for t in texts]
    )
    tags = sorted({t for t in texts if t and not t.endswith("\\")}, key=lambda t: t.encode())
    keys = changed(sample(FACTOR_VALUES, ["600519.SH"], days[:1] * len(tags)), factor_id=tags)

    store.write(INSTRUMENTS, fields)
    store.write(FACTOR_VALUES, keys)

    assert store.read(Query(INSTRUMENTS, start=days[0], end=days[-1])).equals(fields)
    found = store.read(Query(FACTOR_VALUES))
    assert found.filter(pc.is_in(found.column("factor_id"), pa.array(tags, pa.string()))).equals(keys)


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(texts)
def test_k2_any_text_comes_back_as_it_was(store: InfluxDBAdapter, texts: list[str]) -> None:
    check_round_trip(store, texts)


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(texts)
def test_k2_fifty_thousand_texts_come_back(store: InfluxDBAdapter, texts: list[str]) -> None:
    check_round_trip(store, texts)


@pytest.mark.parametrize("name", ["", "ends with \\", "\\"])
def test_k2_what_a_tag_cannot_hold_is_refused(store: InfluxDBAdapter, name: str) -> None:
    rows = changed(sample(FACTOR_VALUES, ["600519.SH"], [date(2024, 1, 2)]), factor_id=name)

    with pytest.raises(InvalidData, match="tag"):
        store.write(FACTOR_VALUES, rows)

    assert store.version(FACTOR_VALUES) == 0


@pytest.mark.parametrize("control", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f"])
def test_k2_control_characters_are_refused(store: InfluxDBAdapter, control: str) -> None:
    rows = changed(sample(INSTRUMENTS, ["600519.SH"], [date(2024, 1, 2)]), name=f"a{control}b")

    with pytest.raises(InvalidData, match="control characters"):
        store.write(INSTRUMENTS, rows)


def test_k2_text_of_sixty_kilobytes(store: InfluxDBAdapter) -> None:
    rows = changed(sample(INSTRUMENTS, ["600519.SH"], [date(2024, 1, 2)]), name='汉"\\ ,=' * 6_000)

    store.write(INSTRUMENTS, rows)

    assert store.read(Query(INSTRUMENTS)).equals(rows)
