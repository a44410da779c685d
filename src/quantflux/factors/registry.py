"""Which factors there are: the libraries that come along, and what users defined, with versions and owners.

Users' definitions are kept in one SQLite file. A definition is never changed: a new expression under the same name is
a new version, and retiring a factor adds a version that says so. What was computed with an older one stays explained.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidRequest, NotFound, StoreUnavailable
from quantflux.expressions.labels import horizon_of
from quantflux.expressions.nodes import Node
from quantflux.expressions.text import parse, to_text
from quantflux.factors.definition import FactorDefinition
from quantflux.factors.fields import catalogue
from quantflux.factors.libraries import library_names, load_library

USER_LIBRARY = "user"
"""The library of factors that users defined."""

_TABLES = """
CREATE TABLE IF NOT EXISTS factor_versions (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    expression TEXT NOT NULL,
    digest TEXT NOT NULL,
    description TEXT NOT NULL,
    orientation INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created TEXT NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, version)
);
"""


class FactorRegistry:
    """Finds factors by name.

    Parameters
    ----------
    path : Path or None
        The file of users' definitions, made when something is first defined; None keeps them in memory.
    clock : Clock
    """

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._memory: sqlite3.Connection | None = None

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
        rows = self._select(
            "SELECT * FROM factor_versions AS f WHERE version = "
            "(SELECT MAX(version) FROM factor_versions WHERE id = f.id) AND retired = 0 ORDER BY id"
        )
        return tuple(_definition(row) for row in rows)

    def get(self, name: str, version: int | None = None) -> FactorDefinition:
        """Return a factor by its id, or by library and id as in `alpha158.ROC5`.

        Raises
        ------
        NotFound
            With similar names.
        InvalidRequest
            If several libraries have a factor of that id; names them.
        """
        library, _, short = name.rpartition(".")
        candidates = [self.library(library)] if library else [self.library(each) for each in self.libraries()]
        found = [f for factors in candidates for f in factors if f.id == short]
        if version is not None:
            found = [self._version(short, version)]
        if not found:
            known = {f.id for factors in candidates for f in factors}
            similar = get_close_matches(short, sorted(known), n=4, cutoff=0.5)
            hint = f"; similar: {', '.join(similar)}" if similar else ""
            raise NotFound(f"no factor is called {name!r}{hint}")
        if len(found) > 1:
            places = ", ".join(f"{f.library}.{f.id}" for f in found)
            raise InvalidRequest(f"several factors are called {name!r}; say which: {places}")
        return found[0]

    def select(self, names: Iterable[str]) -> tuple[FactorDefinition, ...]:
        """Return factors by name; the name of a library stands for all of its factors."""
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
        self._check_name(name)
        if orientation not in (-1, 0, 1):
            raise InvalidRequest(f"orientation must be 1 (more is better), -1 (less) or 0, was {orientation}")
        node = self.parse(expression) if isinstance(expression, str) else expression
        if horizon_of(node):
            raise InvalidRequest(
                f"{name} looks {horizon_of(node)} rows ahead; a factor must not, only a label may"
            )
        text = to_text(node)
        history = self.versions(name)
        last = history[-1] if history else None
        if last is not None and last.owner != owner:
            raise InvalidRequest(f"{name} belongs to {last.owner or 'nobody'}; choose another name")
        same = last is not None and (last.expression, last.description, last.orientation) == (
            text,
            description,
            orientation,
        )
        if last is not None and same and not self._is_retired(name):
            return last
        version = 1 if last is None else last.version + 1
        self._insert(name, version, text, node.digest, description, orientation, owner, retired=False)
        return self._version(name, version)

    def retire(self, name: str, owner: str = "") -> None:
        """Take a user's factor out of the lists; its versions stay on record."""
        last = self.get(f"{USER_LIBRARY}.{name}")
        if last.owner != owner:
            raise InvalidRequest(f"{name} belongs to {last.owner or 'nobody'}, who alone may retire it")
        self._insert(
            name, last.version + 1, last.expression, last.node.digest, last.description, last.orientation, owner,
            retired=True,
        )  # fmt: skip

    def versions(self, name: str) -> tuple[FactorDefinition, ...]:
        """Return every version of a user's factor, the oldest first."""
        rows = self._select("SELECT * FROM factor_versions WHERE id = ? ORDER BY version", name)
        return tuple(_definition(row) for row in rows)

    def parse(self, text: str) -> Node:
        """Return an expression in which factors may be named."""
        return parse(text, names=self.resolve, fields=catalogue())

    def resolve(self, name: str) -> Node | None:
        """Return what a factor's name means in an expression; None if there is no such factor."""
        try:
            return self.get(name).node
        except NotFound:
            return None

    def exported(self) -> str:
        """Return all versions of all users' factors as JSON."""
        rows = self._select("SELECT * FROM factor_versions ORDER BY id, version")
        return json.dumps({"format": 1, "factors": [dict(row) for row in rows]}, indent=1, ensure_ascii=False)

    def imported(self, text: str, owner: str = "") -> list[FactorDefinition]:
        """Define the newest version of every factor in an export; all or none.

        Raises
        ------
        InvalidRequest
            If the text is no export, or one of its factors cannot be defined.
        """
        try:
            told = json.loads(text)
            rows = told["factors"]
            if told["format"] != 1:
                raise ValueError("unknown format")
            newest = {row["id"]: row for row in sorted(rows, key=lambda r: r["version"])}
            wanted = [
                (str(r["id"]), str(r["expression"]), str(r["description"]), int(r["orientation"]))
                for r in newest.values()
                if not r["retired"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidRequest(f"this is no export of factor definitions: {error}") from error
        for name, expression, _, _ in wanted:
            self._check_name(name)
            self.parse(expression)
        return [
            self.define(name, expression, description=description, orientation=orientation, owner=owner)
            for name, expression, description, orientation in wanted
        ]

    def close(self) -> None:
        """Forget what is kept in memory."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _check_name(self, name: str) -> None:
        if not (name.isascii() and name.isidentifier() and not name.startswith("_") and len(name) <= 64):
            raise InvalidRequest(
                f"a factor's name is a letter followed by up to 63 letters, digits and underscores, was {name!r:.80}"
            )
        if name in catalogue():
            raise InvalidRequest(f"{name} is a field; choose another name")
        for library in library_names():
            if name == library or any(f.id == name for f in load_library(library).factors):
                raise InvalidRequest(f"{name} is taken by the library {library}; choose another name")

    def _is_retired(self, name: str) -> bool:
        return all(f.id != name for f in self.user_factors())

    def _version(self, name: str, version: int) -> FactorDefinition:
        rows = self._select("SELECT * FROM factor_versions WHERE id = ? AND version = ?", name, version)
        if not rows:
            there = ", ".join(str(f.version) for f in self.versions(name)) or "none"
            raise NotFound(f"{name} has no version {version}; it has: {there}")
        return _definition(rows[0])

    def _insert(
        self,
        name: str,
        version: int,
        expression: str,
        digest: str,
        description: str,
        orientation: int,
        owner: str,
        *,
        retired: bool,
    ) -> None:
        row = (name, version, expression, digest, description, orientation, owner)
        with self._database(write=True) as database:
            try:
                database.execute(
                    "INSERT INTO factor_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, self._clock.now().isoformat(timespec="seconds"), int(retired)),
                )
            except sqlite3.IntegrityError as error:
                raise InvalidRequest(f"somebody else defined {name} at the same moment; try again") from error

    def _select(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._database(write=False) as database:
            return [] if database is None else database.execute(statement, values).fetchall()

    @contextmanager
    def _database(self, *, write: bool) -> Iterator[Any]:
        """Yield a connection; None for reading where nothing was ever defined."""
        if self._path is None:
            if self._memory is None:
                self._memory = sqlite3.connect(":memory:", check_same_thread=False)
                self._memory.row_factory = sqlite3.Row
                self._memory.executescript(_TABLES)
            with self._memory:
                yield self._memory
            return
        if not write and not self._path.exists():
            yield None
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=30)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(
                f"the factor definitions in {self._path} cannot be opened: {error}"
            ) from error
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_TABLES)
            with connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(
                f"the factor definitions in {self._path} cannot be used: {error}"
            ) from error
        finally:
            connection.close()


def _definition(row: sqlite3.Row) -> FactorDefinition:
    return FactorDefinition(
        id=row["id"],
        expression=row["expression"],
        description=row["description"],
        source="",
        library=USER_LIBRARY,
        orientation=row["orientation"],
        version=row["version"],
        owner=row["owner"],
    )
