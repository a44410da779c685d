"""Fees and the tax on dividends: by hand, at every change of date, and against plain loops."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from quantflux.rules import Commission, FeeRates, dividend_tax_rates, fee_rates, tax_rate


@pytest.mark.parametrize(
    ("day", "buy", "sell"),
    [
        ("1991-01-02", 0.003, 0.003),
        ("1997-05-09", 0.003, 0.003),
        ("1997-05-12", 0.005, 0.005),
        ("1998-06-11", 0.005, 0.005),
        ("1998-06-12", 0.004, 0.004),
        ("2001-11-15", 0.004, 0.004),
        ("2001-11-16", 0.002, 0.002),
        ("2005-01-21", 0.002, 0.002),
        ("2005-01-24", 0.001, 0.001),
        ("2007-05-29", 0.001, 0.001),
        ("2007-05-30", 0.003, 0.003),
        ("2008-04-23", 0.003, 0.003),
        ("2008-04-24", 0.001, 0.001),
        ("2008-09-18", 0.001, 0.001),
        ("2008-09-19", 0.0, 0.001),
        ("2023-08-27", 0.0, 0.001),
        ("2023-08-28", 0.0, 0.0005),
    ],
)
def test_stamp_duty_by_date(day: str, buy: float, sell: float) -> None:
    rates = fee_rates(np.array([day], dtype="datetime64[D]"))

    assert (rates.stamp_buy[0], rates.stamp_sell[0]) == (buy, sell)


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        ("1990-01-02", 0.00002),
        ("2015-07-31", 0.00002),
        ("2015-08-03", 0.00002),
        ("2022-04-28", 0.00002),
        ("2022-04-29", 0.00001),
    ],
)
def test_transfer_fee_by_date(day: str, rate: float) -> None:
    rates = fee_rates(np.array([day], dtype="datetime64[D]"))

    assert (rates.transfer_buy[0], rates.transfer_sell[0]) == (rate, rate)


def test_fees_of_minutes_are_those_of_their_days() -> None:
    minutes = np.array(["2023-08-25T15:00:00", "2023-08-28T09:31:00"], dtype="datetime64[s]")

    assert fee_rates(minutes).stamp_sell.tolist() == [0.001, 0.0005]


def test_commission_has_a_minimum_only_where_something_traded() -> None:
    assert Commission().of(np.array([0.0, 19_999.0, 20_001.0])).tolist() == [0.0, 5.0, pytest.approx(5.00025)]


def test_a_free_world_charges_nothing() -> None:
    free = FeeRates.free(2)

    assert free.commission.of(np.array([100.0])).tolist() == [0.0]
    assert not free.stamp_sell.any()


@pytest.mark.parametrize(
    ("day", "held", "rate"),
    [
        ("1993-12-31", 10, 0.2),
        ("2005-06-12", 10, 0.2),
        ("2005-06-12", 4_000, 0.2),
        ("2005-06-13", 10, 0.1),
        ("2012-12-31", 10, 0.1),
        ("2012-12-31", 4_000, 0.1),
        ("2013-01-01", 30, 0.2),
        ("2013-01-01", 31, 0.1),
        ("2013-01-01", 365, 0.1),
        ("2013-01-01", 366, 0.05),
        ("2015-09-07", 366, 0.05),
        ("2015-09-08", 1, 0.2),
        ("2015-09-08", 31, 0.1),
        ("2015-09-08", 366, 0.0),
    ],
)
def test_dividend_tax_by_date_and_holding(day: str, held: int, rate: float) -> None:
    assert tax_rate(np.array([held]), date.fromisoformat(day)).tolist() == [rate]


def test_dividend_tax_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    held = rng.integers(0, 800, (20, 30))

    for _ in range(30):
        day = date(2004, 1, 1) + timedelta(days=int(rng.integers(0, 5_000)))
        expected = np.zeros(held.shape)
        for place, days in np.ndenumerate(held):
            if day < date(2005, 6, 13):
                rate = 0.2
            elif day < date(2013, 1, 1):
                rate = 0.1
            elif days <= 30:
                rate = 0.2
            elif days <= 365:
                rate = 0.1
            else:
                rate = 0.05 if day < date(2015, 9, 8) else 0.0
            expected[place] = rate
        np.testing.assert_array_equal(tax_rate(held, day), expected)


def test_tax_brackets_end_without_end() -> None:
    assert dividend_tax_rates(date(2014, 1, 2)) == [(30.0, 0.2), (365.0, 0.1), (np.inf, 0.05)]
    assert dividend_tax_rates(date(2006, 1, 2)) == [(np.inf, 0.1)]
