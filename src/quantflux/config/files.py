"""Reads one TOML file, whatever is in its place, and says on which line each key stands."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

MAX_BYTES = 1_000_000
MAX_DOTS = 50  # tomllib's time grows with the square of a key's depth; nothing real comes near this

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_HEADER = re.compile(rf"\s*\[{{1,2}}[ \t]*({_PATH})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"\s*({_PATH})[ \t]*=")
_PARTS = re.compile(_KEY)
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class UnreadableError(Exception):
    """The file cannot be used as a whole. `line` is where, counted from 1, or None."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True)
class TomlFile:
    """The values of a TOML file and the lines of their dotted keys."""

    path: Path
    values: dict[str, Any]
    lines: dict[str, int] = field(repr=False)

    def line_of(self, key: str) -> int | None:
        """Return the line of a dotted key, or of the nearest table around it."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return self.lines.get(key)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file of at most `MAX_BYTES`, read through one handle.

    Raises
    ------
    UnreadableError
        If it is absent, not readable, too large, or a directory, pipe or device.
    """
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UnreadableError("there is no such file") from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise UnreadableError(f"cannot be read: {reason}") from exc
    try:
        return _regular(descriptor)
    finally:
        os.close(descriptor)


def _regular(descriptor: int) -> bytes:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise UnreadableError("is a directory; valid is a TOML file")
    if not stat.S_ISREG(mode):
        raise UnreadableError("is a pipe, socket or device; valid is a TOML file")
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UnreadableError(f"cannot be read: {exc.strerror}") from exc
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"is larger than {MAX_BYTES:,} bytes, the most a configuration file may have")
    return data


def fingerprint(path: Path) -> str:
    """Return a text that changes whenever the file's content does, or what stands in its place."""
    try:
        return sha256(read_bytes(path)).hexdigest()
    except UnreadableError as exc:
        return str(exc)


def read_toml(path: Path) -> TomlFile:
    """Read a TOML file.

    Raises
    ------
    UnreadableError
        If there is no usable text, or it is not TOML.
    """
    text = _decoded(read_bytes(path))
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if line.count(".") > MAX_DOTS and not line.lstrip().startswith("#"):
            raise UnreadableError(f"holds a line with more than {MAX_DOTS} dots", number)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise _syntax_error(str(exc), len(lines)) from None
    except RecursionError:
        raise UnreadableError("is nested too deeply") from None
    except ValueError as exc:  # an integer of thousands of digits, say
        raise UnreadableError(f"is not valid TOML: {str(exc).partition(';')[0]}") from None
    return TomlFile(path, values, key_lines(text))


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError("is UTF-16; save it as UTF-8")
    if b"\x00" in data:
        raise UnreadableError("holds a NUL byte; valid is a TOML text file", _line(data, data.index(b"\x00")))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UnreadableError("is not UTF-8 text", _line(data, exc.start)) from None
    if not text.strip():
        raise UnreadableError("is empty; write at least one setting or comment, or remove the file")
    return text


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _syntax_error(message: str, last_line: int) -> UnreadableError:
    place = _PLACE.search(message)
    if place is None:
        return UnreadableError(f"is not valid TOML: {message}")
    said = message[: place.start()]
    if place[1] is None:
        return UnreadableError(f"is not valid TOML: {said} at the end of the file", last_line)
    return UnreadableError(f"is not valid TOML: {said}, column {place[2]}", int(place[1]))


def key_lines(text: str) -> dict[str, int]:
    """Return the line, from 1, on which each dotted key of a TOML text stands.

    Keys inside inline tables are not listed; `TomlFile.line_of` finds the line of the table.

    Examples
    --------
    >>> key_lines('data_dir = "x"\\n[store]\\nname = "mysql"\\nmysql.port = 1')
    {'data_dir': 1, 'store': 2, 'store.name': 3, 'store.mysql.port': 4}
    """
    found: dict[str, int] = {}
    table = ""
    closing = ""  # the delimiter that ends the multi-line string we are in
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if header := _HEADER.match(line):
            table = _dotted(header[1])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            key = _dotted(assignment[1])
            found.setdefault(f"{table}.{key}" if table else key, number)
            closing = next((q for q in ('"""', "'''") if line.count(q) == 1), "")
    return found


def _dotted(path: str) -> str:
    return ".".join(part.strip("\"'") for part in _PARTS.findall(path))
