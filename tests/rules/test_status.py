"""Special treatment and delisting periods, from the rows of instruments."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from quantflux.data.schema import INSTRUMENTS
from quantflux.rules import Standing, delisting_period, special_treatment


def instruments(*rows: tuple[str, date, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"symbol": s, "valid_from": d, "status": status, "instrument_id": s, "name": s, "board": "main"}
            for s, d, status in rows
        ],
        schema=INSTRUMENTS.schema,
    )


TIMES = np.array(
    ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"], dtype="datetime64[D]"
)
SYMBOLS = np.array(["600000.SH", "600001.SH"])


def test_special_treatment_follows_the_status_of_each_name() -> None:
    table = instruments(
        ("600000.SH", date(2024, 1, 2), "normal"),
        ("600000.SH", date(2024, 1, 4), "star_st"),
        ("600000.SH", date(2024, 1, 8), "normal"),
        ("999999.SH", date(2024, 1, 2), "st"),
    )

    marked = special_treatment(table, TIMES, SYMBOLS)

    assert marked[:, 0].tolist() == [False, False, True, True, False]
    assert not marked[:, 1].any()


def test_a_delisting_period_is_no_special_treatment() -> None:
    table = instruments(
        ("600000.SH", date(2024, 1, 2), "star_st"),
        ("600000.SH", date(2024, 1, 3), "delisting"),
        ("600000.SH", date(2024, 1, 5), "delisted"),
    )

    assert delisting_period(table, TIMES, SYMBOLS)[:, 0].tolist() == [False, True, True, False, False]
    assert special_treatment(table, TIMES, SYMBOLS)[:, 0].tolist() == [True, False, False, False, False]


def test_a_standing_is_all_that_instruments_say_of_limits() -> None:
    table = instruments(
        ("600000.SH", date(2024, 1, 2), "star_st"),
        ("600000.SH", date(2024, 1, 4), "delisting"),
    ).set_column(7, "list_date", pa.array([None, date(1999, 11, 10)], pa.date32()))

    standing = Standing.of(table, TIMES, SYMBOLS)

    assert standing.special.T.tolist() == [[True, True, False, False, False], [False] * 5]
    assert standing.delisting.T.tolist() == [[False, False, True, True, True], [False] * 5]
    assert standing.listed.astype(str).tolist() == ["1999-11-10", "NaT"]
