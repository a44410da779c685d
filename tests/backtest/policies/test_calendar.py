"""When strategies decide, against pandas."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from quantflux.backtest.policies import EveryDays, OnDates, Schedule, decision_rows
from quantflux.core.errors import InvalidRequest
from tests.factors.markets import days


@pytest.mark.parametrize(
    ("schedule", "freq"),
    [(Schedule.WEEKLY, "W-SUN"), (Schedule.MONTHLY, "M"), (Schedule.QUARTERLY, "Q-DEC")],
)
def test_decisions_fall_on_the_last_day_of_each_period(schedule: Schedule, freq: str) -> None:
    times = days(300)

    rows = decision_rows(times, schedule)

    periods = pd.DatetimeIndex(times).to_period(freq)
    last = pd.Series(range(300)).groupby(periods).max().to_list()
    assert rows.tolist() == last[:-1]  # no later day confirms the last one


def test_every_day_and_every_fifth_day() -> None:
    assert decision_rows(days(4), Schedule.DAILY).tolist() == [0, 1, 2, 3]
    assert decision_rows(days(12), EveryDays(5)).tolist() == [0, 5, 10]
    with pytest.raises(InvalidRequest, match="1 day or more"):
        EveryDays(0)


def test_given_dates_stand_for_the_last_trading_day_before_them() -> None:
    times = days(10)  # Monday 2024-01-01 to Friday 2024-01-12

    rows = decision_rows(times, OnDates.of(["2023-12-29", date(2024, 1, 3), "2024-01-06", "2024-01-07"]))

    assert rows.tolist() == [2, 4]


def test_of_minutes_it_is_the_last_of_the_day() -> None:
    minutes = np.concatenate([day.astype("datetime64[m]") + np.array([571, 572, 900]) for day in days(7)])

    assert decision_rows(minutes, Schedule.DAILY).tolist() == [2, 5, 8, 11, 14, 17, 20]
    assert decision_rows(minutes, Schedule.WEEKLY).tolist() == [14]
    assert decision_rows(minutes[:0], Schedule.DAILY).tolist() == []
