"""The record of a run: what it was told, what it read, what ran it, and the hashes of what came out.

A record is a small JSON file beside the report. With it the run can be done again, and a difference can be traced:
other data, other code, another definition of a factor, or, if all of these are the same, the results themselves.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np

import quantflux
from quantflux.core.errors import InvalidRequest

FORMAT = 1
_LIBRARIES = ("numpy", "numba")


@dataclass(frozen=True)
class RunRecord:
    """What a run was, and what it gave.

    Attributes
    ----------
    name, made : str
        Of the run; when, in ISO 8601.
    content : mapping
        The run file, defaults included.
    folder : str
        Where the files that it names are looked for; in a file, as seen from there.
    seed : int
    code : mapping of str to str
        Versions of quantflux, Python, numpy and numba, and `source`, the SHA-256 of quantflux's own files.
    data : mapping of str to int
        Versions of the datasets that were read.
    expressions : mapping of str to mapping
        Of every expression its canonical `text` and its `digest`, by the key under which the run file names it.
    files : mapping of str to str
        SHA-256 of each file that the run file names.
    arrays : mapping of str to str
        SHA-256 of each result.
    metrics : mapping of str to float or None
        Key figures, for people: hashes say that something differs, these say how much.
    """

    name: str
    made: str
    content: Mapping[str, Any]
    folder: str
    seed: int
    code: Mapping[str, str]
    data: Mapping[str, int]
    expressions: Mapping[str, Mapping[str, str]]
    files: Mapping[str, str]
    arrays: Mapping[str, str]
    metrics: Mapping[str, float | None]

    def to_json(self) -> str:
        """Return the record as JSON, which holds no NaN."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, called: str = "the record") -> Self:
        """Return a record from its JSON.

        Raises
        ------
        InvalidRequest
            If the text is no record, or one of another format.
        """
        try:
            told = json.loads(text)
            if not isinstance(told, dict) or "format" not in told:
                raise ValueError("it has no format")
            if told.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}, the one that this release reads")
            known = {field.name for field in fields(cls)}
            if lacking := sorted(known - told.keys()):
                raise ValueError(f"it lacks {', '.join(lacking)}")
            for name in ("content", "code", "data", "expressions", "files", "arrays", "metrics"):
                if not isinstance(told[name], dict):
                    raise ValueError(f"its {name} is no table")
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"{called}: this is no record of a run: {error!s:.200}") from error
        return cls(**{name: told[name] for name in known})

    def write(self, path: Path) -> None:
        """Write it as JSON, its folder told from where it stands, so that both can move together."""
        path.parent.mkdir(parents=True, exist_ok=True)
        told = replace(self, folder=os.path.relpath(Path(self.folder).absolute(), path.parent.absolute()))
        path.write_text(told.to_json() + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record, its folder told as `write` was given it; raises what `from_json` does."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InvalidRequest(f"{path}: there is no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"{path}: cannot be read: {error}") from error
        found = cls.from_json(text, str(path))
        return replace(found, folder=str(path.parent / found.folder))


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes
    ----------
    kind : {"code", "data", "expression", "file", "result"}
    what : str
        Which of them.
    then, now : str
        "nothing" where it is on one side only.
    """

    kind: str
    what: str
    then: str
    now: str


@dataclass(frozen=True)
class Replay:
    """A run done again, held against its record.

    Attributes
    ----------
    then, now : RunRecord
    differences : tuple of Difference
        Causes first, results last.
    """

    then: RunRecord
    now: RunRecord
    differences: tuple[Difference, ...]

    @property
    def is_identical(self) -> bool:
        """Whether every result is the same, bit for bit, whatever else differs."""
        return not any(each.kind == "result" for each in self.differences)


def compared(then: RunRecord, now: RunRecord) -> Replay:
    """Hold a run against the record of an earlier one."""
    found = [
        *_between("code", then.code, now.code),
        *_between("data", then.data, now.data),
        *_between("expression", _texts(then), _texts(now)),
        *_between("file", then.files, now.files),
        *_between("result", then.arrays, now.arrays),
    ]
    return Replay(then, now, tuple(found))


def _texts(record: RunRecord) -> dict[str, str]:
    """Return expressions by key; the digest, which decides, is told where the text is the same."""
    return {key: f"{each['text']} [{each['digest'][:12]}]" for key, each in record.expressions.items()}


def _between(kind: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    names = [*then, *(name for name in now if name not in then)]
    return [
        Difference(kind, name, str(then.get(name, "nothing")), str(now.get(name, "nothing")))
        for name in names
        if then.get(name) != now.get(name)
    ]


def content_digest(content: Mapping[str, Any]) -> str:
    """Return a SHA-256 of what a run file says, its name aside: equal ones are the same strategy.

    Examples
    --------
    >>> one, two = {"name": "A", "capital": 1e6, "seed": 0}, {"seed": 0, "capital": 1e6, "name": "B"}
    >>> content_digest(one) == content_digest(two)
    True
    """
    told = {key: value for key, value in content.items() if key != "name"}
    return sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def array_digest(values: np.ndarray) -> str:
    """Return a SHA-256 of an array's type, shape and values.

    Examples
    --------
    >>> array_digest(np.zeros(2)) == array_digest(np.zeros((2, 1)))
    False
    """
    told = sha256(f"{values.dtype.str}{values.shape}".encode())
    told.update(np.ascontiguousarray(values).view(np.uint8).data if values.size else b"")
    return told.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; `InvalidRequest` if it cannot be read."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}") from error


@cache
def code_state() -> Mapping[str, str]:
    """Return what computes: versions, and a hash of quantflux's own code and rule tables."""
    libraries = {name: version(name) for name in _LIBRARIES}
    return {
        "quantflux": quantflux.__version__,
        "source": _source_digest(Path(quantflux.__file__).parent),
        "python": platform.python_version(),
        **libraries,
    }


def _source_digest(folder: Path) -> str:
    """Return a hash of the package's modules and tables: the version alone does not change with an edit."""
    told = sha256()
    for path in sorted(p for ending in ("py", "toml") for p in folder.rglob(f"*.{ending}")):
        told.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        told.update(path.read_bytes())
    return told.hexdigest()
