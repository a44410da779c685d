"""The MySQL store in the suite: v1's tables on a real MariaDB server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidData, Unsupported
from quantflux.core.symbols import board_of
from quantflux.data.adapters.mysql import open_store
from quantflux.data.adapters.mysql.ddl import v1_tables
from quantflux.data.adapters.mysql.tables import tables
from quantflux.data.contract import MarketStore
from quantflux.data.schema import INSTRUMENTS, Dataset
from tests.data.conformance.stores import Gap, StoreUnderTest
from tests.services.mariadb import MariaDBServer


class MySQLUnderTest(StoreUnderTest):
    name = "mysql"
    marks = (pytest.mark.mysql,)
    gaps: Mapping[str, Gap] = {
        "test_floats_of_any_size": Gap("never", "v1's columns are DECIMAL", InvalidData),
        "test_prices_of_any_size": Gap("never", "v1's columns are DECIMAL", InvalidData),
        "test_integers_beyond_two_to_the_53rd": Gap("never", "v1 keeps volumes in lots", InvalidData),
        "test_unicode_text": Gap("never", "v1 keeps one row per stock, without history", Unsupported),
    }

    def __init__(self, tmp_path: Path, request: pytest.FixtureRequest, clock: Clock) -> None:
        super().__init__(tmp_path, request, clock)
        self.server: MariaDBServer = request.getfixturevalue("mariadb_server")
        self.database: str = request.getfixturevalue("mariadb_database")

    def open(self) -> MarketStore:
        return open_store(clock=self.clock, **self.options())

    def options(self) -> Mapping[str, Any]:
        return {"port": self.server.port, "user": self.server.user, "database": self.database}

    def renew(self) -> None:
        self.server.drop_database(self.database)
        self.server.create_database(self.database)

    def restart(self) -> None:
        self.server.kill()
        self.server.start()

    def representable(self, dataset: Dataset, table: pa.Table) -> pa.Table:
        if dataset is INSTRUMENTS:
            return listed_once(table)
        for column in tables()[dataset.name].columns:
            place = table.schema.get_field_index(column.field)
            values = table.column(column.field)
            if pa.types.is_string(values.type):
                values = pc.utf8_slice_codeunits(
                    values, 0, width_of(tables()[dataset.name].name, column.name)
                )
            elif column.shift:
                unit = 10**column.shift
                whole = np.round(values.fill_null(0).to_numpy() / unit) * unit
                values = pa.chunked_array(
                    [pa.array(whole, mask=values.is_null().to_numpy()).cast(values.type)]
                )
            if column.field == "amount" and dataset.name == "stock_minute_data":
                values = values.fill_null(0.0)  # the one column that may not be empty in v1
            table = table.set_column(place, table.schema.field(place), values)
        return table


def width_of(table: str, column: str) -> int:
    """Return how many characters a VARCHAR of v1 takes."""
    line = next(c for c in v1_tables()[table]["columns"] if column in c.split(":")[0].split())
    return int(line.split("(")[1].split(")")[0])


def listed_once(table: pa.Table) -> pa.Table:
    """Return each symbol's first row, saying no more than v1's list of stocks can."""
    symbols = table.column("symbol").to_pylist()
    table = table.take([symbols.index(symbol) for symbol in dict.fromkeys(symbols)])
    implied = {
        "instrument_id": table.column("symbol"),
        "board": [board_of(s).value for s in table.column("symbol").to_pylist()],
        "status": ["normal"] * table.num_rows,
        "list_date": table.column("valid_from"),
        "delist_date": pa.nulls(table.num_rows, pa.date32()),
    }
    for name, values in implied.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), [values])
    return table


STORE = MySQLUnderTest
