"""What can be wrong with a configuration, said in one line each and never with a secret in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

from quantflux.core.errors import ConfigError

MASK = "********"
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
    datetime: "a date and time",
    date: "a date",
    time: "a time",
}
LONGEST = 60  # characters of a value that a message repeats


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from.

    Attributes
    ----------
    kind : str
        "default", "environment file", "file", "variable" or "override".
    name : str
        The file's path, the variable's name or the option; empty for defaults.
    line : int or None
        Line in the file, from 1, where it is known.
    """

    kind: Literal["default", "environment file", "file", "variable", "override"]
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return such as `quantflux.toml:12`, `QUANTFLUX_DATA_DIR` or `default`."""
        return f"{self.name or self.kind}:{self.line}" if self.line else self.name or self.kind


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, which key, and in words what was found and what would be valid."""

    origin: Origin
    key: str
    text: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return ": ".join(part for part in (str(self.origin), shortened(self.key), self.text) if part)


def configuration_error(problems: Sequence[Problem]) -> ConfigError:
    """Return one error that lists every problem."""
    lines = list(dict.fromkeys(str(p) for p in problems))
    if len(lines) == 1:
        return ConfigError(lines[0], lines)
    return ConfigError(f"{len(lines)} problems in the configuration:\n  " + "\n  ".join(lines), lines)


def shown(value: Any) -> str:
    """Return a value as a message may repeat it: short, without credentials in addresses.

    Examples
    --------
    >>> shown("http://me:pw@host/"), shown(3), shown(True), shown([1, 2])
    ('"http://********@host/"', '3', 'true', 'a list')
    """
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{shortened(_without_credentials(value))}"'
        case int() | float():
            return f"{value:.15g}" if isinstance(value, float) else _short_integer(value)
        case _:
            return kind_of(value)


def kind_of(value: Any) -> str:
    """Return the kind of a TOML value in words."""
    return _KINDS.get(type(value), type(value).__name__)


def printable(text: str) -> str:
    """Return text with line breaks, control characters and the like escaped, fit for a terminal or log."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def shortened(text: str) -> str:
    """Return printable text of a length that fits a message."""
    safe = printable(text)
    return safe if len(safe) <= LONGEST else safe[:LONGEST] + "…"


def _without_credentials(text: str) -> str:
    """Return an address without what stands before its last @: a user and a password."""
    before, at, after = text.rpartition("@")
    scheme, slashes, _ = before.partition("://")
    return f"{scheme if slashes else ''}{slashes}{MASK}@{after}" if at else text


def _short_integer(value: int) -> str:
    return str(value) if abs(value) < 10**LONGEST else kind_of(value)
