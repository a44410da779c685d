"""Every setting by its dotted key: what `explain`, validation and the reference page know about it."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import cleandoc
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types as limits
from pydantic import ConfigDict, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from quantflux.config.fields import Section
from quantflux.config.problems import MASK
from quantflux.config.settings import Settings

PREFIX = "QUANTFLUX_"
"""Of every environment variable that sets a setting."""

_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    Path: "a path",
}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_TOO_LARGE = 2**63
_STRICT = ConfigDict(strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class InvalidValueError(ValueError):
    """A value is not valid for its setting. The message never repeats the value."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    key : str
        Dotted, such as "store.influxdb.url".
    type : type
        One of bool, int, float, str, pathlib.Path and SecretStr.
    valid : str
        In words, with limits or choices.
    restart : bool
        Whether a change takes effect only after a restart.
    """

    key: str
    description: str
    type: type
    unit: str
    default: Any
    valid: str
    choices: tuple[str | int, ...]
    restart: bool
    _adapter: TypeAdapter[Any] = field(repr=False, compare=False)

    @property
    def secret(self) -> bool:
        """Whether the value must never be shown."""
        return self.type is SecretStr

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        name = "env" if self.key == "environment" else self.key
        return PREFIX + name.upper().replace(".", "__")

    def shown(self, value: Any) -> str:
        """Return a value as people may see it: secrets are masked."""
        if self.secret:
            return MASK if value.get_secret_value() else ""
        if value is None:
            return ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    def check(self, value: Any) -> Any:
        """Return a value as read from TOML in its final type.

        Raises
        ------
        InvalidValueError
            Saying what is wrong, without the value.
        """
        if not isinstance(value, str | int | float) or (isinstance(value, int) and abs(value) >= _TOO_LARGE):
            raise InvalidValueError("")
        try:
            return self._adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError as exc:
            error = exc.errors(include_url=False, include_input=False)[0]
            reason = str(error.get("ctx", {}).get("error", "")) if error["type"] == "value_error" else ""
            raise InvalidValueError(reason) from None

    def from_text(self, text: str) -> Any:
        """Return the TOML value that a variable's text stands for, or the text where it is none.

        Examples
        --------
        >>> catalogue()["store.mysql.port"].from_text("3307"), catalogue()["panels.enabled"].from_text("no")
        (3307, False)
        """
        if self.type is bool:
            return _BOOLEANS.get(text.strip().casefold(), text)
        if self.type in (int, float):
            try:
                return self.type(text.replace("_", ""))
            except ValueError:
                return text
        return text


@cache
def catalogue() -> Mapping[str, Setting]:
    """Return every setting by its dotted key, in the order of the reference page."""
    return MappingProxyType({s.key: s for s in _walk(Settings, "")})


@cache
def sections() -> Mapping[str, str]:
    """Return the description of every section by its dotted name; the root's name is empty."""
    return MappingProxyType(dict(_walk_sections(Settings, "")))


def similar(key: str, known: Collection[str]) -> list[str]:
    """Return up to three known keys that look like `key`, best first: their last parts, or else the whole.

    Examples
    --------
    >>> similar("store.nmae", catalogue()), similar("token", catalogue())
    (['store.name'], ['store.influxdb.token', 'sources.tushare.token'])
    """
    wanted, by_leaf = _leaf(key.casefold()), defaultdict(list)
    for name in known:
        by_leaf[_leaf(name)].append(name)
    leaves = difflib.get_close_matches(wanted, by_leaf, n=3, cutoff=0.7)
    named = [name for leaf in leaves for name in by_leaf[leaf]]
    parent = key.rpartition(".")[0]
    siblings = [name for name in named if name.rpartition(".")[0] == parent]
    return (siblings or named or difflib.get_close_matches(key.casefold(), known, n=3, cutoff=0.75))[:3]


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def value_of(settings: Section, key: str) -> Any:
    """Return the value of a dotted key."""
    found: Any = settings
    for part in key.split("."):
        found = getattr(found, part)
    return found


def _section(info: FieldInfo) -> type[Section] | None:
    kind: Any = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _walk(model: type[Section], prefix: str) -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        if (inner := _section(info)) is not None:
            yield from _walk(inner, f"{prefix}{name}.")
        else:
            yield _setting(prefix + name, info)


def _walk_sections(model: type[Section], prefix: str) -> Iterator[tuple[str, str]]:
    yield prefix.rstrip("."), cleandoc(model.__doc__ or "").partition("\n\nExamples")[0]
    for name, info in model.model_fields.items():
        if (inner := _section(info)) is not None:
            yield from _walk_sections(inner, f"{prefix}{name}.")


def _setting(key: str, info: FieldInfo) -> Setting:
    extra = info.json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(f"{key} is not declared with `setting`")
    choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    kind = type(choices[0]) if choices else _plain(info.annotation)
    return Setting(
        key=key,
        description=str(info.description),
        type=kind,
        unit=str(extra["unit"]),
        default=info.default,
        valid=str(extra["valid"]) or _valid(kind, choices, info.metadata),
        choices=choices,
        restart=bool(extra["restart"]),
        _adapter=_adapter(Annotated[(info.annotation, key, *info.metadata)]),
    )


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=_STRICT)


def _plain(annotation: Any) -> type:
    """Return the one plain type inside an annotation: `Annotated[Path, ...] | None` is a Path."""
    if isinstance(annotation, type):
        return annotation
    first: Any = get_args(annotation)[0]
    return _plain(first)


def _valid(kind: type, choices: tuple[str | int, ...], metadata: list[Any]) -> str:
    if choices:
        return "one of " + ", ".join(json.dumps(c) for c in choices)
    words = "text, never shown" if kind is SecretStr else _WORDS[kind]
    low = next((m.ge for m in metadata if isinstance(m, limits.Ge)), None)
    high = next((m.le for m in metadata if isinstance(m, limits.Le)), None)
    above = next((m.gt for m in metadata if isinstance(m, limits.Gt)), None)
    if low is not None and high is not None:
        return f"{words} from {low:,} to {high:,}"
    said = [f"of at least {low:,}"] if low is not None else []
    said += [f"above {above:,}"] if above is not None else []
    said += [f"up to {high:,}"] if high is not None else []
    return " ".join([words, " and ".join(said)]).strip()
