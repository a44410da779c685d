"""Which values a search tries of each parameter: ranges and options, those of a kind or a user's own.

`spaces.toml` has the spaces of all kinds. A user writes the same: two numbers are the ends of a range, a table is a
range with more to say, any other list is a list of options, and a single value holds a parameter still.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeGuard

from quantflux.core.document_problems import shown
from quantflux.core.errors import InvalidRequest
from quantflux.learning.models import own_name

_KEYS = ("low", "high", "log", "choices")


@dataclass(frozen=True)
class Range:
    """Numbers from one to another, both included.

    Attributes
    ----------
    low, high : int or float
        Whole numbers are tried if both are whole.
    log : bool
        Whether orders of magnitude are tried alike.
    """

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: Any) -> bool:
        """Say whether a value may come of it."""
        return (
            _is_number(value)
            and self.low <= value <= self.high
            and (isinstance(value, int) or not self.whole)
        )

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Values that are valid for a model if all are."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Options:
    """Some values, of which one is tried.

    Attributes
    ----------
    values : tuple
        As JSON can hold them.
    """

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Say whether a value may come of it."""
        return written(value) in self.texts

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as JSON, which is what a study keeps."""
        return tuple(written(value) for value in self.values)

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Values that are valid for a model if all are."""
        return self.values


@dataclass(frozen=True)
class Space:
    """What a search tries.

    Attributes
    ----------
    searched : mapping of str to Range or Options
    fixed : mapping
        Parameters that the space holds still.
    """

    searched: Mapping[str, Range | Options]
    fixed: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        ranges: dict[str, Any] = {
            name: {"low": each.low, "high": each.high, "log": each.log}
            if isinstance(each, Range)
            else {"choices": list(each.values)}
            for name, each in self.searched.items()
        }
        return ranges | dict(self.fixed)


def space_of(kind: str, given: Mapping[str, Any] | None = None) -> Space:
    """Return what is tried of a kind of model.

    Parameters
    ----------
    kind : str
    given : mapping, optional
        By name, in place of the kind's own space: `[16, 256]`, `{"low": 0.01, "high": 0.3, "log": True}`, `["a", "b"]`,
        `{"choices": [1, 2]}`, or a value that is not searched. What it does not name stays as the model has it.

    Raises
    ------
    InvalidRequest
        If a range is none, a parameter stands twice, or nothing is left to search.

    Examples
    --------
    >>> space = space_of("ridge", {"alpha": {"low": 0.1, "high": 10, "log": True}})
    >>> space.searched["alpha"]
    Range(low=0.1, high=10, log=True)
    """
    told = _spaces().get(kind, {}) if given is None else _by_own_name(kind, given)
    searched, fixed = dict[str, Range | Options](), dict[str, Any]()
    for name, value in told.items():
        made = _made(name, value)
        if made is None:
            fixed[name] = value
        else:
            searched[name] = made
    if not searched:
        raise InvalidRequest(
            "there is nothing to search: no parameter has a range; valid is a range such as [16, 256]"
        )
    return Space(searched, fixed)


def written(value: Any) -> str:
    """Return an option as JSON; lists and tuples are the same."""
    return json.dumps(value)


@cache
def _spaces() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(files("quantflux.learning.tuning").joinpath("spaces.toml").read_text("utf-8"))


def _by_own_name(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user's space under the names that the kind itself has for its parameters."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        own = own_name(kind, name)
        if own in found:
            raise InvalidRequest(f"{name}: another name of {own} is given too; give one")
        found[own] = value
    return found


def _made(name: str, value: Any) -> Range | Options | None:
    """Return what a user wrote as a range or options; None for a value that holds still."""
    if isinstance(value, Mapping):
        return _of_table(name, value)
    if not isinstance(value, list | tuple):
        return None
    if not value:
        raise InvalidRequest(f"{name}: found an empty list; valid are two ends, or options")
    if len(value) == 2 and all(map(_is_number, value)):
        return _range(name, value[0], value[1], log=False)
    return Options(tuple(value))


def _of_table(name: str, table: Mapping[str, Any]) -> Range | Options:
    unknown = [key for key in table if key not in _KEYS]
    if unknown:
        raise InvalidRequest(f"{name}: {unknown[0]} is unknown; valid are {', '.join(_KEYS)}")
    if "choices" in table:
        choices = table["choices"]
        if len(table) > 1 or not isinstance(choices, list | tuple) or not choices:
            raise InvalidRequest(
                f"{name}: valid are choices, a list, or low and high; found {', '.join(table)}"
            )
        return Options(tuple(choices))
    log = table.get("log", False)
    if "low" not in table or "high" not in table or not isinstance(log, bool):
        raise InvalidRequest(
            f"{name}: a range needs low and high, and log is true or false; found {dict(table)}"
        )
    return _range(name, table["low"], table["high"], log=log)


def _range(name: str, low: Any, high: Any, *, log: bool) -> Range:
    for end in (low, high):
        if not _is_number(end) or not math.isfinite(end):
            raise InvalidRequest(f"{name}: found {shown(end)} as an end of a range; valid is a finite number")
    if low >= high:
        raise InvalidRequest(f"{name}: the range is from {low:g} to {high:g}; valid is from less to more")
    if log and low <= 0:
        raise InvalidRequest(f"{name}: the range begins at {low:g}; with log = true valid is above 0")
    return Range(low, high, log)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
