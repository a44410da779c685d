"""Strict JSON: what a body must be before anything looks at it, and the base of models of bodies."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from quantflux.api.errors import Problem

MAX_DEPTH = 32
_LARGE = 50_000  # bytes from which parsing leaves the event loop
_LARGEST_INTEGER = 2**63
_MOST_MISTAKES = 50


class Body(BaseModel):
    """Base of what comes in: unknown keys and numbers that are none are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_max_length=1_000_000)

    @model_validator(mode="wrap")
    @classmethod
    def _list_few_mistakes(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # Describing a mistake costs far more than finding it: a body of a million would hold the process for minutes.
        try:
            return handler(value)
        except ValidationError as exc:
            if (count := exc.error_count()) <= _MOST_MISTAKES:
                raise
        raise PydanticCustomError("too_many", "has {count} mistakes, too many to be listed", {"count": count})


def _no_count(value: Any) -> Any:
    if isinstance(value, (int, float)) or (isinstance(value, str) and "-" not in value[1:]):
        raise PydanticCustomError("moment", "must be a date and a time with an offset from UTC")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_no_count)]
"""A point of time that comes in as text; a number is none, since 2024 would be a moment of the year 1970."""


class Answer(BaseModel):
    """Base of what goes out; apart from what comes in, so that nobody can set what is only shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrictRequest(Request):
    """A request whose body is read as strict JSON."""

    async def json(self) -> Any:
        """Return the body's value.

        Raises
        ------
        Problem
            400 as `parse` says.
        """
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = parse(body) if len(body) < _LARGE else await run_in_threadpool(parse, body)
        return self._json


def parse(body: bytes) -> Any:
    """Return the value of a JSON text by RFC 8259 in UTF-8, with stricter rules.

    Refused are, beside what is no JSON (NaN, Infinity, a byte order mark, bad UTF-8): numbers beyond double
    precision's range or integers beyond 64 bits, lone surrogates, NUL in a text, a key twice in one object, more than
    32 levels.

    Raises
    ------
    Problem
        400 `invalid_json`.

    Examples
    --------
    >>> parse(b'{"symbols": ["600519.SH"], "limit": 5}')
    {'symbols': ['600519.SH'], 'limit': 5}
    >>> parse(b'{"limit": 5, "limit": 6}')
    Traceback (most recent call last):
    quantflux.api.errors.Problem: 400: The body is not acceptable JSON: the key 'limit' stands twice in one object.
    """
    try:
        orjson.loads(body)  # refuses more than the standard library does, but lets the last of two keys win
        value = json.loads(body, object_pairs_hook=_once, parse_int=_integer)
    except (ValueError, RecursionError) as exc:
        message = exc.msg if isinstance(exc, json.JSONDecodeError) else str(exc)
        raise _refusal(message) from None
    _check(value)
    return value


def _refusal(reason: str) -> Problem:
    return Problem(400, "invalid_json", f"The body is not acceptable JSON: {reason[:200].rstrip('.')}.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:64]!r} stands twice in one object")
    return made


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -_LARGEST_INTEGER <= (value := int(digits)) < _LARGEST_INTEGER:
        raise ValueError(f"the integer {digits[:24]} does not fit 64 bits")
    return value


def _check(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item)
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
            elif isinstance(item, str):
                if "\0" in item:
                    raise _refusal("a text holds the character NUL")
            elif isinstance(item, float) and not math.isfinite(item):
                raise _refusal("a number is beyond the range of double precision")
        if not deeper:
            return
        level = deeper
    raise _refusal(f"it is nested more than {MAX_DEPTH} levels deep")
