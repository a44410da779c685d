"""On which days the exchanges trade: from their opening to the end of the calendar that can be written down.

1. `trading_days.toml` holds the closures that were published; `CalendarData.load` reads it once.
2. Years after the last published one, as far as festivals are listed, are estimated by `holidays`.
3. Both give one sorted array of sessions up to a horizon; beyond it every weekday counts as a session.
4. Every question is answered through two functions that undo each other: how many sessions lie before a day
   (`sessions_before`), and which session has that many before it (`_session_at`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np

from quantflux.core.axes import When, moment_of
from quantflux.core.calendar_overrides import Overrides
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.holidays import estimated_closures
from quantflux.core.symbols import Exchange

DAYS_A_SESSION = 1.6
"""Calendar days that surely hold a session on average, holidays included, over two months or more."""

_DAY = np.dtype("datetime64[D]")
_ONE = np.timedelta64(1, "D")
_LAST_DAY = np.datetime64("9999-12-31")


@dataclass(frozen=True)
class CalendarData:
    """What the shipped file says: openings, weekend sessions, closures, and until when they were published."""

    first: dict[Exchange, date]
    saturdays: dict[Exchange, list[date]]
    closed: list[date]
    published_until: date
    horizon: date

    @classmethod
    def load(cls) -> Self:
        """Read the shipped file and estimate the years after the last published one."""
        text = files("quantflux.core").joinpath("trading_days.toml").read_text(encoding="utf-8")
        raw = tomllib.loads(text)
        published_until: date = raw["published_until"]
        closed = [_in_year(year, day) for year, days in raw["closed"].items() for day in days]
        years = {int(year): days for year, days in raw["festivals"].items()}
        for year in sorted(y for y in years if y > published_until.year):
            festivals = {name: _in_year(year, day) for name, day in years[year].items()}
            closed.extend(estimated_closures(year, festivals))
        return cls(
            first={exchange: raw[exchange]["first"] for exchange in Exchange},
            saturdays={exchange: raw[exchange].get("saturdays", []) for exchange in Exchange},
            closed=closed,
            published_until=published_until,
            horizon=date(max(years), 12, 31),
        )


def _in_year(year: str | int, day: str) -> date:
    return date.fromisoformat(f"{year}-{day}")


_shipped = cache(CalendarData.load)


class TradingCalendar:
    """The trading days of one exchange. Ask `for_exchange` for one.

    A day is a date, an ISO text, a datetime64 or an instant, of which the Shanghai day counts. No day is too
    early or too late: before its opening an exchange has no session; after the published calendar, sessions
    are provisional.

    Examples
    --------
    >>> calendar = TradingCalendar.for_exchange("SSE")
    >>> calendar.is_session("2024-02-09"), calendar.next_session("2024-02-08")
    (False, datetime.date(2024, 2, 19))
    >>> calendar.sessions("2024-02-07", "2024-02-20").astype(str).tolist()
    ['2024-02-07', '2024-02-08', '2024-02-19', '2024-02-20']
    >>> calendar.offset("2024-02-08", 2), calendar.count("2024-01-01", "2024-12-31")
    (datetime.date(2024, 2, 20), 242)
    >>> calendar.published_until, calendar.is_provisional("2030-01-02")
    (datetime.date(2026, 12, 31), True)
    """

    def __init__(self, exchange: Exchange, data: CalendarData, overrides: Overrides | None = None) -> None:
        overrides = overrides or Overrides()
        added, removed = overrides.of(exchange)
        self.exchange = exchange
        self._published_until = max(data.published_until, overrides.published_until or data.published_until)
        horizon = np.datetime64(max([data.horizon, self._published_until, *added, *removed]), "D")
        sessions: set[date] = set(_weekdays(np.datetime64(data.first[exchange], "D"), horizon).tolist())
        sessions.difference_update(data.closed)
        sessions.update(data.saturdays[exchange])
        sessions.update(added)
        sessions.difference_update(removed)
        self._sessions = np.array(sorted(sessions), dtype=_DAY)
        self._sessions.flags.writeable = False
        self._beyond = horizon + _ONE

    @classmethod
    def for_exchange(cls, exchange: str, overrides: Path | str | None = None) -> Self:
        """Return the calendar of `SSE`, `SZSE` or `BSE`.

        Parameters
        ----------
        overrides : path, optional
            A TOML file of days to add and remove; see `quantflux.core.calendar_overrides`.

        Raises
        ------
        InvalidRequest
            If the exchange is not one of the three.
        ConfigError
            If the override file is missing or wrong.
        """
        try:
            known = Exchange(exchange)
        except ValueError:
            raise InvalidRequest(
                f"no exchange is called {exchange!r}; valid are: {', '.join(Exchange)}"
            ) from None
        if overrides is None:
            return cls._of(known)
        return cls(known, _shipped(), Overrides.load(Path(overrides)))

    @classmethod
    @cache
    def _of(cls, exchange: Exchange) -> Self:
        return cls(exchange, _shipped())

    @property
    def first_session(self) -> date:
        """The day the exchange opened."""
        return _date(self._sessions[0])

    @property
    def published_until(self) -> date:
        """The last day whose calendar is published, as far as this release or the overrides know."""
        return self._published_until

    def is_provisional(self, day: When) -> bool:
        """Whether a day lies after the published calendar, so that it may still change."""
        return bool(_day(day) > np.datetime64(self._published_until, "D"))

    def is_session(self, day: When) -> bool:
        """Whether the exchange trades on a day."""
        return bool(self.are_sessions(np.array([_day(day)]))[0])

    def are_sessions(self, days: np.ndarray) -> np.ndarray:
        """Return, for an array of datetime64[D] of any shape, which are sessions. NaT is none."""
        days = np.asarray(days, dtype=_DAY)
        at = np.minimum(np.searchsorted(self._sessions, days), len(self._sessions) - 1)
        return np.where(days < self._beyond, self._sessions[at] == days, np.is_busday(days))

    def sessions(self, start: When, end: When) -> np.ndarray:
        """Return the sessions from `start` to `end`, both inclusive, as a read-only array of datetime64[D]."""
        low, high = self._span(start, end)
        first, last = np.searchsorted(self._sessions, [low, high + _ONE])
        known = self._sessions[first:last]
        if high < self._beyond:
            return known
        joined = np.concatenate([known, _weekdays(max(low, self._beyond), high)])
        joined.flags.writeable = False
        return joined

    def count(self, start: When, end: When) -> int:
        """Return the number of sessions from `start` to `end`, both inclusive."""
        low, high = self.sessions_before(np.array(self._span(start, end)) + np.array([0, 1]))
        return int(high - low)

    def next_session(self, day: When) -> date:
        """Return the first session after a day."""
        return self.offset(day, 1)

    def previous_session(self, day: When) -> date:
        """Return the last session before a day; `NotFound` if there is none."""
        return self.offset(day, -1)

    def session_on_or_after(self, day: When) -> date:
        """Return the day itself if it is a session, else the next one."""
        return self._session_at(self._before(_day(day)))

    def session_on_or_before(self, day: When) -> date:
        """Return the day itself if it is a session, else the previous one; `NotFound` if there is none."""
        return self._session_at(self._before(_day(day) + _ONE) - 1)

    def offset(self, day: When, n: int) -> date:
        """Return the n-th session after a day, or before it if `n` is negative; 0 is the last one up to the day.

        The day itself need not be a session: one after Saturday is Monday, one before it Friday.

        Raises
        ------
        NotFound
            If the exchange was not open yet, or the answer lies after the year 9999.
        """
        if n == 0:
            return self.session_on_or_before(day)
        start = _day(day)
        return self._session_at(self._before(start) + n if n < 0 else self._before(start + _ONE) + n - 1)

    def sessions_before(self, days: np.ndarray) -> np.ndarray:
        """Return how many sessions the exchange has held before each day, as int64.

        Differences of these are ages in sessions, at the cost of a binary search for each day.
        """
        days = np.asarray(days, dtype=_DAY)
        known = np.searchsorted(self._sessions, days)
        later = np.busday_count(self._beyond, np.maximum(days, self._beyond))
        return np.asarray(known + later, dtype=np.int64)

    def _before(self, day: np.datetime64) -> int:
        return int(self.sessions_before(np.array(day)))

    def _session_at(self, number: int) -> date:
        if number < 0:
            raise NotFound(f"{self.exchange} has no session before it opened on {self.first_session}")
        if number < len(self._sessions):
            return _date(self._sessions[number])
        last = int(self.sessions_before(np.array(_LAST_DAY + _ONE))) - 1
        if number > last:
            raise NotFound(
                f"{self.exchange}: that session lies after {_LAST_DAY}, the last day a date can hold"
            )
        return _date(np.busday_offset(self._beyond, number - len(self._sessions), roll="forward"))

    def _span(self, start: When, end: When) -> tuple[np.datetime64, np.datetime64]:
        low, high = _day(start), _day(end)
        if low > high:
            raise InvalidRequest(f"start must not be after end, was {start} .. {end}")
        return low, high

    def __repr__(self) -> str:
        return f"TradingCalendar({self.exchange}, {self.first_session}.., published until {self._published_until})"


def _day(day: When) -> np.datetime64:
    """Return a day as datetime64[D], within the years that a date can hold."""
    found = moment_of(day, _DAY, end_of_day=False)
    if not np.datetime64("0001-01-01") <= found <= _LAST_DAY:
        raise InvalidRequest(f"a day lies in 0001-01-01 .. {_LAST_DAY}, was {found}")
    return found


def _date(day: Any) -> date:
    found = day.item()
    assert isinstance(found, date)  # noqa: S101 - datetime64[D] up to the year 9999
    return found


def _weekdays(first: np.datetime64, last: np.datetime64) -> np.ndarray:
    days: np.ndarray = np.arange(first, last + _ONE)
    return days[np.is_busday(days)]
