"""Turns each source of settings (file, variables, options) into checked entries and a list of problems.

Every source is checked on its own, so that a wrong value is reported even where a later source replaces it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantflux.config.catalogue import PREFIX, InvalidValueError, Setting, catalogue, sections, similar
from quantflux.config.files import TomlFile, UnreadableError, read_toml
from quantflux.config.problems import LONGEST, Origin, Problem, kind_of, shown

CHOOSES_FILE = "QUANTFLUX_CONFIG"
_NO_SETTINGS = (CHOOSES_FILE, "QUANTFLUX_URL", "QUANTFLUX_API_KEY")
"""Variables that are not refused: the last two are read by `quantflux.Client`."""

MAX_PROBLEMS = 100
"""Of one source, that are listed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One checked value and where it came from."""

    key: str
    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class Layer:
    """The checked values of one source, and its problems."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()


def file_layer(path: Path, origin: Origin) -> Layer:
    """Read a TOML file. Its relative paths are relative to its own folder."""
    try:
        file = read_toml(path)
    except UnreadableError as exc:
        return Layer(problems=(Problem(Origin(origin.kind, origin.name, exc.line), "", str(exc)),))
    return _collect(_from_table(file, origin, file.values, ""))


def variable_layer(environ: Mapping[str, str]) -> Layer:
    """Read the variables that begin with `QUANTFLUX_`."""
    return _collect(_from_variables(environ))


def override_layer(overrides: Sequence[str]) -> Layer:
    """Read `KEY=VALUE` texts, as given to `--set`."""
    return _collect(_from_overrides(overrides))


def _collect(found: Iterator[Entry | Problem]) -> Layer:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for item in found:
        if isinstance(item, Entry):
            entries.append(item)
        elif len(problems) < MAX_PROBLEMS:
            problems.append(item)
        else:
            # Each suggestion takes a moment, and nobody reads a hundred thousand of them.
            problems.append(
                Problem(Origin(item.origin.kind, item.origin.name), "", "there are more problems")
            )
            break
    return Layer(tuple(entries), tuple(problems))


def _from_table(
    file: TomlFile, origin: Origin, table: Mapping[str, Any], prefix: str
) -> Iterator[Entry | Problem]:
    for name, value in table.items():
        key = prefix + name
        here = Origin(origin.kind, origin.name, file.line_of(key))
        if key in catalogue():
            yield _checked(catalogue()[key], value, here, base=file.path.parent)
        elif key not in sections():
            yield _unknown(key, here)
        elif isinstance(value, dict):
            yield from _from_table(file, origin, value, key + ".")
        else:
            yield Problem(here, key, f"found {kind_of(value)}; valid is a table of settings: [{key}]")


def _from_variables(environ: Mapping[str, str]) -> Iterator[Entry | Problem]:
    by_name = {setting.variable: setting for setting in catalogue().values()}
    for name in sorted(n for n in environ if n.startswith(PREFIX)):
        origin = Origin("variable", name)
        if name in by_name:
            yield _checked(by_name[name], by_name[name].from_text(environ[name]), origin)
        elif name not in _NO_SETTINGS:
            yield _unknown_variable(name, origin, list(by_name))


def _from_overrides(overrides: Sequence[str]) -> Iterator[Entry | Problem]:
    for number, text in enumerate(overrides, start=1):
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            # The text itself is not repeated: it may be a secret that was pasted alone.
            yield Problem(Origin("override", "--set"), "", f"option {number} has no '='; valid is KEY=VALUE")
        elif key in catalogue():
            setting = catalogue()[key]
            yield _checked(setting, setting.from_text(value.strip()), Origin("override", "--set"))
        else:
            yield _unknown(key, Origin("override", "--set"))


def _checked(setting: Setting, value: Any, origin: Origin, base: Path | None = None) -> Entry | Problem:
    try:
        final = setting.check(value)
    except InvalidValueError as exc:
        return _refusal(setting, value, origin, str(exc))
    if base is not None and isinstance(final, Path):
        final = Path(os.path.abspath(base / final))  # noqa: PTH100  # resolve() would follow symbolic links
    return Entry(setting.key, final, origin)


def _refusal(setting: Setting, value: Any, origin: Origin, reason: str) -> Problem:
    found = kind_of(value) if setting.secret else shown(value)
    if not setting.secret and isinstance(value, str) != (setting.type in (str, Path)):
        found = f"{found} ({kind_of(value)})" if found != kind_of(value) else found
    said = f"found {found}" + (f", which {reason}" if reason else "")
    unit = f" ({setting.unit})" if setting.unit else ""
    return Problem(origin, setting.key, f"{said}; valid is {setting.valid}{unit}")


def _unknown(key: str, origin: Origin) -> Problem:
    parent = key.rpartition(".")[0]
    here = [k for k in (*catalogue(), *sections()) if k and k.rpartition(".")[0] == parent]
    near = similar(key[:LONGEST], here) or similar(key[:LONGEST], catalogue())
    return Problem(origin, key, "there is no such setting" + _hint(near, here))


def _unknown_variable(name: str, origin: Origin, known: Sequence[str]) -> Problem:
    near = similar(name.removeprefix(PREFIX), [n.removeprefix(PREFIX).lower() for n in known])
    return Problem(origin, "", "no setting has this variable" + _hint([PREFIX + n.upper() for n in near], []))


def _hint(near: Sequence[str], here: Sequence[str]) -> str:
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; valid here: {', '.join(k.rpartition('.')[2] for k in here)}" if here else ""
