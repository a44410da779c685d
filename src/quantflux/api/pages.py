"""Long lists in pages: the parameters, the body and the links (RFC 8288)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Query, Request, Response

from quantflux.api.bodies import Answer

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="How many items to skip.")]
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="Where the page before ended: its `next`.")]


class Page(Answer, Generic[T]):
    """A part of a list.

    Attributes
    ----------
    items : list
    next : int or None
        What the parameter `offset` or `after` of the next page is; None on the last one.
    total : int or None
        How many there are in all, where that is known.
    """

    items: list[T]
    next: int | None = None
    total: int | None = None


def cut(
    request: Request, response: Response, items: Sequence[T], *, limit: int, offset: int
) -> tuple[list[T], int | None]:
    """Return the page of a whole list and the next page's offset; adds the Link header.

    Parameters
    ----------
    items : sequence
        All of them.
    """
    following = offset + limit if offset + limit < len(items) else None
    link_next(request, response, "offset", following)
    return list(items[offset : offset + limit]), following


def link_next(request: Request, response: Response, parameter: str, value: int | None) -> None:
    """Add the link to the next page: the same request with one parameter set; nothing if `value` is None."""
    if value is None:
        return
    query = [(k, v) for k, v in parse_qsl(request.url.query, keep_blank_values=True) if k != parameter]
    target = f"{request.url.path}?{urlencode([*query, (parameter, str(value))])}"
    response.headers["Link"] = f'<{target}>; rel="next"'
