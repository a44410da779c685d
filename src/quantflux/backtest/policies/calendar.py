"""When a strategy decides: at the last close of a day, week, month or quarter, every so many days, or on given days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from quantflux.core.errors import InvalidRequest

_MONDAY = 3  # 1970-01-01 was a Thursday: weeks change on Mondays


class Schedule(StrEnum):
    """Decide at the last close of each day, calendar week, month or quarter."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


@dataclass(frozen=True)
class EveryDays:
    """Decide every so many trading days, from the first one on.

    Raises
    ------
    InvalidRequest
        If the number is below 1.
    """

    days: int

    def __post_init__(self) -> None:
        if self.days < 1:
            raise InvalidRequest(f"a schedule needs 1 day or more between decisions, was {self.days}")


@dataclass(frozen=True)
class OnDates:
    """Decide at the close of given days, or of the last trading day before one that is none."""

    dates: tuple[date, ...]

    @classmethod
    def of(cls, dates: Sequence[date | str]) -> OnDates:
        """Return the schedule of days given as dates or text.

        Examples
        --------
        >>> OnDates.of(["2024-06-28"]).dates
        (datetime.date(2024, 6, 28),)
        """
        return cls(tuple(date.fromisoformat(day) if isinstance(day, str) else day for day in dates))


Calendar = Schedule | EveryDays | OnDates


def decision_rows(times: np.ndarray, calendar: Calendar) -> np.ndarray:
    """Return the rows at whose close is decided, increasing.

    The last row of a week, month or quarter is known as such only when a later one is there, so one at the end of the
    data is left out. Where rows are minutes, it is the last minute of the day.

    Parameters
    ----------
    times : array of datetime64, shape (T,)
    calendar : Schedule, EveryDays or OnDates

    Examples
    --------
    >>> days = np.array(["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"], dtype="datetime64[D]")
    >>> decision_rows(days, Schedule.MONTHLY).tolist(), decision_rows(days, EveryDays(2)).tolist()
    ([1], [0, 2])
    """
    day = times.astype("datetime64[D]")
    last = np.flatnonzero(np.append(day[1:] != day[:-1], True)) if len(day) else np.zeros(0, dtype=np.intp)
    if isinstance(calendar, EveryDays):
        return np.asarray(last[:: calendar.days])
    if isinstance(calendar, OnDates):
        wanted = np.array(calendar.dates, dtype="datetime64[D]")
        place = np.searchsorted(day[last], wanted, side="right") - 1
        return last[np.unique(place[place >= 0])]
    if calendar is Schedule.DAILY:
        return last
    period = _periods(day[last], calendar)
    return np.asarray(last[:-1][period[1:] != period[:-1]])


def _periods(days: np.ndarray, schedule: Schedule) -> np.ndarray:
    if schedule is Schedule.WEEKLY:
        return np.asarray((days.astype(np.int64) + _MONDAY) // 7)
    months = days.astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // 3 if schedule is Schedule.QUARTERLY else months)
