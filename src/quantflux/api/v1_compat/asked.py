"""What a caller of v1 asked: parameters read as v1 read them, but for types, which are checked.

v1 took a missing value, an empty text, an empty list and 0 for one and the same: not given.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from quantflux.accounts.principal import Principal
from quantflux.api.v1_compat.envelope import Refused
from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol
from quantflux.data.schema import FIRST_TRADING_DAY
from quantflux.platform import Platform

_MOST_NAMES = 10_000
_LAST_DAY = date(2199, 12, 31)


class Values:
    """Values by name, from a query or a JSON body.

    Parameters
    ----------
    given : mapping
    place : str
        How messages call it, before the name; empty for the request itself.
    """

    def __init__(self, given: Mapping[str, Any], place: str = "") -> None:
        self.given, self._place = given, place

    def __getitem__(self, name: str) -> Any:
        """Return a value, None if it is not given."""
        return self.given.get(name) or None

    def require(self, *names: str, message: str = "") -> None:
        """Refuse, in v1's words, a request without one of these."""
        if not all(self[name] for name in names):
            raise Refused(400, message or f"缺少必需参数: {', '.join(names)}")

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        return str(self._typed(name, str, "a text") or default)

    def day(self, name: str) -> date | None:
        """Return a day, given as YYYY-MM-DD."""
        value = self[name]
        if value is None:
            return None
        try:
            found = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
        except ValueError:
            found = None
        if found is None or not FIRST_TRADING_DAY <= found <= _LAST_DAY:
            raise self._refusal(name, "a day from 1990-12-19 on such as 2024-01-31")
        return found

    def the_day(self, name: str) -> date:
        """Return a day that must be given."""
        found = self.day(name)
        if found is None:
            raise Refused(400, f"缺少必需参数: {name}")
        return found

    def span(self, first: str = "start_date", last: str = "end_date") -> tuple[date, date]:
        """Return two days that must be given, in order."""
        start, end = self.the_day(first), self.the_day(last)
        if start > end:
            raise Refused(400, f"{first} is {start} and {last} is {end}; valid is a start up to the end")
        return start, end

    def integer(self, name: str, default: int, *, least: int = 1, most: int = 1_000_000) -> int:
        """Return a whole number, given as one or as text."""
        value = self.number(name, default)
        if not value.is_integer() or not least <= value <= most:
            raise self._refusal(name, f"a whole number from {least} to {most}")
        return int(value)

    def number(self, name: str, default: float) -> float:
        """Return a finite number, given as one or as text."""
        value = self.given.get(name)
        if value is None or value == "":
            return float(default)
        try:
            found = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if not math.isfinite(found):
            raise self._refusal(name, "a number")
        return found

    def names(self, name: str) -> list[str]:
        """Return a list of different texts; empty if it is not given."""
        value = self._typed(name, list, "a list of texts") or []
        if len(value) > _MOST_NAMES or not all(isinstance(each, str) and each for each in value):
            raise self._refusal(name, f"a list of at most {_MOST_NAMES} texts")
        return list(dict.fromkeys(value))

    def codes(self, name: str = "ts_codes") -> list[str]:
        """Return a list of symbols; empty if it is not given."""
        return [parse_symbol(each) for each in self.names(name)]

    def mapping(self, name: str) -> Values:
        """Return an object; an empty one if it is not given."""
        return Values(self._typed(name, dict, "an object") or {}, f"{self._place}{name}.")

    def numbers(self, name: str) -> dict[str, float]:
        """Return an object of numbers; an empty one if it is not given."""
        inner = self.mapping(name)
        return {key: inner.number(key, math.nan) for key in inner.given}

    def objects(self, name: str) -> list[Values]:
        """Return a list of objects; empty if it is not given."""
        value = self._typed(name, list, "a list of objects") or []
        if not all(isinstance(each, dict) for each in value):
            raise self._refusal(name, "a list of objects")
        return [Values(each, f"{self._place}{name}.{place}.") for place, each in enumerate(value)]

    def _typed(self, name: str, kind: type, valid: str) -> Any:
        value = self[name]
        if value is not None and not isinstance(value, kind):
            raise self._refusal(name, valid)
        return value

    def _refusal(self, name: str, valid: str) -> Refused:
        return Refused(400, f"{self._place}{name}: found {self.given[name]!r:.60}; valid is {valid}")


@dataclass(frozen=True)
class Asked:
    """One request to a route of v1.

    Attributes
    ----------
    platform : Platform
    caller : Principal
    path : mapping of str to str
        What stands in the place of the template's names.
    query, body : Values
    give_up : threading.Event
        Set when nobody waits for the answer any more.
    """

    platform: Platform
    caller: Principal
    path: Mapping[str, str] = field(default_factory=dict)
    query: Values = field(default_factory=lambda: Values({}))
    body: Values = field(default_factory=lambda: Values({}))
    give_up: threading.Event = field(default_factory=threading.Event)

    @property
    def code(self) -> str | None:
        """The symbol in the path in canonical form; None if it is none."""
        try:
            return parse_symbol(self.path["ts_code"])
        except InvalidRequest:
            return None
