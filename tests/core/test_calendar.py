"""The trading calendar: day by day what the exchanges published, and sensible at every edge."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.calendar import CalendarData, TradingCalendar
from quantflux.core.errors import ConfigError, InvalidRequest, NotFound
from quantflux.core.holidays import estimated_closures

SSE, SZSE, BSE = (TradingCalendar.for_exchange(name) for name in ("SSE", "SZSE", "BSE"))
EVERY = pytest.mark.parametrize("calendar", [SSE, SZSE, BSE], ids=["SSE", "SZSE", "BSE"])
SATURDAYS = [
    "1990-12-01",
    "1991-04-06",
    "1991-04-13",
    "1991-04-20",
    "1991-05-04",
    "1991-07-20",
    "1991-11-23",
]
PUBLISHED_YEARS = range(1991, 2027)


@cache
def oracle() -> np.ndarray:
    """Sessions of the independent calendar, from its own first day."""
    lowest = exchange_calendars.exchange_calendar_xshg.XSHGExchangeCalendar.bound_min()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what pandas 3.1 deprecates
        sessions = exchange_calendars.get_calendar("XSHG", start=lowest).sessions
    return sessions.to_numpy().astype("datetime64[D]")


def expected(first: str, until: date) -> list[date]:
    days = oracle()
    return days[(days >= np.datetime64(first)) & (days <= np.datetime64(until))].tolist()


def test_shanghai_equals_the_oracle_on_every_published_day() -> None:
    assert SSE.sessions("1800-01-01", SSE.published_until).tolist() == expected(
        "1990-12-19", SSE.published_until
    )


def test_shenzhen_equals_the_oracle_but_for_its_saturdays() -> None:
    found = SZSE.sessions("1800-01-01", SZSE.published_until).tolist()

    weekend = [day.isoformat() for day in found if day.weekday() > 4]
    assert weekend == SATURDAYS
    assert [day for day in found if day.weekday() < 5] == expected("1990-12-03", SZSE.published_until)


def test_beijing_equals_the_oracle_since_it_opened() -> None:
    assert BSE.sessions("1990-01-01", BSE.published_until).tolist() == expected(
        "2021-11-15", BSE.published_until
    )
    assert BSE.first_session == date(2021, 11, 15)


def test_the_file_is_not_behind_the_year_that_was_last_published() -> None:
    assert date(2026, 12, 31) <= SSE.published_until


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_the_estimate_reproduces_the_last_published_years(year: int) -> None:
    festivals = {
        2024: ("2024-02-10", "2024-04-04", "2024-06-10", "2024-09-17"),
        2025: ("2025-01-29", "2025-04-04", "2025-05-31", "2025-10-06"),
        2026: ("2026-02-17", "2026-04-05", "2026-06-19", "2026-09-25"),
    }[year]
    names = ("spring", "qingming", "dragon_boat", "mid_autumn")

    closed = estimated_closures(year, dict(zip(names, map(date.fromisoformat, festivals), strict=True)))

    weekdays = {day for day in _days(date(year, 1, 1), date(year, 12, 31)) if day.weekday() < 5}
    assert closed == weekdays - set(oracle().tolist())


@pytest.mark.parametrize("year", range(2027, 2036))
def test_estimated_years_look_like_published_ones(year: int) -> None:
    lengths = [SSE.count(f"{y}-01-01", f"{y}-12-31") for y in range(2014, 2027)]

    assert min(lengths) - 2 <= SSE.count(f"{year}-01-01", f"{year}-12-31") <= max(lengths) + 2
    assert not SSE.is_session(f"{year}-10-01")
    assert not SSE.is_session(f"{year}-05-01")
    assert not any(
        SSE.is_session(day) for day in _days(date(year, 1, 1), date(year, 12, 31)) if day.weekday() > 4
    )


@pytest.mark.parametrize(
    ("year", "days"),
    [  # 2027: New Year on a Friday, Spring Festival on Saturday 6 February
        (2027, {"01-01", "02-05", "02-08", "02-09", "02-10", "02-11", "02-12"}),
        # 2028: New Year on a Saturday, so Monday is free; Spring Festival on Wednesday 26 January
        (2028, {"01-03", "01-25", "01-26", "01-27", "01-28", "01-31", "02-01"}),
    ],
)
def test_estimates_by_hand(year: int, days: set[str]) -> None:
    closed = {d.isoformat()[5:] for d in _days(date(year, 1, 1), date(year, 2, 29 if year == 2028 else 28))
              if d.weekday() < 5 and not SSE.is_session(d)}  # fmt: skip

    assert closed == days


def test_mid_autumn_in_the_national_week_lengthens_it() -> None:
    assert SSE.next_session("2031-09-30") == date(
        2031, 10, 9
    )  # festival on 1 October, so free to Wednesday the 8th
    assert SSE.next_session("2030-09-30") == date(2030, 10, 8)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@EVERY
def test_what_lies_after_the_published_calendar_is_provisional(calendar: TradingCalendar) -> None:
    until = calendar.published_until

    assert not calendar.is_provisional(until)
    assert calendar.is_provisional(until + timedelta(days=1))
    assert not calendar.is_provisional("1800-01-01")
    assert calendar.is_provisional("9999-12-31")


days = st.dates(date(1800, 1, 1), date(9999, 12, 31)) | st.dates(date(1990, 11, 1), date(2036, 3, 1))


@settings(deadline=None, max_examples=400)
@given(st.sampled_from([SSE, SZSE, BSE]), days)
def test_every_question_about_a_day_agrees_with_the_others(calendar: TradingCalendar, day: date) -> None:
    session = calendar.is_session(day)

    assert session == bool(calendar.sessions(day, day).size) == bool(calendar.count(day, day))
    if session:
        assert calendar.session_on_or_before(day) == calendar.session_on_or_after(day) == day
        assert calendar.offset(day, 0) == day
    if day > calendar.first_session:
        before = calendar.previous_session(day)
        assert before < day
        assert calendar.is_session(before)
        assert calendar.count(before, day) == 1 + session
        assert calendar.session_on_or_before(day) == (day if session else before)
    if day < date(9999, 12, 20):
        after = calendar.next_session(day)
        assert after > day
        assert calendar.is_session(after)
        assert calendar.count(day, after) == 1 + session
        assert calendar.session_on_or_after(day) == (day if session else after)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([SSE, SZSE, BSE]), days, days)
def test_counts_are_lengths(calendar: TradingCalendar, one: date, two: date) -> None:
    start, end = min(one, two), max(one, two)

    sessions = calendar.sessions(start, end)

    assert calendar.count(start, end) == len(sessions)
    assert calendar.are_sessions(sessions).all()
    assert (np.diff(sessions) > np.timedelta64(0)).all()


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([SSE, SZSE, BSE]), days, st.integers(-9000, 9000))
def test_offsets_go_there_and_back(calendar: TradingCalendar, day: date, n: int) -> None:
    try:
        there = calendar.offset(day, n)
        back = calendar.offset(there, -n)
    except NotFound:
        return

    assert calendar.is_session(there)
    if n and calendar.is_session(day):
        assert back == day
        assert calendar.count(min(day, there), max(day, there)) == abs(n) + 1


@settings(deadline=None, max_examples=50)
@given(st.lists(days, min_size=1))
def test_arrays_answer_as_single_days_do(many: list[date]) -> None:
    array = np.array(many, dtype="datetime64[D]")

    assert SZSE.are_sessions(array).tolist() == [SZSE.is_session(day) for day in many]
    first = SZSE.first_session
    counts = [SZSE.count(first, day - timedelta(days=1)) if day > first else 0 for day in many]
    assert SZSE.sessions_before(array).tolist() == counts


def test_arrays_of_any_shape_are_answered_and_nat_is_no_session() -> None:
    array = np.array([["2024-02-08", "2024-02-09"], ["NaT", "2050-01-03"]], dtype="datetime64[D]")

    assert SSE.are_sessions(array).tolist() == [[True, False], [False, True]]


@EVERY
@pytest.mark.parametrize("day", ["0001-01-01", "1800-01-01", "1899-12-31", "1970-01-01", "1990-11-30"])
def test_before_an_exchange_opened_there_is_no_session(calendar: TradingCalendar, day: str) -> None:
    assert not calendar.is_session(day)
    assert calendar.next_session(day) == calendar.session_on_or_after(day) == calendar.first_session
    assert calendar.count(day, day) == 0
    for question in (calendar.previous_session, calendar.session_on_or_before):
        with pytest.raises(NotFound, match="no session before it opened"):
            question(day)


@EVERY
def test_nothing_precedes_the_first_session(calendar: TradingCalendar) -> None:
    assert calendar.session_on_or_before(calendar.first_session) == calendar.first_session
    with pytest.raises(NotFound):
        calendar.previous_session(calendar.first_session)
    with pytest.raises(NotFound):
        calendar.offset("2024-01-02", -(10**9))


@EVERY
def test_the_far_end_has_weekdays_and_then_an_answer(calendar: TradingCalendar) -> None:
    assert calendar.is_session("9999-12-31")  # a Friday
    assert not calendar.is_session("9999-12-26")
    assert calendar.previous_session("9999-12-31") == date(9999, 12, 30)
    assert calendar.session_on_or_before("9999-12-31") == date(9999, 12, 31)
    for n in (1, 10**9):
        with pytest.raises(NotFound, match="9999-12-31"):
            calendar.offset("9999-12-31", n)


@pytest.mark.parametrize(
    "day",
    ["2024-02-30", "tomorrow", "10000-01-01", np.datetime64("12024-01-01"), np.datetime64("NaT"), 5, None],
)
def test_what_is_no_day_is_refused(day: object) -> None:
    with pytest.raises(InvalidRequest):
        SSE.is_session(day)  # type: ignore[arg-type]


def test_a_reversed_span_and_an_unknown_exchange_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="start must not be after end"):
        SSE.sessions("2024-01-03", "2024-01-02")
    with pytest.raises(InvalidRequest, match="start must not be after end"):
        SSE.count("2024-01-03", "2024-01-02")
    with pytest.raises(InvalidRequest, match="valid are: SSE, SZSE, BSE"):
        TradingCalendar.for_exchange("NYSE")


def test_an_instant_counts_on_its_day_in_shanghai() -> None:
    assert SSE.is_session(datetime(2024, 1, 1, 16, 30, tzinfo=UTC))
    assert not SSE.is_session(datetime(2024, 1, 1, 15, 30, tzinfo=UTC))


def test_sessions_cannot_be_changed_by_a_caller() -> None:
    for end in ("2024-01-10", "2050-01-10"):
        with pytest.raises(ValueError, match="read-only"):
            SSE.sessions("2024-01-01", end)[0] = np.datetime64("2024-01-01")


def test_calendars_are_made_once() -> None:
    assert TradingCalendar.for_exchange("SSE") is SSE
    assert repr(BSE) == "TradingCalendar(BSE, 2021-11-15.., published until 2026-12-31)"


def test_every_published_year_has_its_closures_in_the_file() -> None:
    data = CalendarData.load()

    assert {day.year for day in data.closed if day.year <= data.published_until.year} == set(PUBLISHED_YEARS)
    assert all(day.weekday() < 5 for day in data.closed)
    assert len(set(data.closed)) == len(data.closed)


def overridden(tmp_path: Path, text: str, exchange: str = "SSE") -> TradingCalendar:
    path = tmp_path / "calendar.toml"
    path.write_text(text, encoding="utf-8")
    return TradingCalendar.for_exchange(exchange, overrides=path)


def test_overrides_add_and_remove_days_anywhere(tmp_path: Path) -> None:
    text = """
    published_until = 2027-12-31
    added = [2024-02-10, 2050-01-01]
    removed = [2024-02-19, 2040-01-03]
    [BSE]
    removed = [2027-03-01]
    """

    calendar = overridden(tmp_path, text)

    assert calendar.published_until == date(2027, 12, 31)
    assert calendar.next_session("2024-02-08") == date(2024, 2, 10)
    assert calendar.next_session("2024-02-10") == date(2024, 2, 20)
    assert not calendar.is_session("2040-01-03")
    assert calendar.is_session("2050-01-01")
    assert calendar.offset("2049-12-31", 2) == date(2050, 1, 3)
    assert calendar.is_session("2027-03-01")
    assert not overridden(tmp_path, text, "BSE").is_session("2027-03-01")
    assert SSE.next_session("2024-02-08") == date(2024, 2, 19)


def test_an_empty_override_file_changes_nothing(tmp_path: Path) -> None:
    calendar = overridden(tmp_path, "")

    assert np.array_equal(
        calendar.sessions("1990-01-01", "2060-01-01"), SSE.sessions("1990-01-01", "2060-01-01")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("added = 2024-01-01", "added must be a list of days"),
        ('added = ["2024-01-01"]', "added must be a list of days"),
        ("added = [2024-01-01T09:30:00]", "added must be a list of days"),
        ("[BSE]\nremoved = [1]", "BSE.removed must be a list of days"),
        (
            "holidays = []",
            "holidays is not known; valid are: added, removed, published_until, SSE, SZSE, BSE",
        ),
        ("[SSE]\nclosed = []", "SSE.closed is not known; valid are: added, removed"),
        ("SSE = 3", "SSE must be a table"),
        ("published_until = 2027", "published_until must be a day such as 2027-12-31, was 2027"),
        (
            "added = [2027-01-04]\n[SSE]\nremoved = [2027-01-04]",
            "2027-01-04 is both added and removed for SSE",
        ),
        ("added = [", "not valid TOML"),
        ("\udcff", "not valid TOML"),
    ],
)
def test_a_wrong_override_file_says_what_is_valid(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "calendar.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ConfigError, match=message) as caught:
        TradingCalendar.for_exchange("SSE", overrides=path)
    assert str(path) in str(caught.value)


def test_a_missing_override_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        TradingCalendar.for_exchange("SSE", overrides=tmp_path / "absent.toml")
