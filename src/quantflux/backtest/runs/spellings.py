"""Short spellings of a run file turned into the long ones, and texts into what they mean.

These run before a value is checked: what they do not know they leave for the check to refuse.
"""

from __future__ import annotations

from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from quantflux.core.document_problems import shown
from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol

CALENDARS = ("daily", "weekly", "monthly", "quarterly")
"""Schedules by name; a whole number is every so many trading days."""

BENCHMARKS = ("equal", "cap", "none")
"""Benchmarks that are no symbol."""


def read_day(value: Any) -> Any:
    """Let a day stand in quotes; a date with a time is refused."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"found {shown(value)}; valid is a day such as 2024-06-28") from None
    if isinstance(value, datetime):
        raise ValueError(f"found {value}; valid is a day such as 2024-06-28")
    return value


def read_symbol(value: Any) -> Any:
    """Return a symbol in canonical form."""
    if not isinstance(value, str):
        return value
    try:
        return parse_symbol(value)
    except InvalidRequest as error:
        raise ValueError(str(error)) from None


def read_tuple(value: Any) -> Any:
    """Return a list as the tuple that frozen values hold."""
    return tuple(value) if isinstance(value, list) else value


def read_ingredient(value: Any) -> Any:
    """Let a text stand for a factor of weight 1."""
    return {"factor": value} if isinstance(value, str) else value


def read_score(value: Any) -> Any:
    """Let a text stand for one factor, and a list for several."""
    if isinstance(value, str):
        value = [value]
    return {"factors": value} if isinstance(value, list) else value


def read_universe(value: Any) -> Any:
    """Let "all" and a list of symbols stand for a universe."""
    if value == "all":
        return {}
    if isinstance(value, str):
        raise ValueError(f'found {shown(value)}; valid is "all", a list of symbols, or a table')
    if value == []:
        raise ValueError('found an empty list; valid is "all", a list of symbols, or a table')
    return {"symbols": value} if isinstance(value, list) else value


def read_schedule(value: Any) -> Any:
    """Check a schedule: one of `CALENDARS`, or a number of days."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if whole or value in CALENDARS:
        return value
    raise ValueError(
        f"found {shown(value)}; valid is one of {', '.join(CALENDARS)}, or a whole number of trading days"
        + (_meant(value, CALENDARS) if isinstance(value, str) else "")
    )


def read_benchmark(value: Any) -> Any:
    """Check a benchmark: one of `BENCHMARKS`, or a symbol."""
    if value in BENCHMARKS:
        return value
    valid = f"valid is one of {', '.join(BENCHMARKS)}, or the symbol of an index such as 000300.SH"
    if not isinstance(value, str):
        raise ValueError(f"found {shown(value)}; {valid}")
    try:
        return parse_symbol(value)
    except InvalidRequest:
        raise ValueError(f"found {shown(value)}; {valid}{_meant(value, BENCHMARKS)}") from None


def read_class(value: Any) -> Any:
    """Check the name of a class in a file."""
    file, _, name = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not (file.endswith(".py") and name.isidentifier()):
        raise ValueError(f"found {shown(value)}; valid is FILE.py:Class")
    return value


def _meant(value: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(value, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
