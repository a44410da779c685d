"""An estimate of the closures of a year whose calendar the exchanges have not published yet.

The State Council decides each November. Since 2024 its decisions have followed these rules, which reproduce the
published closures of 2024, 2025 and 2026 day by day:

1. Spring Festival: from the eve of the lunar new year to its seventh day.
2. Labour Day: 1 to 5 May. National Day: 1 to 7 October, to the 8th when Mid-Autumn falls into that week.
3. New Year, Qingming, Dragon Boat and Mid-Autumn are one day each. On a weekend, Monday is free instead; next to
   one (Tuesday or Thursday), the day between is free as well.

Exchanges never open on the weekend days that the rest of the country works in exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

_DAY = timedelta(days=1)
_SATURDAY = 5


def estimated_closures(year: int, festivals: Mapping[str, date]) -> set[date]:
    """Return the weekdays of `year` on which the exchanges can be expected to close.

    Parameters
    ----------
    festivals : mapping
        The days of `spring`, `qingming`, `dragon_boat` and `mid_autumn` in that year.

    Examples
    --------
    >>> days = estimated_closures(2026, {"spring": date(2026, 2, 17), "qingming": date(2026, 4, 5),
    ...                                  "dragon_boat": date(2026, 6, 19), "mid_autumn": date(2026, 9, 25)})
    >>> [day.isoformat() for day in sorted(days) if day.month == 2]
    ['2026-02-16', '2026-02-17', '2026-02-18', '2026-02-19', '2026-02-20', '2026-02-23']
    """
    spring, autumn = festivals["spring"], festivals["mid_autumn"]
    national = _days(date(year, 10, 1), date(year, 10, 7))
    if autumn in national:
        national.add(date(year, 10, 8))
    closed = _days(spring - _DAY, spring + 6 * _DAY) | _days(date(year, 5, 1), date(year, 5, 5)) | national
    for festival in (date(year, 1, 1), festivals["qingming"], festivals["dragon_boat"], autumn):
        if festival not in national:
            closed |= _bridged(festival)
    return {day for day in closed if day.weekday() < _SATURDAY}


def _days(first: date, last: date) -> set[date]:
    return {first + n * _DAY for n in range((last - first).days + 1)}


def _bridged(festival: date) -> set[date]:
    """Return a one-day holiday with the day that joins it to a weekend."""
    offsets = {1: (-1, 0), 3: (0, 1), 5: (2,), 6: (1,)}  # Tuesday, Thursday, Saturday, Sunday
    return {festival + n * _DAY for n in offsets.get(festival.weekday(), (0,))}
