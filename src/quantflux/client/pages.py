"""Long lists: a page at a time under it, one list to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import polars as pl

from quantflux.client.calls import Call
from quantflux.client.transport import Transport

T = TypeVar("T")


class Pages(Generic[T]):
    """The items of a list that the server gives in pages. Iterate over it; pages are fetched as they are needed.

    Parameters
    ----------
    http : Transport
    call : Call
        Asks for the first page.
    parameter : str
        What the `next` of a page is given as: `offset` or `after`.
    """

    def __init__(self, http: Transport, call: Call, parameter: str) -> None:
        self._http = http
        self._call = call
        self._parameter = parameter

    def __iter__(self) -> Iterator[T]:
        following: Any = None
        while True:
            found = self._page(following)
            yield from found["items"]
            following = found.get("next")
            if following is None:
                return

    def __repr__(self) -> str:
        return f"<list of {self._call.path}: iterate over it, or .all(), .frame()>"

    def all(self) -> list[T]:
        """Return all items."""
        return list(self)

    def frame(self) -> pl.DataFrame:
        """Return all items as a table, a row each."""
        return pl.DataFrame(self.all(), infer_schema_length=None)

    @property
    def total(self) -> int | None:
        """How many there are in all, where the server knows."""
        total: int | None = self._page(None).get("total")
        return total

    def _page(self, following: Any) -> dict[str, Any]:
        query = self._call.query if following is None else {**self._call.query, self._parameter: following}
        found: dict[str, Any] = self._http.document(dataclasses.replace(self._call, query=query))
        return found
