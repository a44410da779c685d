"""Bars of longer periods against pandas, session by session."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings

from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import InvalidRequest
from quantflux.data.panels import Layout, block_of
from quantflux.data.schema import DAILY, MINUTE, MINUTE_LABELS
from quantflux.data.sessions import instants, labels, locate, minutes_to_days, resample_grid, resample_table
from tests.data.market_tables import instant_of, table_of, tables

FIELDS = ("open", "high", "low", "close", "volume", "amount")


def oracle(table: pa.Table, period: int) -> pd.DataFrame:
    """Bars by pandas: each day's two sessions are binned apart, counting from their own first minute."""
    frame = table.to_pandas().sort_values(["symbol", "bar_time"])
    wall = frame["bar_time"].dt.tz_convert("Asia/Shanghai")
    frame["day"] = wall.dt.date
    minute = wall.dt.hour * 60 + wall.dt.minute
    frame["opens"] = np.where(minute <= 690, 570, 780)
    frame["bar"] = -((frame["opens"] - minute) // period)  # ceil((minute - opens) / period)
    grouped = frame.groupby(["symbol", "day", "opens", "bar"], sort=True)
    bars = grouped.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
        amount=("amount", lambda values: values.sum(min_count=1)),
    ).reset_index()
    closing = bars["opens"] + bars["bar"] * period
    bars["bar_time"] = [
        pd.Timestamp(day.isoformat(), tz=SHANGHAI) + pd.Timedelta(minutes=int(m))
        for day, m in zip(bars["day"], closing, strict=True)
    ]
    return bars[["symbol", "bar_time", *FIELDS]]


def assert_same(table: pa.Table, expected: pd.DataFrame) -> None:
    got = table.to_pandas()
    assert got["symbol"].tolist() == expected["symbol"].tolist()
    assert [t.timestamp() for t in got["bar_time"]] == [t.timestamp() for t in expected["bar_time"]]
    for name in ("open", "high", "low", "close", "volume"):
        assert got[name].tolist() == expected[name].tolist(), name
    np.testing.assert_allclose(got["amount"], expected["amount"].astype(float), rtol=1e-12)


@pytest.mark.parametrize("period", [5, 15, 30, 60])
@given(table=tables(MINUTE))
@settings(deadline=None, max_examples=20)
def test_long_tables_are_resampled_like_pandas_does(period: int, table: pa.Table) -> None:
    table = table.sort_by([("symbol", "ascending"), ("bar_time", "ascending")])

    assert_same(resample_table(table, period), oracle(table, period))


@pytest.mark.parametrize("period", [5, 15, 30, 60])
@given(table=tables(MINUTE))
@settings(deadline=None, max_examples=20)
def test_the_grid_and_the_table_give_the_same_bars(period: int, table: pa.Table) -> None:
    table = table.sort_by([("symbol", "ascending"), ("bar_time", "ascending")])
    block = block_of(table, Layout(MINUTE), FIELDS, None)

    grid = resample_grid(block.values, period)
    times = instants(block.days, period)

    found = {}
    for d, n, b in zip(*np.nonzero(~np.isnan(grid["close"])), strict=True):
        found[block.symbols[n], int(times[d, b])] = [grid[name][d, n, b] for name in FIELDS]
    expected = resample_table(table, period)
    stamps = expected["bar_time"].cast(pa.int64()).to_pylist()
    assert list(zip(expected["symbol"].to_pylist(), stamps, strict=True)) == sorted(found)
    for i, key in enumerate(sorted(found)):
        row = [expected[name][i].as_py() for name in FIELDS]
        np.testing.assert_allclose(found[key], [np.nan if v is None else v for v in row], rtol=1e-12)


def minute_bars(*walls: str) -> pa.Table:
    """Bars of one symbol on 2024-01-02, priced 1, 2, 3 ..., 100 shares each."""
    times = [datetime.fromisoformat(f"2024-01-02T{wall}").replace(tzinfo=SHANGHAI) for wall in walls]
    price = np.arange(1.0, len(walls) + 1)
    return pa.table(
        {
            "symbol": ["600519.SH"] * len(walls),
            "bar_time": pa.array(times, MINUTE.kind.arrow),
            **dict.fromkeys(("open", "high", "low", "close"), price),
            "volume": np.full(len(walls), 100),
            "amount": price * 100,
        }
    )


def walls_of(table: pa.Table) -> list[str]:
    return [t.strftime("%H:%M") for t in table["bar_time"].to_pylist()]


def test_lunch_is_never_spanned() -> None:
    bars = resample_table(minute_bars("11:29", "11:30", "13:01", "13:02"), 60)

    assert walls_of(bars) == ["11:30", "14:00"]
    assert bars["open"].to_pylist() == [1.0, 3.0]
    assert bars["close"].to_pylist() == [2.0, 4.0]


def test_the_opening_auction_belongs_to_the_first_bar_and_the_closing_auction_to_the_last() -> None:
    bars = resample_table(minute_bars("09:31", "09:35", "09:36", "14:57", "15:00"), 5)

    assert walls_of(bars) == ["09:35", "09:40", "15:00"]
    assert bars["volume"].to_pylist() == [200, 100, 200]


def test_sixty_minute_bars_of_a_full_day_close_at_the_four_known_minutes() -> None:
    table = table_of(MINUTE, [("600519.SH", date(2024, 1, 2), slot) for slot in range(240)], seed=0)

    assert walls_of(resample_table(table, 60)) == ["10:30", "11:30", "14:00", "15:00"]


def test_bars_without_minutes_are_absent() -> None:
    assert walls_of(resample_table(minute_bars("09:31", "10:31"), 30)) == ["10:00", "11:00"]


def test_a_day_is_the_fold_of_its_minutes() -> None:
    days = minutes_to_days(minute_bars("09:31", "11:30", "13:01", "15:00"))

    assert days.schema.field("trade_date").type == DAILY.kind.arrow
    assert days.to_pylist() == [
        {
            "symbol": "600519.SH",
            "trade_date": date(2024, 1, 2),
            "open": 1.0,
            "high": 4.0,
            "low": 1.0,
            "close": 4.0,
            "volume": 400,
            "amount": 1000.0,
        }
    ]


@pytest.mark.parametrize("day", ["1991-04-12", "1991-04-15", "1991-09-13", "1991-09-16", "2024-01-02"])
def test_instants_follow_summer_time(day: str) -> None:
    number = int(np.datetime64(day).astype(int))

    found = instants(np.array([number], dtype=np.int32))[0]

    for slot in (0, 119, 120, 239):
        hour, minute = divmod(int(MINUTE_LABELS[slot]), 60)
        wall = datetime.fromisoformat(day).replace(hour=hour, minute=minute, tzinfo=SHANGHAI)
        assert found[slot] == int(wall.timestamp()) * 1_000_000


def test_the_first_bar_of_summer_1991_is_an_hour_earlier_in_utc() -> None:
    assert datetime.fromtimestamp(instant_of(date(1991, 4, 15), 0) / 1e6, tz=SHANGHAI).hour == 9
    assert instant_of(date(1991, 4, 15), 0) // 1_000_000 % 86400 == 31 * 60  # 00:31 UTC
    assert instant_of(date(1991, 4, 12), 0) // 1_000_000 % 86400 == 91 * 60  # 01:31 UTC


def test_locate_undoes_instants() -> None:
    days = np.array([7770, 7771, 19724], dtype=np.int32)

    found, slots = locate(pa.array(instants(days).reshape(-1)).view(MINUTE.kind.arrow))

    assert found.tolist() == np.repeat(days, 240).tolist()
    assert slots.tolist() == list(range(240)) * 3


@pytest.mark.parametrize("period", [0, 2, 7, 120, 240])
def test_periods_that_do_not_divide_a_session_are_refused(period: int) -> None:
    with pytest.raises(InvalidRequest, match="1, 5, 15, 30, 60 minutes"):
        labels(period)


def test_fields_without_a_rule_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="adj_factor has no rule"):
        resample_grid({"adj_factor": np.ones((1, 240))}, 5)


def test_an_empty_table_stays_empty() -> None:
    assert resample_table(minute_bars().cast(MINUTE.schema), 5).num_rows == 0
