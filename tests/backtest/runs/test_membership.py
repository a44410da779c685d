"""Who may be held: each condition alone against pandas, on a market with listings and special treatment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantflux.backtest.arena import Arena, leaving_days, load_arena
from quantflux.backtest.runs.membership import chosen_names
from quantflux.backtest.runs.run_file import Universe
from quantflux.config import Settings
from quantflux.core.errors import UnknownSymbol
from quantflux.core.instruments import Instrument, InstrumentTable, Status
from quantflux.core.panel import Panel
from quantflux.core.symbols import Board
from quantflux.data.contract import Query
from quantflux.data.schema import INSTRUMENTS
from quantflux.platform import Platform
from tests.backtest.example_market import market_folder


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with Platform.open(Settings(data_dir=market_folder(tmp_path_factory))) as opened:
        yield opened


@pytest.fixture(scope="module")
def arena(platform: Platform) -> Arena:
    return load_arena(platform.data, None, None)


def chosen(arena: Arena, folder: Path = Path(), condition: Any = None, **terms: Any) -> pd.DataFrame:
    open_to_all = {"seasoned": False, "special_treatment": True}
    found = chosen_names(Universe(**{**open_to_all, **terms}), arena, folder, condition)
    return frame(arena, found)


def frame(arena: Arena, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, arena.venue.times.astype("datetime64[ns]"), arena.venue.symbols.tolist())


def traded(arena: Arena) -> pd.DataFrame:
    return frame(arena, arena.venue.close).notna()


def test_without_conditions_all_that_trade_may_be_held(arena: Arena) -> None:
    pd.testing.assert_frame_equal(chosen(arena), traded(arena))


def test_seasoned_names_have_traded_on_sixty_days(arena: Arena) -> None:
    bars = traded(arena)
    before = bars.cumsum().shift(1, fill_value=0)
    old = bars.iloc[0]

    found = chosen(arena, seasoned=True)

    pd.testing.assert_frame_equal(found, bars & ((before >= 60) | old))
    assert not found.equals(bars)


def test_names_under_special_treatment_are_left_out(platform: Platform, arena: Arena) -> None:
    rows = platform.data.read(Query(INSTRUMENTS)).to_pandas().sort_values(["symbol", "valid_from"])
    expected = traded(arena)
    for symbol, history in rows.groupby("symbol"):
        if symbol in expected:
            since = pd.DatetimeIndex(history["valid_from"])
            place = since.searchsorted(expected.index, side="right") - 1
            status = history["status"].to_numpy()[np.maximum(place, 0)]
            expected[symbol] &= ~np.isin(status, ["st", "star_st"])

    found = chosen(arena, special_treatment=False)

    pd.testing.assert_frame_equal(found, expected)
    assert not found.equals(traded(arena))


def test_a_condition_holds_above_zero_and_never_where_it_is_unknown(arena: Arena) -> None:
    condition = np.where(arena.venue.close > 20, 1.0, -1.0)
    condition[5] = np.nan
    condition[6] = 0.0

    found = chosen(arena, condition=condition)

    expected = frame(arena, arena.venue.close) > 20
    expected.iloc[5:7] = False
    pd.testing.assert_frame_equal(found, expected)


def test_members_of_an_index_come_and_go(arena: Arena, tmp_path: Path) -> None:
    lines = [
        "symbol,since,until",
        "000001.SZ,,2022-06-01",
        "000001.SZ,2023-03-01,",
        "000002.SZ,2022-03-05,2022-04-09",  # Saturdays
        "600519.SH,,",  # not in these data
    ]
    (tmp_path / "index.csv").write_text("\n".join(lines), encoding="utf-8")

    found = chosen(arena, tmp_path, file="index.csv")

    day = found.index
    expected = traded(arena) & False
    expected["000001.SZ"] = (day < "2022-06-01") | (day >= "2023-03-01")
    expected["000002.SZ"] = (day >= "2022-03-07") & (day <= "2022-04-08")
    pd.testing.assert_frame_equal(found, expected & traded(arena))


def test_a_list_of_symbols_must_be_there(arena: Arena, tmp_path: Path) -> None:
    assert chosen(arena, symbols=("000001.SZ",)).sum().loc[lambda n: n > 0].index.tolist() == ["000001.SZ"]
    with pytest.raises(UnknownSymbol, match=r"600519\.SH"):
        chosen(arena, symbols=("000001.SZ", "600519.SH"))
    (tmp_path / "index.csv").write_text("symbol\n600519.SH\n", encoding="utf-8")
    with pytest.raises(UnknownSymbol, match=r"index\.csv"):
        chosen(arena, tmp_path, file="index.csv")


def test_an_arena_begins_before_its_span(platform: Platform) -> None:
    found = load_arena(platform.data, np.datetime64("2023-02-01").item(), np.datetime64("2023-06-30").item())

    times = found.venue.times
    assert times[found.begin] == np.datetime64("2023-02-01")
    assert found.begin >= 60
    assert times[-1] == np.datetime64("2023-06-30")
    assert found.versions == {"stock_daily_data": 1, "stock_daily_basic": 1, "instruments": 1}


def test_names_leave_when_they_are_delisted_recoded_or_vanish_unexplained() -> None:
    days = np.datetime64("2024-01-01") + np.arange(100)
    symbols = ["000001.SZ", "000002.SZ", "430047.BJ", "600001.SH", "600002.SH", "920047.BJ"]
    close = np.ones((100, 6))
    close[50:, 1] = np.nan  # long suspended: the instruments say it is still listed
    close[30:, 3] = np.nan  # no instrument, no bar in the last sixty
    close[60:, 4] = np.nan  # no instrument, but it may come back
    first = Instrument(
        "A", "000001.SZ", "A", Board.MAIN, None, Status.NORMAL, date(2020, 1, 2), None, date(2020, 1, 2)
    )
    moved = replace(first, instrument_id="C", symbol="430047.BJ")
    rows = [
        replace(first, delist_date=date(2024, 3, 1)),
        replace(first, instrument_id="B", symbol="000002.SZ"),
        moved,
        replace(moved, symbol="920047.BJ", valid_from=date(2024, 2, 5)),
    ]

    found = leaving_days(InstrumentTable(rows).to_table(), Panel(days, symbols, {"close": close}))

    assert [str(day) for day in found] == ["2024-03-01", "NaT", "2024-02-05", "2024-01-31", "NaT", "NaT"]
