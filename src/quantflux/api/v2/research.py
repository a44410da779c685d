"""What the routes of research share: documents as bodies, work that is quoted, and answers kept by what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import blake2b
from typing import Annotated, Any

from fastapi import Body, Query, Response
from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from quantflux.accounts.principal import Principal
from quantflux.api.answers import json_of
from quantflux.api.v2.asked import MAX_SYMBOLS
from quantflux.core.errors import NotFound
from quantflux.data.contract import day_of
from quantflux.data.schema import DAILY, MINUTE, datasets
from quantflux.factors.registry import USER_LIBRARY
from quantflux.platform import Platform

Document = dict[str, Any]
"""The content of a file: checked by the same model as the file, in the route, beside the event loop."""

OfDay = Annotated[
    str | None,
    Query(
        alias="date",
        max_length=10,
        description="A day with bars; the last one there is if left out.",
        openapi_examples={"one": {"value": "2025-12-31"}},
    ),
]
SomeSymbols = Annotated[
    str | None,
    Query(
        alias="symbols",
        max_length=20_000,
        description=f"Symbols separated by commas, at most {MAX_SYMBOLS}.",
        openapi_examples={"two": {"value": "000001.SZ,600001.SH"}},
    ),
]


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Described:
    """In the type of a body: gives it, in OpenAPI, the schema of a model that reads it later.

    Examples
    --------
    >>> from quantflux.scoring.request import ScreenRequest
    >>> ScreenBody = Annotated[Document, Described(ScreenRequest), examples(cheap={"where": "close < 10"})]
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the model's schema."""
        return handler(self._model.__pydantic_core_schema__)


def examples(**documents: dict[str, Any]) -> Any:
    """Return examples of a body by name, which work on the demonstration's market."""
    return Body(openapi_examples={name: {"value": each} for name, each in documents.items()})


def one_document(
    description: str, example: Mapping[str, Any], **more: str
) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an answer that is a JSON document; `more` are other statuses (`_404="..."`)."""
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": description, "content": {"application/json": {"example": dict(example)}}}
    }
    return found | {int(status.lstrip("_")): {"description": text} for status, text in more.items()}


def plain_answer(told: Mapping[str, Any], status: int = 200) -> Response:
    """Return a JSON document; what is no finite number is null."""
    return Response(json_of(told), status, media_type="application/json")


def spend(platform: Platform, caller: Principal, seconds: float) -> None:
    """Count work that is about to start against its owner's budget; raises what `Budget.spend` does."""
    platform.budget.spend(caller.owner, seconds)


@cache
def research_datasets() -> tuple[str, ...]:
    """Return the datasets that research reads: all that change by the day."""
    return tuple(name for name in datasets() if name != MINUTE.name)


def definitions(platform: Platform, document: Mapping[str, Any]) -> str:
    """Return what changes whenever a user's factor does whose name stands in a document.

    The same request may mean something else then. Other users' factors must not touch it: there may be many, and new
    ones all the time.
    """
    registry = platform.factors.registry
    names = {name for text in _texts(document) for name in _NAME.findall(text)}
    if USER_LIBRARY in names:  # stands for all of them
        names |= {factor.id for factor in registry.user_factors()}
    told = sorted(registry.numbers(names).items())
    return blake2b(repr(told).encode(), digest_size=12).hexdigest()


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a document, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def versions_of_models(platform: Platform, *names: str) -> str:
    """Return what changes whenever a model gets a version, or a version another stage."""
    registry = platform.models.registry
    told = "\n".join(
        f"{v.id} {v.version} {v.stage} {v.since} {v.digest}" for name in names for v in registry.list(name)
    )
    return blake2b(told.encode(), digest_size=12).hexdigest()


def last_day(platform: Platform) -> str:
    """Return the last day with bars.

    Raises
    ------
    NotFound
        If there are none.
    """
    span = platform.store.span(DAILY)
    if span is None:
        raise NotFound("there are no daily bars yet; bring some with: quantflux data import FILE")
    return day_of(span.last).isoformat()
