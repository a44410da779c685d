"""Stored events come onto the axes of a panel, and a store without them has none."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import open_store
from quantflux.data.contract import Query
from quantflux.data.corporate_actions import load_corporate_actions, placed_actions
from quantflux.data.schema import CORPORATE_ACTIONS

DAYS = np.array(["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], dtype="datetime64[D]")
SYMBOLS = np.array(["000001.SZ", "600519.SH"])


def rows(*events: tuple[str, str, float, float, float | None, float | None]) -> pa.Table:
    names = ("symbol", "ex_date", "cash", "shares", "rights_shares", "rights_price")
    columns = dict(zip(names, map(list, zip(*events, strict=True)), strict=True))
    columns["ex_date"] = [date.fromisoformat(day) for day in columns["ex_date"]]
    return pa.table(
        {
            name: pa.array(values, CORPORATE_ACTIONS.schema.field(name).type)
            for name, values in columns.items()
        }
    )


@pytest.fixture
def data(clock: FixedClock) -> DataAccessLayer:
    return DataAccessLayer(open_store(clock=clock), clock=clock)


def test_a_store_without_them_has_none(data: DataAccessLayer) -> None:
    actions = load_corporate_actions(data, DAYS, SYMBOLS)

    assert len(actions) == 0
    assert actions.cash.dtype == np.float64


def test_events_come_onto_their_days_and_symbols(data: DataAccessLayer) -> None:
    data.write(
        CORPORATE_ACTIONS,
        rows(
            ("600519.SH", "2024-01-05", 0.5, 0.3, None, None),
            ("000001.SZ", "2024-01-09", 0.1, 0.0, 0.3, 5.0),
        ),
    )

    actions = load_corporate_actions(data, DAYS, SYMBOLS)

    assert (actions.row.tolist(), actions.column.tolist()) == ([1, 3], [1, 0])
    assert (actions.cash.tolist(), actions.shares.tolist()) == ([0.5, 0.1], [0.3, 0.0])
    assert (actions.rights_shares.tolist(), actions.rights_price.tolist()) == ([0.0, 0.3], [0.0, 5.0])


def test_an_ex_date_without_trading_counts_on_the_next_day(data: DataAccessLayer) -> None:
    data.write(CORPORATE_ACTIONS, rows(("600519.SH", "2024-01-06", 0.5, 0.0, None, None)))

    assert load_corporate_actions(data, DAYS, SYMBOLS).row.tolist() == [2]


def test_two_events_on_one_trading_day_become_one(data: DataAccessLayer) -> None:
    data.write(
        CORPORATE_ACTIONS,
        rows(
            ("600519.SH", "2024-01-06", 0.0, 1.0, None, None),
            ("600519.SH", "2024-01-08", 0.5, 0.0, None, None),
        ),
    )

    actions = load_corporate_actions(data, DAYS, SYMBOLS)

    assert (actions.row.tolist(), actions.cash.tolist(), actions.shares.tolist()) == ([2], [1.0], [1.0])


def test_other_days_and_symbols_are_left_out(data: DataAccessLayer) -> None:
    data.write(
        CORPORATE_ACTIONS,
        rows(
            ("600519.SH", "2024-01-03", 0.5, 0.0, None, None),
            ("600519.SH", "2024-01-10", 0.5, 0.0, None, None),
            ("300750.SZ", "2024-01-05", 0.5, 0.0, None, None),
        ),
    )

    assert len(load_corporate_actions(data, DAYS, SYMBOLS)) == 0
    assert len(load_corporate_actions(data, DAYS[:0], SYMBOLS)) == 0
    assert len(load_corporate_actions(data, DAYS, SYMBOLS[:0])) == 0


def test_rows_before_the_first_day_are_not_placed_on_it() -> None:
    table = rows(
        ("600519.SH", "2024-01-03", 0.5, 0.0, 0.0, 0.0), ("600519.SH", "2024-01-04", 0.2, 0.0, 0.0, 0.0)
    )

    placed = placed_actions(table, DAYS, SYMBOLS)

    assert (placed.row.tolist(), placed.cash.tolist()) == ([0], [0.2])


def test_minutes_are_refused(data: DataAccessLayer) -> None:
    with pytest.raises(InvalidRequest, match=r"laid on days .*, times were datetime64\[s\]"):
        load_corporate_actions(data, DAYS.astype("datetime64[s]"), SYMBOLS)


def test_negative_cash_is_refused(data: DataAccessLayer) -> None:
    with pytest.raises(InvalidData, match="cash: must be at least 0"):
        data.write(CORPORATE_ACTIONS, rows(("600519.SH", "2024-01-05", -0.5, 0.0, None, None)))

    assert data.read(Query(CORPORATE_ACTIONS)).num_rows == 0
