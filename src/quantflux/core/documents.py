"""Reads a file that describes a piece of work, in TOML or YAML, into a typed model, and says all that is wrong with it.

1. `read_document` turns the file into plain values: the ending says which language it is (`_toml`, `_yaml`).
2. `Document.into` checks them against a pydantic model made of `Section`: nothing is guessed, converted or ignored.
3. What does not fit becomes one line a key: what was found and what would be valid (`document_problems`).

YAML is read by the rules of YAML 1.2, in which `no` is a text and `1e-3` a number. Keys that stand twice, and
references (`&`, `*`), are refused.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from quantflux.core.document_problems import complaint, kind_of
from quantflux.core.errors import InvalidRequest

MAX_BYTES = 1_000_000
_MAX_DOTS = 50  # tomllib's time grows with the square of a key's depth


class Section(BaseModel):
    """A table of a document. Unknown keys and values of another type are refused; a whole number is a number too."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """What a file says.

    Attributes
    ----------
    name : str
        The file, as messages call it.
    text : str
        Its content.
    values : mapping
        Texts, numbers, truths, days, lists and mappings.
    """

    name: str
    text: str
    values: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return sha256(self.text.encode()).hexdigest()

    def into(self, model: type[M]) -> M:
        """Return the values as a model.

        Raises
        ------
        InvalidRequest
            Listing every problem, a line each: file, key, what was found and what would be valid.
        """
        try:
            return model.model_validate(self.values)
        except ValidationError as error:
            found = error.errors(include_url=False)
            lines = list(dict.fromkeys(complaint(each, self.values, model) for each in found))
        if len(lines) == 1:
            raise InvalidRequest(f"{self.name}: {lines[0]}")
        raise InvalidRequest(f"{self.name}: {len(lines)} problems:\n  " + "\n  ".join(lines))


def read_document(path: Path) -> Document:
    """Read a `.toml`, `.yaml` or `.yml` file.

    Raises
    ------
    InvalidRequest
        If it cannot be read, is larger than 1 MB, or breaks the rules of its language; says the line.
    """
    if path.suffix.lower() not in _LANGUAGES:
        raise InvalidRequest(f"{path}: a file is read by its ending; valid are {', '.join(_LANGUAGES)}")
    return parse_document(_text(path), path.suffix, str(path))


def parse_document(text: str, suffix: str = ".toml", name: str = "the document") -> Document:
    """Read the text of a document in the language of an ending; raises what `read_document` does.

    Examples
    --------
    >>> parse_document("method: equal\\nlimit: 1e-3", ".yaml").values
    {'method': 'equal', 'limit': 0.001}
    """
    values = _LANGUAGES[suffix.lower()](text, name)
    if not isinstance(values, dict):
        raise InvalidRequest(f"{name}: holds {kind_of(values)} at the top; valid are keys with values")
    return Document(name, text, values)


def _text(path: Path) -> str:
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InvalidRequest(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidRequest(f"{path}: is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise InvalidRequest(f"{path}: is larger than {MAX_BYTES:,} bytes, the most such a file may have")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(f"{path}:{line}: is not UTF-8 text") from None


def _toml(text: str, name: str) -> Any:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MAX_DOTS and not line.lstrip().startswith("#"):
            raise InvalidRequest(f"{name}:{number}: holds a line with more than {_MAX_DOTS} dots")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidRequest(f"{name}: is not valid TOML: {said}") from None


def _yaml(text: str, name: str) -> Any:
    import yaml  # noqa: PLC0415 - only files in this language need it

    from quantflux.core.yaml_core import CoreLoader  # noqa: PLC0415

    try:
        return yaml.load(text, CoreLoader)  # noqa: S506 - a SafeLoader underneath
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}" if mark is not None else ""
        raise InvalidRequest(f"{name}{place}: is not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise InvalidRequest(f"{name}: is not valid YAML: {said:.200}") from None


_LANGUAGES: Mapping[str, Callable[[str, str], Any]] = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml}
