"""What an order may be and when it meets others: lots, sizes, ticks, cages, sessions, settlement."""

from __future__ import annotations

from datetime import date, time

import numpy as np
import pytest

from quantflux.core.errors import NotFound
from quantflux.rules import largest_orders, lots_of, price_cage, sessions_of, settlement_days, ticks_of

MAIN, CHINEXT, STAR, BSE, FUND = "600519.SH", "300750.SZ", "688981.SH", "920047.BJ", "510300.SH"


def test_lots_by_board() -> None:
    rule = lots_of([MAIN, STAR, BSE, FUND])

    assert rule.rounded_down(np.array([199.0, 199.0, 199.0, 199.0])).tolist() == [100.0, 0.0, 199.0, 100.0]
    assert rule.rounded_down(np.array([99.0, 201.0, 99.0, 0.0])).tolist() == [0.0, 201.0, 0.0, 0.0]


def test_lots_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(5)
    symbols = [MAIN, CHINEXT, STAR, BSE, FUND]
    rule = lots_of(symbols)
    rules = {STAR: (200, 1), BSE: (100, 1)}

    for _ in range(200):
        wanted = rng.choice([rng.uniform(0, 500, 5), rng.integers(0, 9, 5) * 100.0])
        expected = []
        for symbol, shares in zip(symbols, wanted, strict=True):
            smallest, step = rules.get(symbol, (100, 100))
            expected.append(max((n for n in range(smallest, 1_001, step) if n <= shares), default=0))
        assert rule.rounded_down(wanted).tolist() == expected


@pytest.mark.parametrize(
    ("symbol", "day", "most"),
    [
        (MAIN, None, 1_000_000),
        (CHINEXT, date(2020, 8, 21), 1_000_000),
        (CHINEXT, date(2020, 8, 24), 300_000),
        (STAR, None, 100_000),
        (BSE, None, 1_000_000),
        (FUND, None, 1_000_000),
    ],
)
def test_the_largest_order_by_board_and_date(symbol: str, day: date | None, most: int) -> None:
    assert largest_orders([symbol], day).tolist() == [most]


def test_ticks_by_board_and_currency() -> None:
    symbols = [MAIN, CHINEXT, STAR, BSE, "900901.SH", "200011.SZ", FUND]

    assert ticks_of(symbols).tolist() == [0.01, 0.01, 0.01, 0.01, 0.001, 0.01, 0.001]


@pytest.mark.parametrize(
    ("symbol", "day", "bid", "offer"),
    [
        (MAIN, date(2023, 4, 7), np.inf, -np.inf),
        (MAIN, date(2023, 4, 10), 10.20, 9.80),
        (CHINEXT, date(2020, 8, 21), np.inf, -np.inf),
        (CHINEXT, date(2020, 8, 24), 10.20, 9.80),
        (STAR, date(2019, 7, 22), 10.20, 9.80),
        (BSE, date(2021, 11, 15), 10.50, 9.50),
        (FUND, date(2024, 1, 2), np.inf, -np.inf),
    ],
)
def test_cages_by_board_and_date(symbol: str, day: date, bid: float, offer: float) -> None:
    cage = price_cage([symbol], day)

    assert cage.highest_bid(np.array([10.0])) == pytest.approx(bid)
    assert cage.lowest_offer(np.array([10.0])) == pytest.approx(offer)


def test_ten_ticks_widen_the_cage_of_cheap_shares() -> None:
    cheap = np.array([2.0])

    assert price_cage([CHINEXT], date(2023, 4, 7)).highest_bid(cheap) == pytest.approx(2.04)
    assert price_cage([CHINEXT], date(2023, 4, 10)).highest_bid(cheap) == pytest.approx(2.10)
    assert price_cage([STAR]).highest_bid(cheap) == pytest.approx(2.04)


@pytest.mark.parametrize(
    ("symbol", "day", "closing", "after"),
    [
        (MAIN, date(2018, 8, 17), None, None),
        (MAIN, date(2018, 8, 20), "14:57-15:00", None),
        (MAIN, date(2026, 7, 3), "14:57-15:00", None),
        (MAIN, date(2026, 7, 6), "14:57-15:00", "15:05-15:30"),
        ("000001.SZ", date(2006, 6, 30), None, None),
        ("000001.SZ", date(2006, 7, 3), "14:57-15:00", None),
        ("000001.SZ", date(2026, 7, 6), "14:57-15:00", "15:05-15:30"),
        (CHINEXT, date(2020, 8, 21), "14:57-15:00", None),
        (CHINEXT, date(2020, 8, 24), "14:57-15:00", "15:05-15:30"),
        (STAR, date(2019, 7, 22), "14:57-15:00", "15:05-15:30"),
        (BSE, date(2026, 7, 6), "14:57-15:00", None),
        (FUND, date(2024, 1, 2), "14:57-15:00", None),
    ],
)
def test_auctions_by_exchange_and_trading_after_hours_by_board(
    symbol: str, day: date, closing: str | None, after: str | None
) -> None:
    found = sessions_of(symbol, day)

    assert (found.closing_call and str(found.closing_call)) == closing
    assert (found.after_hours and str(found.after_hours)) == after
    assert str(found.opening_call) == "09:15-09:25"
    assert found.continuous[-1].end == (time(14, 57) if closing else time(15, 0))


def test_a_moment_is_in_a_session_from_its_begin_until_before_its_end() -> None:
    morning = sessions_of(MAIN, date(2024, 1, 2)).continuous[0]

    assert [t in morning for t in (time(9, 29), time(9, 30), time(11, 29), time(11, 30))] == [
        False,
        True,
        True,
        False,
    ]


def test_an_exchange_has_no_sessions_before_it_opened() -> None:
    with pytest.raises(NotFound, match="BSE had no trading on 2021-11-12; it opened on 2021-11-15"):
        sessions_of(BSE, date(2021, 11, 12))


@pytest.mark.parametrize(
    ("symbol", "day", "days"),
    [
        (MAIN, date(1994, 12, 30), 0),
        (MAIN, date(1995, 1, 3), 1),
        ("900901.SH", date(2001, 11, 30), 0),
        ("900901.SH", date(2001, 12, 3), 1),
        (STAR, date(2019, 7, 22), 1),
        (BSE, None, 1),
        (FUND, None, 1),
        ("000300.SH", date(1990, 1, 1), 1),
    ],
)
def test_settlement_by_board_and_date(symbol: str, day: date | None, days: int) -> None:
    found = settlement_days([symbol], day)

    assert found.dtype == np.int64 and found.tolist() == [days]
