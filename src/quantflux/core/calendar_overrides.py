"""Days a desk adds to or removes from the shipped calendar, in a TOML file.

::

    published_until = 2027-12-31      # optional: sessions up to here are no longer provisional
    added = [2027-02-05]              # sessions of every exchange
    removed = [2027-02-08]
    [BSE]                             # and of one
    removed = [2027-03-01]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from quantflux.core.errors import ConfigError
from quantflux.core.symbols import Exchange

_LISTS = ("added", "removed")
_EXCHANGES = frozenset(Exchange)


@dataclass(frozen=True)
class Overrides:
    """Days to add and remove, for every exchange (under None) and for single ones."""

    added: Mapping[Exchange | None, frozenset[date]] = field(default_factory=dict)
    removed: Mapping[Exchange | None, frozenset[date]] = field(default_factory=dict)
    published_until: date | None = None

    def of(self, exchange: Exchange) -> tuple[frozenset[date], frozenset[date]]:
        """Return the days added and removed for one exchange."""
        nothing: frozenset[date] = frozenset()
        added, removed = (
            days.get(None, nothing) | days.get(exchange, nothing) for days in (self.added, self.removed)
        )
        return added, removed

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a file; `ConfigError` names what is wrong and what would be valid."""
        raw = _read(path)
        sections: dict[Exchange | None, Mapping[str, Any]] = {None: {}}
        general: dict[str, Any] = {}
        for key, value in raw.items():
            if key in _EXCHANGES:
                sections[Exchange(key)] = value
            else:
                general[key] = value
        until = general.pop("published_until", None)
        if until is not None and not _is_day(until):
            raise ConfigError(f"{path}: published_until must be a day such as 2027-12-31, was {until!r}")
        sections[None] = general
        lists = {where: _checked(path, where, section) for where, section in sections.items()}
        overrides = cls(
            added={where: days["added"] for where, days in lists.items()},
            removed={where: days["removed"] for where, days in lists.items()},
            published_until=until,
        )
        overrides._refuse_contradictions(path)
        return overrides

    def _refuse_contradictions(self, path: Path) -> None:
        for exchange in Exchange:
            added, removed = self.of(exchange)
            if both := sorted(added & removed):
                raise ConfigError(f"{path}: {both[0]} is both added and removed for {exchange}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"calendar overrides {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"calendar overrides {path} are not valid TOML: {error}") from error


def _checked(path: Path, where: Exchange | None, section: object) -> dict[str, frozenset[date]]:
    prefix = "" if where is None else f"{where}."
    if not isinstance(section, dict):
        raise ConfigError(f"{path}: {where} must be a table with added and removed, was {section!r}")
    unknown = [key for key in section if key not in _LISTS]
    if unknown:
        valid = (
            f"added, removed, published_until, {', '.join(Exchange)}" if where is None else "added, removed"
        )
        raise ConfigError(f"{path}: {prefix}{unknown[0]} is not known; valid are: {valid}")
    days = {}
    for name in _LISTS:
        values = section.get(name, [])
        if not isinstance(values, list) or not all(_is_day(value) for value in values):
            raise ConfigError(
                f"{path}: {prefix}{name} must be a list of days such as [2027-02-08], was {values!r}"
            )
        days[name] = frozenset(values)
    return days


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)
