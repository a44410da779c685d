"""Says in one line what is wrong at a place of a document: which key, what was found, what would be valid."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

_LONGEST = 60  # characters of a value that a message repeats


def complaint(error: Mapping[str, Any], values: Any, model: type[BaseModel]) -> str:
    """Return one line on an error of pydantic's.

    Parameters
    ----------
    error : mapping
        One of `ValidationError.errors()`.
    values : mapping
        The whole document.
    model : type
        What it was checked against.
    """
    said, context = error["type"], error.get("ctx", {})
    key = _place(error["loc"], values, absent=said == "missing")
    if said == "missing":
        return f"{key}: is missing"
    if said == "extra_forbidden":
        known = _keys_beside(error["loc"], model)
        near = get_close_matches(str(error["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"valid are {', '.join(known)}"
        return f"{key}: is unknown; {hint}" if known else f"{key}: is unknown"
    if said.startswith("union_tag"):
        tag = context["discriminator"].strip("'")
        if said == "union_tag_not_found":
            return f"{key}: lacks its {tag}"
        return f"{key}: {tag} is {shown(context['tag'])}; valid is one of {context['expected_tags']}"
    if said in ("value_error", "assertion_error"):
        text = str(context.get("error", error["msg"]))
        return f"{key}: {text}" if key else text
    return f"{key}: found {shown(error['input'])}; valid is {_valid(said, context, error['msg'])}"


def _place(where: Sequence[str | int], values: Any, *, absent: bool) -> str:
    """Return a dotted key, list places counted from 1; parts that only say which kind of section is meant fall out."""
    parts: list[str] = []
    found = values
    for position, part in enumerate(where):
        named = absent and position == len(where) - 1  # the key that is missing, which `values` cannot have
        if isinstance(part, int) and isinstance(found, list | tuple):
            parts.append(str(part + 1))
            found = found[part] if part < len(found) else None
        elif isinstance(found, Mapping) and (part in found or named):
            parts.append(str(part))
            found = found.get(part)
    return ".".join(parts)


def _keys_beside(where: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """Return the keys that the section around an unknown one has; none where that cannot be told."""
    found: Any = model
    for part in where[:-1]:
        if isinstance(found, type) and issubclass(found, BaseModel) and part in found.model_fields:
            found = found.model_fields[str(part)].annotation
        options = [found, *_leaves(found)]
        sections = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        tagged = [o for o in sections if part in _tags(o)]
        found = tagged[0] if tagged else sections[0] if len(sections) == 1 else found
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return []
    return [info.alias or name for name, info in found.model_fields.items()]


def _leaves(annotation: Any) -> list[Any]:
    """Return the types inside an annotation such as `list[A | B] | None`."""
    return [leaf for part in get_args(annotation) for leaf in (_leaves(part) or [part])]


def _tags(section: type[BaseModel]) -> tuple[Any, ...]:
    return tuple(tag for info in section.model_fields.values() for tag in get_args(info.annotation))


_WORDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "date_type": "a day such as 2024-06-28",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "is_instance_of": "another type of value",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _valid(said: str, context: Mapping[str, Any], message: str) -> str:
    if said in _WORDS:
        return _WORDS[said]
    if said in _LIMITS:
        words, limit = _LIMITS[said]
        return f"{words} {context[limit]}"
    if said == "literal_error":
        return f"one of {context['expected']}".replace(" or ", ", ")
    if said == "too_short":
        return f"at least {context['min_length']} of them"
    if said == "too_long":
        return f"at most {context['max_length']} of them"
    return message[:1].lower() + message[1:]


def shown(value: Any) -> str:
    """Return a value as a message may repeat it."""
    match value:
        case str():
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.15g}" if isinstance(value, float) else str(value)[:_LONGEST]
        case date():
            return value.isoformat()
        case _:
            return kind_of(value)


def kind_of(value: Any) -> str:
    """Return the kind of a value in words."""
    kinds = {
        dict: "a table",
        list: "a list",
        str: "a text",
        type(None): "nothing",
        datetime: "a date and time",
    }
    return kinds.get(type(value), type(value).__name__)
