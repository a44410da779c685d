"""Checks of single values, and short spellings turned into the long ones, before a section takes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from quantflux.core.document_problems import shown
from quantflux.core.errors import ExpressionError
from quantflux.expressions.labels import horizon_of
from quantflux.expressions.text import parse

_FACTOR_OF_LIBRARY = re.compile(r"[A-Za-z]\w{0,63}\.[A-Za-z]\w{0,63}", re.ASCII)
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,49}")
ID_RULE = "a letter, then at most 49 letters, digits, '_', '.' or '-'"
_PARAMETER = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)
_ELSEWHERE = {
    "seed": ("seed", "random_state", "random_seed", "data_random_seed"),
    "threads": ("n_jobs", "num_threads", "nthread", "thread_count", "num_thread", "threads"),
}
_WHERE = {
    "seed": "the seed is a key of its own, `seed`, beside the kind",
    "threads": "threads are chosen where a model is trained, and change no result",
}


def one_of(*known: str) -> Callable[[Any], Any]:
    """Return a check that a text is one of some names, which suggests the nearest."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in known:
            near = get_close_matches(value, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"found {shown(value)}; valid is one of {', '.join(known)}{meant}")
        return value

    return check


def read_tuple(value: Any) -> Any:
    """Return a list as the tuple that frozen values hold, and a single text as a tuple of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def read_day(value: Any) -> Any:
    """Let a day stand in quotes; a date with a time is refused."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"found {shown(value)}; valid is a day such as 2024-06-28") from None
    if isinstance(value, datetime):
        raise ValueError(f"found {value}; valid is a day such as 2024-06-28")
    return value


def is_model_id(text: str) -> bool:
    """Say whether a text can name a model and its folder: see `ID_RULE`."""
    return _ID.fullmatch(text) is not None


def check_id(text: str) -> str:
    """Check that a text can name a model and its folder."""
    if not is_model_id(text):
        raise ValueError(f"found {shown(text)}; valid is {ID_RULE}")
    return text


def check_feature(text: str) -> str:
    """Check the name of a library or factor, or an expression that sees the past alone."""
    return text if _FACTOR_OF_LIBRARY.fullmatch(text) else check_past(text)


def check_past(text: str) -> str:
    """Check that a text is an expression that looks at no later day."""
    if _ahead(text):
        raise ValueError(f"found {shown(text)}, which looks at later days; only a label may use lead()")
    return text


def check_label(text: str) -> str:
    """Check that a text is an expression that looks at later days."""
    if not _ahead(text):
        raise ValueError(
            f"found {shown(text)}, which looks at no later day; valid is an expression with lead(), "
            'such as "lead(close, 6) / lead(open, 1) - 1"'
        )
    return text


def _ahead(text: str) -> int:
    try:
        return horizon_of(parse(text))
    except ExpressionError as error:
        raise ValueError(f"is no expression: {error}") from None


def check_parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Check that parameters have names, and values that JSON can hold: finite numbers, texts, truths, lists of them."""
    for name, value in given.items():
        if not _PARAMETER.fullmatch(name):
            raise ValueError(f"found the name {shown(name)}; valid are letters, digits and underscores")
        for subject, names in _ELSEWHERE.items():
            if name in names:
                raise ValueError(f"{name} is no parameter; {_WHERE[subject]}")
        if not _is_plain(value) and not (isinstance(value, list | tuple) and all(map(_is_plain, value))):
            raise ValueError(
                f"{name}: found {shown(value)}; valid is a finite number, a text, true or false, or a list of these"
            )
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _is_plain(value: Any) -> bool:
    finite = not isinstance(value, float) or math.isfinite(value)
    return value is None or (isinstance(value, bool | int | float | str) and finite)
