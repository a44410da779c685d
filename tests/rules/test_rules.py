"""Limits, lots, fees and special treatment: by hand, at every change of date."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from quantflux.core.panel import Panel
from quantflux.data.schema import INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.rules import (
    Commission,
    FeeRates,
    are_raw,
    fee_rates,
    locked_at_open,
    lots_of,
    special_treatment,
)


def two_days(
    symbol: str, close: float, opening: float, *, day: str = "2024-03-05", step: float | None = 1.0
) -> Panel:
    """A close, and the open of the next day; `step` is the change of the adjustment factor, None for none at all."""
    times = np.array([np.datetime64(day) - 1, np.datetime64(day)])
    closes = np.array([[close], [opening]])
    fields = {"open": np.array([[close], [opening]]), "close": closes}
    if step is not None:
        fields["adj_factor"] = np.array([[1.0], [step]])
    return Panel(times, [symbol], fields)


def locked(panel: Panel, *, special: bool = False) -> str:
    locks = locked_at_open(panel, np.full(panel.shape, special))
    return {(True, False): "up", (False, True): "down"}.get(
        (bool(locks.up[-1, 0]), bool(locks.down[-1, 0])), ""
    )


@pytest.mark.parametrize(
    ("symbol", "day", "opening", "expected"),
    [
        ("600519.SH", "2024-03-05", 11.00, "up"),
        ("600519.SH", "2024-03-05", 10.99, ""),
        ("600519.SH", "2024-03-05", 9.00, "down"),
        ("600519.SH", "2024-03-05", 9.01, ""),
        ("300750.SZ", "2020-08-21", 11.00, "up"),
        ("300750.SZ", "2020-08-24", 11.00, ""),
        ("300750.SZ", "2020-08-24", 12.00, "up"),
        ("688981.SH", "2024-03-05", 8.00, "down"),
        ("920047.BJ", "2024-03-05", 12.99, ""),
        ("920047.BJ", "2024-03-05", 13.00, "up"),
    ],
)
def test_the_limit_depends_on_board_and_date(symbol: str, day: str, opening: float, expected: str) -> None:
    assert locked(two_days(symbol, 10.0, opening, day=day)) == expected


@pytest.mark.parametrize(
    ("symbol", "day", "opening", "expected"),
    [
        ("600519.SH", "2026-07-03", 10.50, "up"),
        ("600519.SH", "2026-07-06", 10.50, ""),
        ("600519.SH", "2026-07-06", 11.00, "up"),
        ("300750.SZ", "2024-03-05", 10.50, ""),
    ],
)
def test_special_treatment_narrows_the_main_board(
    symbol: str, day: str, opening: float, expected: str
) -> None:
    assert locked(two_days(symbol, 10.0, opening, day=day), special=True) == expected


@pytest.mark.parametrize(("close", "limit"), [(10.05, 11.06), (3.33, 3.66), (10.04, 11.04), (8.15, 8.97)])
def test_limits_round_half_up_to_the_cent(close: float, limit: float) -> None:
    # 10.05 x 1.1 = 11.055 rounds to 11.06 and 8.15 x 1.1 = 8.965 to 8.97, whatever their binary fractions say.
    assert locked(two_days("600000.SH", close, limit)) == "up"
    assert locked(two_days("600000.SH", close, round(limit - 0.01, 2))) == ""


def test_the_reference_is_adjusted_on_the_ex_date() -> None:
    assert locked(two_days("600000.SH", 20.0, 11.00, step=2.0)) == "up"  # one share became two: reference 10
    assert locked(two_days("600000.SH", 20.0, 11.00, step=1.0)) == "down"


def test_prices_that_lost_their_cents_are_compared_as_returns() -> None:
    assert locked(two_days("600000.SH", 10.0, 10.992, step=None)) == "up"
    assert locked(two_days("600000.SH", 10.0, 10.97, step=None)) == ""
    assert locked(two_days("600000.SH", 10.0, 9.008, step=None)) == "down"


def test_a_vendors_adjusted_prices_are_told_by_their_cents() -> None:
    whole = two_days("600000.SH", 10.03, 11.05)
    scaled = two_days("600000.SH", 10.031847, 11.052193)

    assert are_raw(whole)
    assert not are_raw(scaled)  # for all its factor of 1
    assert not are_raw(two_days("600000.SH", 10.03, 11.05, step=None))
    assert not are_raw(two_days("600000.SH", float("nan"), float("nan")))


def test_new_names_are_free_for_their_first_days() -> None:
    close = np.full((9, 2), 10.0)
    close[:2, 1] = np.nan
    opening = close.copy()
    opening[3:8, 1] = 20.0
    close[3:8, 1] = 10.0
    times = np.arange("2024-03-04", "2024-03-13", dtype="datetime64[D]")
    panel = Panel(
        times, ["600000.SH", "600001.SH"], {"open": opening, "close": close, "adj_factor": close * 0 + 1}
    )

    # Listed on row 2: rows 2-6 are its five free days, row 7 is the first with a limit.
    assert locked_at_open(panel).up[:, 1].tolist() == [False] * 7 + [True, False]


def test_a_suspension_carries_the_reference() -> None:
    prices = np.array([[10.0], [np.nan], [11.0]])
    times = np.array(["2024-03-04", "2024-03-05", "2024-03-06"], dtype="datetime64[D]")

    panel = Panel(times, ["600000.SH"], {"open": prices, "close": prices, "adj_factor": prices * 0 + 1})

    assert locked_at_open(panel).up.ravel().tolist() == [False, False, True]


def test_the_synthetic_market_never_opens_beyond_its_limits() -> None:
    market = SyntheticMarket(3, 60, date(2022, 1, 4), date(2023, 12, 29))
    raw = Panel.from_table(pa.concat_tables(market.daily_tables()))
    special = special_treatment(market.instruments(), raw.times, raw.symbols)

    locks = locked_at_open(raw, special)

    assert 0 < locks.up.sum() < 0.02 * locks.up.size
    # What opens at its limit is at most a cent above it: the day's high is the limit too.
    assert (raw["high"][locks.up] - raw["open"][locks.up]).max() < 0.011
    assert (raw["open"][locks.down] - raw["low"][locks.down]).max() < 0.011


def test_lots_by_board() -> None:
    rule = lots_of(["600519.SH", "688981.SH", "920047.BJ", "510300.SH"])

    assert rule.rounded_down(np.array([199.0, 199.0, 199.0, 199.0])).tolist() == [100.0, 0.0, 199.0, 100.0]
    assert rule.rounded_down(np.array([99.0, 201.0, 99.0, 0.0])).tolist() == [0.0, 201.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("day", "buy", "sell"),
    [
        ("2000-01-04", 0.004, 0.004),
        ("2007-05-29", 0.001, 0.001),
        ("2007-05-30", 0.003, 0.003),
        ("2008-04-24", 0.001, 0.001),
        ("2008-09-19", 0.0, 0.001),
        ("2023-08-27", 0.0, 0.001),
        ("2023-08-28", 0.0, 0.0005),
    ],
)
def test_stamp_duty_by_date(day: str, buy: float, sell: float) -> None:
    rates = fee_rates(np.array([day], dtype="datetime64[D]"))

    assert (rates.stamp_buy[0], rates.stamp_sell[0]) == (buy, sell)


@pytest.mark.parametrize(("day", "rate"), [("2022-04-28", 0.00002), ("2022-04-29", 0.00001)])
def test_transfer_fee_by_date(day: str, rate: float) -> None:
    rates = fee_rates(np.array([day], dtype="datetime64[D]"))

    assert (rates.transfer_buy[0], rates.transfer_sell[0]) == (rate, rate)


def test_commission_has_a_minimum_only_where_something_traded() -> None:
    assert Commission().of(np.array([0.0, 19_999.0, 20_001.0])).tolist() == [0.0, 5.0, pytest.approx(5.00025)]


def test_a_free_world_charges_nothing() -> None:
    free = FeeRates.free(2)

    assert free.commission.of(np.array([100.0])).tolist() == [0.0]
    assert not free.stamp_sell.any()


def test_special_treatment_follows_the_status_of_each_name() -> None:
    rows = [("600000.SH", date(2024, 1, 2), "normal"), ("600000.SH", date(2024, 1, 4), "star_st")]
    rows += [("600000.SH", date(2024, 1, 8), "normal"), ("999999.SH", date(2024, 1, 2), "st")]
    table = pa.Table.from_pylist(
        [
            {"symbol": s, "valid_from": d, "status": status, "instrument_id": s, "name": s, "board": "main"}
            for s, d, status in rows
        ],
        schema=INSTRUMENTS.schema,
    )
    times = np.array(
        ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"], dtype="datetime64[D]"
    )

    marked = special_treatment(table, times, np.array(["600000.SH", "600001.SH"]))

    assert marked[:, 0].tolist() == [False, False, True, True, False]
    assert not marked[:, 1].any()
