"""Hostile text in every place that takes text: stored and found as it is, or found nowhere; the canary stays."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, FACTOR_VALUES, INSTRUMENTS, MINUTE, datasets
from tests.data.conformance.samples import bars, changed, sample
from tests.data.mysql.conftest import OpenStore
from tests.services.mariadb import MariaDBServer

pytestmark = pytest.mark.mysql

DAY = date(2024, 1, 2)

_BREAKS = [
    "'",
    '"',
    "`",
    "\\",
    "\\'",
    "''",
    "%",
    "_",
    "%s",
    "%(x)s",
    "--",
    "-- ",
    "#",
    "/*",
    "*/",
    ";",
    ")",
    "0x27",
]
_BREAKS += ["x'"]
_PAYLOADS = [
    "{q} OR 1=1",
    "{q} OR {q}1{q}={q}1",
    "{q}; DROP TABLE canary; -- ",
    "{q}); DELETE FROM canary; -- ",
    "{q} UNION SELECT secret FROM canary -- ",
    "{q}) UNION SELECT 1,2,3 FROM canary #",
    "600519.SH{q} OR ts_code LIKE {q}%",
    "{q}/**/OR/**/SLEEP(5)/**/OR/**/{q}",
    "{q},{q}2024-01-02{q},1),({q}x",
    "{q} INTO OUTFILE {q}/tmp/out",
    "{q} ON DUPLICATE KEY UPDATE ts_code={q}x",
    "1{q} PROCEDURE ANALYSE() -- ",
]
PAYLOADS = (
    [p.format(q=q) for q in _BREAKS for p in _PAYLOADS]
    + _BREAKS
    + ["\u02bc OR 1=1", "＇ OR 1=1", "𝟎 OR 1=1", "🙂'"]
)


@pytest.fixture(autouse=True)
def _canary(mariadb_server: MariaDBServer, mariadb_database: str):  # type: ignore[no-untyped-def]
    mariadb_server.execute("CREATE TABLE canary (secret VARCHAR(20))", mariadb_database)
    mariadb_server.execute("INSERT INTO canary VALUES ('alive')", mariadb_database)
    yield
    assert mariadb_server.execute("SELECT secret FROM canary", mariadb_database) == [("alive",)]


def test_there_are_enough_of_them() -> None:
    assert len(set(PAYLOADS)) > 240


def test_as_a_symbol_it_matches_nothing(open_mysql: OpenStore) -> None:
    store = open_mysql()
    store.write(DAILY, bars("600519.SH", [DAY]))
    store.write(MINUTE, bars("600519.SH", [DAY], data=MINUTE))

    for payload in PAYLOADS:
        assert store.read(Query(DAILY, (payload,), columns=("close",))).num_rows == 0
        assert store.read(Query(MINUTE, (payload,), DAY, DAY, ("close",))).num_rows == 0
    assert store.read(Query(DAILY, tuple(PAYLOADS))).num_rows == 0


def test_as_a_key_it_is_stored_as_it_is(open_mysql: OpenStore) -> None:
    store = open_mysql()
    row = sample(FACTOR_VALUES, ["600519.SH"], [DAY])

    store.write(
        FACTOR_VALUES,
        pa.concat_tables([changed(row, factor_id=p[:50]) for p in sorted({p[:50] for p in PAYLOADS})]),
    )

    found = store.read(Query(FACTOR_VALUES)).column("factor_id").to_pylist()
    assert found == sorted({p[:50] for p in PAYLOADS}, key=str.encode)


def test_as_a_name_it_is_stored_as_it_is(open_mysql: OpenStore) -> None:
    store = open_mysql()
    rows = pa.table(
        {
            "symbol": [f"{600000 + i}.SH" for i in range(len(PAYLOADS))],
            "valid_from": [DAY] * len(PAYLOADS),
            "instrument_id": [f"{600000 + i}.SH" for i in range(len(PAYLOADS))],
            "name": PAYLOADS,
            "board": ["main"] * len(PAYLOADS),
            "status": ["normal"] * len(PAYLOADS),
            "list_date": [DAY] * len(PAYLOADS),
        }
    )

    store.write(INSTRUMENTS, rows)

    assert store.read(Query(INSTRUMENTS)).column("name").to_pylist() == PAYLOADS


@pytest.mark.parametrize("dataset", list(datasets().values()), ids=lambda d: d.name)
def test_as_a_column_it_is_refused(dataset) -> None:  # type: ignore[no-untyped-def]
    for payload in PAYLOADS:
        with pytest.raises(InvalidRequest, match="no column"):
            Query(dataset, columns=(payload,))
