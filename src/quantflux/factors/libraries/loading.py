"""Reads a library's file.

A file is TOML::

    title = "..."                  required, like source
    source = "..."
    rules = "..."                  what holds for all of its definitions
    orientation = 1                of factors that do not say; 0 unless given
    windows = [5, 10]              of factors whose id has a {d}

    [names]                        words that expressions may use
    returns = "(close / delay(close, 1) - 1)"

    [[factor]]
    id = "MA{d}"                   once for each window: {d} stands for it here and in the next two
    expression = "ts_mean(close, {d}) / close"
    description = "..."
    orientation, source, version   optional

Names are put in place as text, so that every definition stands by itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.factors.definition import FactorDefinition

_FILES = "quantflux.factors.libraries"
_TOP = frozenset({"title", "source", "rules", "orientation", "windows", "names", "factor"})
_ENTRY = frozenset({"id", "expression", "description", "orientation", "source", "version"})


@dataclass(frozen=True)
class Library:
    """A set of definitions with a common source.

    Attributes
    ----------
    name, title : str
    source : str
        Where the definitions come from.
    rules : str
        What holds for all of them: gaps, units, what was changed.
    factors : tuple of FactorDefinition
        In the order of the source.
    """

    name: str
    title: str
    source: str
    rules: str
    factors: tuple[FactorDefinition, ...]

    def __len__(self) -> int:
        return len(self.factors)

    def __iter__(self) -> Iterator[FactorDefinition]:
        return iter(self.factors)

    def __getitem__(self, factor_id: str) -> FactorDefinition:
        """Return a factor by its id; `NotFound` names similar ones."""
        known = {factor.id: factor for factor in self.factors}
        if factor_id not in known:
            similar = get_close_matches(factor_id, known, n=3) or list(known)[:5]
            raise NotFound(
                f"library {self.name} has no factor {factor_id!r}; it has {', '.join(similar)} ..."
            )
        return known[factor_id]


@cache
def library_names() -> tuple[str, ...]:
    """Return the names of the libraries, sorted.

    Examples
    --------
    >>> "alpha158" in library_names()
    True
    """
    names = (entry.name for entry in files(_FILES).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def load_library(name: str) -> Library:
    """Return a library by name.

    Raises
    ------
    NotFound
        Listing the libraries.

    Examples
    --------
    >>> library = load_library("alpha158")
    >>> len(library), library["MA5"].expression
    (158, 'Mean($close, 5)/$close')
    """
    if name not in library_names():
        raise NotFound(f"no factor library is called {name!r}; there are: {', '.join(library_names())}")
    return read_library(name, files(_FILES).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def read_library(name: str, text: str) -> Library:
    """Return the library that a file's text holds.

    Raises
    ------
    InvalidRequest
        If the text is not of the form above, or two factors have one id.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"library {name} is not TOML: {error}") from error
    _check_keys(name, table, _TOP, ("title", "source", "factor"))
    factors = tuple(factor for entry in table["factor"] for factor in _factors(name, table, entry))
    counts: dict[str, int] = {}
    for factor in factors:
        counts[factor.id] = counts.get(factor.id, 0) + 1
    twice = [factor_id for factor_id, count in counts.items() if count > 1]
    if twice:
        raise InvalidRequest(f"library {name} has more than one factor called {', '.join(twice)}")
    return Library(name, table["title"], table["source"], table.get("rules", "").strip(), factors)


def _factors(name: str, table: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[FactorDefinition]:
    """Yield the definitions of an entry: one, or one for each window."""
    _check_keys(f"{name}: {entry.get('id', 'a factor')}", entry, _ENTRY, ("id", "expression", "description"))
    expression = _without_names(entry["expression"], MappingProxyType(table.get("names", {})))
    for window in table.get("windows", ()) if "{d}" in entry["id"] else (None,):
        put = str if window is None else lambda part, d=window: part.replace("{d}", str(d))
        yield FactorDefinition(
            put(entry["id"]),
            put(expression),
            description=put(entry["description"]),
            source=entry.get("source", table["source"]),
            library=name,
            orientation=entry.get("orientation", table.get("orientation", 0)),
            version=entry.get("version", 1),
        )


def _without_names(expression: str, names: Mapping[str, str]) -> str:
    """Put what the names stand for in their places; a name may use those before it."""
    for name, meaning in reversed(list(names.items())):
        expression = re.sub(rf"\b{name}\b", meaning, expression)
    return expression


def _check_keys(where: str, table: Mapping[str, Any], known: frozenset[str], needed: tuple[str, ...]) -> None:
    missing = [key for key in needed if key not in table]
    unknown = [key for key in table if key not in known]
    if missing:
        raise InvalidRequest(f"library {where} lacks {', '.join(missing)}")
    if unknown:
        raise InvalidRequest(
            f"library {where} has unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
