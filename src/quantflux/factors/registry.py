"""Which factors there are: the libraries that come along, and what users defined, with versions and owners.

Users' definitions are kept in one SQLite file. A definition is never changed: a new expression under the same name is
a new version, and retiring a factor adds a version that says so. What was computed with an older one stays explained.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from quantflux.core.clock import Clock
from quantflux.core.errors import ExpressionError, InvalidRequest, NotFound
from quantflux.expressions.labels import horizon_of
from quantflux.expressions.nodes import Field, Node, fields_of
from quantflux.expressions.text import parse, to_text
from quantflux.expressions.text.names import function
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.definition_file import DefinitionFile, Version, Versions
from quantflux.factors.fields import catalogue
from quantflux.factors.libraries import library_names, load_library

USER_LIBRARY = "user"
"""The library of factors that users defined."""

_FORMAT = 1
_LONGEST_DESCRIPTION = 500


class FactorRegistry:
    """Finds factors by name.

    Parameters
    ----------
    path : Path or None
        The file of users' definitions, made when something is first defined; None keeps them in memory.
    clock : Clock
    """

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._file = DefinitionFile(path)
        self._clock = clock

    def libraries(self) -> tuple[str, ...]:
        """Return the names of the libraries, the users' own last."""
        return (*library_names(), USER_LIBRARY)

    def library(self, name: str) -> tuple[FactorDefinition, ...]:
        """Return the factors of a library; `NotFound` lists the libraries."""
        if name == USER_LIBRARY:
            return self.user_factors()
        if name not in library_names():
            raise NotFound(f"no library is called {name!r}; there are: {', '.join(self.libraries())}")
        return load_library(name).factors

    def user_factors(self) -> tuple[FactorDefinition, ...]:
        """Return the newest version of every factor that a user defined and nobody retired."""
        with self._file.reading() as versions:
            return tuple(_definition(version) for version in versions.newest() if not version.retired)

    def get(self, name: str, version: int | None = None) -> FactorDefinition:
        """Return a factor by its id, or by library and id as in `alpha158.ROC5`.

        Parameters
        ----------
        version : int, optional
            An earlier one of a user's factor, also of one that is retired; the newest unless given.

        Raises
        ------
        NotFound
            With similar names, or the versions that there are.
        InvalidRequest
            If several libraries have a factor of that id; names them.
        """
        library, _, short = name.rpartition(".")
        if version is not None and library in ("", USER_LIBRARY) and (known := self.versions(short)):
            return _numbered(short, version, known)
        places = (library,) if library else self.libraries()
        found = self._found(short, places)
        if not found:
            known_ids = {f.id for place in places for f in self.library(place)}
            similar = get_close_matches(short, sorted(known_ids), n=4, cutoff=0.5)
            hint = f"; similar: {', '.join(similar)}" if similar else ""
            raise NotFound(f"no factor is called {name!r:.80}{hint}")
        return _only(name, found) if version is None else _numbered(name, version, found)

    def select(self, names: Iterable[str]) -> tuple[FactorDefinition, ...]:
        """Return factors by name; the name of a library stands for all of its factors."""
        if isinstance(names, str):
            raise InvalidRequest(f"factors must be a list of names, was the text {names!r:.80}")
        chosen: dict[str, FactorDefinition] = {}
        for name in names:
            several = self.library(name) if name in self.libraries() else (self.get(name),)
            for factor in several:
                other = chosen.setdefault(factor.id, factor)
                if other.library != factor.library:
                    raise InvalidRequest(
                        f"{other.library} and {factor.library} both have a factor {factor.id}; ask for one at a time"
                    )
        if not chosen:
            raise NotFound(
                f"no factors were named, or there are none in them; libraries: {', '.join(self.libraries())}"
            )
        return tuple(chosen.values())

    def define(
        self,
        name: str,
        expression: str | Node,
        *,
        description: str = "",
        orientation: int = 0,
        owner: str = "",
    ) -> FactorDefinition:
        """Define a factor, or a new version of one.

        Parameters
        ----------
        name : str
            A letter, then letters, digits and underscores, at most 64; neither a field nor in another library.
        expression : str or Node
            Text may name other factors: what they mean now becomes part of this one.
        orientation : {1, -1, 0}
            Whether more is better, less is better, or that is not known.
        owner : str
            Who defines it. Another owner's factor cannot be redefined.

        Returns
        -------
        FactorDefinition
            The version that holds; the last one if nothing is different.

        Raises
        ------
        ExpressionError
            If the text is no expression.
        InvalidRequest
            If the name is taken or is no name.
        """
        wanted = self._checked(name, expression, description, orientation)
        return self._add([wanted], owner)[0]

    def retire(self, name: str, owner: str = "") -> None:
        """Take a user's factor out of the lists; its versions stay on record.

        Raises
        ------
        NotFound
            If no user's factor is called that, or it is retired already.
        InvalidRequest
            If it is another owner's.
        """
        short = name.removeprefix(f"{USER_LIBRARY}.")
        self.get(f"{USER_LIBRARY}.{short}")
        with self._file.writing() as versions:
            last = versions.of(short)[-1]
            if last.owner != owner:
                raise InvalidRequest(f"{short} belongs to {last.owner or 'nobody'}, who alone may retire it")
            if not last.retired:
                told = (last.expression, last.description, last.orientation, owner, self._now())
                versions.add(Version(short, last.version + 1, *told, retired=True))

    def versions(self, name: str) -> tuple[FactorDefinition, ...]:
        """Return every version of a user's factor, the oldest first."""
        with self._file.reading() as versions:
            return tuple(_definition(version) for version in versions.of(name))

    def numbers(self, names: Iterable[str]) -> dict[str, int]:
        """Return the newest version of each user's factor among some names, retired ones too; others are left out.

        It says whether an expression that holds these names means what it meant before.
        """
        with self._file.reading() as versions:
            return versions.numbers(sorted(set(names)))

    def parse(self, text: str) -> Node:
        """Return an expression in which factors may be named."""

        def resolve(name: str) -> Node | None:
            found = [] if name in catalogue() else self._found(name, self.libraries())
            return _only(name, found).node if found else None

        return parse(text, names=resolve, fields=catalogue())

    def exported(self) -> str:
        """Return all versions of all users' factors as JSON."""
        with self._file.reading() as versions:
            factors = [asdict(version) for version in versions.all()]
        return json.dumps({"format": _FORMAT, "factors": factors}, indent=1, ensure_ascii=False)

    def imported(self, text: str, owner: str = "") -> list[FactorDefinition]:
        """Define the newest version of every factor in an export, but for retired ones; all or none.

        Raises
        ------
        InvalidRequest
            If the text is no export, or one of its factors cannot be defined: see `define`.
        """
        try:
            told = json.loads(text)
            if told["format"] != _FORMAT:
                raise ValueError(f"format {told['format']!r} is not {_FORMAT}")
            rows = sorted(told["factors"], key=lambda row: int(row["version"]))
            newest = [row for row in {row["id"]: row for row in rows}.values() if not row["retired"]]
            given = [(row["id"], row["expression"], row["description"], row["orientation"]) for row in newest]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise InvalidRequest(f"this is no export of factor definitions: {problem:.200}") from error
        return self._add([self._checked(*each) for each in given], owner)

    def close(self) -> None:
        """Forget what is kept in memory."""
        self._file.close()

    def _found(self, name: str, libraries: Sequence[str]) -> list[FactorDefinition]:
        """Return the factors of an id in some libraries; users may have defined very many, so only that id is read."""
        shipped = [library for library in libraries if library != USER_LIBRARY]
        found = [factor for library in shipped for factor in self.library(library) if factor.id == name]
        if USER_LIBRARY in libraries:
            with self._file.reading() as versions:
                last = versions.last(name)
            if last is not None and not last.retired:
                found.append(_definition(last))
        return found

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")

    def _checked(self, name: Any, expression: Any, description: Any, orientation: Any) -> FactorDefinition:
        """Return a definition in its final form, or say what is wrong with it; its version is still open."""
        texts = isinstance(name, str) and isinstance(description, str) and isinstance(expression, str | Node)
        if not (texts and isinstance(orientation, int)):
            raise InvalidRequest(
                "name, expression and description are texts and orientation is 1, 0 or -1; was given "
                f"{name!r:.80}, {expression!r:.80}, {description!r:.80}, {orientation!r:.80}"
            )
        if len(description) > _LONGEST_DESCRIPTION or not description.isprintable():
            raise InvalidRequest(
                f"{name:.64}: a description is one line of at most {_LONGEST_DESCRIPTION} printable characters"
            )
        definition = FactorDefinition(name, "", description, library=USER_LIBRARY, orientation=orientation)
        self._check_name(name)
        node = self.parse(expression) if isinstance(expression, str) else expression
        if horizon_of(node):
            raise InvalidRequest(
                f"{name} looks {horizon_of(node)} rows ahead; a factor must not, only a label may"
            )
        if not fields_of(node):
            raise InvalidRequest(f"{name} reads no field, so it is the same everywhere")
        return replace(definition, expression=to_text(node))

    def _add(self, wanted: Sequence[FactorDefinition], owner: str) -> list[FactorDefinition]:
        """Add new versions where something is different; all or none."""
        with self._file.writing() as versions:
            return [self._newest(versions, definition, owner) for definition in wanted]

    def _newest(self, versions: Versions, wanted: FactorDefinition, owner: str) -> FactorDefinition:
        history = versions.of(wanted.id)
        told = (wanted.expression, wanted.description, wanted.orientation)
        if history:
            last = history[-1]
            if last.owner != owner:
                raise InvalidRequest(f"{wanted.id} belongs to {last.owner or 'nobody'}; choose another name")
            if (last.expression, last.description, last.orientation) == told and not last.retired:
                return _definition(last)
        number = 1 + (history[-1].version if history else 0)
        made = Version(wanted.id, number, *told, owner, self._now())
        versions.add(made)
        return _definition(made)

    def _check_name(self, name: str) -> None:
        if name in catalogue():
            raise InvalidRequest(f"{name} is a field; choose another name")
        close = Field("close")
        try:
            usable = function(name) is None and parse(name, names={name: close}) is close
        except ExpressionError:
            usable = False
        if not usable:
            raise InvalidRequest(f"{name} has a meaning of its own in expressions; choose another name")
        if name in self.libraries():
            raise InvalidRequest(f"{name} is a library; choose another name")
        for library in library_names():
            if any(factor.id == name for factor in load_library(library)):
                raise InvalidRequest(f"{name} is taken by the library {library}; choose another name")


def _only(name: str, found: Sequence[FactorDefinition]) -> FactorDefinition:
    if len(found) > 1:
        places = ", ".join(f"{factor.library}.{factor.id}" for factor in found)
        raise InvalidRequest(f"several factors are called {name!r}; say which: {places}")
    return found[0]


def _numbered(name: str, version: int, known: Sequence[FactorDefinition]) -> FactorDefinition:
    for definition in known:
        if definition.version == version:
            return definition
    there = ", ".join(str(definition.version) for definition in known)
    raise NotFound(f"{name} has no version {version}; it has: {there}")


def _definition(version: Version) -> FactorDefinition:
    return FactorDefinition(
        id=version.id,
        expression=version.expression,
        description=version.description,
        library=USER_LIBRARY,
        orientation=version.orientation,
        version=version.version,
        owner=version.owner,
    )
