"""Backtests and evaluations take listings and delisting periods from the instruments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from quantflux.backtest.arena import load_arena
from quantflux.config import Settings
from quantflux.core.instruments import Instrument, InstrumentTable, Status
from quantflux.core.symbols import Board
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.factors.market_data import load_market
from quantflux.platform import Platform
from quantflux.portfolio.market_day import load_market_day

DAYS = [date(2024, 3, 4 + i) if i < 5 else date(2024, 4, i - 4) for i in range(35)] + [
    date(2024, 5, i + 1) for i in range(30)
]
SUSPENDED, LEAVING, NEW = "600000.SH", "600001.SH", "600002.SH"
SYMBOLS = [SUSPENDED, LEAVING, NEW, *(f"60010{i}.SH" for i in range(9))]


def bars() -> pa.Table:
    """Everything stands at 10.00; one name has no first bar, and one opens at 11.00 on the third, the last and then."""
    cells = [
        (symbol, day)
        for symbol in SYMBOLS
        for day in DAYS
        if (symbol, day) != (SUSPENDED, DAYS[0]) and not (symbol == NEW and day < DAYS[5])
    ]
    opens = [11.0 if day in (DAYS[2], DAYS[7], DAYS[-1]) else 10.0 for _, day in cells]
    count = len(cells)
    return pa.table(
        {
            "symbol": [symbol for symbol, _ in cells],
            "trade_date": pa.array([day for _, day in cells], pa.date32()),
            "open": opens,
            "high": opens,
            "low": [10.0] * count,
            "close": [10.0] * count,
            "volume": pa.array([1e6] * count),
            "amount": [1e7] * count,
            "adj_factor": [1.0] * count,
        }
    )


def instruments() -> pa.Table:
    old = date(1999, 11, 10)
    rows = [
        Instrument(
            symbol,
            symbol,
            symbol,
            Board.MAIN,
            "bank",
            Status.NORMAL,
            DAYS[5] if symbol == NEW else old,
            None,
            DAYS[5] if symbol == NEW else old,
        )
        for symbol in SYMBOLS
    ]
    leaving = Instrument(LEAVING, LEAVING, LEAVING, Board.MAIN, "bank", Status.DELISTING, old, None, DAYS[7])
    return InstrumentTable([*rows, leaving]).to_table()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with Platform.open(Settings(data_dir=tmp_path_factory.mktemp("arena"))) as opened:
        opened.data.write(DAILY, bars())
        opened.data.write(INSTRUMENTS, instruments())
        yield opened


def test_a_backtest_knows_who_is_new_and_who_is_leaving(platform: Platform) -> None:
    up = load_arena(platform.data).venue.limit_up[:, :3]

    assert up[2, 0] == 11.0, "listed long ago: suspended on the first row, not new"
    assert np.isnan(up[7, 1]) and up[8, 1] == 11.0, "the first day of a delisting period has no limit"
    assert np.isnan(up[5:10, 2]).all() and up[10, 2] == 11.0, "five days without limit"


def test_so_does_an_evaluation(platform: Platform) -> None:
    locked = load_market(platform.data).locks.up[:, :3]

    assert locked[2].tolist() == [True, True, False]
    assert locked[7].tolist() == [True, False, False]
    assert locked[-1].tolist() == [True, True, True]


def test_so_does_the_market_of_a_portfolio(platform: Platform) -> None:
    day = load_market_day(platform.data, DAYS[-1], 60)

    assert not day.barriers.limit_up[:3].any(), "closes of 10.00 are not at 11.00"
